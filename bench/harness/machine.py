"""The machine's facts: what a reader must know to judge the numbers."""

import os
import platform
import subprocess
from pathlib import Path


def _read(path):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return "unknown"


def _first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (FileNotFoundError, IndexError):
        return "unknown"


def _field(text, name):
    for line in text.splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _cpu_model(cpuinfo):
    for name in ("model name", "Model", "CPU part"):
        model = _field(cpuinfo, name)
        if model != "unknown":
            return model
    return platform.machine()


def available_mib():
    return int(_field(_read("/proc/meminfo"), "MemAvailable").split()[0]) // 1024


def facts():
    cpuinfo = _read("/proc/cpuinfo")
    thp = _read("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": _cpu_model(cpuinfo),
        "cpus": len(os.sched_getaffinity(0)),
        "hypervisor": "hypervisor" in _field(cpuinfo, "flags").split(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory": _field(_read("/proc/meminfo"), "MemTotal"),
        "kernel": platform.release(),
        "transparent_hugepage": thp[thp.find("[") + 1:thp.find("]")] if "[" in thp else thp,
        "overcommit_memory": _read("/proc/sys/vm/overcommit_memory"),
        "distribution": _field(_read("/etc/os-release").replace("=", ":"),
                               "PRETTY_NAME").strip('"'),
        "glibc": platform.libc_ver()[1],
        "compiler": _first_line(["c++", "--version"]),
        "load_at_start": _read("/proc/loadavg"),
    }
