"""Real programs as workloads: how each is called, and how its input is made."""
