"""Does anything that a stranger sends bring the studio down? Damaged pictures for its decoder, odd words for its API.

Every input is made from its number, so that one that fails can be made again: `--only 4711`. Pictures are decoded in
children as the studio has them; what counts is that each is taken or refused in words, within 10 s and 1 GB, and that
no child dies. Requests go to a real `impasto studio`; what counts is that none is answered with 500 or above, that
every refusal is one line of JSON, and time and memory as before. Any of it that does not hold makes it end with 1.

    python benchmarks/studio_fuzz.py [--pictures 100000] [--requests 20000] [--children 2] [--first 0] [--only N]
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.errors import ImpastoError
from impasto.studio.children import Bounds, Children
from impasto.studio.decoding import decode
from impasto.studio.limits import Limits

BATCH = 250
HANG, MEMORY = 10.0, 1 << 30
"""Seconds that no input may take, and bytes that no process may grow to, or the server grow by."""

LIMITS = Limits()
EVIL = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 13, 40_000)

# Pictures


@cache
def seeds() -> tuple[bytes, ...]:
    """Small real files: every format that is taken, in many of its forms, and some that are not."""
    y, x = np.mgrid[:21, :34]
    rgb = np.stack([x * 7, y * 11, (x * y) % 255], -1).astype(np.uint8)
    image, grey = Image.fromarray(rgb), Image.fromarray(rgb[..., 0])
    clear = image.copy()
    clear.putalpha(grey)
    deep = Image.fromarray(rgb[..., 1].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[271], exif[274] = "Camera", 6
    exif.get_ifd(0x8769).update({0x9003: "2024:01:01 00:00:00", 0x927C: b"notes" * 9})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    info = PngInfo()
    info.add_text("Title", "x" * 40, zip=True)
    info.add_itxt("XML:com.adobe.xmp", '<impasto:settings>{"a":[1,{"b":null}]}</impasto:settings>')
    ways: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (image, "PNG", {"pnginfo": info, "exif": exif}), (clear, "PNG", {}), (grey, "PNG", {}), (deep, "PNG", {}),
        (image.quantize(9), "PNG", {"transparency": 1}), (grey.convert("1"), "PNG", {}),
        (clear.convert("LA"), "PNG", {}), (image, "PNG", {"save_all": True, "append_images": [image.rotate(9)]}),
        (image, "JPEG", {"exif": exif, "comment": b"hello"}), (image, "JPEG", {"progressive": True}),
        (grey, "JPEG", {}), (image.convert("CMYK"), "JPEG", {}), (image, "WEBP", {"exif": exif, "xmp": b"<a/>"}),
        (clear, "WEBP", {"lossless": True}), (clear, "WEBP", {}),
        (image, "WEBP", {"save_all": True, "append_images": [clear.copy()]}), (image, "AVIF", {}),
        (clear, "AVIF", {"exif": exif}), (image, "TIFF", {}), (clear, "TIFF", {"compression": "tiff_lzw"}),
        (deep, "TIFF", {}), (image, "TIFF", {"compression": "tiff_adobe_deflate", "exif": exif}),
        (image, "TIFF", {"compression": "jpeg"}), (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (image.convert("CMYK"), "TIFF", {"compression": "packbits"}), (grey.convert("F"), "TIFF", {}),
        (image, "TIFF", {"big_tiff": True}), (image, "TIFF", {"save_all": True, "append_images": [grey.copy()]}),
        (image, "GIF", {}), (image, "BMP", {}), (image, "ICO", {}),
    ]  # fmt: skip
    return tuple(_file(*way) for way in ways)


def _file(image: Image.Image, kind: str, more: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.copy().save(file, kind, **more)  # Pillow notes on an image how it was saved
    return file.getvalue()


def damaged(draw: random.Random) -> bytes:
    """A file that was whole once, or never."""
    data = bytearray(draw.choice(seeds()))
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        draw.choice(DAMAGES)(data, draw)
    if data.startswith(b"\x89PNG") and draw.random() < 0.6:
        data = _with_sums(data)
    return bytes(data)


def _at(data: bytearray, draw: random.Random) -> int:
    """A place: headers are where the decisions are."""
    return draw.randrange(min(len(data), draw.choice((64, 256, len(data) or 1))) or 1)


def _flip(data: bytearray, draw: random.Random) -> None:
    if data:
        data[_at(data, draw)] ^= 1 << draw.randrange(8)


def _put(data: bytearray, draw: random.Random) -> None:
    at, kind = _at(data, draw), draw.choice((">I", "<I", ">H", "<H", "B"))
    size = struct.calcsize(kind)
    if at + size <= len(data):
        struct.pack_into(kind, data, at, draw.choice(EVIL) & (256**size - 1))


def _cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data) + 1) :]


def _drop(data: bytearray, draw: random.Random) -> None:
    at = _at(data, draw)
    del data[at : at + draw.choice((1, 2, 4, 12, 100))]


def _add(data: bytearray, draw: random.Random) -> None:
    at = _at(data, draw)
    data[at:at] = draw.randbytes(draw.choice((1, 4, 30, 3000)))


def _again(data: bytearray, draw: random.Random) -> None:
    at, end = sorted((_at(data, draw), _at(data, draw)))
    data[at:at] = data[at:end] * draw.choice((1, 2, 50))


def _graft(data: bytearray, draw: random.Random) -> None:
    other = draw.choice(seeds())
    data[draw.randrange(len(data) + 1) :] = other[draw.randrange(len(other)) :]


def _head(data: bytearray, draw: random.Random) -> None:
    start = draw.choice(seeds())[: draw.choice((4, 8, 12, 33, 64))]
    data[: len(start) if draw.random() < 0.5 else 0] = start


def _noise(data: bytearray, draw: random.Random) -> None:
    at = _at(data, draw)
    data[at : at + 64] = draw.randbytes(64)


def _name(data: bytearray, draw: random.Random) -> None:
    """A PNG chunk, a RIFF chunk or an ISO box of another name."""
    found = [m.start() for m in re.finditer(rb"[A-Za-z]{4}", bytes(data))]
    if found:
        at = draw.choice(found)
        data[at : at + 4] = draw.choice(
            (b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fdAT", b"PLTE", b"tRNS", b"VP8L", b"ALPH", b"ANMF")
        )


Damage = Callable[[bytearray, random.Random], None]
DAMAGES: tuple[Damage, ...] = (_flip, _flip, _put, _put, _cut, _drop, _add, _again, _graft, _head, _noise, _name)


def _with_sums(data: bytearray) -> bytearray:
    """A PNG whose check sums are right again, so that somebody reads what was damaged."""
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if at + 12 + size > len(data):
            break
        struct.pack_into(">I", data, at + 8 + size, zlib.crc32(bytes(data[at + 4 : at + 8 + size])))
        at += 12 + size
    return data


def looked_at(first: int, count: int) -> dict[str, Any]:
    """In a child: what came of so many pictures from a number on."""
    found, faults, slowest = Counter[str](), [], (0.0, first)
    for number in range(first, first + count):
        data, start = damaged(random.Random(number)), time.perf_counter()
        try:
            told = decode(data, LIMITS)
            found["taken"] += 1
            if not told.png.startswith(b"\x89PNG") or not told.thumbnail.startswith(b"\xff\xd8"):
                faults.append((number, "neither PNG nor JPEG came out"))
        except ImpastoError as error:
            found[type(error).__name__] += 1
        except Exception:
            faults.append((number, traceback.format_exc(limit=-3)))
        slowest = max(slowest, (time.perf_counter() - start, number))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"found": found, "faults": faults, "slowest": slowest, "memory": memory}


def pictures(first: int, count: int, children: int) -> int:
    """Sends them all; returns how many failed."""
    bounds = Bounds(60.0 + 0.4 * BATCH, LIMITS.decode_bytes, 40, network=False)
    work = import_module(Path(__file__).stem).looked_at  # children know modules by their names, and no scripts
    family = Children(work, count=children, bounds=bounds)
    found, failed, slowest, memory, start = Counter[str](), 0, (0.0, 0), 0, time.monotonic()

    def batch(begin: int) -> list[dict[str, Any] | str]:
        size = min(BATCH, first + count - begin)
        try:
            return [family.ask(begin, size)]
        except ImpastoError:  # somebody in it is to blame
            return [_alone(family, number) for number in range(begin, begin + size)]

    with ThreadPoolExecutor(children) as pool:
        for done, batched in enumerate(pool.map(batch, range(first, first + count, BATCH)), 1):
            for told in batched:
                if isinstance(told, str):
                    failed += 1
                    print("FAILED", told, flush=True)
                    continue
                found += told["found"]
                failed += len(told["faults"])
                for number, words in told["faults"]:
                    print("FAULT", number, words, flush=True)
                slowest, memory = max(slowest, tuple(told["slowest"])), max(memory, told["memory"])
            if done % 40 == 0:
                print(f"{done * BATCH} pictures, {time.monotonic() - start:.0f} s, {dict(found)}", flush=True)
    family.close()
    seconds = time.monotonic() - start
    print(f"\n{count} damaged pictures in {seconds:.0f} s, {count / seconds:.0f} a second: {dict(found)}")
    print(f"failed {failed}; slowest {slowest[0]:.2f} s (number {slowest[1]}); memory at most {memory / 1e6:.0f} MB")
    return failed + beyond(slowest[0], memory)


def beyond(slowest: float, memory: float) -> int:
    """Prints which of the two is more than was promised; returns how many are."""
    wrong = [f"{slowest:.1f} s for one input"] if slowest > HANG else []
    wrong += [f"{memory / 1e6:.0f} MB of memory"] if memory > MEMORY else []
    for words in wrong:
        print("TOO MUCH", words, flush=True)
    return len(wrong)


def _alone(family: Children, number: int) -> dict[str, Any] | str:
    try:
        found: dict[str, Any] = family.ask(number, 1)
        return found
    except ImpastoError as error:
        return f"{number}: {error}"


# Requests

ID = "0123456789abcdef" * 2
WORDS = (
    '"' + ID + '"', '"starry-hills"', '"../../etc/passwd"', '"\\u0000"', '"\\ud800"', '"\\u202e"', '""', '"gatys"',
    '"fast"', "null", "true", "false", "0", "1", "-1", "0.5", "512", "1e308", "1e999", "-1e999", "NaN", "Infinity",
    "-Infinity", "1" * 400, "1" * 5000, "[]", "{}", "[[]]", "[1,2]", '["starry-hills"]', '["' + ID + '"]', '{"a":1}',
    "[" * 500 + "]" * 500, '"' + "x" * 5000 + '"', '"relu3_1"', '["relu3_1"]', '"http://127.0.0.1:9/"',
    '"file:///etc/passwd"', '"noise"', '"draft"', "9007199254740993", "18446744073709551616", '"1"', "1.0",
    '"stylize"', '"texture"', '"reconstruct"', '{"width":64,"height":64}',
)  # fmt: skip
KEYS = (
    "job", "method", "content", "styles", "options", "size", "tileable", "layers", "statistics", "format", "strength",
    "steps", "init", "mask", "encoder", "style_layers", "seed", "blend", "model", "checkpoint", "device",
    "preview_every", "quality", "__proto__", "__class__", "x", "", "\\u0000", "\\ud800", "kwargs", "tv", "optimizer",
    "keep_color", "url",
)  # fmt: skip
PLACES = (
    "/", "/api/jobs", "/api/jobs", "/api/jobs", "/api/jobs", "/api/fast", "/api/fast", "/api/pictures",
    "/api/pictures", "/api/styles", "/api/methods", "/api/limits", "/api/jobs/{}", "/api/pictures/{}",
    "/api/jobs/{}/cancel", "/api/jobs/{}/events", "/api/jobs/{}/preview", "/api/pictures/{}/file",
    "/api/styles/{}/file", "/page/{}", "/metrics", "/healthz", "/readyz", "/api/openapi.json", "/{}",
)  # fmt: skip
NAMES = (
    ID, ID.upper(), ID + "0", "0", "..", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cx", "%00",
    "%0d%0aX:y", "%ff", "%ed%a0%80", "starry-hills", "starry-hills%00", "a" * 3000, "//evil.example/", ".",
    "index.html", "index.html%00.js", "%", "%zz", "{picture}",
)  # fmt: skip
QUERIES = (
    "", "", "?limit=0", "?limit=99999999999999999999", "?limit=-1", "?before=nan", "?before=inf", "?before=-1",
    "?before=1e400", "?kind=x", "?state=%00", "?download=maybe", "?download=1", "?after=-1", "?after=99999999999",
    "?step=x", "?token=x", "?a[]=1&a=2", "?limit=%ff", "?limit=5&limit=x",
)  # fmt: skip
HEADERS = (
    {}, {}, {"idempotency-key": "k"}, {"idempotency-key": "x" * 65}, {"idempotency-key": "\x7f"},
    {"last-event-id": "x"}, {"last-event-id": "-1"}, {"origin": "null"}, {"origin": "http://["},
    {"sec-fetch-site": "cross-site"}, {"host": "evil"}, {"range": "bytes=0-,0-"}, {"accept": "text/html"},
    {"authorization": "Bearer x"}, {"cookie": "=;impasto_token=\xff"}, {"content-type": "text/plain"},
    {"content-type": "multipart/form-data"}, {"content-type": "multipart/form-data; boundary=x"},
    {"content-type": "multipart/form-data; boundary=x; charset=punycode"},
    {"content-type": "application/json; charset=utf-16"}, {"transfer-encoding": "gzip"}, {"expect": "x"},
    {"if-none-match": "*"}, {"if-modified-since": "x"}, {"content-encoding": "br"},
)  # fmt: skip
METHODS = ("GET", "POST", "DELETE", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "FOO")


def request(draw: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    """Method, path, body and headers that no client of ours would send."""
    place = draw.choice(PLACES)
    posted = place in ("/api/jobs", "/api/fast", "/api/pictures", "/api/jobs/{}/cancel")
    method = draw.choice(METHODS) if draw.random() < 0.3 else "POST" if posted else "GET"
    path = place.replace("{}", draw.choice(NAMES)) + draw.choice(QUERIES)
    told = {"content-type": "application/json"} | draw.choice(HEADERS)
    if method in ("GET", "HEAD") or draw.random() < 0.1:
        return method, path, b"", told
    if place == "/api/pictures" or "boundary" in told["content-type"]:
        told = {"content-type": "multipart/form-data; boundary=x"} | told if draw.random() < 0.5 else told
        return method, path, _form(draw), told
    return method, path, _json(draw).encode(), told


def _json(draw: random.Random) -> str:
    """An order, more or less."""
    fields = {key: draw.choice(WORDS) for key in draw.sample(KEYS, draw.randrange(6))}
    if draw.random() < 0.7:
        sane = {"content": WORDS[0], "styles": '["starry-hills"]', "method": draw.choice(('"gatys"', '"fast"', '"w2"'))}
        fields = sane | {"options": _options(draw)} | (fields if draw.random() < 0.4 else {})
    text = "{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}"
    return text[: draw.randrange(len(text))] if draw.random() < 0.1 else text


def _options(draw: random.Random) -> str:
    return "{" + ",".join(f'"{key}":{draw.choice(WORDS)}' for key in draw.sample(KEYS, draw.randrange(5))) + "}"


def _form(draw: random.Random) -> bytes:
    names = ("file", "kind", "file", "x", "", "a" * 300, "\xff")
    parts = []
    for _ in range(draw.randrange(4)):
        name, label = (
            draw.choice(names),
            draw.choice(("a.png", "../../x", "\0", "\r\nX: y", "\u202ex", "x" * 9000, "a\\")),
        )
        body = draw.choice((damaged(draw), b"", b"photo", draw.randbytes(99)))
        head = f'Content-Disposition: form-data; name="{name}"; filename="{label}"'
        parts.append(b"--x\r\n" + head.encode("utf-8", "replace") + b"\r\n\r\n" + body + b"\r\n")
    return b"".join(parts) + draw.choice((b"--x--\r\n", b"", b"--x", b"--y--\r\n"))


@contextmanager
def studio(folder: Path) -> Iterator[tuple[int, int]]:
    """A studio of its own, without workers; its port and its process."""
    told = {"QUEUE": "100000", "JOBS_PER_CLIENT": "100000"}
    command = [
        sys.executable, "-m", "impasto", "studio", "--port", "0", "--no-browser", "--workers", "0", "--database",
        f"sqlite:///{folder}/jobs.db", "--store", f"{folder}/pictures",
    ]  # fmt: skip
    environment = (
        os.environ | {f"IMPASTO_STUDIO_{name}": value for name, value in told.items()} | {"PYTHONUNBUFFERED": "1"}
    )
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process,
    ):
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)/", process.stdout.readline())
            assert found, (folder / "log").read_text()
            yield int(found[1]), process.pid
        finally:
            process.terminate()


def wrong(draw: random.Random, line: http.client.HTTPConnection, picture: str) -> tuple[int, str | None]:
    """One request: the answer's code, and what is wrong with it."""
    method, path, body, told = request(draw)
    body = body.replace(ID.encode(), picture.encode())
    try:
        line.request(method, path, body or None, told)
        answer = line.getresponse()
        if answer.headers.get_content_type() == "text/event-stream":
            answer.close()
            line.close()
            return answer.status, None
        data = answer.read()
    except (http.client.HTTPException, OSError, UnicodeError, ValueError):
        line.close()  # what our own client will not send, or the server does not even read
        return 0, None
    if answer.status >= 500 and not path.startswith("/readyz"):
        return answer.status, f"{method} {path[:80]} {body[:300]!r}: {data[:200]!r}"
    if answer.status >= 400 and method != "HEAD" and answer.headers.get_content_type() == "application/json":
        if set(json.loads(data)) != {"error"} and not path.startswith("/readyz"):
            return answer.status, f"{method} {path[:80]}: {data[:200]!r}"
    elif answer.status >= 400 and method != "HEAD" and data != b"Invalid HTTP request received.":
        return answer.status, f"{method} {path[:80]}: no JSON but {data[:200]!r}"
    return answer.status, None


def requests(first: int, count: int) -> int:
    """Sends them all; returns how many were answered as they should not be."""
    found, failed, slowest, start = Counter[int](), 0, (0.0, first), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as (port, process):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + seeds()[0] + b"\r\n--x--\r\n"
        )
        line.request("POST", "/api/pictures", body, {"content-type": "multipart/form-data; boundary=x"})
        picture = json.loads(line.getresponse().read())["id"]
        before = resident(process)
        for number in range(first, first + count):
            began = time.perf_counter()
            code, words = wrong(random.Random(number), line, picture)
            slowest = max(slowest, (time.perf_counter() - began, number))
            found[code] += 1
            if words:
                failed += 1
                print("WRONG", number, code, words, flush=True)
        line.close()
        again = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        again.request("GET", "/healthz")
        alive = again.getresponse().status == 200
        again.close()
        growth = resident(process) - before if alive else 0
        lines = (Path(folder) / "log").read_text().splitlines()
    odd = [one for one in lines if not one.startswith("{")]
    seconds = time.monotonic() - start
    print(
        f"\n{count} odd requests in {seconds:.0f} s: {dict(sorted(found.items()))}; 0 is what never reached the studio"
    )
    print(f"wrong {failed}; alive afterwards: {alive}; lines of log that are no JSON: {len(odd)} {odd[:3]}")
    print(f"slowest {slowest[0]:.2f} s (number {slowest[1]}); the server grew by {growth / 1e6:.0f} MB")
    return failed + (not alive) + len(odd) + beyond(slowest[0], growth)


def resident(process: int) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def main() -> None:
    """Prints what came of it; leaves with 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", type=int, help="look at one picture, here")
    chosen = parser.parse_args()
    if chosen.only is not None:
        print(looked_at(chosen.only, 1))
        return
    failed = pictures(chosen.first, chosen.pictures, chosen.children) if chosen.pictures else 0
    failed += requests(chosen.first, chosen.requests) if chosen.requests else 0
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
