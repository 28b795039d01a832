#!/usr/bin/env python3
"""The pictures: the heap map as SVG and as a page, and the live screen."""
import html
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as xml

from harness import *

PAGE = 4096


def stop(pid):
    """From here on all figures are of one time."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state_of(pid) == "T")


def data_of(page):
    found = re.search(r'<script id="data" type="application/json">\n(.*?)\n</script>', page, re.DOTALL)
    return json.loads(found[1])


def pages_by_cache(data, frame):
    pages = {}
    for block in frame["blocks"]:
        runs = list(zip(*[iter(block["runs"])] * 4))
        assert sum(n for n, *_ in runs) == 1024, block["start"]
        for n, look, cache, fill in runs:
            if data["holdsObjects"][look]:
                name = frame["caches"][str(cache)]["name"]
                pages[name] = pages.get(name, 0) + n
            assert 0 <= fill <= data["fillSteps"]
    return pages


def check_page(page, report):
    """The picture has the pages that the report counts."""
    data = data_of(page)
    (frame,) = data["frames"]
    assert pages_by_cache(data, frame) == {c["name"]: c["bytes"] // PAGE for c in report["caches"]}
    assert frame["books"] == report["books"]
    looks = [0] * len(data["looks"])
    for block in frame["blocks"]:
        for i in range(0, len(block["runs"]), 4):
            looks[block["runs"][i + 1]] += block["runs"][i]
    count = dict(zip(data["looks"], looks))
    zone = zone_sum(report)
    assert len(frame["blocks"]) == zone["online"]
    assert count["free, no memory"] == zone["free_clean_pages"]
    assert count["free, resident"] == zone["free_resident_pages"]
    assert count["run of pages"] == zone["run_pages"]
    assert count["reserve"] == zone["reserve_pages"]
    assert count["kept by thread"] == report["listed_pages"]
    assert count["lent to window"] * PAGE == report["windows"]["lent_bytes"]
    assert count["on its way"] * PAGE == report["books"]["moving"]


def case_map_page():
    """The page's data agree with slabinfo and the other reports."""
    with Redis() as redis:
        wait_until(lambda: cache_of(json.loads(command("stat", "--json", redis.pid)), "kmalloc-320")["live"] > 1000)
        stop(redis.pid)
        page = command("map", "--html", redis.pid)
        report = json.loads(command("stat", "--json", redis.pid))
        check_page(page, report)
        caches = slabinfo(command("slabinfo", redis.pid))
        for cache in data_of(page)["frames"][0]["caches"].values():
            active, _, size, *_, slabs = caches[cache["name"]]
            assert (cache["live"], cache["size"], cache["slabs"]) == (active, size, slabs), cache
    assert "http" not in page.replace("http://www.w3.org", ""), "it needs nothing from elsewhere"


def case_map_of_stitched_windows():
    """Homes whose frames are in windows, pages in threads' lists, and runs are told apart."""
    script = ("x = [bytearray(40000) for i in range(3000)]; x = None; y = bytearray(90 << 20); "
              "print('ready', flush=True); input()")
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, PYTHONMALLOC="malloc",
                       BUDDYSLAB="dirty_large_max=1G dirty_max=1G decay_ms=3600000")
    with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment) as python:
        wait_for_ready(python)
        report = json.loads(command("stat", "--json", python.pid))
        check_books(report)
        assert report["windows"]["lent_bytes"] > 16 << 20, report["windows"]
        check_page(command("map", "--html", python.pid), report)
        python.stdin.close()


def case_map_svg():
    """The picture is SVG, and its squares and bars are the pageblocks and windows."""
    with Load() as load:
        report = json.loads(command("stat", "--json", load.pid))
        picture = xml.fromstring(command("map", load.pid))
        name = "{http://www.w3.org/2000/svg}"
        assert picture.tag == name + "svg"
        titles = [t.text for t in picture.iter(name + "title")]
        assert len(titles) == zone_sum(report)["online"]
        free = sum(int(re.search(r": (\d+) free pages", t)[1]) for t in titles)
        assert free == zone_sum(report)["free_resident_pages"] + zone_sum(report)["free_clean_pages"]
        texts = [t.text for t in picture.iter(name + "text")]
        assert f"The heap of process {load.pid} (load)" in texts
        assert any("9.0 MiB" in t for t in texts) and any("30.0 MiB, kept for reuse" in t for t in texts)
        height = float(picture.get("height"))
        for rect in picture.iter(name + "rect"):
            assert float(rect.get("y")) + float(rect.get("height")) <= height


def case_map_animation():
    """Several snapshots of a process at work; each is whole."""
    with Load(2) as load, tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "heap.html"
        assert command("map", "--snapshots", 5, "--every", "0.05", "--output", file, load.pid) == ""
        data = data_of(file.read_text())
        assert len(data["frames"]) == 5
        times = [f["milliseconds"] for f in data["frames"]]
        assert times == sorted(set(times))
        for frame in data["frames"]:
            pages_by_cache(data, frame)
            assert sum(frame["books"].values()) == frame["mapped"]
        assert "make an animation, which is HTML" in command("map", "--snapshots", 2, load.pid, status=2)


# What a person does with the page, by events, and what is to be seen then: on the page itself, where --dump-dom
# finds it.  A page's colour is read back from the canvas.
USE = """<script>
function point(x, y, more) {
    const box = view.getBoundingClientRect();
    view.dispatchEvent(new MouseEvent("mousemove", {clientX: box.left + x, clientY: box.top + y, ...more}));
    return tip.style.display === "none" ? null : tip.textContent;
}
function middle(b, index) {
    const wide = columns(data.frames[current]);
    return [left + (b % wide * CELL + index % SIDE + 0.5) * scale,
            top_ + (Math.floor(b / wide) * CELL + Math.floor(index / SIDE) + 0.5) * scale];
}
function painted(x, y) {
    const [r, g, b] = context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data;
    return [r, g, b];
}
function wanted(page) {
    const c = data.frames[current].caches[page[1]], box = document.createElement("canvas").getContext("2d");
    box.fillStyle = colour(page[0], c ? c.size : 0, page[2]);
    box.fillRect(0, 0, 1, 1);
    return [...box.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
const seen = {pages: [], frames: [current]};
data.frames[0].blocks.forEach((block, b) => {
    const pages = pagesOf(block);
    for (let i = 33; i < 1024; i += 97) {
        const [x, y] = middle(b, i);
        if (x < view.clientWidth && y < view.clientHeight)
            seen.pages.push({block: b, index: i, look: data.looks[pages[i][0]], tip: point(x, y), painted: painted(x, y),
                             wanted: wanted(pages[i])});
    }
});
seen.beside = point(1, 1);
const [x, y] = middle(0, 500), scaleBefore = scale;
const tipBefore = point(x, y), box = view.getBoundingClientRect();
for (let i = 0; i < 3; i++)
    view.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, clientX: box.left + x, clientY: box.top + y}));
seen.zoom = {factor: scale / scaleBefore, same: point(x, y) === tipBefore, painted: painted(x, y), wanted:
    wanted(pagesOf(data.frames[0].blocks[0])[500])};
const leftBefore = left;
point(x, y, {buttons: 1, movementX: 40, movementY: 0});
seen.dragged = left - leftBefore;
document.getElementById("frame").value = data.frames.length - 1;
document.getElementById("frame").dispatchEvent(new Event("input"));
seen.last = [current, document.getElementById("when").textContent];
document.getElementById("play").click();
const original = show;
setTimeout(() => {
    document.getElementById("play").click();
    seen.played = [current, playing];
    const result = document.createElement("script");
    result.type = "application/json";
    result.id = "seen";
    result.textContent = JSON.stringify(seen);
    document.body.append(result);
}, 750);
</script>
"""


def browse(folder, page, *options):
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    assert browser, "this test is registered only where there is one"
    file = pathlib.Path(folder) / "page.html"
    file.write_text(page)
    return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800",
                           f"--user-data-dir={folder}/profile", *options, file.as_uri()], capture_output=True, text=True,
                          timeout=120).stdout


def case_map_in_chromium():
    """A browser draws the page, and its figures are those of slabinfo; pointing, zooming and playing work."""
    with Load() as load, tempfile.TemporaryDirectory() as folder:
        page = command("map", "--html", "--snapshots", 3, "--every", 0.01, load.pid)
        caches = slabinfo(command("slabinfo", load.pid))
        dom = browse(folder, page.replace("</body>", USE + "</body>"), "--virtual-time-budget=5000", "--dump-dom")
        picture = pathlib.Path(folder) / "heap.png"
        browse(folder, page, f"--screenshot={picture}")
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 10000
    rows = re.findall(r"<tr><td>([\w-]+)</td><td>(\d+)</td><td>[^<]*</td><td>(\d+)</td><td>(\d+)</td></tr>",
                      re.search(r'<table id="figures">(.*?)</table>', dom, re.DOTALL)[1])
    shown = {name: (int(live), int(slabs)) for name, _, live, slabs in rows}
    assert shown == {name: (c[0], c[6]) for name, c in caches.items() if c[6]}, shown
    for name, pages, _, slabs in rows:
        assert abs(int(pages) / int(slabs) - caches[name][4]) <= 0.5, (name, pages, caches[name])
    assert f"The heap of process {load.pid} (load)" in html.unescape(dom)
    seen = json.loads(re.search(r'<script type="application/json" id="seen">(.*?)</script>', dom)[1])
    data = data_of(page)
    blocks = data["frames"][0]["blocks"]
    assert len({p["block"] for p in seen["pages"]}) == len(blocks), "all of the heap is in view at first"
    for p in seen["pages"]:
        block = blocks[p["block"]]
        assert p["tip"].startswith(f"{int(block['start'], 16) + p['index'] * PAGE:#x}\n{p['look']}"), p
        assert f"page {p['index']} of pageblock {block['start']}, Node 0, zone Normal\n{block['free']} pages free" in p["tip"], p
        assert all(abs(a - b) <= 2 for a, b in zip(p["painted"], p["wanted"])), p
    tips = "".join(p["tip"] for p in seen["pages"])
    assert ": kmalloc-2k, " in tips and "large object: kmalloc-1M" in tips
    assert seen["beside"] is None
    zoom = seen["zoom"]
    assert zoom["factor"] > 3 and zoom["same"] and zoom["painted"] == zoom["wanted"], zoom
    assert seen["dragged"] == 40
    assert seen["last"][0] == 2 and seen["last"][1].startswith("3 of 3, "), seen["last"]
    assert seen["played"][0] in (0, 1) and not seen["played"][1], "it went on behind the last, and was stopped"


class Tmux:
    """A terminal of 80 by 24 in which a command runs."""

    def __init__(self, *words, columns=80, rows=24):
        self.folder = tempfile.mkdtemp()
        self.socket = self.folder + "/tmux"
        line = " ".join(map(str, words)) + "; echo left with $?; sleep 100"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *words], capture_output=True, text=True,
                              check=True).stdout

    def wait_for(self, condition, is_whole=lambda cursor: True):
        seen = []

        def is_there():
            # in one call, so that nothing is drawn between the two
            cursor, *seen[:] = self.tmux("display-message", "-p", "#{cursor_x},#{cursor_y}", ";",
                                         "capture-pane", "-p").splitlines()
            return is_whole(cursor) and condition(seen)
        wait_until(is_there)
        return seen

    def wait_for_picture(self, condition):
        """Of a screen of top's that is drawn to its end: only then the cursor is back in the corner."""
        return self.wait_for(condition, lambda cursor: cursor == "0,0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True)
        shutil.rmtree(self.folder)


def caches_on(screen):
    """The lines of the table: (columns, name)."""
    title = next((i for i, line in enumerate(screen) if "LIVE  CACHED" in line), None)
    lines = [] if title is None else [line.split() for line in screen[title + 1:] if line.strip()]
    return [(line[:-1], line[-1]) for line in lines]


def case_top_screen():
    """The live screen in 80 columns and 24 lines: sorted by the keys of slabtop, and left by q."""
    with Load(1) as load, Tmux(COMMAND, "top", "--delay", "0.2", load.pid) as terminal:
        screen = terminal.wait_for_picture(lambda s: len(caches_on(s)) > 10)
        assert len(screen) == 24 and all(len(line) <= 80 for line in screen), screen
        assert screen[0].startswith(f" process {load.pid} (load): ") and "sorted by cache size" in screen[0]
        assert screen[1].startswith(" Active / Total Objects (% used)    : ")
        first, name = caches_on(screen)[0]
        assert name == "kmalloc-2k" and first[0] == "20000" and first[4] == "2048", first
        for key, title, column in (("s", "object size", 4), ("n", "name", None), ("l", "slabs", 5), ("w", "waste", 7),
                                   ("u", "use", 3), ("a", "live objects", 0), ("c", "cache size", 6)):
            terminal.tmux("send-keys", key)
            screen = terminal.wait_for_picture(lambda s: f"sorted by {title}" in s[0] and len(caches_on(s)) > 10)
            rows = caches_on(screen)
            values = [n if column is None else int(c[column].rstrip("%")) for c, n in rows]
            assert values == sorted(values, reverse=column is not None), (title, values)
        terminal.tmux("resize-window", "-x", "100", "-y", "40")
        terminal.wait_for_picture(lambda s: len(caches_on(s)) > 25)
        terminal.tmux("send-keys", "q")
        screen = terminal.wait_for(lambda s: any("left with 0" in line for line in s))
        assert not any("LIVE  CACHED" in line for line in screen), "the screen is as it was before"


def case_top_keys():
    """Every key of slabtop's, in either case, space, and q; by the program's name."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "topped"
        shutil.copy(LOAD, program)
        with Load(program=program), Tmux(COMMAND, "top", "-d", "1000", "-s", "n", "topped") as terminal:
            terminal.wait_for_picture(lambda s: "sorted by name" in s[0] and len(caches_on(s)) > 3)
            for key, title in (("a", "live objects"), ("b", "objects per slab"), ("c", "cache size"), ("l", "slabs"),
                               ("v", "active slabs"), ("n", "name"), ("o", "objects"), ("p", "pages per slab"),
                               ("s", "object size"), ("u", "use"), ("w", "waste"), ("N", "name"), ("O", "objects")):
                terminal.tmux("send-keys", key)
                terminal.wait_for_picture(lambda s: s[0].endswith(f"sorted by {title}"))
            terminal.tmux("send-keys", "x")  # no key of ours
            terminal.tmux("send-keys", "Q")
            terminal.wait_for(lambda s: any("left with 0" in line for line in s))


def case_top_rates():
    """Rates are per second: of a process that frees a known number of objects between two looks."""
    script = ("import sys; x = [bytes(2100) for i in range(50000)]; print('ready', flush=True); sys.stdin.readline(); "
              "del x[10000:]; print('ready', flush=True); sys.stdin.readline()")
    with subprocess.Popen(["python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=dict(os.environ, LD_PRELOAD=LIBRARY, PYTHONMALLOC="malloc")) as python:
        wait_for_ready(python)
        cache = max(json.loads(command("stat", "--json", python.pid))["caches"], key=lambda c: c["live"] * c["size"])
        assert cache["live"] >= 50000
        began = time.monotonic()
        with Tmux(COMMAND, "top", "-d", "1000", python.pid) as terminal:
            terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3 and caches_on(s)[0][0][0] == str(cache["live"]))
            python.stdin.write(b"\n")
            python.stdin.flush()
            wait_for_ready(python)
            terminal.tmux("send-keys", "Space")
            screen = terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3 and int(caches_on(s)[0][0][0]) < 20000)
            seconds = time.monotonic() - began
        columns, name = caches_on(screen)[0]
        assert name == cache["name"] and abs(int(columns[0]) - 10000) < 100
        # 40,000 objects less in at most the time since we began, and at least a moment
        rate = int(columns[8].removesuffix("K")) * (1000 if columns[8].endswith("K") else 1)
        assert -40100 / 0.001 < rate <= 1000 - 39900 / seconds, (columns, seconds)
        assert re.match(r" Per second: \d+ faults, \d+ KiB returned, \d+ windows made, \d+ reused$", screen[5]), screen[5]
        live, cached, free, returned, mapped = map(int, re.match(
            r" KiB: (\d+) live, (\d+) cached, (\d+) free, (\d+) returned, (\d+) mapped$", screen[4]).groups())
        assert live + cached + free + returned <= mapped + 4 and mapped - live - cached - free - returned < 8192
        python.stdin.close()


def case_top_small():
    """Small screens show less, large ones more; nothing is wider or higher than the screen, and no colour is needed."""
    with Load() as load:
        for columns, rows, head in ((80, 8, 4), (40, 10, 4), (30, 5, 2), (20, 2, 2)):
            with Tmux("TERM=vt100", COMMAND, "top", load.pid, columns=columns, rows=rows) as terminal:
                screen = terminal.wait_for_picture(lambda s: any(" KiB NAME" in l or " LIVE/s NAME" in l for l in s)
                                                   or (columns < 25 and "LIVE" in "".join(s)))
                assert len(screen) <= rows and all(len(line) <= columns for line in screen), screen
                title = next(i for i, line in enumerate(screen) if "LIVE" in line)
                assert title == head - 1, screen
                if rows > 4:
                    assert any("kmalloc-" in line and " 20000" in line for line in screen), screen
                terminal.tmux("resize-window", "-x", "80", "-y", "24")
                terminal.wait_for_picture(lambda s: len(caches_on(s)) > 4 and len(s) == 24)
                terminal.tmux("resize-window", "-x", "40", "-y", "6")
                terminal.wait_for_picture(lambda s: any(line.startswith("    LIVE  USE     KiB NAME") for line in s))
                terminal.tmux("send-keys", "q")
                terminal.wait_for(lambda s: any("left with 0" in line for line in s))


def case_top_stopped():
    """Stopped by ^Z, the shell has its terminal; continued, the screen is there again."""
    with Load() as load, Tmux("bash", "-mc", f"'{COMMAND} top {load.pid}; echo stopped; read; fg >/dev/null'") as terminal:
        terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3)
        terminal.tmux("send-keys", "C-z")
        terminal.wait_for(lambda s: any("stopped" in line for line in s))
        terminal.tmux("send-keys", "Enter")
        terminal.wait_for(lambda s: len(caches_on(s)) > 3 and not any("stopped" in line for line in s))
        terminal.tmux("send-keys", "C-c")
        terminal.wait_for(lambda s: any("left with" in line for line in s))


def case_top_end():
    """When the process ends, so does top, and says why; the terminal is as it was."""
    with Load() as load, Tmux(COMMAND, "top", "--delay", "0.1", load.pid) as terminal:
        terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3)
        load.finish()
        screen = terminal.wait_for(lambda s: any("left with 2" in line for line in s))
        assert any(f"buddyslab: process {load.pid} (load) has ended" in line for line in screen), screen


def case_top_arrows():
    """Keys that are no letters change nothing, though terminals send letters for them."""
    with Load() as load, Tmux(COMMAND, "top", "-d", "1000", "-s", "n", load.pid) as terminal:
        terminal.wait_for_picture(lambda s: "sorted by name" in s[0] and len(caches_on(s)) > 3)
        for width, key in enumerate(("Up", "Down", "Left", "Right", "PageUp", "F5"), 81):
            terminal.tmux("send-keys", key)
            terminal.tmux("send-keys", "x")
            terminal.tmux("resize-window", "-x", str(width))
            # drawn anew once the keys were seen: the title is as wide as the screen
            screen = terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3)
            assert screen[0].endswith("sorted by name"), (key, screen[0])
        terminal.tmux("send-keys", "Q")
        terminal.wait_for(lambda s: any("left with 0" in line for line in s))


def case_top_quit():
    """Signals that end it, also that of the terminal's quit key, leave the terminal as it was."""
    for key in ("C-\\", "C-c"):
        with Load() as load, Tmux(COMMAND, "top", "-d", "1000", load.pid) as terminal:
            terminal.wait_for_picture(lambda s: len(caches_on(s)) > 3)
            terminal.tmux("send-keys", key)
            screen = terminal.wait_for(lambda s: any("left with" in line for line in s))
            assert any("left with 0" in line for line in screen), screen
            assert not any("LIVE  CACHED" in line for line in screen), "the screen is as it was before"


def catches(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[1], 16) >> number - 1 & 1


def case_map_interrupted():
    """An animation that is interrupted is as long as it is."""
    with Load() as load, tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "heap.html"
        drawing = subprocess.Popen([COMMAND, "map", "--snapshots", "9", "--every", "1000", "--output", file, str(load.pid)],
                                   stderr=subprocess.PIPE, text=True)
        wait_until(lambda: catches(drawing.pid, signal.SIGINT))
        drawing.send_signal(signal.SIGINT)
        assert drawing.communicate(timeout=60)[1] == "buddyslab: interrupted after 1 snapshots\n"
        assert drawing.returncode == 0 and len(data_of(file.read_text())["frames"]) == 1


def case_top_once():
    """One screen for scripts: all caches, no control sequences."""
    with Load() as load:
        once = command("top", "--once", load.pid)
        assert "\033" not in once
        rows = {name: columns for columns, name in caches_on(once.splitlines())}
        report = json.loads(command("stat", "--json", load.pid))
        assert {c["name"] for c in report["caches"]} == set(rows)
        for cache in report["caches"]:
            live, cached, free, _, size, slabs, kib, *_ = rows[cache["name"]]
            assert (int(live), int(cached), int(free)) == (cache["live"], cache["cached"], cache["free"])
            assert (int(size), int(slabs), int(kib)) == (cache["size"], cache["slabs"], cache["bytes"] // 1024)
        names = [n for _, n in caches_on(command("top", "--once", "--sort", "n", load.pid).splitlines())]
        assert names == sorted(names)
        assert "top needs a terminal; --once" in command("top", load.pid, status=2)
        dumb = subprocess.run(["script", "-qec", f"{COMMAND} top {load.pid}", "/dev/null"], capture_output=True, text=True,
                              env=dict(os.environ, TERM="dumb"))
        assert dumb.returncode == 2 and "top cannot use a terminal of type 'dumb' (TERM)" in dumb.stdout, dumb.stdout
        assert "--delay wants a number above 0, up to 1000000, not '1e9'" in command("top", "--delay", "1e9", load.pid, status=2)
        assert "there is no key 'x' to sort by" in command("top", "--sort", "x", load.pid, status=2)


if __name__ == "__main__":
    run_case(globals())
