"""The command line of bench/run, and the order in which things are measured."""

import argparse
import json
import re
import shlex
import sys
import time
from datetime import datetime

from programs import inputs
from programs.catalog import real_programs

from . import allocators, builder, catalog, instructions, machine, measure, paths, plots, stats
from .progress import Progress
from .report import markdown
from .workload import GROUPS

QUICK_S = 110  # so long may --quick take before it leaves out repetitions


def _arguments(about):
    parser = argparse.ArgumentParser(prog="bench/run", description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller workloads, two minutes")
    parser.add_argument("--only", metavar="REGEX", default="",
                        help="workloads whose name (group/name) matches")
    parser.add_argument("--alloc", metavar="NAME=PATH", action="append", default=[],
                        help="compare this library too; may be repeated")
    parser.add_argument("--without", metavar="NAME", action="append", default=[],
                        help="leave an allocator out; may be repeated")
    parser.add_argument("--just", metavar="NAME", action="append", default=[],
                        help="this allocator only; may be repeated")
    parser.add_argument("--no-us", action="store_true", help="compare the others only")
    parser.add_argument("--repeat", type=int, help="repetitions (5, with --quick 2)")
    parser.add_argument("--threads", metavar="N,N", help="threads of the patterns (1,2,16)")
    parser.add_argument("--instructions", action="store_true",
                        help="count instructions per operation too (valgrind, some minutes)")
    parser.add_argument("--list", action="store_true", help="list the workloads and end")
    parser.add_argument("--wrap", metavar="COMMAND",
                        help="run the chosen workloads once under a tool, such as 'perf stat', "
                             "without a report; %%w in it stands for the workload's name")
    return parser.parse_args()


class Session:
    """One call of bench/run: what is compared, on what, and what came out."""

    def __init__(self, options):
        self.options = options
        self.started = time.monotonic()
        self.notes = []
        self.progress = Progress(0)
        self.repeat = options.repeat or (2 if options.quick else 5)
        self.allocators = []
        self.workloads = []
        self.runs = {}

    def warn(self, note):
        if note not in self.notes:
            self.notes.append(note)
            self.progress.say(note)

    def choose_workloads(self):
        threads = self.options.threads or ("2" if self.options.quick else "1,2,16")
        offered = catalog.own_workloads(self.options.quick, [int(n) for n in threads.split(",")])
        pattern = re.compile(self.options.only)
        offered += real_programs(self.options.quick, self.warn)
        memory = machine.available_mib()
        for workload in sorted(offered, key=lambda one: GROUPS.index(one.group)):
            if not pattern.search(workload.name):
                continue
            if workload.memory_mib > memory * 0.8:
                self.warn(f"{workload.name} needs {workload.memory_mib} MiB: left out")
                continue
            self.workloads.append(workload)
        if not self.workloads:
            raise SystemExit("run: no workload matches; bench/run --list shows all")

    def choose_allocators(self):
        without = self.options.without + ([allocators.US] if self.options.no_us else [])
        if allocators.US not in without:
            builder.build_our_library(self.warn)
        found = allocators.find(self.options.alloc, without, self.warn)
        self.allocators = [one for one in found
                           if not self.options.just or one.name in self.options.just]
        if not self.allocators:
            raise SystemExit("run: no allocator to measure")

    def _out_of_time(self, estimate):
        return self.options.quick and time.monotonic() - self.started + estimate > QUICK_S

    def measure(self):
        """Repetition by repetition, workload by workload; the allocators take turns in each, and
        every time another one begins."""
        rounds = [(repetition, workload) for repetition in range(self.repeat)
                  for workload in self.workloads if repetition < workload.max_repeat]
        self.progress = Progress(len(rounds) * len(self.allocators))
        lasted = {}
        for number, (repetition, workload) in enumerate(rounds):
            if self._out_of_time(lasted.get(workload.name, 0)):
                self.warn("out of time: some repetitions are left out")
                self.progress.done += len(self.allocators)
                continue
            start = time.monotonic()
            turn = number % len(self.allocators)
            for allocator in self.allocators[turn:] + self.allocators[:turn]:
                self._measure_one(workload, allocator, repetition)
            lasted[workload.name] = time.monotonic() - start
        self.progress.end()

    def _measure_one(self, workload, allocator, repetition):
        self.progress.step(f"{workload.name} {allocator.name} {repetition + 1}/{self.repeat}")
        try:
            result = measure.run(workload, allocator)
        except measure.Failed as failure:
            self.warn(f"{workload.name} with {allocator.name}: {failure}")
            return
        self.runs.setdefault(workload.name, {}).setdefault(allocator.name, []).append(result)

    def count_instructions(self):
        if not instructions.available():
            self.warn("no valgrind here: instructions are not counted")
            return {}
        self.progress = Progress(len(self.allocators))
        counts = {}
        for allocator in self.allocators:
            self.progress.step(f"counting instructions: {allocator.name}")
            try:
                counts[allocator.name] = instructions.per_operation(allocator, self.allocators[0])
            except measure.Failed as failure:
                self.warn(f"counting instructions of {allocator.name}: {failure}")
        self.progress.end()
        return counts

    def result(self, rows):
        names = [one.name for one in self.allocators]
        return {
            "schema": 1,
            "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
            "machine": self.facts,
            "options": {"quick": self.options.quick, "repeat": self.repeat,
                        "only": self.options.only},
            "allocators": {one.name: {"library": one.library, "version": one.version}
                           for one in self.allocators},
            "notes": self.notes,
            "summary": stats.summary(rows, names),
            "unbiased": stats.summary(rows, names, stats.Row.unbiased_ratio),
            "mended": stats.summary(rows, names, stats.Row.mended_ratio),
            "behind": stats.behind(rows, names),
            "losses": stats.losses(rows),
            "workloads": {one.name: {"about": one.about, "group": one.group,
                                     "command": one.command, "runs": self.runs.get(one.name, {})}
                          for one in self.workloads},
        }

    def save(self):
        rows = [row for workload in self.workloads
                for row in stats.rows_of(workload, self.runs.get(workload.name, {}))]
        result = self.result(rows)
        if self.options.instructions and not self.options.quick:
            result["instructions"] = self.count_instructions()
        text = markdown(result, self.workloads, rows)
        base = paths.BUILD / datetime.now().strftime("results-%Y%m%d-%H%M%S")
        base.with_suffix(".json").write_text(json.dumps(result, indent=1))
        base.with_suffix(".md").write_text(text)
        made = plots.draw_all(base, result, rows)
        print(text.split("\n## micro")[0].split("\n## Each process")[0])
        for path in [base.with_suffix(".json"), base.with_suffix(".md"), *made]:
            print(f"written: {path.relative_to(paths.ROOT)}")


def _run_wrapped(session):
    """Each chosen workload once under each chosen allocator, below the tool."""
    for workload in session.workloads:
        for allocator in session.allocators:
            session.progress.say(f"{workload.name} with {allocator.name}")
            mark = f"{workload.name}-{allocator.name}".replace("/", "-")
            tool = [word.replace("%w", mark) for word in shlex.split(session.options.wrap)]
            measure.run(workload, allocator, tool)


def main(about):
    options = _arguments(about)
    session = Session(options)
    session.facts = machine.facts()
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    session.choose_workloads()
    if options.list:
        for workload in session.workloads:
            print(f"{workload.name:32} {workload.about}")
        return 0
    builder.build_programs()
    session.choose_allocators()
    inputs.make_all(session.progress.say)
    try:
        if options.wrap:
            _run_wrapped(session)
            return 0
        session.measure()
    except KeyboardInterrupt:
        session.warn("interrupted: what was measured is reported")
    except measure.Failed as failure:
        raise SystemExit(f"run: {failure}") from None
    session.save()
    return 0
