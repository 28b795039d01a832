"""The pictures of a run.

  results-….svg            who is where: time against memory, relative to the best peer, per group
  results-…-workloads.svg  time against peak RSS of each workload
  results-…-scale.svg      cost of an operation as the heap and the number of threads grow
"""

from pathlib import Path

from . import stats
from .allocators import US
from .report import number
from .svg import Canvas, LogAxis, color_of

GRID = "#e4e4e4"
FAINT = "#777"


def draw_all(base, result, rows):
    names = list(result["allocators"])
    written = []
    for suffix, draw in [("", _overview), ("-workloads", _workloads), ("-scale", _scale)]:
        canvas = draw(result, rows, names)
        if canvas:
            written += canvas.save(Path(f"{base}{suffix}"))
    return written


def _legend(canvas, names, x, y):
    for name in names:
        canvas.dot(x, y - 4, 6 if name == US else 5, color_of(name, names))
        canvas.text(x + 10, y, name, 13, weight="bold" if name == US else "normal")
        x += 26 + 8.5 * len(name)


def _frame(canvas, x_axis, y_axis, show):
    """The box of a plot with its grid; show(value) writes a tick."""
    left, right, bottom, top = x_axis.start, x_axis.end, y_axis.start, y_axis.end
    for value in x_axis.ticks(28):
        canvas.line(x_axis.at(value), bottom, x_axis.at(value), top, GRID)
        canvas.text(x_axis.at(value), bottom + 14, show(value), 10, FAINT, "middle")
    for value in y_axis.ticks(20):
        canvas.line(left, y_axis.at(value), right, y_axis.at(value), GRID)
        canvas.text(left - 5, y_axis.at(value) + 4, show(value), 10, FAINT, "end")
    canvas.rectangle(left, top, right - left, bottom - top, "none", "#888")


def _points(rows, group, name):
    """(process, time ratio, memory ratio) of one allocator in each process of a group.

    The cases of one process share its memory; their times are joined by the geometric mean."""
    memory = {row.name: row.ratio(name) for row in rows
              if row.group == group and row.metric == "rss"}
    times = {}
    for row in rows:
        if row.group == group and row.metric == "time" and row.ratio(name):
            process = row.name if row.name in memory else f"{group}/{_process_of(row.name)}"
            times.setdefault(process, []).append(row.ratio(name))
    return [(process, stats.geometric_mean(ratios), memory[process])
            for process, ratios in times.items() if memory.get(process)]


def _process_of(case):
    """The micro program a case is of, by the first part of the case's name."""
    first = case.split("/")[0]
    for start in ("batch", "huge", "aligned"):
        if first.startswith(start):
            return start
    return first


def _overview(result, rows, names):
    groups = [group for group in stats.SUMMED_GROUPS
              if any(result["summary"][group]["time"].values())]
    if not groups:
        return None
    side, gap = 400, 80
    canvas = Canvas(70 + len(groups) * (side + gap), side + 190)
    canvas.text(60, 30, "Time and memory, relative to the best peer of each workload", 18,
                weight="bold")
    canvas.text(60, 50, "Large: geometric mean of the group. Small: one workload. Lower left is "
                "better; the dashed lines are the best peer.", 12, FAINT)
    _legend(canvas, names, 66, 74)
    for index, group in enumerate(groups):
        _overview_panel(canvas, result, rows, names, group, 60 + index * (side + gap), 105, side)
    return canvas


def _overview_panel(canvas, result, rows, names, group, left, top, side):
    points = {name: _points(rows, group, name) for name in names}
    flat = [point for some in points.values() for point in some]
    if not flat:
        return
    x_axis = LogAxis(min(0.7, *(x for _, x, _ in flat)),
                     max(2.0, _upper([x for _, x, _ in flat])), left, left + side)
    y_axis = LogAxis(min(0.7, *(y for _, _, y in flat)),
                     max(2.0, _upper([y for _, _, y in flat])), top + side, top)
    canvas.rectangle(left, y_axis.at(1), x_axis.at(1) - left, top + side - y_axis.at(1), "#eef7ee")
    _frame(canvas, x_axis, y_axis, lambda value: f"{value:g}")
    canvas.line(x_axis.at(1), top, x_axis.at(1), top + side, "#555", 1, "4 3")
    canvas.line(left, y_axis.at(1), left + side, y_axis.at(1), "#555", 1, "4 3")
    canvas.text(left + 4, top - 8, group, 15, weight="bold")
    canvas.text(left + side / 2, top + side + 34, "time (1 = best peer)", 12, anchor="middle")
    canvas.text(left - 38, top + side / 2, "peak RSS", 12, anchor="middle", turn=-90)

    for name in names:
        for process, x, y in points[name]:
            canvas.dot(x_axis.at(x), y_axis.at(y), 3, color_of(name, names), 0.35,
                       f"{name}, {process}: time {x:.2f}, RSS {y:.2f}")
    labels = []
    for name in names:
        time = result["summary"][group]["time"].get(name)
        memory = result["summary"][group]["rss"].get(name)
        if not time or not memory:
            continue
        x, y = x_axis.at(time), y_axis.at(memory)
        canvas.dot(x, y, 9 if name == US else 7, color_of(name, names), 1,
                   f"{name}: time {time:.3f}, RSS {memory:.3f}")
        labels.append((y, x, name))
    _place_labels(canvas, labels, names)


def _place_labels(canvas, labels, names):
    """Writes the names beside their dots, each at least one line below the one before it."""
    lowest = 0.0
    for y, x, name in sorted(labels):
        lowest = max(y + 4, lowest + 13)
        canvas.text(x + 12, lowest, name, 12, color_of(name, names), weight="bold")


def _upper(values):
    """The end of a scale: beyond nearly all values; the few above it are drawn at the edge."""
    ordered = sorted(values)
    return ordered[int(0.97 * (len(ordered) - 1))] * 1.1


def _workloads(result, rows, names):
    by_name = {}
    for row in rows:
        if row.metric in ("time", "rss") and row.group in ("patterns", "real", "special"):
            by_name.setdefault(row.name, {})[row.metric] = row
    both = [(name, pair["time"], pair["rss"]) for name, pair in by_name.items() if len(pair) == 2]
    if not both:
        return None
    columns, width, height = 5, 250, 210
    lines = (len(both) + columns - 1) // columns
    canvas = Canvas(40 + columns * width, 90 + lines * height)
    canvas.text(30, 30, "Time (across) against peak RSS (up), each workload", 18, weight="bold")
    _legend(canvas, names, 36, 56)
    for index, (name, time, memory) in enumerate(both):
        left = 30 + index % columns * width
        top = 80 + index // columns * height
        _workload_panel(canvas, name, time, memory, names, left + 45, top + 20, width - 75,
                        height - 70)
    return canvas


def _workload_panel(canvas, title, time, memory, names, left, top, width, height):
    memory_unit = 1024  # so that round ticks are round in MiB

    def scale(row, unit, start, end):
        values = [one.median / unit for one in row.figures.values() if one.median > 0] or [1.0]
        return LogAxis(min(values) / 1.15, max(max(values) * 1.15, min(values) * 1.5), start, end)

    x_axis = scale(time, 1, left, left + width)
    y_axis = scale(memory, memory_unit, top + height, top)
    for value in x_axis.ticks(42):
        canvas.line(x_axis.at(value), top, x_axis.at(value), top + height, GRID)
        canvas.text(x_axis.at(value), top + height + 12, number(value, time.unit), 9, FAINT,
                    "middle")
    for value in y_axis.ticks(16):
        canvas.line(left, y_axis.at(value), left + width, y_axis.at(value), GRID)
        canvas.text(left - 3, y_axis.at(value) + 3, f"{value:g} MiB", 9, FAINT, "end")
    canvas.rectangle(left, top, width, height, "none", "#aaa")
    canvas.text(left, top - 5, title, 11, weight="bold")
    for name in names:
        if name in time.figures and name in memory.figures:
            x, y = time.figures[name], memory.figures[name]
            color = color_of(name, names)
            at = y_axis.at(y.median / memory_unit)
            canvas.line(x_axis.at(x.least), at, x_axis.at(x.greatest), at, color, 1.5)
            canvas.dot(x_axis.at(x.median), at, 6 if name == US else 4.5, color, 0.9,
                       f"{name}: {number(x.median, time.unit)}, {number(y.median, memory.unit)}")


def _scale(result, rows, names):
    def series(start, ending):
        found = [row for row in rows if row.group == "scale" and row.metric == "time"
                 and row.name.startswith(f"scale/{start}-") and row.name.endswith(ending)]
        return [(float(row.name.split("-")[1].split(":")[0].rstrip("M")), row) for row in found]

    panels = [("ns per replacement against MiB of live heap", series("heap", ": replace")),
              ("ns per object while the heap fills", series("heap", ": fill")),
              ("time of the server pattern against threads", series("threads", ""))]
    panels = [(title, found) for title, found in panels if len(found) > 1]
    if not panels:
        return None
    canvas = Canvas(60 + 440 * len(panels), 430)
    _legend(canvas, names, 66, 30)
    for index, (title, found) in enumerate(panels):
        _scale_panel(canvas, title, found, names, 70 + 440 * index, 70, 340, 300)
    return canvas


def _scale_panel(canvas, title, found, names, left, top, width, height):
    values = [one.median for _, row in found for one in row.figures.values()]
    x_axis = LogAxis(found[0][0], found[-1][0], left, left + width)
    y_axis = LogAxis(min(values) / 1.1, max(values) * 1.1, top + height, top)
    canvas.text(left, top - 10, title, 13, weight="bold")
    for value, _ in found:
        canvas.line(x_axis.at(value), top, x_axis.at(value), top + height, GRID)
        canvas.text(x_axis.at(value), top + height + 14, f"{value:g}", 10, FAINT, "middle")
    for value in y_axis.ticks(20):
        canvas.line(left, y_axis.at(value), left + width, y_axis.at(value), GRID)
        canvas.text(left - 5, y_axis.at(value) + 4, number(value, found[0][1].unit), 10, FAINT,
                    "end")
    canvas.rectangle(left, top, width, height, "none", "#888")
    for name in names:
        color = color_of(name, names)
        dots = [(x_axis.at(value), y_axis.at(row.figures[name].median)) for value, row in found
                if name in row.figures]
        for (x1, y1), (x2, y2) in zip(dots, dots[1:]):
            canvas.line(x1, y1, x2, y2, color, 3 if name == US else 1.8)
        for x, y in dots:
            canvas.dot(x, y, 4, color)
