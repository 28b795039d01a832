"""A canvas for plots: writes SVG with the standard library only, PNG too where rsvg-convert is."""

import math
import shutil
import subprocess
from html import escape

COLORS = {"buddyslab": "#d62728", "glibc": "#555555", "jemalloc": "#1f77b4", "mimalloc": "#2ca02c",
          "tcmalloc": "#ff7f0e", "tbbmalloc": "#9467bd"}
OTHERS = ["#17a2b8", "#8c564b", "#e377c2", "#bcbd22"]


def color_of(name, names):
    others = [one for one in names if one not in COLORS]
    return COLORS.get(name) or OTHERS[others.index(name) % len(OTHERS)]


class Canvas:
    def __init__(self, width, height):
        self.width = width
        self.height = height
        self._parts = []

    def line(self, x1, y1, x2, y2, color="#999", width=1.0, dash=""):
        style = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                           f'stroke="{color}" stroke-width="{width}"{style}/>')

    def rectangle(self, x, y, width, height, fill, stroke="none"):
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                           f'height="{height:.1f}" fill="{fill}" stroke="{stroke}"/>')

    def dot(self, x, y, radius, color, opacity=1.0, title=""):
        inner = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}" '
                           f'fill-opacity="{opacity}">{inner}</circle>')

    def text(self, x, y, text, size=12, color="#222", anchor="start", weight="normal", turn=0):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" '
                           f'text-anchor="{anchor}" font-weight="{weight}" stroke="white" '
                           f'stroke-width="3" stroke-opacity="0.7" paint-order="stroke"{turned}>'
                           f'{escape(text)}</text>')

    def save(self, path):
        """Writes path.svg and, where possible, path.png; returns what was written."""
        svg = path.with_suffix(".svg")
        svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" '
                       f'height="{self.height}" viewBox="0 0 {self.width} {self.height}" '
                       f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">'
                       f'<rect width="100%" height="100%" fill="white"/>'
                       + "\n".join(self._parts) + "</svg>\n")
        written = [svg]
        if shutil.which("rsvg-convert"):
            png = path.with_suffix(".png")
            if subprocess.run(["rsvg-convert", str(svg), "-o", str(png)]).returncode == 0:
                written.append(png)
        return written


class LogAxis:
    """Maps values to positions on a logarithmic scale, and clips them to it."""

    def __init__(self, low, high, start, end):
        self.low = low
        self.high = max(high, low * 1.05)
        self.start = start
        self.end = end

    def at(self, value):
        clipped = min(max(value, self.low), self.high)
        share = math.log(clipped / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, apart):
        """Round values inside the scale that lie at least `apart` from each other: the roundest
        ones first, finer ones where there is room."""
        chosen = []
        first = math.floor(math.log10(self.low))
        last = math.ceil(math.log10(self.high))
        for steps in ([1], [5, 2], [1.5, 3, 7], [1.2, 4, 1.1, 6]):
            for value in (step * 10.0 ** power for step in steps
                          for power in range(first, last + 1)):
                if self.low <= value <= self.high and all(
                        abs(self.at(value) - self.at(other)) >= apart for other in chosen):
                    chosen.append(value)
        return sorted(chosen)
