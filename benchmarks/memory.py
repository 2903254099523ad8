"""What a process holds: its own memory, and pages of files that are mapped into it.

Pages of a mapped file are the system's: it takes them back when it needs them, and no other memory has to be there for
them. So what a job must be given is its anonymous memory (RssAnon of /proc/self/status), beside which the pages of
files (RssFile) are told. Linux keeps no peak of either, only of their sum (VmHWM); both are read a hundred times a
second.
"""

import threading
import time
from pathlib import Path


def now():
    """Megabytes (2**20 bytes) of this process by name, as /proc/self/status has them."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[0].startswith(("Rss", "VmHWM"))}


class Watch:
    """Keeps the largest `anonymous`, `mapped` and `whole` memory, in MB, and the seconds, between enter and exit."""

    def __enter__(self):
        self.anonymous = self.mapped = 0.0
        self._over, self._started = threading.Event(), time.perf_counter()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self.seconds, self.whole = time.perf_counter() - self._started, now()["VmHWM"]

    def _watch(self):
        while True:
            seen = now()
            self.anonymous = max(self.anonymous, seen["RssAnon"])
            self.mapped = max(self.mapped, seen["RssFile"])
            if self._over.wait(0.01):
                return

    def __str__(self):
        return (
            f"{self.seconds:.1f} s, anonymous memory {self.anonymous:.0f} MB, pages of files {self.mapped:.0f} MB, "
            f"both together {self.whole:.0f} MB"
        )
