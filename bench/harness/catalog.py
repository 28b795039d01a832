"""The workloads made of our own programs: micro, patterns, scale, special.

`quick` leaves out the long ones and makes the others shorter.
"""

from . import paths
from .workload import Workload

PATTERNS = {
    "server": "random replacement, tables handed from thread to thread (larson)",
    "producer_consumer": "blocks allocated by one thread, freed by another (xmalloc)",
    "batches": "batches of mixed size and order, a third migrates (sh6, sh8)",
    "pareto": "lifetimes and accesses after Pareto (alloc-test)",
    "short_threads": "threads of some hundred blocks that leave survivors",
    "cross_thread": "random sizes to 64 KiB, a third freed by the neighbour (rptest)",
    "retained": "objects that outlive their threads (mstress)",
    "growth": "buffers grown by realloc among small blocks",
    "big_blocks": "blocks of 5 to 25 MiB (malloc-large)",
    "interpreter": "strings, tokens and a hash table of a small interpreter",
    "trees": "trees built and torn down beside a lasting one (GCBench)",
    "fragmentation": "grow, free 19 of 20, grow other sizes",
    "idle": "a burst, then no call to malloc",
}

# The share of the full work that --quick does.
QUICK_WORK = {
    "server": "work=800000",
    "producer_consumer": "work=1200000",
    "batches": "work=1500000",
    "pareto": "work=800000",
    "short_threads": "work=150000",
    "cross_thread": "work=250000",
    "retained": "work=400000",
    "growth": "work=300000",
    "big_blocks": "work=40",
    "interpreter": "work=150000",
    "trees": "work=2000000",
    "fragmentation": "work=16777216",
    "idle": "idle_ms=300 work=100000",
}


def _program(path, *arguments):
    return [str(paths.PROGRAMS / path), *(word for text in arguments for word in text.split())]


def _micro(quick):
    def make(name, path, full, short, about):
        command = _program(f"micro/{path}", short if quick else full)
        return Workload(f"micro/{name}", "micro", command, about, timed_by="cases", reports=True)

    return [
        make("pair", "pair", "mode=0", "mode=0 step=8 repeat=2",
             "malloc and free of one size, 8 B to 4 MiB"),
        make("batch", "batch", "", "largest=10000 count=60000 repeat=1",
             "batches freed in the order of allocation, and against it"),
        make("replace", "random_replace", "", "largest=100000 count=100000 repeat=3",
             "random replacement in a table of live objects"),
        make("scatter", "scatter", "repeat=5", "objects=200000 repeat=2",
             "random-order free, refill, walk"),
        make("calloc", "pair", "mode=1 from=16 step=4", "mode=1 from=64 to=262144 step=64 repeat=1",
             "calloc and free"),
        make("realloc", "realloc", "count=40000", "count=5000 repeat=1",
             "growth, shrinking, swinging sizes"),
        make("aligned", "pair", "mode=2 from=64 to=65536 step=4",
             "mode=2 from=64 to=4096 step=8 repeat=1", "aligned_alloc, 64 bytes and 4 KiB"),
        make("sized_delete", "pair", "mode=3 from=16 to=32768 step=4",
             "mode=3 from=64 to=4096 step=8 repeat=1", "operator new, sized operator delete"),
        make("huge", "huge", "", "repeat=2", "6, 16 and 64 MiB, first page or all written"),
    ]


def _patterns(quick, threads):
    made = []
    for name, about in PATTERNS.items():
        for count in threads:
            arguments = [f"threads={count}"] + ([QUICK_WORK[name]] if quick else [])
            made.append(Workload(f"patterns/{name}-{count}", "patterns",
                                 _program(f"patterns/{name}", *arguments), about, reports=True,
                                 timed_by="" if name == "idle" else "wall"))
    return made


def _scale(quick):
    made = []
    for mib in [10, 100] if quick else [10, 100, 1024, 4096, 8192]:
        short = " count=50000 repeat=1" if quick else ""
        made.append(Workload(f"scale/heap-{mib}M", "scale",
                             _program("special/live_heap", f"mib={mib}{short}"),
                             "random replacement in a live heap of this size", timed_by="cases",
                             reports=True, max_repeat=2 if mib > 1000 else 100,
                             memory_mib=mib * 3 // 2))
    for count in [4, 64] if quick else [1, 2, 4, 8, 16, 32, 64]:
        work = "work=400000" if quick else "work=4000000"
        made.append(Workload(f"scale/threads-{count}", "scale",
                             _program("patterns/server", f"threads={count} {work}"),
                             "the server pattern with so many threads, the same work in all",
                             reports=True))
    return made


def _special(quick):
    def make(name, path, arguments, about, **more):
        more.setdefault("timed_by", "cases")
        return Workload(f"special/{name}", "special", _program(f"special/{path}", arguments), about,
                        reports=True, **more)

    holes = "work=134217728 blocks=3" if quick else ""
    made = [
        Workload("special/startup", "special", ["/bin/true"], "/bin/true, many times",
                 launches=60 if quick else 300),
        make("huge_in_holes", "fragmented_huge", f"keep=16 {holes}",
             "64 MiB blocks after 1 GiB of pieces of which every 16th lives", memory_mib=2500),
        make("huge_after_free", "fragmented_huge", f"keep=0 {holes}",
             "the same, all pieces freed", memory_mib=2500),
        make("large_block", "large_block", "mib=600" if quick else "",
             "1 GiB in one block, written for the first time", memory_mib=1500),
        make("realloc_to_1G", "realloc_huge", "work=33554432" if quick else "",
             "one block grown in 64 KiB steps", memory_mib=2500, max_repeat=2),
        Workload("special/10_feed_400", "special",
                 _program("patterns/producer_consumer", "producers=10 consumers=400",
                          f"work={300_000 if quick else 3_000_000}"),
                 "10 producers, 400 consumers", reports=True),
        make("idle_threads", "idle_threads", "threads=300 idle_ms=100" if quick else "",
             "2,000 threads idle after a burst: memory beyond the live data", timed_by="",
             max_repeat=3),
    ]
    if not quick:
        made.append(make("memory_back", "memory_back", "",
                         "a burst, 10 s without a call, then malloc_trim(0)", timed_by="",
                         max_repeat=3))
    return made


def own_workloads(quick, threads):
    return _micro(quick) + _patterns(quick, threads) + _scale(quick) + _special(quick)
