#!/usr/bin/env python3
"""Gate: the manual pages are complete, say what the headers say, and are well formed.

    man.py ROOT

Every exported bsl_ function stands in the NAME section of one page, and no other name does; the SYNOPSIS of
that page has the header's prototype, letter by letter; the program in EXAMPLES compiles; pages that SEE ALSO
names are there; and neither groff nor mandoc has anything to complain of.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys

SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUE", "ERRORS", "ATTRIBUTES", "NOTES", "EXAMPLES", "SEE ALSO"]
OPTIONAL = {"ERRORS", "NOTES"}
complaints = []


def sections_of(page):
    parts = re.split(r"^\.SH (.*)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def plain(roff):
    """The text of lines of roff, without fonts."""
    lines = []
    for line in roff.splitlines():
        if line.startswith((".BI ", ".B ")):
            words = shlex.split(line.replace("\\ ", "\0"), posix=True)[1:]
            line = ("" if line.startswith(".BI ") else " ").join(words)
        elif line.startswith("."):
            continue
        lines.append(line.replace("\\-", "-").replace("\\e", "\\").replace("\0", " "))
    return "\n".join(lines) + "\n"


def prototypes(text):
    """{name: prototype} of C declarations, spaces and attributes apart."""
    text = re.sub(r"/\*(.|\n)*?\*/|^#.*(\\\n.*)*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"BSL_[A-Z0-9_]+(\((?:[^()]|\([^()]*\))*\))?", "", text)
    text = re.sub(r"\{[^{}]*\}", "", text)
    found = {}
    for declaration in text.split(";"):
        name = re.search(r"\b(bsl_\w+)\s*\(", declaration)
        if name and not re.match(r"\s*typedef", declaration):
            words = re.findall(r"\w+|\S", declaration)
            found[name[1]] = " ".join(words)
    return found


def names_of(sections):
    return re.split(r"[,\s]+", sections.get("NAME", "").split("\\-")[0].strip())


def check_function_page(page, sections, declared):
    found = list(sections)
    for name in SECTIONS:
        if name not in sections and name not in OPTIONAL:
            complaints.append(f"{page.name}: has no section {name}")
    if found != [name for name in SECTIONS if name in found]:
        complaints.append(f"{page.name}: sections are {', '.join(found)}; should be of {', '.join(SECTIONS)}, in this order")
    said = prototypes(plain(sections.get("SYNOPSIS", "")))
    for name in names_of(sections):
        if name in declared and said.get(name) != declared[name]:
            complaints.append(f"{page.name}: SYNOPSIS has {said.get(name)}, the header has {declared[name]}")
    for name in said.keys() - set(names_of(sections)):
        complaints.append(f"{page.name}: {name} is in SYNOPSIS, and not in NAME")


def check_example(root, page, sections):
    program = plain(re.sub(r"^\.(EX|EE)$", "", sections.get("EXAMPLES", ""), flags=re.MULTILINE))
    result = subprocess.run(
        [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-Iinclude", "-xc", "-"],
        input=program, cwd=root, text=True, capture_output=True)
    if result.returncode != 0:
        complaints.append(f"{page.name}: EXAMPLES does not compile:\n{result.stderr}")


def check_form(page):
    for command in (["groff", "-ww", "-t", "-man", "-Tutf8"], ["mandoc", "-T", "lint", "-W", "warning"]):
        result = subprocess.run([*command, page], text=True, capture_output=True)
        said = result.stderr if command[0] == "groff" else result.stdout
        if result.returncode != 0 or said:
            complaints.append(f"{page.name}: {command[0]} says:\n{said}")


def check_links(page, pages):
    for name, section in re.findall(r"\b(bsl_\w+|buddyslab)(?: |\\fP)\((\d)\)", page.read_text()):
        if f"{name}.{section}" not in pages:
            complaints.append(f"{page.name}: there is no page {name}({section})")


def main(root):
    exported = set(re.findall(r"^\s+(bsl_\w+);", (root / "src/libbuddyslab.map").read_text(), re.MULTILINE))
    declared = {}
    for header in sorted((root / "include/buddyslab").glob("*.h")):
        declared |= prototypes(header.read_text())
    pages = sorted((root / "docs/man").glob("*.[0-9]"))
    in_names = []
    for page in pages:
        sections = sections_of(page)
        check_form(page)
        if page.suffix == ".3":
            in_names += names_of(sections)
            if page.stem not in names_of(sections):
                complaints.append(f"{page.name}: {page.stem} is not in its NAME")
            check_function_page(page, sections, {n: declared[n] for n in names_of(sections) if n in declared})
            check_example(root, page, sections)
    for page in pages:
        check_links(page, {p.name for p in pages} | {f"{n}.3" for n in in_names})
    for name in sorted(exported - set(in_names)):
        complaints.append(f"no manual page has {name} in its NAME")
    for name in sorted(exported - declared.keys()):
        complaints.append(f"no header declares {name}, which is exported")
    for name in sorted(set(in_names) - exported):
        complaints.append(f"{name} is in the NAME of a manual page, and not in src/libbuddyslab.map")
    for name in sorted({n for n in in_names if in_names.count(n) > 1}):
        complaints.append(f"{name} is in the NAME of more than one manual page")
    print("\n".join(complaints) or f"{len(pages)} manual pages have all {len(exported)} functions")
    return bool(complaints)


sys.exit(main(pathlib.Path(sys.argv[1])))
