"""The progress line."""

import sys
import time


class Progress:
    """One line on standard error: rewritten on a terminal, repeated now and then elsewhere."""

    QUIET_S = 10

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.started = time.monotonic()
        self.shown = 0.0
        self.terminal = sys.stderr.isatty()

    def step(self, text):
        """Says what is being done now; call it before each of the `total` parts."""
        now = time.monotonic()
        left = ""
        if self.done:
            seconds = (now - self.started) / self.done * (self.total - self.done)
            left = f", about {seconds // 60:.0f}:{seconds % 60:02.0f} left"
        line = f"[{self.done + 1}/{self.total}{left}] {text}"
        if self.terminal:
            print(f"\r\033[K{line[:110]}", end="", file=sys.stderr, flush=True)
        elif now - self.shown > self.QUIET_S:
            print(line, file=sys.stderr, flush=True)
            self.shown = now
        self.done += 1

    def say(self, text):
        start = "\r\033[K" if self.terminal else ""
        print(f"{start}bench: {text}", file=sys.stderr, flush=True)

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
