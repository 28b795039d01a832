#!/usr/bin/env python3
"""Gate: a file includes its own room or rooms to its left, nothing else.

    layers.py ROOT
"""
import pathlib
import re
import sys

ORDER = "base host config locking arena buddy slab vmalloc heap proc api tool".split()
PRELOAD_SEES = ORDER[:ORDER.index("proc") + 1] + ["preload"]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def visible_from(room):
    return PRELOAD_SEES if room == "preload" else ORDER[:ORDER.index(room) + 1]


def complaints(root):
    for path in sorted([*root.glob("src/**/*.[ch]pp"), *root.glob("preload/**/*.[ch]pp")]):
        where = path.relative_to(root)
        room = "preload" if where.parts[0] == "preload" else where.parts[1]
        if room not in ORDER + ["preload"]:
            yield f"{where}: {room} is no room (they are: {' '.join(ORDER)})"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not (found := INCLUDE.match(line)):
                continue
            included = found[1].split("/")[0]
            if included.endswith((".hpp", ".def")):
                yield f'{where}:{number}: write "room/file.hpp", not "{found[1]}"'
            elif included not in visible_from(room):
                yield f'{where}:{number}: {room} must not include "{found[1]}"'


found = list(complaints(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "each room includes only itself and rooms to its left")
sys.exit(bool(found))
