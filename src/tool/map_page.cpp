/*
 * The heap as a page for a browser, with everything in it: the images as JSON, and the script that
 * draws them on a canvas, to zoom, to point at, and to play one after the other.
 *
 * The script's figures are made from the picture's pages, not taken from a report: that they agree
 * with slabinfo is a test of both.
 */
#include "proc/json.hpp"
#include "proc/report.hpp"
#include "tool/map.hpp"

namespace bsl::tool
{

namespace
{

constexpr const char head[] = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Heap map</title>
<style>
body { margin: 0; font: 13px sans-serif; color: #222; background: #fff; display: flex; flex-direction: column;
       height: 100vh; }
header { padding: 10px 16px 6px; }
h1 { font-size: 18px; margin: 0 0 4px; }
#legend span { display: inline-block; margin-right: 14px; white-space: nowrap; }
#legend i { display: inline-block; width: 11px; height: 11px; border: 1px solid #999; margin-right: 4px; vertical-align: -1px; }
#legend i + i { margin-left: -4px; }
main { flex: 1; display: flex; min-height: 0; }
#view { flex: 1; position: relative; overflow: hidden; background: #fafafa; cursor: grab; }
#tip { position: absolute; pointer-events: none; background: #222; color: #fff; padding: 4px 7px; border-radius: 3px;
       font: 12px monospace; white-space: pre; display: none; }
aside { width: 330px; overflow: auto; padding: 0 12px; border-left: 1px solid #ddd; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
td, th { text-align: right; padding: 1px 4px; } td:first-child, th:first-child { text-align: left; }
tr:hover td { background: #eef; }
button, input { vertical-align: middle; }
</style>
</head>
<body>
<header>
<h1 id="title"></h1>
<div id="sums"></div>
<div id="legend"></div>
<div id="player" hidden><button id="play">Play</button> <input id="frame" type="range" min="0" value="0"
style="width:300px"> <span id="when"></span></div>
</header>
<main><div id="view"><canvas id="canvas"></canvas><div id="tip"></div></div>
<aside><h3>Windows</h3><table id="windows"></table><h3>Caches</h3><table id="figures"></table></aside></main>
<script id="data" type="application/json">
)";

constexpr const char script[] = R"(
</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SIDE = 32, GAP = 4, CELL = SIDE + GAP;

// --- figures, from the pages of the picture

// The pages of a block, one by one: [look, cache, fill].
function pagesOf(block) {
    const pages = [];
    for (let i = 0; i < block.runs.length; i += 4)
        for (let n = 0; n < block.runs[i]; n++)
            pages.push([block.runs[i + 1], block.runs[i + 2], block.runs[i + 3]]);
    return pages;
}

function figuresOf(frame) {
    const byCache = new Map(), byLook = new Array(data.looks.length).fill(0);
    for (const block of frame.blocks)
        for (let i = 0; i < block.runs.length; i += 4) {
            const [n, look, cache] = block.runs.slice(i, i + 3);
            byLook[look] += n;
            if (data.holdsObjects[look])
                byCache.set(cache, (byCache.get(cache) || 0) + n);
        }
    return {byCache, byLook};
}

function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

function human(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    return (unit === 0 || bytes >= 100 ? bytes.toFixed(0) : bytes.toFixed(1)) + " " + units[unit];
}

// --- drawing

const canvas = document.getElementById("canvas"), view = document.getElementById("view");
const tip = document.getElementById("tip"), context = canvas.getContext("2d");
let current = 0, scale = 4, left = 12, top_ = 12, images = [];

function colour(look, size, fill) {
    if (!data.isSlab[look])
        return data.colours[look];
    const part = Math.min(1, Math.max(0, (Math.log2(size) - 4) / 11)); // 16 bytes … 32 KiB
    return `hsl(${Math.floor(5 + 215 * part)},62%,${88 - Math.floor(fill * 50 / data.fillSteps)}%)`;
}

function columns(frame) {
    return Math.max(1, Math.min(frame.blocks.length, Math.ceil(Math.sqrt(frame.blocks.length * 1.6))));
}

// One pixel a page; zoomed by drawing it larger.
function imageOf(frame) {
    const wide = columns(frame), high = Math.ceil(frame.blocks.length / wide);
    const image = document.createElement("canvas");
    image.width = Math.max(1, wide * CELL);
    image.height = Math.max(1, high * CELL);
    const to = image.getContext("2d");
    frame.blocks.forEach((block, b) => {
        const x = b % wide * CELL, y = Math.floor(b / wide) * CELL;
        let at = 0;
        for (let i = 0; i < block.runs.length; i += 4) {
            const cache = frame.caches[block.runs[i + 2]];
            to.fillStyle = colour(block.runs[i + 1], cache ? cache.size : 0, block.runs[i + 3]);
            for (let end = at + block.runs[i]; at < end;) {
                const here = Math.min(SIDE - at % SIDE, end - at);
                to.fillRect(x + at % SIDE, y + Math.floor(at / SIDE), here, 1);
                at += here;
            }
        }
    });
    return image;
}

function draw() {
    const frame = data.frames[current];
    canvas.width = view.clientWidth;
    canvas.height = view.clientHeight;
    images[current] = images[current] || imageOf(frame);
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(images[current], left, top_, images[current].width * scale, images[current].height * scale);
    const wide = columns(frame);
    frame.blocks.forEach((block, b) => {
        const x = left + b % wide * CELL * scale, y = top_ + Math.floor(b / wide) * CELL * scale, side = SIDE * scale;
        context.lineWidth = 1;
        context.strokeStyle = "#888";
        context.strokeRect(x, y, side, side);
        context.lineWidth = 2;
        context.strokeStyle = "#d4a000";
        [block.hugeLow, block.hugeHigh].forEach((huge, half) => huge && context.strokeRect(x, y + half * side / 2, side, side / 2));
    });
}

function show(n) {
    current = n;
    const frame = data.frames[n], sums = frame.books, {byCache} = figuresOf(frame);
    document.getElementById("sums").textContent = `${human(frame.mapped)} mapped: ` +
        `${human(sums.live + sums.live_windows)} in use, ` +
        `${human(sums.cached + sums.slab_free + sums.free_pages + sums.cached_windows)} kept for reuse, ` +
        `${human(sums.metadata)} metadata, ${human(sums.returned)} without memory. ` +
        `Fragmentation: ${frame.fragmentation} % of the free memory is in blocks below 2 MiB. Huge pages: ` +
        (frame.knowsHuge ? `${human(frame.huge)} (framed in gold).` : "not told by this kernel.");
    const figures = [...byCache].sort((a, b) => b[1] - a[1]).map(([cache, pages]) => {
        const c = frame.caches[cache];
        return `<tr><td>${plain([c.name, ...c.aliases].join(", "))}<td>${pages}<td>${human(pages * 4096)}<td>${c.live}<td>${c.slabs}</tr>`;
    });
    document.getElementById("figures").innerHTML = "<tr><th>cache<th>pages<th>memory<th>live<th>slabs</tr>" + figures.join("");
    document.getElementById("windows").innerHTML = frame.windows.map(w => `<tr><td>${w.start}<td>${human(w.size)}<td>` +
        `${w.live ? "in use" : "kept"}<td>${w.lent ? human(w.lent) + " lent" : ""}</tr>`).join("") || "<tr><td>none</tr>";
    document.getElementById("frame").value = n;
    document.getElementById("when").textContent = `${n + 1} of ${data.frames.length}, ${(frame.milliseconds / 1000).toFixed(2)} s`;
    draw();
}

// --- pointing, zooming, playing

function at(x, y) {
    const frame = data.frames[current], wide = columns(frame);
    const px = Math.floor((x - left) / scale), py = Math.floor((y - top_) / scale);
    const column = Math.floor(px / CELL), row = Math.floor(py / CELL);
    const block = frame.blocks[row * wide + column];
    if (px < 0 || py < 0 || column >= wide || px % CELL >= SIDE || py % CELL >= SIDE || !block)
        return null;
    const index = py % CELL * SIDE + px % CELL;
    return {block, index, page: pagesOf(block)[index]};
}

view.addEventListener("mousemove", event => {
    const box = view.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    if (event.buttons & 1) {
        left += event.movementX;
        top_ += event.movementY;
        draw();
    }
    const found = at(x, y);
    tip.style.display = found ? "block" : "none";
    if (!found)
        return;
    const [look, cache, fill] = found.page, c = data.frames[current].caches[cache];
    const address = "0x" + (BigInt(found.block.start) + BigInt(found.index) * 4096n).toString(16);
    tip.textContent = `${address}\n${data.looks[look]}` +
        (data.holdsObjects[look] ? `: ${[c.name, ...c.aliases].join(", ")}` : "") +
        (data.isSlab[look] ? `, ${Math.round(fill * 100 / data.fillSteps)} % in use` : "") +
        `\npage ${found.index} of pageblock ${found.block.start}, ${data.zones[found.block.zone]}\n` +
        `${found.block.free} pages free, ` +
        (found.block.order < 0 ? "no free block" : `largest free block of order ${found.block.order}`);
    tip.style.left = Math.min(x + 14, view.clientWidth - 420) + "px";
    tip.style.top = Math.min(y + 14, view.clientHeight - 80) + "px";
});
view.addEventListener("mouseleave", () => tip.style.display = "none");
view.addEventListener("wheel", event => {
    event.preventDefault();
    const box = view.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const next = Math.min(60, Math.max(0.05, scale * Math.exp(-event.deltaY * 0.0015)));
    left = x - (x - left) * next / scale;
    top_ = y - (y - top_) * next / scale;
    scale = next;
    draw();
}, {passive: false});
window.addEventListener("resize", draw);

let playing = null;
document.getElementById("play").addEventListener("click", event => {
    event.target.textContent = playing ? "Play" : "Stop";
    playing = playing ? clearInterval(playing) : setInterval(() => show((current + 1) % data.frames.length), 300);
});
document.getElementById("frame").addEventListener("input", event => show(Number(event.target.value)));

document.getElementById("title").textContent = "The heap of " + data.name;
document.getElementById("legend").innerHTML = data.looks.map((name, look) =>
    `<span><i style="background:${colour(look, 256, data.fillSteps)}"></i>${name}</span>`).join("") +
    "<br>Slabs by size of object and how full they are: " + data.sizes.map(size => "<span>" + data.fills.map(fill =>
    `<i style="background:${colour(data.isSlab.indexOf(true), size, fill)}"></i>`).join("") + human(size) + "</span>").join("") +
    "<br>Each square is a pageblock: 4 MiB, 1024 pages. Wheel: zoom; drag: move; point at a page.";
document.getElementById("player").hidden = data.frames.length < 2;
document.getElementById("frame").max = data.frames.length - 1;
const fit = images[0] = imageOf(data.frames[0]);
scale = Math.min(12, Math.max(0.2, Math.min((view.clientWidth - 24) / fit.width, (view.clientHeight - 24) / fit.height)));
show(0);
</script>
</body>
</html>
)";

std::string address(std::uintptr_t at)
{
    return format<24>().pointer(at).c_str();
}

/// Equal pages in a row as four numbers: how many, look, cache, fill.
void put_pages(stream& to, const block_image& block)
{
    json_list runs(to);
    for (std::size_t from = 0, end = 0; from < pages_per_pageblock; from = end) {
        end = from + 1;
        while (end < pages_per_pageblock && block.pages[end] == block.pages[from])
            ++end;
        const page_image& p = block.pages[from];
        runs.next().decimal(end - from);
        runs.next().decimal(static_cast<unsigned>(p.look));
        runs.next().decimal(p.cache);
        runs.next().decimal(p.fill);
    }
}

void put_block(stream& to, const block_image& block)
{
    json_object o(to);
    o.text("start", address(block.start)).number("zone", block.zone).number("free", block.nr_free);
    o.member("order").text(block.largest_free_order < 0 ? "-1" : "");
    if (block.largest_free_order >= 0)
        to.decimal(static_cast<unsigned>(block.largest_free_order));
    o.flag("hugeLow", block.is_huge[0]).flag("hugeHigh", block.is_huge[1]);
    put_pages(o.member("runs"), block);
}

/// By number: pages name theirs so.
void put_caches(stream& to, const snapshot& heap)
{
    json_object all(to);
    for (std::size_t c = 0; c < nr_all_caches; ++c) {
        const cache_figures& f = heap.caches[c];
        if (f.nr_slabs == 0)
            continue;
        json_object o(all.member(std::to_string(c)));
        o.text("name", f.name).number("size", f.size).number("live", f.nr_live());
        o.number("slabs", f.nr_slabs);
        json_list aliases(o.member("aliases"));
        heap.for_each_alias(f, [&](std::string_view name) { put_quoted(aliases.next(), name); });
    }
}

void put_frame(stream& to, const heap_image& image)
{
    const books sum = image.heap.balance();
    json_object o(to);
    o.number("milliseconds", static_cast<std::uint64_t>(image.seconds * 1000));
    o.number("mapped", sum.mapped).number("fragmentation", image.fragmentation());
    o.flag("knowsHuge", image.knows_huge_pages).number("huge", image.huge_bytes);
    {
        json_object parts(o.member("books"));
        for (const books_part& part : parts_of_books)
            parts.number(part.name, sum.*part.bytes);
    }
    put_caches(o.member("caches"), image.heap);
    {
        json_list windows(o.member("windows").text("\n"));
        for (const window_image& w : image.windows)
            json_object(windows.next())
                .text("start", address(w.start))
                .number("size", w.size)
                .number("lent", w.lent)
                .flag("live", w.is_live);
    }
    json_list blocks(o.member("blocks").text("\n"));
    for (const block_image& block : image.blocks)
        put_block(blocks.next().text("\n"), block);
}

template <typename Fn>
void put_looks(json_object& to, std::string_view name, Fn put)
{
    json_list list(to.member(name));
    for (unsigned i = 0; i < nr_looks; ++i)
        put(list.next(), static_cast<look_of>(i));
}

void put_data(stream& to, const target& of, const std::vector<heap_image>& images)
{
    json_object o(to);
    o.text("name", of.name()).text("version", of.root().library_version);
    o.number("fillSteps", fill_steps);
    {
        json_list sizes(o.member("sizes"));
        for (const std::size_t size : sizes_in_legend)
            sizes.next().decimal(size);
    }
    {
        json_list fills(o.member("fills"));
        for (const unsigned fill : fills_in_legend)
            fills.next().decimal(fill);
    }
    put_looks(o, "looks", [](stream& out, look_of look) {
        put_quoted(out, names_of_looks[static_cast<unsigned>(look)]);
    });
    put_looks(o, "colours", [](stream& out, look_of look) { put_quoted(out, colour_of(look)); });
    put_looks(o, "isSlab", [](stream& out, look_of look) {
        out.text(look == look_of::slab ? "true" : "false");
    });
    put_looks(o, "holdsObjects", [](stream& out, look_of look) {
        const bool holds = look == look_of::slab || look == look_of::own || look == look_of::single;
        out.text(holds ? "true" : "false");
    });
    {
        json_list zones(o.member("zones"));
        for (unsigned number = 0; number < nr_zones_max; ++number) {
            const auto zone = static_cast<std::uint8_t>(number);
            zones.next().text("\"Node ").decimal(node_of_zone(zone)).text(", zone ");
            to.text(name_of_zone(zone)).text("\"");
        }
    }
    json_list frames(o.member("frames"));
    for (const heap_image& image : images)
        put_frame(frames.next(), image);
}

} // namespace

void draw_page(std::ostream& to, const target& of, const std::vector<heap_image>& images)
{
    to << head;
    stream data(
        [](void* context, std::string_view text) {
            return !!(*static_cast<std::ostream*>(context) << text);
        },
        &to);
    put_data(data, of, images);
    data.flush();
    to << script;
}

} // namespace bsl::tool
