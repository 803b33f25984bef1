"""Twenty people at one studio: how quickly it answers while it paints, and whether it grows.

A real `impasto studio` with one worker, and clients that upload, order, look at their jobs, listen to events, fetch
pictures, paint at once, and cancel. The queue is kept full, so that orders are refused, which must be quick too. What
counts: no answer of 500 or above, status calls below 100 ms and refusals of a full queue below 50 ms at the 99th
percentile, memory up by less than 5 percent and no more open files after the warm-up.

    python benchmarks/studio_load.py [--seconds 300] [--clients 20] [--pause 0.1] [--workers 1] [--soak]
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SOAK = 3600.0
QUEUE = 16
STYLES = ("starry-hills", "knife-sea", "gold-mosaic", "woodcut-wave")


@dataclass
class Seen:
    """What all clients together have seen."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, code: int, seconds: float) -> None:
        """One answer."""
        with self.lock:
            self.seconds[f"{what} 429" if code == 429 else what].append(seconds)
            self.codes[what, code] += 1


class Client:
    """One person: a connection that is kept, a photo, and a few jobs."""

    def __init__(self, port: int, number: int, seen: Seen) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._draw, self._seen, self._number = random.Random(number), seen, number
        self._jobs: list[str] = []
        self._photos: list[str] = []

    def live(self, until: float, pause: float) -> None:
        """Until the time is over."""
        while not self._photos:  # as all begin at once, some are asked to come again
            self.upload()
        ways: list[tuple[float, Callable[[], None]]] = [
            (0.66, self.status), (0.08, self.list), (0.08, self.order), (0.06, self.picture), (0.04, self.listen),
            (0.02, self.upload), (0.02, self.at_once), (0.02, self.cancel), (0.02, self.page),
        ]  # fmt: skip
        while time.monotonic() < until:
            self._draw.choices([way for _, way in ways], [share for share, _ in ways])[0]()
            time.sleep(self._draw.random() * 2 * pause)
        self._line.close()

    def status(self) -> None:
        """How one of his jobs stands."""
        if self._jobs:
            self._ask("status", "GET", f"/api/jobs/{self._draw.choice(self._jobs[-3:])}")

    def list(self) -> None:
        """All his jobs."""
        self._ask("list", "GET", "/api/jobs?limit=20")

    def order(self) -> None:
        """Another job, if there is room."""
        options = {"size": 64, "steps": 40, "encoder": "efficientnet-lite0"}
        method = self._draw.choice(("gatys", "gatys", "fast"))
        asked = {
            "content": self._draw.choice(self._photos), "styles": [self._draw.choice(STYLES)], "method": method,
            "options": options if method == "gatys" else {"size": 256},
        }  # fmt: skip
        key = {"idempotency-key": f"{self._draw.getrandbits(64):x}"}  # as the page sends one with each
        code, data = self._ask("order", "POST", "/api/jobs", json.dumps(asked).encode(), more=key)
        if code == 201:
            self._jobs.append(json.loads(data)["id"])

    def picture(self) -> None:
        """One of his photos."""
        what = self._draw.choice(("file", "thumbnail"))
        self._ask("picture", "GET", f"/api/pictures/{self._draw.choice(self._photos)}/{what}")

    def upload(self) -> None:
        """Another photo; only three are kept."""
        code, data = self._ask("upload", "POST", "/api/pictures", form(self._draw), "multipart/form-data; boundary=x")
        if code == 201:
            self._photos.append(json.loads(data)["id"])
            if len(self._photos) > 3:
                self._ask("delete", "DELETE", f"/api/pictures/{self._photos.pop(0)}")

    def at_once(self) -> None:
        """A picture while he waits."""
        asked = {"content": self._photos[-1], "styles": [self._draw.choice(STYLES)], "options": {"size": 256}}
        self._ask("fast", "POST", "/api/fast", json.dumps(asked).encode())

    def cancel(self) -> None:
        """Stops a job."""
        if self._jobs:
            self._ask("cancel", "POST", f"/api/jobs/{self._draw.choice(self._jobs[-3:])}/cancel")

    def page(self) -> None:
        """The page itself."""
        self._ask("page", "GET", "/")

    def listen(self) -> None:
        """A while of a job's events, on a line of its own."""
        if not self._jobs:
            return
        line = http.client.HTTPConnection(self._line.host, self._line.port, timeout=30)
        start = time.monotonic()
        try:
            line.request("GET", f"/api/jobs/{self._jobs[-1]}/events")
            answer = line.getresponse()
            self._seen.add("events", answer.status, time.monotonic() - start)
            assert line.sock
            line.sock.settimeout(2)
            with suppress(TimeoutError):
                while time.monotonic() - start < 2 and answer.readline():
                    pass
            answer.close()
        except (http.client.HTTPException, OSError) as error:
            self._seen.broken[f"events {type(error).__name__}"] += 1
        finally:
            line.close()

    def _ask(
        self, what: str, method: str, path: str, body: bytes | None = None, kind: str = "application/json",
        more: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:  # fmt: skip
        start = time.perf_counter()
        try:
            self._line.request(method, path, body, {"content-type": kind} | (more or {}))
            answer = self._line.getresponse()
            data = answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._seen.broken[f"{what} {type(error).__name__}"] += 1
            self._line.close()
            return 0, b""
        self._seen.add(what, answer.status, time.perf_counter() - start)
        return answer.status, data


def form(draw: random.Random) -> bytes:
    """A photo of 512 pixels, each another."""
    noise = np.random.default_rng(draw.randrange(2**32)).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((512, 384), Image.Resampling.BICUBIC).save(file, "jpeg", quality=85)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    return head + file.getvalue() + b"\r\n--x--\r\n"


@contextmanager
def studio(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """A studio of its own; its process and its port."""
    command = [
        sys.executable, "-m", "impasto", "studio", "--port", "0", "--no-browser", "--workers", str(workers),
        "--database", f"sqlite:///{folder}/jobs.db", "--store", f"{folder}/pictures",
    ]  # fmt: skip
    told = {"IMPASTO_STUDIO_QUEUE": str(QUEUE), "IMPASTO_STUDIO_JOBS_PER_CLIENT": "1000", "PYTHONUNBUFFERED": "1"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | told) as process,
    ):
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)/", process.stdout.readline())
            assert found, (folder / "log").read_text()
            yield process.pid, int(found[1])
        finally:
            process.terminate()


@dataclass
class Size:
    """How large a process is, and what it has taken."""

    seconds: float
    memory: float
    files: int
    processor: float


def measured(process: int, began: float) -> Size:
    """Resident megabytes, open files and processor seconds of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    ticks = sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]))
    files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return Size(time.monotonic() - began, memory, files, ticks / os.sysconf("SC_CLK_TCK"))


def watched(process: int, began: float, until: float) -> list[Size]:
    """Its sizes over time."""
    sizes = []
    while time.monotonic() < until:
        with suppress(OSError):
            sizes.append(measured(process, began))
        time.sleep(1)
    return sizes


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def told(seen: Seen, sizes: list[Size], warm: float) -> list[str]:
    """Prints all figures; returns what is not as it should be."""
    print(f"{'call':12} {'count':>7} {'p50 ms':>8} {'p99 ms':>8} {'most ms':>8}   codes")
    for what, values in sorted(seen.seconds.items()):
        codes = {code: n for (name, code), n in sorted(seen.codes.items()) if name == what and code != 429}
        shown = [percentile(values, share) for share in (0.5, 0.99, 1)]
        print(f"{what:12} {len(values):7} {shown[0]:8.1f} {shown[1]:8.1f} {shown[2]:8.1f}   {codes or ''}")
    after = [size for size in sizes if size.seconds > warm] or sizes
    fifth = max(1, len(after) // 5)
    first, last = after[:fifth], after[-fifth:]
    memory = [statistics.median(size.memory for size in part) for part in (first, last)]
    files = [statistics.median(size.files for size in part) for part in (first, last)]
    growth = memory[1] / memory[0] - 1
    print(f"server: {memory[0]:.1f} MB after {warm:.0f} s, {memory[1]:.1f} MB in the end ({growth:+.1%}); ", end="")
    print(f"open files {files[0]:.0f}, then {files[1]:.0f}; processor {sizes[-1].processor / sizes[-1].seconds:.0%}")
    failed = sum(n for (_, code), n in seen.codes.items() if code >= 500)
    print(f"answers of 500 and above: {failed}; broken lines: {dict(seen.broken)}")
    late = seen.seconds["order 429"]
    print(f"refusals of a full queue: {len(late)}", end="")
    print(f", p50 {percentile(late, 0.5):.1f} ms, p99 {percentile(late, 0.99):.1f} ms" if late else "")
    wrong = {
        "answers of 500 and above": failed, "lines that broke": sum(seen.broken.values()),
        "status calls above 100 ms": percentile(seen.seconds["status"], 0.99) > 100,
        "refusals above 50 ms": bool(late) and percentile(late, 0.99) > 50,
        "memory that grows": growth > 0.05, "files that stay open": files[1] > files[0] + 25,
    }  # fmt: skip
    return [what for what, bad in wrong.items() if bad]


def load(seconds: float, clients: int, pause: float, workers: int) -> list[str]:
    """Runs it all; returns what is not as it should be."""
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder), workers) as (process, port):
        began = time.monotonic()
        until = began + seconds
        people = [
            threading.Thread(target=Client(port, number, seen).live, args=(until, pause)) for number in range(clients)
        ]
        for person in people:
            person.start()
        sizes = watched(process, began, until)
        for person in people:
            person.join()
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        line.request("GET", "/metrics")
        text = line.getresponse().read().decode()
        line.close()
        lines = (Path(folder) / "log").read_text().splitlines()
    jobs: dict[str, Any] = dict(re.findall(r'impasto_jobs\{state="(\w+)"\} ([\d.]+)', text))
    print(f"{clients} clients, {seconds:.0f} s, {workers} worker(s); jobs: {jobs}")
    errors = Counter(json.loads(line)["message"] for line in lines if '"error"' in line)
    print(f"lines of log: {len(lines)}; of errors: {dict(errors)}")
    return told(seen, sizes, min(60.0, seconds / 3))


def main() -> None:
    """Prints the figures; leaves with 1 when one of them is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between a client's calls, in the mean")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--soak", action="store_true", help="for an hour")
    chosen = parser.parse_args()
    wrong = load(SOAK if chosen.soak else chosen.seconds, chosen.clients, chosen.pause, chosen.workers)
    print("not as promised: " + ", ".join(wrong) if wrong else "all as promised")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
