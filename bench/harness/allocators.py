"""The allocators that are compared: glibc, four from Debian, ours, and any library by name=path.

Each is a shared library that the launcher preloads, glibc included: some programs are linked with
an allocator of their own (Debian's redis-server with jemalloc), and only a preloaded libc.so.6
gives them glibc's malloc.
"""

import hashlib
import subprocess
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from . import paths

US = "buddyslab"

# name, file name patterns, Debian package
KNOWN = [
    ("glibc", ["libc.so.6"], "libc6"),
    ("jemalloc", ["libjemalloc.so.2"], "libjemalloc2"),
    ("mimalloc", ["libmimalloc.so.2*", "libmimalloc.so.3*"], "libmimalloc2.0"),
    ("tcmalloc", ["libtcmalloc_minimal.so.4"], "libtcmalloc-minimal4"),
    ("tbbmalloc", ["libtbbmalloc_proxy.so.2"], "libtbbmalloc2"),
]

DIRECTORIES = ["/usr/lib/*-linux-gnu", "/lib/*-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib"]


@dataclass(frozen=True)
class Allocator:
    name: str
    library: str  # resolved: the name that /proc/PID/maps will show
    version: str

    @property
    def is_us(self):
        return self.name == US


def _find(patterns):
    for directory in DIRECTORIES:
        for pattern in patterns:
            found = sorted(glob(f"{directory}/{pattern}"))
            if found:
                return str(Path(found[0]).resolve())
    return None


def _package_version(library):
    """The Debian version of a library's package, or nothing."""
    for name in (library, library.removeprefix("/usr")):
        try:
            owner = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
            if owner.returncode == 0:
                package = owner.stdout.split(": ")[0].split(",")[0]
                query = ["dpkg-query", "-W", "-f", "${Package} ${Version}", package]
                return subprocess.run(query, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:
            break
    return ""


def _our_version():
    git = ["git", "-C", str(paths.ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(git, capture_output=True, text=True).stdout.strip()


def _our_library():
    """A copy of our library under the name of its content: building it again while a run goes on
    does not change what is measured.  None if there is none, or the linker is writing it."""
    content = paths.US.read_bytes() if paths.US.is_file() else b""
    if not content.startswith(b"\x7fELF"):
        return None
    copy = paths.LIBRARIES / f"libbuddyslab-{hashlib.sha256(content).hexdigest()[:12]}.so"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return str(copy.resolve())


def find(extra, without, warn):
    """All allocators of this run, ours last.  `extra` holds name=path, `without` names."""
    chosen = []
    for name, patterns, package in KNOWN:
        if name in without:
            continue
        library = _find(patterns)
        if library:
            chosen.append(Allocator(name, library, _package_version(library)))
        else:
            warn(f"{name} is not here (apt install {package}): left out")
    for definition in extra:
        name, _, path = definition.partition("=")
        library = Path(path).resolve()
        if not name or not library.is_file():
            raise SystemExit(f"run: --alloc {definition}: expected name=path of a shared library")
        chosen.append(Allocator(name, str(library), _package_version(str(library))))
    if US not in without and US not in [one.name for one in chosen]:
        library = _our_library()
        if library:
            chosen.append(Allocator(US, library, _our_version()))
        else:
            warn(f"{paths.US.relative_to(paths.ROOT)} is not there, or being built: left out")
    return chosen
