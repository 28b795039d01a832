"""What a workload is."""

from dataclasses import dataclass, field
from typing import Callable, Optional

GROUPS = ["micro", "patterns", "real", "scale", "special"]


@dataclass(frozen=True)
class Workload:
    """One program with its arguments, run once per allocator and repetition.

    Its results are the cost of the process (wall, user and system time, peak RSS, faults), and what
    the program itself reports: `cases` (times of one operation) and `values` (other figures).
    """

    name: str
    group: str
    command: list
    about: str = ""
    timed_by: str = "wall"  # "wall", "cases" (by the program itself), or "" (time says nothing)
    launches: int = 0  # above 0: so many processes make one run
    max_repeat: int = 100  # for long ones
    memory_mib: int = 0  # needs so much free memory
    environment: dict = field(default_factory=dict)
    cwd: Optional[str] = None
    stdin: Optional[str] = None
    reports: bool = False  # prints a JSON line
    prepare: Optional[Callable] = None  # called before each run, not timed
    driver: Optional[Callable] = None  # the client of a server; its time is the time of the run
