#!/usr/bin/env python3
"""Gate: docs/kernel-api.md has every kernel call that the headers offer.

    kernel_api.py ROOT

Each function of a header that is the kernel's, and each plain name of include/buddyslab/linux, stands in
backquotes in a row of its tables: by its plain name, or with bsl_.
"""
import pathlib
import re
import sys

NOT_THE_KERNELS = {"heap.h", "malloc.h", "params.h", "stats.h", "version.h"}
HELPERS = {"types.h"} # linux/types.h: words of the kernel's, but none of its allocators'
NOT_CALLS = {"cma", "page", "kmem_cache", "slab_sheaf"} # struct tags
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def calls(root):
    """{name: header} of what must be there."""
    found = {}
    for header in sorted((root / "include/buddyslab").glob("*.h")):
        if header.name not in NOT_THE_KERNELS:
            for name in re.findall(r"\b(bsl_\w+)\(", COMMENT.sub("", header.read_text())):
                found[name] = header.name
    for header in sorted((root / "include/buddyslab/linux").glob("*.h")):
        if header.name not in HELPERS:
            for name in re.findall(r"^#define (\w+)", header.read_text(), re.MULTILINE):
                if not name.startswith("BUDDYSLAB_") and name not in NOT_CALLS:
                    found[name] = "linux/" + header.name
    return found


def main(root):
    page = root / "docs/kernel-api.md"
    rows = "\n".join(re.findall(r"^\|.*", page.read_text(), re.MULTILINE))
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", rows))))
    wanted = calls(root)
    missing = {n: h for n, h in wanted.items() if n not in words and n.removeprefix("bsl_") not in words}
    for name, header in missing.items():
        print(f"{page.name}: {name} of {header} is in no table")
    if not missing:
        print(f"{page.name} has all {len(wanted)} calls and names")
    return bool(missing)


sys.exit(main(pathlib.Path(sys.argv[1])))
