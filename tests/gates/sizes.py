#!/usr/bin/env python3
"""Gate: a file has at most 500 lines, a function at most 60.

    sizes.py ROOT

Exceptions stand in tests/gates/sizes_allowed.txt with their reason:  FILE[:FUNCTION] LINES REASON
An exception that is no longer needed is an error too.
"""
import pathlib
import re
import sys

FILE_LINES, FUNCTION_LINES = 500, 60
FOLDERS = ("src", "preload", "include", "tests", "bench", "scripts")
SOURCES = (".h", ".hpp", ".c", ".cpp", ".py", ".cmake")
NO_FUNCTION = re.compile(r"^\s*(template.*>\s*)?(class|struct|union|enum|namespace|extern)\b")


def functions(lines):
    """Yields (name, number of lines) of each function whose braces have lines of their own."""
    for start, line in enumerate(lines):
        if line.strip() != "{":
            continue
        head = start
        while head and re.search(r"[^;{}:\s]\s*$", lines[head - 1].split("//")[0]):
            head -= 1
        name = re.search(r"([\w~]+)\s*\(", " ".join(lines[head:start]))
        if not name or NO_FUNCTION.match(lines[head]):
            continue
        indent = line[:-1]
        end = next((n for n in range(start, len(lines)) if lines[n].startswith(indent + "}")), start)
        yield name[1], end - head + 1


def sizes(root):
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*")):
        if path.suffix in SOURCES and path.is_file():
            lines = path.read_text().splitlines()
            where = str(path.relative_to(root))
            yield where, len(lines), FILE_LINES
            if path.suffix in (".h", ".hpp", ".c", ".cpp"):
                for name, length in functions(lines):
                    yield f"{where}:{name}", length, FUNCTION_LINES


def complaints(root):
    allowed = {}
    listed = root / "tests/gates/sizes_allowed.txt"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        if line and not line.startswith("#"):
            where, limit, _reason = line.split(maxsplit=2)
            allowed[where] = int(limit)
    needed = set()
    for where, length, limit in sizes(root):
        if length > limit:
            needed.add(where)
            if length > allowed.get(where, limit):
                yield f"{where}: {length} lines, at most {allowed.get(where, limit)} are allowed"
    for where in sorted(allowed.keys() - needed):
        yield f"{where}: is in sizes_allowed.txt without need"


found = list(complaints(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "no file and no function is too long")
sys.exit(bool(found))
