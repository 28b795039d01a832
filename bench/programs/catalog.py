"""The real programs, from Debian's packages."""

import os
import shutil
from pathlib import Path

from harness.paths import SCRATCH
from harness.workload import Workload

from . import inputs, redis

HERE = Path(__file__).resolve().parent


def _first(*names):
    """The first of these programs that is here."""
    return next((path for path in map(shutil.which, names) if path), None)


def _real(name, command, about, **more):
    return Workload(f"real/{name}", "real", command, about, **more)


def _python(quick):
    # Debian's own: a "python3" found in PATH may be a shell script that looks for one.
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else _first("python3")
    command = [python, "-S", str(HERE / "work.py"), inputs.records(5_000 if quick else 20_000),
               inputs.python_source(500 if quick else 1_500), "1" if quick else "4"]
    return [
        _real("python3", command, "json, dictionaries, regular expressions, ast"),
        _real("python3_malloc", command, "the same with every object from malloc",
              environment={"PYTHONMALLOC": "malloc"}),
    ]


def _git(quick):
    source = inputs.repository(200 if quick else 2500)
    copy = SCRATCH / "history.git"
    plain = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}

    def fresh_copy():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)

    return [
        _real("git_log", ["git", "-C", source, "log", "-p", "--stat", "--all"],
              "git log -p --stat over a made history", environment=plain),
        _real("git_gc", ["git", "-C", str(copy), "gc", "--quiet", "--aggressive"],
              "git gc --aggressive of the same history", environment=plain, prepare=fresh_copy),
    ]


def _compilers(quick):
    cxx = [_first("g++"), "-std=c++20", "-fsyntax-only", "-DQUICK" if quick else "-DFULL", "-x",
           "c++", str(HERE / "heavy.cpp")]
    c = [_first("gcc"), "-O1", "-S", "-o", str(SCRATCH / "functions.s"),
         inputs.c_source(50 if quick else 600)]
    return [
        _real("g++", cxx, "g++ -fsyntax-only on headers heavy on templates"),
        _real("gcc", c, "gcc -O1 on generated C"),
    ]


def _compressors(quick):
    text = inputs.text(1 if quick else 16)
    return [
        _real("xz", ["xz", "-k", "-c", "-T1", "-1" if quick else "-3", text], "xz of made text"),
        _real("zstd", ["zstd", "-q", "-c", "-T2", "-6" if quick else "-12", text],
              "zstd, two threads, of made text"),
    ]


def real_programs(quick, warn):
    """The workloads whose programs are here."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    lua = _first("lua5.4", "lua5.3", "lua")
    offers = [
        ("redis-server redis-benchmark redis-cli", "redis-server redis-tools",
         lambda: [redis.workload(quick)]),
        ("python3", "python3", lambda: _python(quick)),
        ("sqlite3", "sqlite3",
         lambda: [_real("sqlite3", ["sqlite3", ":memory:"],
                        "inserts, indexes, joins, groups, json in memory",
                        stdin=inputs.sql(10_000 if quick else 80_000))]),
        ("gcc g++", "g++", lambda: _compilers(quick)),
        ("perl", "perl",
         lambda: [_real("perl", ["perl", str(HERE / "work.pl"), inputs.text(1 if quick else 16)],
                        "word counts, hashes, substitutions, sorting")]),
        ("git", "git", lambda: _git(quick)),
        ("xz zstd", "xz-utils zstd", lambda: _compressors(quick)),
    ]
    made = []
    for programs, packages, make in offers:
        if all(shutil.which(program) for program in programs.split()):
            made += make()
        else:
            warn(f"no {programs} here (apt install {packages}): left out")
    if lua:
        made.append(_real("lua", [lua, str(HERE / "work.lua"), "0.3" if quick else "5"],
                          "tables, strings, closures"))
    else:
        warn("no lua here (apt install lua5.4): left out")
    return made
