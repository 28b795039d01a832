"""The Markdown report of a run."""

from .allocators import US
from .stats import LARGER, METRICS, SLOWER, SUMMED_GROUPS
from .workload import GROUPS

TITLES = {"time": "time", "rss": "peak RSS", "faults": "page faults", "sys": "system time",
          "user": "user time", "value": "other figures"}


def number(value, unit):
    """A number with three digits that count, in the unit a reader would choose."""
    if unit == "s":
        return number(value * 1e9, "ns")
    if unit == "ns":
        for size, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")):
            if value >= 0.9995 * size:
                break
        return f"{_three_digits(value / size)} {name}"
    if unit == "KiB":
        return f"{value / 1024:.1f} MiB" if abs(value) >= 1024 else f"{value:.0f} KiB"
    return f"{value:,.0f}"


def _three_digits(value):
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def _table(head, lines):
    text = ["| " + " | ".join(head) + " |", "|-" + "|-:" * (len(head) - 1) + "|"]
    return text + ["| " + " | ".join(line) + " |" for line in lines] + [""]


def _cell(row, allocator):
    figure = row.figures.get(allocator)
    if figure is None:
        return "–"
    text = number(figure.median, row.unit)
    if figure.count > 1:
        text += f" ±{figure.spread:.0%}"
    least = min(one.median for one in row.figures.values())
    return f"**{text}**" if figure.median == least else text


def _comparison(rows, allocators):
    return _table(["", *allocators],
                  [[row.name, *(_cell(row, one) for one in allocators)] for row in rows])


def _means(summary, allocators):
    lines = []
    for group in SUMMED_GROUPS:
        for metric in METRICS:
            means = summary[group][metric]
            if any(means.values()):
                cells = [f"{means[one]:.3f}" if means[one] else "–" for one in allocators]
                lines.append([f"{group}: {TITLES[metric]}", *cells])
    return _table(["", *allocators], lines) if lines else ["–", ""]


def _summary(result, allocators):
    text = ["Geometric means over the workloads of a group, each relative to the best peer "
            f"(the best of all but {US}) in that workload: 1.000 is as good as always having "
            "chosen the best peer.", ""]
    text += _means(result["summary"], allocators)
    text += ["The same, where the best peer of each repetition is the one that was best in the others: "
             "who is chosen by the repetition that he is compared in was lucky in it.", ""]
    text += _means(result["unbiased"], allocators)
    if US in allocators and len(allocators) > 1:
        text += [f"The first means of {US}, had it been as good as the best peer wherever it was behind: "
                 "to mend what is slow or large gets there and no further.", ""]
        text += _means(result["mended"], [US])
    return text + _behind(result["behind"], allocators)


def _behind(behind, allocators):
    """How many rows each allocator loses: the measure for how many anybody loses."""
    lines = []
    for group, metrics in behind.items():
        for metric, counts in metrics.items():
            if any(of for _, of in counts.values()):
                cells = [f"{counts[one][0]} of {counts[one][1]}" for one in allocators]
                lines.append([f"{group}: {TITLES[metric]}", *cells])
    if not lines:
        return []
    return [f"Rows in which an allocator is slower than the best peer by more than {SLOWER - 1:.0%}, or above "
            f"{LARGER:.2f} of its memory:", "", *_table(["", *allocators], lines)]


def _losses(losses, allocators):
    if US not in allocators:
        return [f"{US} was not measured.", ""]
    text = [f"Where {US} is slower than the best peer by more than {SLOWER - 1:.0%}, or above "
            f"{LARGER:.2f} of its memory.  “Noise” marks those where the extremes of the "
            "repetitions overlap.", ""]
    if not losses:
        return text + ["None.", ""]
    return text + _table(
        ["", "ratio", US, "best peer", "", ""],
        [[f"{one['row']}: {TITLES[one['metric']]}", f"{one['ratio']:.2f}",
          number(one["us"], one["unit"]), number(one["best"], one["unit"]), one["by"],
          "noise" if one["within_spread"] else ""] for one in losses])


def _instructions(counts):
    operations = list(dict.fromkeys(name for one in counts.values() for name in one))
    return _table(["", *counts], [[name, *(str(one.get(name, "–")) for one in counts.values())]
                                  for name in operations])


def _processes(workloads, rows, allocators):
    """One line per workload and allocator with everything the kernel says about the process."""
    metrics = ["user", "sys", "rss", "faults"]
    by_key = {(row.name, row.metric): row for row in rows}
    lines = []
    for workload in workloads:
        for one in allocators:
            figures = [by_key.get((workload.name, metric)) for metric in metrics]
            if all(row and one in row.figures for row in figures):
                lines.append([workload.name, one, *(_cell_plain(row, one) for row in figures)])
    return _table(["process", "allocator", "user", "system", "peak RSS", "faults"], lines)


def _cell_plain(row, allocator):
    return number(row.figures[allocator].median, row.unit)


def markdown(result, workloads, rows):
    """The whole report as text."""
    allocators = list(result["allocators"])
    text = [f"# Allocators compared, {result['date']}", ""]
    text += [f"* {name}: {value}" for name, value in result["machine"].items()]
    text += [f"* {name}: {one['library']} {one['version']}"
             for name, one in result["allocators"].items()]
    text += [f"* repetitions: {result['options']['repeat']}"
             f"{' (quick)' if result['options']['quick'] else ''}; figures are medians, "
             "± is half the distance between the extremes"]
    text += [f"* note: {note}" for note in result["notes"]] + [""]
    text += ["## Outcome", ""] + _summary(result, allocators)
    text += ["## To be worked on", ""] + _losses(result["losses"], allocators)
    for group in GROUPS:
        for metric in ("time", "value", "rss"):
            chosen = [row for row in rows if row.group == group and row.metric == metric]
            if chosen:
                text += [f"## {group}: {TITLES[metric]}", ""] + _comparison(chosen, allocators)
    if result.get("instructions"):
        text += ["## Instructions per operation", ""] + _instructions(result["instructions"])
    text += ["## Each process", ""] + _processes(workloads, rows, allocators)
    return "\n".join(text)
