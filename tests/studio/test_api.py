"""Every call: what it does when asked well, and one line of JSON when not."""

from __future__ import annotations

import concurrent.futures
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from PIL import ExifTags, Image
from sqlalchemy import delete, event, update

from impasto.image import read
from impasto.studio import decoding, room
from impasto.studio.gallery import built_in
from impasto.studio.jobs.crew import Crew
from impasto.studio.jobs.tables import jobs, needs
from impasto.studio.live import FORMATS
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file

from .conftest import SIDE, STYLE, png, until
from .pieces import blank_png, encoded, telling_exif
from .server import (
    ANNA,
    BORIS,
    ID,
    TOKENS,
    Served,
    ended,
    events,
    forgotten,
    order,
    ordered,
    refused,
    served,
    shown,
    uploaded,
)

TEXT = "\x00", "\ud800", "\udfff", "a\nb", "\x1b[31m", "\u202e", "x" * 201


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Takes orders; nobody paints them."""
    with served(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="module")
def client(studio: Served) -> Iterator[httpx.Client]:
    with studio.client() as one:
        yield one


@pytest.fixture(scope="module")
def photo(client: httpx.Client) -> str:
    return str(uploaded(client)["id"])


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a worker, a process of its own."""
    with served(tmp_path_factory.mktemp("working")) as running:
        address = str(running.room.database.engine.url)
        with Crew(address, running.room.store_url, count=1, stop_seconds=20):
            yield running


def posted(client: httpx.Client, path: str, text: str) -> httpx.Response:
    """A body as it is, said to be JSON."""
    return client.post(
        path, content=text.encode("utf-8", "surrogatepass"), headers={"content-type": "application/json"}
    )


class TestWhatThereIs:
    def test_methods(self, client: httpx.Client) -> None:
        found = {method["name"]: method for method in client.get("/api/methods").json()}
        assert {"fast", "gatys", "nnst"} <= set(found)
        assert not {"johnson", "dumoulin"} & set(found)  # which paint with a network that only a file can name
        assert all(method["options"]["properties"] for method in found.values())

    def test_limits(self, studio: Served, client: httpx.Client) -> None:
        told = client.get("/api/limits").json()
        assert told["upload_bytes"] == studio.room.limits.upload_bytes
        assert told["keep_seconds"] == 30 * 24 * 3600

    def test_where_tokens_are_asked_for_things_are_kept_for_a_day(self, tmp_path: Path) -> None:
        with served(tmp_path, tokens=TOKENS) as studio, studio.client(ANNA) as client:
            assert client.get("/api/limits").json()["keep_seconds"] == 24 * 3600

    def test_styles(self, client: httpx.Client) -> None:
        own = uploaded(client, png(7), name="mine.png", kind="style")
        found = {style["id"]: style for style in client.get("/api/styles").json()}
        assert set(built_in()) < set(found)
        assert not found[own["id"]]["built_in"]
        for style in found.values():
            assert shown(client.get(style["thumbnail"]).content).format == "JPEG"
            image = client.get(style["url"])
            assert shown(image.content).size == (style["width"], style["height"])
            assert image.headers["cache-control"].startswith("private")

    @pytest.mark.parametrize(
        "name", ["none", "..", "%2e%2e%2fapp", "Starry-hills", "starry-hills.jpg", "a" * 41, "%00", "é"]
    )
    @pytest.mark.parametrize("what", ["file", "thumbnail"])
    def test_styles_that_are_none(self, client: httpx.Client, name: str, what: str) -> None:
        refused(client.get(f"/api/styles/{name}/{what}"), (404, 422))

    def test_the_description_is_whole(self, client: httpx.Client) -> None:
        told = client.get("/api/openapi.json").json()
        calls = {(method, path) for path, here in told["paths"].items() for method in here}
        assert len(calls) == 19
        assert told["openapi"].startswith("3.1")

    @pytest.mark.parametrize(
        "path", ["/docs", "/redoc", "/openapi.json", "/.git/config", "/api", "/api/", "/page", "/page/"]
    )
    def test_nothing_else_is_there(self, client: httpx.Client, path: str) -> None:
        refused(client.get(path, follow_redirects=True), 404)

    @pytest.mark.parametrize(
        "path",
        [
            "/page/../api.py", "/page/%2e%2e/api.py", "/page/..%2f..%2fapi.py", "/page/..%5capi.py", "/page/%00",
            "/%00", "/page//etc/passwd", "/page/%2fetc%2fpasswd", "/page/" + "a" * 5000, "/page/" + "a/" * 2000,
            "/page/%ff", "/page/.", "/page/index.html%00.js", "/page/con", "/page/..;/api.py",
            "/page/%252e%252e/api.py",
        ],
    )  # fmt: skip
    def test_no_path_leads_out_of_the_page(self, studio: Served, path: str) -> None:
        answer = studio.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == b"404"
        assert json.loads(body).keys() == {"error"}

    def test_methods_that_do_not_fit(self, client: httpx.Client) -> None:
        for method, path in (("PUT", "/api/jobs"), ("PATCH", "/api/pictures"), ("DELETE", "/"), ("FOO", "/api/fast")):
            answer = client.request(method, path)
            refused(answer, 405)
            assert answer.headers["allow"]


class TestPictures:
    def test_one_is_uploaded_seen_and_deleted(self, client: httpx.Client) -> None:
        told = uploaded(client, encoded("JPEG"), name="A photo.jpg")
        assert (told["kind"], told["name"], told["width"], told["height"]) == ("photo", "A photo.jpg", SIDE, SIDE)
        assert client.get(f"/api/pictures/{told['id']}").json() == told
        assert client.get("/api/pictures", params={"kind": "photo", "limit": 1}).json() == [told]
        file = client.get(told["url"])
        assert (file.headers["content-type"], len(file.content)) == ("image/png", told["bytes"])
        assert shown(file.content).size == (SIDE, SIDE)
        assert client.get(told["thumbnail"]).headers["content-type"] == "image/jpeg"
        assert client.delete(f"/api/pictures/{told['id']}").status_code == 204
        for path in (f"/api/pictures/{told['id']}", told["url"], told["thumbnail"]):
            refused(client.get(path), 404)
        refused(client.delete(f"/api/pictures/{told['id']}"), 404)

    @pytest.mark.parametrize("kind", ["photo", "style", "mask"])
    def test_each_kind_is_listed_apart(self, client: httpx.Client, kind: str) -> None:
        told = uploaded(client, kind=kind)
        for other in ("photo", "style", "mask", "result"):
            listed = [one["id"] for one in client.get("/api/pictures", params={"kind": other, "limit": 500}).json()]
            assert (told["id"] in listed) == (other == kind)

    @pytest.mark.parametrize("kind", ["BMP", "GIF", "PDF", "EPS", "ICO"])
    def test_kinds_that_are_not_taken(self, client: httpx.Client, kind: str) -> None:
        refused(client.post("/api/pictures", files={"file": ("a.png", encoded(kind))}), 415, "mend")

    @pytest.mark.parametrize(
        "data", [b"", b"x", b"<svg/>", b"8BPS\0\1", b"PK\3\4", b"GIF89a=1;alert(1)", b"<!doctype html>", b"%!PS-Adobe"]
    )
    def test_what_is_no_picture(self, client: httpx.Client, data: bytes) -> None:
        answer = client.post("/api/pictures", files={"file": ("a.jpg", data, "image/jpeg")})  # as if it were one
        refused(answer, 415)

    def test_what_a_decoder_answers_is_looked_at(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def vouch(*_: object) -> None:
            raise ValueError("not so")

        assert room.vouch is decoding.vouch
        monkeypatch.setattr(room, "vouch", vouch)
        with served(tmp_path) as studio, studio.client() as client:
            refused(client.post("/api/pictures", files={"file": png()}), 422, "could not be worked on")
            assert client.get("/api/pictures").json() == []

    def test_each_file_says_whether_it_is_to_be_shown(self, studio: Served, client: httpx.Client, photo: str) -> None:
        job = ordered(client, photo)["id"]
        studio.room.store.put(preview_file(job), b"jpeg")
        pictures = f"/api/pictures/{photo}"
        for path in (
            f"{pictures}/file",
            f"{pictures}/thumbnail",
            f"/api/jobs/{job}/preview",
            f"/api/styles/{STYLE}/file",
        ):
            answer = client.get(path)
            told = answer.headers["content-disposition"], answer.headers["x-content-type-options"]
            assert (*told, answer.headers["content-type"][:6]) == ("inline", "nosniff", "image/")
        painted = client.post("/api/fast", json={"content": photo, "styles": [STYLE]})
        for answer in (painted, client.get(f"{pictures}/file?download=1")):
            assert answer.headers["content-disposition"].startswith("attachment; filename=")

    def test_damaged_ones(self, client: httpx.Client) -> None:
        refused(client.post("/api/pictures", files={"file": png()[:300]}), 422, "damaged")

    def test_bombs(self, client: httpx.Client) -> None:
        refused(client.post("/api/pictures", files={"file": blank_png(30_000, 30_000)}), 422, "pixels")
        refused(client.post("/api/pictures", files={"file": blank_png(16_385, 1)}), 422, "side")

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ({}, 422), ({"files": {"file": png()}, "data": {"kind": "result"}}, 422),
            ({"data": {"file": "words"}}, 422), ({"files": {"other": png()}}, 422),
            ({"files": [("file", b"x" * 10)] * 2}, 413), ({"json": {"file": "x"}}, 422),
            ({"files": {"file": png()}, "data": {"kind": "a" * 64_001}}, 413), ({"data": {"file": "a" * 65_000}}, 413),
            ({"files": {"file": png()}, "data": dict.fromkeys(("kind", "b", "c", "d", "e"), "photo")}, 413),
            ({"content": b"file=x"}, 422),
        ],
    )  # fmt: skip
    def test_forms_that_do_not_fit(self, client: httpx.Client, form: dict[str, Any], code: int) -> None:
        refused(client.post("/api/pictures", **form), code)

    @pytest.mark.parametrize(
        "kind",
        [
            "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=y",
            "multipart/mixed; boundary=x", "application/x-www-form-urlencoded", "text/plain", "x",
            "multipart/form-data; boundary=" + "x" * 9000,
        ],
    )  # fmt: skip
    def test_forms_that_are_none(self, client: httpx.Client, kind: str) -> None:
        body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + png() + b"\r\n--x--\r\n"
        refused(client.post("/api/pictures", content=body, headers={"content-type": kind}), (400, 413, 415, 422))

    @pytest.mark.parametrize(
        "letters",
        [
            "idna",
            "punycode",
            "unicode_escape",
            "undefined",
            "utf-16",
            "rot13",
            "zlib",
            "utf-7",
            "no-such",
            "\x80",
            "hex",
        ],
    )
    def test_forms_in_letters_of_any_kind(self, client: httpx.Client, letters: str) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="\\ud800\xff.png"\r\n\r\n'
            + png()
            + b"\r\n--x--\r\n"
        )
        kind = f"multipart/form-data; boundary=x; charset={letters}".encode("latin-1")
        answer = client.post("/api/pictures", content=body, headers={"content-type": kind})  # type: ignore[dict-item]
        if answer.status_code != 201:
            refused(answer, (400, 422))
        assert client.get("/api/pictures").status_code == 200

    def test_no_field_is_an_address_to_fetch(self, client: httpx.Client) -> None:
        words = json.dumps(client.get("/api/openapi.json").json()["components"]).lower()
        assert not [word for word in ("callback", "webhook", '"uri"', "http://", "https://") if word in words]
        asked = set()
        for name, schema in client.get("/api/openapi.json").json()["components"]["schemas"].items():
            asked |= {(name, field) for field in schema.get("properties", {})} if name.endswith("In") else set()
        assert not [field for _, field in asked if "url" in field or "link" in field or "source" in field]


class TestNames:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("photo.png", "photo.png"), ("../../etc/passwd", "passwd"), ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/shadow", "shadow"), ("C:\\a\\b.png", "b.png"), ("a" * 3_000 + ".png", "a" * 120),
            ("\u202egpj.exe", "gpj.exe"), ("ü ñ 日本.png", "ü ñ 日本.png"), ("<img src=x>.png", "<img src=x>.png"),
            ("", None), ("..", ".."), (".", "."), ("/", "picture"), ("\u200b", "picture"), ("a\u2028b.png", "ab.png"),
            ("%2e%2e%2fx.png", "%2e%2e%2fx.png"), ("=cmd|' /C calc'!A0", " C calc'!A0".strip()), ("\U000e0001x", "x"),
            ("a" * 119 + "é.png", "a" * 119 + "é"), ("CON", "CON"),
            ("'; DROP TABLE picture; --", "'; DROP TABLE picture; --"),
        ],
    )  # fmt: skip
    def test_they_are_labels(self, studio: Served, client: httpx.Client, given: str, kept: str | None) -> None:
        if kept is None:
            refused(client.post("/api/pictures", files={"file": (given, png())}), 422)
            return
        told = uploaded(client, name=given)
        assert told["name"] == kept
        folder = studio.room.store.folder
        assert folder
        assert (folder / picture_file(told["id"])).is_file()
        assert all(re.fullmatch(r"[0-9a-f]{32}\.(png|[a-z]+\.jpg)", found.name) for found in folder.iterdir())
        self.download(client, told)

    @pytest.mark.parametrize(
        "given", [b"a\0b.png", b"a\nb.png", b"a\r\nX-Evil: 1.png", b"\xed\xa0\x80.png", b"\xff\xfe.png", b'a";x="b']
    )
    def test_bytes_that_are_no_letters(self, client: httpx.Client, given: bytes) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
            + given
            + b'"\r\n\r\n'
            + png()
            + b"\r\n--x--\r\n"
        )
        answer = client.post("/api/pictures", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
        if answer.status_code != 201:
            refused(answer, (400, 415, 422))
            return
        name = answer.json()["name"]
        assert name.isprintable()
        name.encode()
        self.download(client, answer.json())

    def download(self, client: httpx.Client, told: dict[str, Any]) -> None:
        answer = client.get(told["url"], params={"download": "true"})
        assert answer.status_code == 200
        said = answer.headers["content-disposition"]
        assert said.startswith("attachment; filename=\"picture.png\"; filename*=UTF-8''")
        name = said.rpartition("''")[2]
        assert name.endswith(".png")
        assert name.isascii()
        assert not set(name) & set(" \"';/\\\r\n,")
        assert unquote(name).isprintable()
        assert "x-evil" not in answer.headers

    def test_one_of_ten_thousand_letters(self, client: httpx.Client) -> None:
        refused(client.post("/api/pictures", files={"file": ("a" * 10_000, png())}), 400)

    def test_only_the_ending_is_taken_off(self, client: httpx.Client) -> None:
        told = uploaded(client, name="my.photo-of v2.final.jpeg")
        said = client.get(told["url"], params={"download": "1"}).headers["content-disposition"]
        assert said.endswith("my.photo-of%20v2.final.png")


class TestIds:
    @pytest.mark.parametrize(
        "word",
        [
            ID, ID.upper(), ID[:-1], ID + "0", "0", "..", "%2e%2e%2f%2e%2e", "..%2f" + ID, ID + "%00", ID + "%0a",
            ID + ".png", "%00", "a" * 4000, STYLE, "null", "1", "-1", "%ff", "\u0661" * 32, "${jndi:ldap://x}",
            "' OR 1=1 --",
        ],
    )  # fmt: skip
    def test_those_that_are_nobodys(self, client: httpx.Client, word: str) -> None:
        for path in (
            "/api/pictures/{}", "/api/pictures/{}/file", "/api/pictures/{}/thumbnail", "/api/jobs/{}",
            "/api/jobs/{}/events", "/api/jobs/{}/preview",
        ):  # fmt: skip
            refused(client.get(path.format(word)), 404 if word == ID else (404, 422))
        refused(client.delete(f"/api/pictures/{word}"), (404, 405, 422))
        refused(client.delete(f"/api/jobs/{word}"), (404, 405, 422))
        refused(client.post(f"/api/jobs/{word}/cancel"), (404, 405, 422))

    @pytest.mark.parametrize(
        "word", [ID, ID.upper(), "", "..", "../x", STYLE, "a" * 5000, "/etc/passwd", None, 1, True, [], {}]
    )
    def test_photos_that_are_none(self, client: httpx.Client, word: Any) -> None:
        for path in ("/api/jobs", "/api/fast"):
            refused(client.post(path, json={"content": word, "styles": [STYLE]}), (404, 422))

    @pytest.mark.parametrize(
        "word", [ID, "none", "", "..", "../../etc/passwd", "/etc/passwd", "a" * 41, None, 1, True, [], {}, "\0"]
    )
    def test_styles_that_are_none(self, client: httpx.Client, photo: str, word: Any) -> None:
        for path in ("/api/jobs", "/api/fast"):
            refused(client.post(path, json={"content": photo, "styles": [word]}), (404, 422))


class TestOrders:
    def test_one_is_taken_listed_cancelled_and_deleted(self, client: httpx.Client, photo: str) -> None:
        told = ordered(client, photo, method="gatys", options={"size": 64, "steps": 5, "strength": 0.25})
        assert (told["state"], told["method"], told["content"]) == ("queued", "gatys", photo)
        assert (told["options"]["size"], told["options"]["steps"], told["options"]["strength"]) == (64, 5, 0.25)
        assert told["label"] == f"photo-{STYLE}"
        assert client.get(f"/api/jobs/{told['id']}").json()["id"] == told["id"]
        assert client.get("/api/jobs", params={"state": "queued"}).json()[0]["id"] == told["id"]
        refused(client.delete(f"/api/jobs/{told['id']}"), 409, "cancel")
        refused(client.delete(f"/api/pictures/{photo}"), 409, "job")
        for _ in range(2):
            answer = client.post(f"/api/jobs/{told['id']}/cancel")
            assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        assert client.delete(f"/api/jobs/{told['id']}").status_code == 204
        refused(client.get(f"/api/jobs/{told['id']}"), 404)

    def test_lists_go_on_where_they_ended(self, client: httpx.Client, photo: str) -> None:
        made = [ordered(client, photo)["id"] for _ in range(5)]
        seen: list[str] = []
        before = None
        while len(seen) < 5:
            page = client.get("/api/jobs", params={"limit": 2} | ({"before": before} if before else {})).json()
            seen += [one["id"] for one in page]
            before = page[-1]["created"]
        assert seen[:5] == made[::-1]

    def test_the_same_key_is_the_same_job(self, client: httpx.Client, photo: str) -> None:
        key = {"idempotency-key": "order-1"}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.post("/api/jobs", json=order(photo), headers=key), range(8)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert ordered(client, photo)["id"] != answers[0].json()["id"]

    def test_the_same_key_is_the_same_job_though_its_photo_is_gone(self, studio: Served, client: httpx.Client) -> None:
        asked, key = order(uploaded(client)["id"]), {"idempotency-key": "order-2"}
        made = client.post("/api/jobs", json=asked, headers=key).json()["id"]
        forgotten(studio)
        with studio.room.database.write() as connection:
            connection.execute(delete(needs).where(needs.c.job == made))
        assert client.delete(f"/api/pictures/{asked['content']}").status_code == 204
        again = client.post("/api/jobs", json=asked, headers=key)
        assert (again.status_code, again.json()["id"]) == (201, made)
        refused(client.post("/api/jobs", json=asked | {"options": {"size": 33}}, headers=key), 422, "another order")
        refused(client.post("/api/jobs", json=asked), 404)

    @pytest.mark.parametrize("key", [b"", b"a b", b"x" * 65, b"\x7f", b"\xe4", b"a\tb"])
    def test_keys_that_are_none(self, client: httpx.Client, photo: str, key: bytes) -> None:
        answer = client.post("/api/jobs", json=order(photo), headers={"idempotency-key": key})  # type: ignore[dict-item]
        refused(answer, 422, "idempotency-key")

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0", "limit=501", "limit=x", "limit=9" + "9" * 50, "limit=1.5", "state=lost", "before=x",
            "before=-1", "before=nan", "limit=%00", "limit=",
        ],
    )  # fmt: skip
    def test_lists_that_are_none(self, client: httpx.Client, query: str) -> None:
        refused(client.get(f"/api/jobs?{query}"), 422)

    @pytest.mark.parametrize(
        "query", ["before=0", "before=1e300", "before=inf", "before=1e400", "x=1", "limit=5&limit=6", "%ff=%ff"]
    )
    def test_lists_that_are_odd(self, client: httpx.Client, query: str) -> None:
        assert client.get(f"/api/jobs?{query}").status_code in (200, 422)

    def test_a_photo_that_is_too_large_as_it_is_needs_a_size(self, tmp_path: Path) -> None:
        with served(tmp_path, job_side=64, pixel_steps=10**6) as studio, studio.client() as client:
            photo = uploaded(client, png(size=(65, 20)))["id"]
            asked = order(photo, options={"size": None})
            refused(client.post("/api/jobs", json=asked), 422, "at most 64")
            ordered(client, photo, options={"size": 64})
            photo = uploaded(client, png(size=(64, 20)))["id"]
            ordered(client, photo, options={"size": None})
            asked = order(photo, method="gatys", options={"size": None, "steps": 800})
            refused(client.post("/api/jobs", json=asked), 422, "64x20")
            wide = uploaded(client, png(size=(64, 60)))["id"]  # the best takes 300 steps, where none are named
            for steps in ({}, {"steps": None}):
                asked = order(wide, method="gatys", options={"size": None, **steps})
                refused(client.post("/api/jobs", json=asked), 422, "300 steps at 64x60")
            ordered(client, wide, method="gatys", options={"size": None, "steps": None, "quality": "good"})

    def test_textures_and_reconstructions(self, client: httpx.Client, photo: str) -> None:
        size = {"width": 48, "height": 32}
        texture = {
            "job": "texture",
            "method": "gatys",
            "styles": [photo],
            "size": size,
            "tileable": True,
            "options": {"steps": 2},
        }
        told = client.post("/api/jobs", json=texture).json()
        assert (told["job"], told["size"], told["tileable"]) == ("texture", size, True)
        layer = {
            "job": "reconstruct",
            "method": "gatys",
            "content": photo,
            "layers": ["relu3_1"],
            "options": {"steps": 2},
        }
        told = client.post("/api/jobs", json=layer).json()
        assert (told["job"], told["layers"]) == ("reconstruct", ["relu3_1"])
        for wrong in (
            texture | {"content": photo}, texture | {"method": "fast"}, texture | {"styles": []},
            layer | {"layers": []}, layer | {"content": None}, texture | {"size": {"width": 15, "height": 32}},
            texture | {"size": {"width": 48}}, texture | {"size": size | {"depth": 1}}, layer | {"layers": ["../x"]},
            layer | {"layers": ["\0"]}, layer | {"layers": ["a"] * 17},
            texture | {"size": {"width": 32_768, "height": 16}}, texture | {"tileable": 1},
            layer | {"statistics": "yes"},
        ):  # fmt: skip
            refused(client.post("/api/jobs", json=wrong), 422)


class TestOptions:
    @pytest.mark.parametrize(
        "body",
        [
            "", "null", "[]", "1", '"x"', "{", "{}", '{"content": }', "[" * 60_000, "{" * 60_000, '{"a":' * 5_000,
            "\x00", "\ufeff{}", "{'a': 1}", "NaN", '{"content": "\ud800"}', "9" * 5000, '{"job": "steal"}',
            '{"__proto__": {}}', "{}{}", '{"method": null}',
        ],
    )  # fmt: skip
    def test_bodies_that_are_no_order(self, client: httpx.Client, body: str) -> None:
        for path in ("/api/jobs", "/api/fast"):
            refused(posted(client, path, body), (400, 422))

    @pytest.mark.parametrize("name", ["model", "checkpoint", "device", "precision", "preview_every"])
    def test_those_that_are_ours(self, client: httpx.Client, photo: str, name: str) -> None:
        for value in ("auto", "cpu", "/etc/passwd", 1, ["x"]):
            asked = order(photo, method="gatys", options={name: value})
            refused(client.post("/api/jobs", json=asked), 422)

    @pytest.mark.parametrize("name", ["nonsense", "", "__class__", "kwargs", "Size", "size ", "x" * 61, *TEXT])
    def test_those_that_are_none(self, client: httpx.Client, photo: str, name: str) -> None:
        for path in ("/api/jobs", "/api/fast"):
            for more in (
                {"options": {name: 1}},
                {name: 1},
                {"options": {"encoder": name}},
                {"styles": [name]},
                {"method": name},
            ):
                refused(posted(client, path, json.dumps({"content": photo, "styles": [STYLE]} | more)), 422)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("size", "true"), ("size", '"64"'), ("size", "64.5"), ("size", "15"), ("size", "32769"),
            ("size", "1" * 400), ("size", "NaN"), ("size", "1e999"), ("size", "[64]"), ("size", "{}"),
            ("strength", "NaN"), ("strength", "Infinity"), ("strength", "-Infinity"), ("strength", "1e999"),
            ("strength", "1.01"), ("strength", "-0.01"), ("strength", "true"), ("strength", "null"),
            ("strength", '"1"'), ("strength", "[" * 900 + "]" * 900), ("steps", "0"), ("steps", "100001"),
            ("steps", "false"), ("seed", "-1"), ("seed", "4294967296"), ("seed", "1e300"), ("blend", "[NaN]"),
            ("blend", "[-1]"), ("blend", "1"), ("blend", '"2,1"'), ("blend", "[true]"), ("blend", "[[1]]"),
            ("keep_color", '"none\\u0000"'), ("keep_color", "[]"), ("keep_color", "0"), ("quality", '"BEST"'),
            ("photorealistic", "1"), ("photorealistic", '"true"'), ("optimizer", "null"), ("tv", "1e7"),
            ("style_layers", '"relu1_1"'), ("style_layers", "[1]"), ("style_layers", '["\\u0000"]'),
            ("style_layers", '["\\ud800"]'), ("encoder", '"\\u0000"'), ("encoder", '"\\ud800"'), ("encoder", "1"),
            ("style_layers", '["' + "x" * 201 + '"]'), ("scales", "13"), ("size", "1" * 5000),
            ("strength", "{\"a\": 1}"),
        ],
    )  # fmt: skip
    def test_values_that_do_not_fit(self, client: httpx.Client, photo: str, name: str, value: str) -> None:
        text = f'{{"content": "{photo}", "styles": ["{STYLE}"], "method": "gatys", "options": {{"{name}": {value}}}}}'
        refused(posted(client, "/api/jobs", text), (400, 422))

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd", "../x.png", "..", ".", "", "C:\\x.png", "\\\\host\\share\\x", "file:///etc/passwd",
            "http://127.0.0.1/x.png", "~/x.png", "/dev/stdin", "/proc/self/environ", ID.upper(), ID + ".png", ID[:-1],
            "a\0b", "https://evil.example/x", "s3://x/y", "-", "|ls",
        ],
    )  # fmt: skip
    def test_files_and_addresses_are_no_pictures(self, client: httpx.Client, photo: str, path: str) -> None:
        for options in (
            {"mask": [path]},
            {"style_mask": [path]},
            {"semantic": [path]},
            {"init": path},
            {"mask": [photo, path]},
        ):
            refused(client.post("/api/jobs", json=order(photo, method="gatys", options=options)), 422)
        refused(client.post("/api/fast", json={"content": photo, "styles": [STYLE], "options": {"mask": [path]}}), 422)

    def test_masks_of_ones_own(self, client: httpx.Client, photo: str) -> None:
        mask = uploaded(client, kind="mask")["id"]
        assert ordered(client, photo, method="gatys", options={"size": 32, "mask": [mask], "init": mask})["options"][
            "mask"
        ] == [mask]
        refused(client.delete(f"/api/pictures/{mask}"), 409)
        refused(client.post("/api/jobs", json=order(photo, options={"mask": [ID]})), 404)

    def test_more_than_one_job_may_take(self, client: httpx.Client, photo: str) -> None:
        assert ordered(client, photo, method="gatys", options={"size": 64, "steps": 100_000})
        refused(
            client.post("/api/jobs", json=order(photo, method="gatys", options={"size": 2048, "steps": 5000})),
            422,
            "steps",
        )
        refused(client.post("/api/jobs", json=order(photo, method="gatys", options={"size": 8193})), 422, "8192")
        refused(client.post("/api/jobs", json=order(photo, styles=[STYLE] * 9)), 422, "9")
        refused(client.post("/api/jobs", json=order(photo, styles=[STYLE] * 65)), 422)
        texture = {"job": "texture", "method": "gatys", "styles": [STYLE], "size": {"width": 4096, "height": 4096}}
        refused(client.post("/api/jobs", json=texture | {"options": {"steps": 1000}}), 422, "steps")

    @pytest.mark.parametrize(
        "method", ["johnson", "dumoulin", "nothing", "", "GATYS", "../gatys", "x" * 41, "\0", None, 1, ["gatys"]]
    )
    def test_methods_that_are_none(self, client: httpx.Client, photo: str, method: Any) -> None:
        refused(client.post("/api/jobs", json=order(photo, method=method)), 422)

    def test_words_of_the_command_line_are_not_spoken(self, client: httpx.Client, photo: str) -> None:
        told = refused(client.post("/api/jobs", json=order(photo, options={"keep_color": "x"})), 422)
        assert "--" not in told
        assert told.startswith("keep_color")

    def test_what_is_said_wrong_is_not_said_back_at_length(self, client: httpx.Client, photo: str) -> None:
        for asked in (
            order(photo, options={"x" * 60: 1}),
            order(photo, method="y" * 40),
            order(photo) | {"z" * 9000: 1},
        ):
            answer = client.post("/api/jobs", json=asked)
            assert len(refused(answer, 422)) <= 400


class TestBusy:
    def test_a_full_queue_says_when_to_come_again(self, tmp_path: Path) -> None:
        with served(tmp_path, queue=3, jobs_per_client=100) as studio, studio.client() as client:
            photo = uploaded(client)["id"]
            for _ in range(3):
                ordered(client, photo)
            times = []
            for _ in range(20):
                began = time.monotonic()
                answer = client.post("/api/jobs", json=order(photo))
                times.append(time.monotonic() - began)
                refused(answer, 429, "later")
                assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert sorted(times)[10] < 0.5  # 50 ms are promised, on a machine that does nothing else
            forgotten(studio)
            assert ordered(client, photo)

    def test_who_is_sent_away_is_sent_away_before_his_order_is_looked_at(self, tmp_path: Path) -> None:
        with served(tmp_path, queue=1) as studio, studio.client() as client:
            asked, key = order(uploaded(client)["id"]), {"idempotency-key": "one"}
            taken = client.post("/api/jobs", json=asked, headers=key).json()["id"]
            refused(client.post("/api/jobs", json=order(ID)), 429, "later")
            refused(client.post("/api/jobs", json=asked, headers={"idempotency-key": "two"}), 429, "later")
            refused(client.post("/api/jobs", json={"styles": 1}), 422)  # no order at all
            again = client.post("/api/jobs", json=asked, headers=key)
            assert (again.status_code, again.json()["id"]) == (201, taken)

    def test_who_reads_does_not_wait_for_those_who_write(self, tmp_path: Path) -> None:
        with served(tmp_path) as studio, studio.client() as client, concurrent.futures.ThreadPoolExecutor(60) as pool:
            made = ordered(client, uploaded(client)["id"])["id"]
            calls = [f"/api/jobs/{made}/cancel"] * 60
            with studio.room.database.write():  # somebody who takes his time
                writing = [pool.submit(client.post, path) for path in calls]
                time.sleep(0.5)
                began = time.monotonic()
                assert client.get(f"/api/jobs/{made}").json()["state"] == "queued"
                assert time.monotonic() - began < 5  # in SQLite a writer gives up after ten
                assert not any(one.done() for one in writing)
            assert {one.result().status_code for one in writing} == {202}

    def test_nobody_takes_all_places(self, tmp_path: Path) -> None:
        with served(tmp_path, tokens=TOKENS, queue=100, jobs_per_client=2) as studio:
            for token in (ANNA, BORIS):
                with studio.client(token) as client:
                    photo = uploaded(client)["id"]
                    made = [ordered(client, photo)["id"] for _ in range(2)]
                    refused(client.post("/api/jobs", json=order(photo)), 429, "your jobs")
                    client.post(f"/api/jobs/{made[0]}/cancel")
                    assert ordered(client, photo)

    @pytest.mark.skipif(sys.platform != "linux", reason="others have no second address of their own")
    def test_who_has_a_token_is_one_wherever_he_calls_from(self, tmp_path: Path) -> None:
        for tokens, told in ((TOKENS, 429), ({}, 201)):
            with (
                served(tmp_path / str(told), tokens=tokens, jobs_per_client=1) as studio,
                studio.client(ANNA) as here,
                httpx.Client(
                    base_url=studio.address, headers=here.headers, trust_env=False,
                    transport=httpx.HTTPTransport(local_address="127.0.0.2"),
                ) as there,
            ):  # fmt: skip
                photo = uploaded(here)["id"]
                ordered(here, photo)
                assert there.post("/api/jobs", json=order(photo)).status_code == told
                assert here.post("/api/jobs", json=order(photo)).status_code == 429

    def test_uploads_that_are_too_many_are_sent_away(self, tmp_path: Path) -> None:
        with served(tmp_path, decoders=1) as studio, studio.client() as client:
            uploaded(client)
            room = studio.room.decoders._room
            while room.acquire(blocking=False):  # as if as many pictures were waiting
                pass
            answer = client.post("/api/pictures", files={"file": png()})
            refused(answer, 429, "again")
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get("/api/jobs").status_code == 200
            room.release()
            uploaded(client)

    def test_a_full_disk_takes_no_more(self, tmp_path: Path) -> None:
        with served(tmp_path, disk_bytes=10**15) as studio, studio.client() as client:
            answer = client.post("/api/pictures", files={"file": png()})
            refused(answer, 429, "disk")
            assert int(answer.headers["retry-after"]) >= 1
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["ready"]) == (503, False)
            assert "disk" in " ".join(answer.json()["troubles"])

    def test_uploads_are_sent_away_before_they_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def answer(studio: Served, length: str) -> bytes:
            form = "Content-Type: multipart/form-data; boundary=x"
            head = f"POST /api/pictures HTTP/1.1\r\nHost: localhost\r\n{form}\r\n{length}\r\n\r\n"
            return studio.raw(head.encode())  # and not a byte of a body

        disk = shutil.disk_usage(tmp_path)
        with served(tmp_path, upload_bytes=10**6, body_seconds=1) as studio, studio.client() as client:
            waits = studio.room.decoders._room
            monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=2 * 10**9))
            assert b" 408 " in answer(studio, "Content-Length: 900000")
            with studio.room.arrival(2 * 10**9 - 500_000):  # others' are on their way
                for length in ("Content-Length: 900000", "Transfer-Encoding: chunked"):
                    assert b"no room for more pictures on their way" in answer(studio, length)
                assert b" 408 " in answer(studio, "Content-Length: 400000")
            until(lambda: studio.room._arriving == 0)
            while waits.acquire(blocking=False):
                pass
            assert b"too many pictures at once" in answer(studio, "Content-Length: 900000")
            waits.release()
            uploaded(client)
            monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=10**6))
            assert b"the disk is nearly full" in answer(studio, "Content-Length: 900000")

    def test_more_than_may_be_kept_makes_the_oldest_go_soon(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("impasto.studio.app.SOON_SECONDS", 0.05)
        noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
        with served(tmp_path, keep_bytes=1_000_000) as studio, studio.client() as client:
            made = [uploaded(client, encoded("PNG", Image.fromarray(noise)))["id"] for _ in range(4)]
            until(lambda: sum(studio.room.store.sizes().values()) <= 1_000_000, 20)
            kept = [one["id"] for one in client.get("/api/pictures").json()]
            assert kept == made[: -len(kept) - 1 : -1] != []

    def test_a_decoder_that_is_too_slow_is_refused_and_replaced(self, tmp_path: Path) -> None:
        with served(tmp_path, decode_seconds=0.1, decoders=1) as studio, studio.client() as client:
            refused(client.post("/api/pictures", files={"file": blank_png(8000, 5000)}), 422, "longer")
            assert client.get("/healthz").status_code == 200
            uploaded(client)

    def test_a_decoder_without_memory_is_refused_and_replaced(self, tmp_path: Path) -> None:
        with served(tmp_path, decode_bytes=400 << 20, decoders=1) as studio, studio.client() as client:
            refused(client.post("/api/pictures", files={"file": blank_png(8000, 5000)}), 422)
            uploaded(client)


class TestPainting:
    def test_while_the_caller_waits(self, client: httpx.Client, photo: str) -> None:
        for kind, name in (("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")):
            asked = {"content": photo, "styles": [STYLE, "knife-sea"], "options": {"blend": [2, 1]}, "format": kind}
            answer = client.post("/api/fast", json=asked)
            assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{kind}"), answer.text
            assert float(answer.headers["x-seconds"]) > 0
            assert (shown(answer.content).format, shown(answer.content).size) == (name, (SIDE, SIDE))

    def test_what_does_not_fit_while_the_caller_waits(self, client: httpx.Client, photo: str) -> None:
        for wrong in (
            {"styles": []},
            {"format": "gif"},
            {"options": {"blend": [1, 2, 3]}},
            {"method": "gatys"},
            {"options": {"mask": [photo]}},
        ):
            refused(client.post("/api/fast", json={"content": photo, "styles": [STYLE]} | wrong), 422)

    def test_a_job_from_order_to_download(self, working: Served) -> None:
        with working.client() as client:
            photo = uploaded(client, png(size=(64, 48)))
            made = ordered(client, photo["id"], options={"size": 32})
            told = ended(client, made["id"])
            assert (told["state"], told["error"]) == ("done", None)
            result = told["result"]
            assert (result["kind"], result["width"], result["height"]) == ("result", 32, 24)
            assert result["settings"]["method"] == "fast"
            image = shown(client.get(result["url"]).content)
            assert image.size == (32, 24)
            heard = events(client.get(f"/api/jobs/{made['id']}/events").text)
            assert [number for number, _, _ in heard] == list(range(1, len(heard) + 1))
            assert (heard[0][1], heard[-1][1]) == ("state", "end")
            assert heard[-1][2]["result"]["id"] == result["id"]
            assert client.get("/api/pictures", params={"kind": "result"}).json() == [result]
            assert client.delete(f"/api/jobs/{made['id']}").status_code == 204
            refused(client.get(result["url"]), 404)

    def test_a_result_gives_nobody_away_and_says_how_it_was_painted(self, working: Served) -> None:
        mark = "Musterstrasse-7"
        photo = encoded("JPEG", Image.new("RGB", (64, 48), (90, 120, 30)), exif=telling_exif(mark, orientation=6))
        assert mark.encode() in photo
        with working.client() as client:
            made = ordered(
                client, uploaded(client, photo, name=f"{mark}.jpg")["id"], options={"size": 32, "strength": 0.7}
            )
            result = ended(client, made["id"])["result"]
            files = [client.get(f"{result['url']}?download=1").content, client.get(result["thumbnail"]).content]
            for kind in FORMATS:
                asked = {"content": made["content"], "styles": [STYLE], "format": kind}
                files.append(client.post("/api/fast", json=asked).content)
        for data in files:
            for word in (mark, "GPS", "OLYMP\0"):
                assert word.encode() not in data
                assert word.encode("utf-16-le") not in data
            assert not shown(data).getexif().get_ifd(ExifTags.IFD.GPSInfo)
        exif = shown(files[0]).getexif()
        assert (exif[ExifTags.Base.Make], exif.get_ifd(ExifTags.IFD.Exif)[0x9003]) == ("Olympus", "2024:05:06 07:08:09")
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        settings = read(files[0]).settings
        assert settings == result["settings"]
        assert (settings["method"], settings["styles"], settings["content"]) == ("fast", [STYLE], made["content"])
        assert (settings["options"]["strength"], settings["options"]["size"]) == (0.7, 32)
        assert settings["impasto"]

    def test_a_result_orders_the_same_again(self, working: Served) -> None:
        with working.client() as client:
            photo = uploaded(client)["id"]
            told = ended(client, ordered(client, photo, options={"size": 32, "strength": 0.5})["id"])
            again = uploaded(client, client.get(told["result"]["url"]).content, name="result.png")["settings"]
            assert again["options"] == told["options"]
            assert (
                ordered(client, again["content"], options=again["options"], styles=again["styles"])["options"]
                == told["options"]
            )

    def test_a_step_by_step_job_shows_itself_and_stops(self, working: Served) -> None:
        with working.client() as client:
            options = {"size": 64, "steps": 3000, "encoder": "efficientnet-lite0"}
            made = ordered(client, uploaded(client)["id"], method="gatys", options=options)
            until = time.monotonic() + 120
            while not (told := client.get(f"/api/jobs/{made['id']}").json())["preview"] and time.monotonic() < until:
                time.sleep(0.1)
            assert (told["state"], told["steps"] > 0) == ("running", True)
            assert shown(client.get(told["preview"]).content).format == "JPEG"
            answer = client.post(f"/api/jobs/{made['id']}/cancel")
            assert (answer.status_code, answer.json()["cancelling"]) == (202, True)
            told = ended(client, made["id"])
            assert told["state"] == "cancelled"
            assert told["result"]["width"] > 0  # the best so far

    def test_a_deleted_result_is_shown_nowhere(self, studio: Served, client: httpx.Client, photo: str) -> None:
        made, result, store = ordered(client, photo)["id"], uploaded(client), studio.room.store
        store.put(preview_file(made), b"jpeg")
        place = store.checkpoint(made)
        assert place
        place.write_bytes(b"state")
        stand = {"step": 3, "preview": f"/api/jobs/{made}/preview?step=3"}
        with studio.room.database.write() as connection:
            over = {"state": "done", "finished": 1.0, "result": result["id"], "stand": stand}
            connection.execute(update(jobs).where(jobs.c.id == made).values(over))
        assert client.get(f"/api/jobs/{made}").json()["preview"]
        assert client.delete(f"/api/pictures/{result['id']}").status_code == 204
        told = client.get(f"/api/jobs/{made}").json()
        assert (told["result"], told["preview"], told["step"]) == (None, None, 3)
        refused(client.get(f"/api/jobs/{made}/preview"), 404)
        assert (made in store.runs(), [name for name, _ in store.names() if name.startswith(made)]) == (False, [])

    def test_a_job_without_a_preview_has_none(self, studio: Served, client: httpx.Client, photo: str) -> None:
        made = ordered(client, photo)["id"]
        refused(client.get(f"/api/jobs/{made}/preview"), 404)
        studio.room.store.put(preview_file(made), b"jpeg")
        answer = client.get(f"/api/jobs/{made}/preview", params={"step": 3})
        assert (answer.content, answer.headers["content-type"], answer.headers["cache-control"]) == (
            b"jpeg",
            "image/jpeg",
            "no-store",
        )


class TestElsewhere:
    def test_pictures_in_another_store(self, tmp_path: Path) -> None:
        with served(tmp_path) as studio:
            studio.room.store_url = "memory://impasto-test-api/pictures"
            with studio.client() as client:
                told = uploaded(client)
                assert shown(client.get(told["url"]).content).size == (SIDE, SIDE)
                assert client.delete(f"/api/pictures/{told['id']}").status_code == 204
                refused(client.get(told["url"]), 404)

    def test_a_file_that_is_gone_is_told(self, studio: Served, client: httpx.Client) -> None:
        told = uploaded(client)
        studio.room.store.delete(picture_file(told["id"]))
        refused(client.get(told["url"]), 404, "gone")

    def test_a_link_that_somebody_planted_is_not_served(self, studio: Served, client: httpx.Client) -> None:
        told = uploaded(client)
        for name, url in ((picture_file, "url"), (thumbnail_file, "thumbnail")):
            path = studio.room.store.file(name(told["id"]))
            assert path
            path.unlink()
            path.symlink_to(__file__)
            refused(client.get(told[url]), 404)
        assert client.delete(f"/api/pictures/{told['id']}").status_code == 204
        assert Path(__file__).exists()
        assert not path.is_symlink()

    def test_a_store_that_does_not_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> None:
            raise RuntimeError("https://key:secret@bucket")

        with served(tmp_path) as studio, studio.client() as client:
            studio.room.store = Store("memory://impasto-test-away/pictures")
            told = uploaded(client)
            with monkeypatch.context() as patch:
                for word in ("pipe_file", "cat_file", "rm_file"):
                    patch.setattr(studio.room.store._files, word, away)
                for answer in (
                    client.get(told["url"]),
                    client.get(told["thumbnail"]),
                    client.post("/api/pictures", files={"file": png()}),
                ):
                    assert "secret" not in refused(answer, 503, "the store of pictures does not answer")
                    assert answer.headers["retry-after"]
            assert client.get(told["url"]).status_code == 200

    def test_a_database_that_does_not_answer(self, tmp_path: Path) -> None:
        with served(tmp_path) as studio, studio.client() as client:
            with studio.room.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE job RENAME TO hidden")
            answer = client.get("/api/jobs")
            refused(answer, 503, "database")
            assert answer.headers["retry-after"]
            assert client.get("/readyz").json()["ready"] is False
            assert client.get("/healthz").status_code == 200

    def test_a_database_that_is_full(self, tmp_path: Path) -> None:
        with served(tmp_path) as studio, studio.client() as client:
            photo = uploaded(client)["id"]
            engine = studio.room.database.engine
            engine.dispose()  # so that every connection is one of those to come
            event.listen(engine, "connect", lambda line, _: line.execute("PRAGMA max_page_count=1"))  # what it has now
            answers = [client.post("/api/jobs", json=order(photo)) for _ in range(60)]
            taken = [answer for answer in answers if answer.status_code == 201]
            assert len(taken) < 60
            for answer in answers[len(taken) :]:
                assert refused(answer, 503) == "the database is full; mend: make room"
                assert answer.headers["retry-after"]
            assert len(client.get("/api/jobs?limit=100").json()) == len(taken)
            assert studio.room.queue.depth() == {"queued": len(taken)}


class TestDocument:
    def test_every_example_works_as_written(self, working: Served, tmp_path: Path) -> None:
        if not shutil.which("curl") or not shutil.which("bash"):
            pytest.skip("curl or bash is not installed")
        root = Path(__file__).parents[2]
        text = (root / "docs" / "studio-api.md").read_text()
        script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S)).replace("http://127.0.0.1:7400", working.address)
        (tmp_path / "examples").symlink_to(root / "examples")
        command = ["bash", "-euo", "pipefail", "-c", script]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
        assert shown((tmp_path / "painted.jpg").read_bytes()).format == "JPEG"
        assert max(shown((tmp_path / "result.png").read_bytes()).size) == 96
        assert [file for file in tmp_path.iterdir() if file.is_file() and not file.stat().st_size] == []
        assert '"ready":true' in ran.stdout

    def test_every_call_has_an_example(self, client: httpx.Client) -> None:
        text = (Path(__file__).parents[2] / "docs" / "studio-api.md").read_text()
        told = re.sub(r"\$[A-Z]+(?=[/\s\"])", "ID", text.replace("$STUDIO", "").replace("starry-hills", "ID"))
        for path, calls in client.get("/api/openapi.json").json()["paths"].items():
            for method in calls:
                asked = re.escape(re.sub(r"\{\w+\}", "ID", path)) + r"(?![/\w])"
                found = [line for line in told.splitlines() if "curl" in line and re.search(asked, line)]
                sent = [line for line in found if ("-X DELETE" in line) == (method == "delete")]
                assert [
                    line
                    for line in sent
                    if (" -F " in line or "-d '" in line or "-X POST" in line) == (method == "post")
                ], path
