"""What the Python interpreter does as a workload: work.py records.json source.py rounds."""

import ast
import json
import re
import sys


def count_words(records):
    counts = {}
    for record in records:
        for word in record["name"].split() + record["tags"]:
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def group_by_place(records):
    places = {}
    for record in records:
        place = record["place"]
        places.setdefault((place["x"] // 100, place["y"] // 100), []).append(record)
    return {key: [dict(one, place=None) for one in group] for key, group in places.items()}


def rewrite(text):
    swapped = re.sub(r'"name": "(\w+) (\w+) (\w+)"', r'"name": "\3 \2 \1"', text)
    return re.findall(r"[a-z]*(?:ka|lo)[a-z]+", swapped)


def names_in(source):
    return [node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]


def main():
    records_path, source_path, rounds = sys.argv[1:]
    with open(records_path) as file:
        text = file.read()
    with open(source_path) as file:
        source = file.read()
    for _ in range(int(rounds)):
        records = json.loads(text)
        results = [count_words(records), group_by_place(records), rewrite(text), names_in(source)]
        json.dumps(records)
        print([len(result) for result in results])


main()
