"""The machinery of bench/run: allocators, workloads, measurement, statistics, report, plots."""
