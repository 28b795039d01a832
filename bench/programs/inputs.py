"""The input of the real programs: made here from fixed seeds, the same on every machine, and kept
in build/bench/input.  Asking for an input only gives its path; make_all() makes what is not there.
"""

import json
import os
import random
import subprocess

from harness.paths import INPUT

SYLLABLES = "ka lo mi tu re san den vor pel qui stra nox ber all emu fi go hal ist jor".split()


_wanted = {}  # path -> the function that writes it


def _kept(name, make):
    """The path of an input; make(path) will write it if it is not there."""
    path = INPUT / name
    _wanted[path] = make
    return str(path)


def make_all(say):
    for path, make in _wanted.items():
        if path.exists():
            continue
        say(f"making {path.name}")
        INPUT.mkdir(parents=True, exist_ok=True)
        unfinished = INPUT / f"{path.name}.unfinished"
        make(unfinished)
        unfinished.rename(path)


def _words(count, seed):
    rng = random.Random(seed)
    return ["".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 2, 3, 4)))) for _ in range(count)]


def text(mib):
    """Text of words that are as unevenly frequent as those of a language (Zipf)."""
    def make(path):
        rng = random.Random(1)
        vocabulary = _words(20_000, 2)
        weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
        with open(path, "w") as file:
            while file.tell() < mib << 20:
                for _ in range(500):
                    file.write(" ".join(rng.choices(vocabulary, weights, k=12)) + ".\n")
    return _kept(f"text-{mib}M.txt", make)


def records(count):
    """JSON records, nested, with strings and numbers."""
    def make(path):
        rng = random.Random(3)
        words = _words(3_000, 4)
        made = [{"id": number, "name": " ".join(rng.choices(words, k=3)),
                 "tags": rng.choices(words, k=rng.randrange(8)), "score": rng.random(),
                 "place": {"x": rng.randrange(10_000), "y": rng.randrange(10_000)}}
                for number in range(count)]
        path.write_text(json.dumps(made, indent=1))
    return _kept(f"records-{count}.json", make)


def python_source(functions):
    """A Python module for the parser: functions with loops, comprehensions, dictionaries."""
    def make(path):
        rng = random.Random(5)
        words = [f"{word}_{number}" for number, word in enumerate(_words(2_000, 6))]
        with open(path, "w") as file:
            for number in range(functions):
                a, b, c, d = rng.sample(words, 4)
                file.write(f"def {a}_{number}({b}, {c}=None, *{d}):\n"
                           f"    total = {{'{a}': [{b} * i for i in range({rng.randrange(99)})]}}\n"
                           f"    for key, value in total.items():\n"
                           f"        if value and {c} is not None:\n"
                           f"            yield key.join(str(v) for v in value if v != {b}), {d}\n"
                           f"    return (lambda {b}: {b} + 1)(total)\n\n")
    return _kept(f"source-{functions}.py", make)


def sql(rows):
    """A script for an in-memory database: inserts, indexes, joins, groups, strings."""
    def make(path):
        rng = random.Random(7)
        words = _words(4_000, 8)
        with open(path, "w") as file:
            file.write("CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, place TEXT);\n"
                       "CREATE TABLE visit(person INTEGER, place TEXT, note TEXT);\nBEGIN;\n")
            for number in range(rows):
                name, place, note = rng.choices(words, k=3)
                file.write(f"INSERT INTO person VALUES({number}, '{name} {note}', '{place}');\n")
                file.write(f"INSERT INTO visit VALUES({rng.randrange(rows)}, '{place}',"
                           f" '{note} {name} {place}');\n")
            file.write(
                "COMMIT;\nCREATE INDEX by_place ON visit(place);\n"
                "CREATE INDEX by_name ON person(name, place);\n"
                "SELECT place, count(*), group_concat(substr(note, 1, 3)) FROM visit"
                " GROUP BY place ORDER BY 2 DESC;\n"
                "SELECT upper(p.name) || v.note FROM person p JOIN visit v ON v.person = p.id"
                " ORDER BY p.name, v.note;\n"
                "UPDATE person SET name = replace(name, 'ka', 'kaka') WHERE id % 3 = 0;\n"
                "DELETE FROM visit WHERE person % 2 = 0;\n"
                "SELECT json_group_array(json_object('n', name, 'p', place)) FROM person;\n")
    return _kept(f"script-{rows}.sql", make)


def c_source(functions):
    """Plain C with many functions: what an optimizing compiler sees on an ordinary day."""
    def make(path):
        rng = random.Random(9)
        with open(path, "w") as file:
            file.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
                       "struct item { struct item* next; int key; char name[24]; };\n")
            for number in range(functions):
                a, b, c = (rng.randrange(1, 99) for _ in range(3))
                file.write(f"""
static int work_{number}(struct item* list, int* table, int n)
{{
    int sum = {a};
    for (int i = 0; i < n; ++i) {{
        table[i] = table[i] * {b} + (i % {c});
        if (table[i] > sum) sum ^= table[i] << {a % 7};
        switch (table[i] & 7) {{
        case 0: sum += {a}; break;
        case 1: sum -= i * {b}; break;
        case 2: case 5: sum += (int)strlen(list->name); break;
        default: list = list->next ? list->next : list;
        }}
    }}
    return sum + list->key;
}}
""")
            calls = " + ".join(f"work_{number}(list, table, n)" for number in range(functions))
            file.write(f"int all(struct item* list, int* table, int n) {{ return {calls}; }}\n")
    return _kept(f"functions-{functions}.c", make)


def repository(commits):
    """A git repository with a history of changing text files."""
    def make(path):
        rng = random.Random(10)
        words = _words(3_000, 11)
        files = [[rng.choice(words) for _ in range(120)] for _ in range(80)]
        stream = []
        for number in range(commits):
            message = f"Change number {number}: {' '.join(rng.choices(words, k=8))}\n"
            second = 1_600_000_000 + number * 600
            stream.append(f"commit refs/heads/main\nmark :{number + 1}\n"
                          f"committer Bench <bench@example.org> {second} +0000\n"
                          f"data {len(message)}\n{message}")
            if number:
                stream.append(f"from :{number}\n")
            for which in rng.sample(range(len(files)), 3):
                lines = files[which]
                for _ in range(4):
                    lines[rng.randrange(len(lines))] = " ".join(rng.choices(words, k=6))
                content = "\n".join(lines) + "\n"
                stream.append(f"M 644 inline dir_{which % 7}/file_{which}.txt\n"
                              f"data {len(content)}\n{content}")
            stream.append("\n")
        plain = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True, env=plain)
        subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"],
                       input="".join(stream).encode(), check=True, env=plain)
    return _kept(f"history-{commits}.git", make)
