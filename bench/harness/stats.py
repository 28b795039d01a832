"""From runs to figures: medians, spreads, ratios to the best peer, geometric means.

A *row* is one figure of one workload for all allocators, such as the time of "pair/64" or the peak
RSS of "patterns/server-2".  Lower is better in every row.
"""

import math
from dataclasses import dataclass
from statistics import median

from .allocators import US

SUMMED_GROUPS = ["micro", "patterns", "real"]
METRICS = ["time", "rss", "faults", "sys"]

# A ratio of two small numbers says nothing; this much is added to both sides.
# 5 ms is the resolution of the clock behind user and system time.
FLOOR = {"time": 0.0, "rss": 0.0, "faults": 50.0, "sys": 0.005}

# No row may be above the best peer by more than this.
SLOWER = 1.03
LARGER = 1.10
LIMITS = {"time": SLOWER, "rss": LARGER, "value": LARGER}


@dataclass(frozen=True)
class Figure:
    median: float
    least: float
    greatest: float
    count: int
    samples: tuple  # one for each repetition, in their order

    @property
    def spread(self):
        """Half the distance between the extremes, as a share of the median."""
        return (self.greatest - self.least) / 2 / self.median if self.median else 0.0


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    metric: str  # time, rss, faults, sys, user, value
    unit: str
    figures: dict  # allocator -> Figure

    def best_peer(self):
        """The least median of those that are not us, with its name; None if there is no peer."""
        peers = {name: one.median for name, one in self.figures.items() if name != US}
        return min(((value, name) for name, value in peers.items()), default=None)

    def ratio(self, allocator):
        """The median against that of the best peer; None where there is none to compare."""
        best = self.best_peer()
        if best is None or allocator not in self.figures:
            return None
        floor = FLOOR.get(self.metric, 0.0)
        if best[0] + floor <= 0:
            return None
        return (self.figures[allocator].median + floor) / (best[0] + floor)

    def mended_ratio(self, allocator):
        """As ratio(), had the allocator been as good as the best peer where it was behind."""
        ratio = self.ratio(allocator)
        return None if ratio is None else min(ratio, 1.0)

    def unbiased_ratio(self, allocator):
        """As ratio(), but for each repetition the best peer is the one that was best in the others.

        Who is chosen by the repetition that he is compared in was lucky in it, and the more so the more
        peers there are: of six copies of one library, each is worse than the best of the other five."""
        counts = {one.count for one in self.figures.values()}
        if self.best_peer() is None or allocator not in self.figures or counts == {1} or len(counts) != 1:
            return None
        floor = FLOOR.get(self.metric, 0.0)
        ratios = []
        for turn in range(counts.pop()):
            others = {name: median(one.samples[:turn] + one.samples[turn + 1:])
                      for name, one in self.figures.items() if name != US}
            best = self.figures[min(others, key=others.get)].samples[turn]
            if best + floor > 0:
                ratios.append((self.figures[allocator].samples[turn] + floor) / (best + floor))
        return geometric_mean(ratios)


def _figure(samples):
    return Figure(median(samples), min(samples), max(samples), len(samples), tuple(samples))


def _row(workload, name, metric, unit, runs, pick):
    samples = {allocator: [value for value in map(pick, done) if value is not None]
               for allocator, done in runs.items()}
    return Row(name, workload.group, metric, unit,
               {allocator: _figure(values) for allocator, values in samples.items() if values})


def _names(runs, kind):
    """The names of the cases or values, in the order in which the program reports them."""
    return list(dict.fromkeys(name for done in runs.values() for run in done
                              for name in run.get(kind, {})))


def rows_of(workload, runs):
    """All rows of one workload.  `runs` maps allocators to lists of results of measure.run()."""
    rows = []
    if workload.timed_by == "wall":
        rows.append(_row(workload, workload.name, "time", "s", runs, lambda run: run["wall"]))
    if workload.timed_by == "cases":
        for case in _names(runs, "cases"):
            name = case if workload.group == "micro" else f"{workload.name}: {case}"
            rows.append(_row(workload, name, "time", "ns", runs,
                             lambda run, case=case: run["cases"].get(case, {}).get("min_ns")))
    for value in _names(runs, "values"):
        unit = value.rsplit("_", 1)[-1].replace("kib", "KiB")
        name = f"{workload.name}: {value.removesuffix('_kib').replace('_', ' ')}"
        rows.append(_row(workload, name, "value", unit, runs,
                         lambda run, value=value: run["values"].get(value)))
    for metric, field, unit in [("rss", "rss_kib", "KiB"), ("faults", "faults", ""),
                                ("sys", "sys", "s"), ("user", "user", "s")]:
        rows.append(_row(workload, workload.name, metric, unit, runs,
                         lambda run, field=field: run[field]))
    return [row for row in rows if row.figures]


def geometric_mean(ratios):
    ratios = [ratio for ratio in ratios if ratio and ratio > 0]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def summary(rows, allocators, ratio=Row.ratio):
    """{group: {metric: {allocator: geometric mean of the ratios to the best peer}}}"""
    return {group: {metric: {allocator: geometric_mean(
        [ratio(row, allocator) for row in rows if row.group == group and row.metric == metric])
        for allocator in allocators} for metric in METRICS} for group in SUMMED_GROUPS}


def behind(rows, allocators):
    """{group: {metric: {allocator: rows in which it is above the limit}}}, and in how many it was measured."""
    counts = {group: {metric: {allocator: [0, 0] for allocator in allocators} for metric in ("time", "rss")}
              for group in SUMMED_GROUPS}
    for row in rows:
        for allocator, count in counts.get(row.group, {}).get(row.metric, {}).items():
            ratio = row.ratio(allocator)
            if ratio is not None:
                count[0] += ratio > LIMITS[row.metric]
                count[1] += 1
    return counts


def losses(rows):
    """The rows in which we are slower or larger than the best peer by more than is allowed."""
    found = []
    for row in rows:
        ratio = row.ratio(US)
        if row.metric not in LIMITS or ratio is None or ratio <= LIMITS[row.metric]:
            continue
        if row.name.endswith(": live"):  # the volume of live data, which is the same for all
            continue
        value, best = row.best_peer()
        mine, theirs = row.figures[US], row.figures[best]
        found.append({"row": row.name, "group": row.group, "metric": row.metric, "ratio": ratio,
                      "us": mine.median, "best": value, "by": best, "unit": row.unit,
                      "within_spread": mine.least <= theirs.greatest})
    return sorted(found, key=lambda loss: -loss["ratio"])
