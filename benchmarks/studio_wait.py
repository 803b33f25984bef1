"""How long somebody at the page waits: for a first picture, for a slider's, and for a job to stop.

A real `impasto studio` on this machine, with nobody else at it. First pictures are counted from the first byte sent,
a cold server's first one apart. Stopping is counted from the wish, at the third step of a job.

    python benchmarks/studio_wait.py [--size 512] [--times 9]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from studio_load import studio

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "photos" / "raccoon.jpg"
STEPWISE = ("gatys", "w2", "risser", "swd", "laplacian", "cnnmrf", "nnst", "strotss")
PATIENCE = 300.0


def upload(client: httpx.Client) -> str:
    """The photo's id."""
    files = {"file": PHOTO.read_bytes()}
    return str(client.post("/api/pictures", files=files, data={"kind": "photo"}).raise_for_status().json()["id"])


def at_once(client: httpx.Client, photo: str, **options: float) -> float:
    """Seconds for a picture of the fast method."""
    began = time.perf_counter()
    asked = {"content": photo, "styles": ["starry-hills"], "options": options, "format": "jpeg"}
    client.post("/api/fast", json=asked).raise_for_status()
    return time.perf_counter() - began


def stopped(client: httpx.Client, photo: str, method: str, size: int) -> tuple[float, float, bool]:
    """Seconds until a wish to stop was acknowledged, until it came true, and whether there is a picture."""
    asked = {"method": method, "content": photo, "styles": ["starry-hills"], "options": {"size": size}}
    job = client.post("/api/jobs", json=asked).raise_for_status().json()["id"]
    until = time.monotonic() + PATIENCE
    while client.get(f"/api/jobs/{job}").json()["step"] < 3 and time.monotonic() < until:
        time.sleep(0.05)
    began = time.perf_counter()
    client.post(f"/api/jobs/{job}/cancel").raise_for_status()
    heard = time.perf_counter() - began
    while (now := client.get(f"/api/jobs/{job}").json())["state"] == "running":
        time.sleep(0.01)
    return heard, time.perf_counter() - began, bool(now["result"])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="pixels on the long side")
    parser.add_argument("--times", type=int, default=9, help="pictures of which the median is told")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder), 1) as (_, port):
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        began = time.perf_counter()
        photo = upload(client)
        at_once(client, photo, size=asked.size)
        print(f"first picture of a cold server at {asked.size} px: {time.perf_counter() - began:.2f} s")
        sliders = [at_once(client, photo, size=asked.size, strength=0.9 - 0.05 * n) for n in range(asked.times)]
        print(f"a slider's picture: median {statistics.median(sliders):.2f} s, most {max(sliders):.2f} s")
        for method in STEPWISE:
            heard, gone, kept = stopped(client, photo, method, asked.size)
            picture = "picture kept" if kept else "no picture"
            print(f"{method:9} stop acknowledged in {1000 * heard:4.0f} ms, stopped in {gone:.2f} s, {picture}")


if __name__ == "__main__":
    sys.exit(main())
