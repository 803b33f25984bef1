"""Who may come in, and what every answer tells the browser."""

from __future__ import annotations

import hmac
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from impasto.studio.guard import COOKIE, HEADERS, LOCAL, Rules
from impasto.studio.limits import Limits

from .conftest import png
from .server import ANNA, BORIS, TOKENS, Served, drained, ordered, refused, served, uploaded

MORE = 10_000
"""Bytes above a limit."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """On this machine alone, without tokens."""
    with served(tmp_path_factory.mktemp("open"), upload_bytes=100_000, body_bytes=20_000) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a token for each of two guests."""
    with served(tmp_path_factory.mktemp("closed"), tokens=TOKENS) as running:
        yield running


@pytest.fixture
def client(studio: Served) -> Iterator[httpx.Client]:
    with studio.client() as one:
        yield one


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


class TestHost:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.1:1", "localhost:99999"])
    def test_our_names_are_answered(self, client: httpx.Client, host: str) -> None:
        assert client.get("/api/limits", headers={"host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example", "evil.example:7400", "localhost.evil.example", "127.0.0.1.nip.io", "127.0.0.2", "0.0.0.0",
            "localhost@evil.example", "evil.example#localhost", "localhost:80:80", "localhost:", "[::2]", "::1", "",
            "localhost, evil.example", "localhost\tevil", "127.1", "2130706433", "lócalhost".encode("latin-1"),
        ],
    )  # fmt: skip
    def test_rebound_names_are_refused(self, client: httpx.Client, host: str | bytes) -> None:
        for path in ("/", "/api/limits", "/healthz", "/metrics", "/page/none.js", "/api/openapi.json", "/nowhere"):
            refused(client.get(path, headers={"host": host}), 421, "--allow-host")  # type: ignore[dict-item]

    def test_no_name_is_refused(self, studio: Served) -> None:
        assert status(studio.raw(b"GET /api/limits HTTP/1.1\r\nConnection: close\r\n\r\n")) == 400
        assert status(studio.raw(b"GET /api/limits HTTP/1.0\r\n\r\n")) == 421

    def test_two_names_are_refused(self, studio: Served) -> None:
        for names in ((b"localhost", b"evil.example"), (b"evil.example", b"localhost"), (b"localhost", b"localhost")):
            lines = b"".join(b"Host: %s\r\n" % name for name in names)
            assert status(studio.raw(b"GET / HTTP/1.1\r\n%sConnection: close\r\n\r\n" % lines)) in (400, 421)

    def test_a_whole_address_does_not_stand_for_the_name(self, studio: Served) -> None:
        asked = b"GET http://localhost/api/limits HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert status(studio.raw(asked)) == 421

    def test_what_proxies_say_counts_for_nothing(self, client: httpx.Client) -> None:
        told = {"host": "evil.example", "x-forwarded-host": "localhost", "forwarded": "host=localhost"}
        refused(client.get("/api/limits", headers=told), 421)


class TestOtherPages:
    @pytest.mark.parametrize(
        "origin",
        [
            "http://evil.example", "https://127.0.0.1.evil.example", "null", "", "file://", "http://127.0.0.1:1",
            "http://localhost", "http://[", "http://]", "//", "127.0.0.1", "http://127.0.0.1@evil.example",
            "http://\xbd", "chrome-extension://abc", "http://127.0.0.1:{port}.evil.example", "{port}",
            "http://evil.example, http://127.0.0.1:{port}", "ftp://127.0.0.1:{port}", "http://127.0.0.1:{port}/",
        ],
    )  # fmt: skip
    def test_their_origin_is_refused(self, studio: Served, client: httpx.Client, origin: str) -> None:
        said = origin.replace("{port}", str(studio.port)).encode("latin-1")
        for method, path in (("POST", "/api/jobs"), ("POST", "/api/pictures"), ("DELETE", "/api/jobs/0"), ("PUT", "/")):
            refused(client.request(method, path, headers={"origin": said}), 403, "other pages")  # type: ignore[dict-item]

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "", "none, cross-site", "NONE"])
    def test_what_the_browser_says_of_them_is_believed(self, client: httpx.Client, site: str) -> None:
        refused(client.post("/api/jobs", headers={"sec-fetch-site": site}, json={}), 403)

    def test_a_form_of_another_page_is_refused(self, client: httpx.Client) -> None:
        told = {"origin": "http://evil.example", "content-type": "text/plain"}
        refused(client.post("/api/jobs", headers=told, content=b'{"job": "texture"}'), 403)

    def test_our_own_page_and_no_page_are_let_in(self, studio: Served, client: httpx.Client) -> None:
        for told in (
            {"origin": studio.address, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {},
            {"origin": studio.address.upper()}, {"origin": studio.address.replace("http:", "https:")},
        ):  # fmt: skip
            refused(client.post("/api/jobs", headers=told, json={}), 422)

    def test_nobody_is_allowed_to_read_from_elsewhere(self, client: httpx.Client) -> None:
        told = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        for answer in (client.options("/api/jobs", headers=told), client.get("/api/jobs", headers=told)):
            assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_sockets_of_the_web_are_refused(self, studio: Served) -> None:
        asked = (
            b"GET /api/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        assert status(studio.raw(asked, seconds=2)) in (200, 400, 403, 404, 426)


class TestTokens:
    def test_without_one_nothing_is_told(self, closed: Served) -> None:
        with closed.client() as client:
            for path in ("/", "/api/jobs", "/api/limits", "/api/openapi.json", "/metrics", "/page/x", "/nowhere"):
                refused(client.get(path), 401, "token")
            refused(client.post("/api/pictures", files={"file": png()}), 401)

    def test_browsers_get_a_page_to_give_it_on_and_nothing_else(self, closed: Served) -> None:
        seen = {"accept": "text/html,*/*;q=0.8"}
        with closed.client(**seen) as client:
            for told in ({}, {"token": "wrong"}, {"token": ""}):
                answer = client.get("/", params=told)
                assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
                assert ("not known here" in answer.text) == bool(told.get("token"))
                assert all(answer.headers[name] == value for name, value in HEADERS.items())
            for path in ("/page/style.css", "/page/icon.svg"):
                assert client.get(path).status_code == 200
            for path in ("/page/main.js", "/page/index.html", "/page/", "/api/limits"):
                refused(client.get(path), 401, "token")
            refused(client.post("/"), 401)

    def test_nothing_more_is_taken_from_who_has_none(self, closed: Served) -> None:
        head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        with socket.create_connection(("127.0.0.1", closed.port), 10) as line:
            line.sendall(head + b"1\r\nx\r\n")  # and no end
            answer = drained(line)
        assert status(answer) == 401
        assert b"\r\nconnection: close\r\n" in answer.lower()

    def test_signs_of_life_need_none(self, closed: Served) -> None:
        with closed.client() as client:
            assert client.get("/healthz").text == "ok"
            assert set(client.get("/readyz").json()) == {"ready", "troubles"}

    @pytest.mark.parametrize(
        "said",
        [
            "Bearer", f"Bearer {ANNA}x", f"Bearer {ANNA[:-1]}", f"Bearer {ANNA.upper()}", f"Basic {ANNA}",
            ANNA, f"Bearer Bearer {ANNA}", f"Bearer {ANNA},{BORIS}", "Bearer anna", "Bearer \xe4" * 3, "Bearer *",
            "Bearer " + "x" * 10_000,
        ],
    )  # fmt: skip
    def test_wrong_ones_are_refused(self, closed: Served, said: str) -> None:
        with closed.client() as client:
            refused(client.get("/api/jobs", headers={"authorization": said.encode("latin-1")}), 401)  # type: ignore[dict-item]

    def test_right_ones_are_let_in(self, closed: Served) -> None:
        for said in ({"authorization": f"Bearer {ANNA}"}, {"authorization": f"bearer  {ANNA}"}):
            with closed.client() as client:
                assert client.get("/api/jobs", headers=said).json() == []

    @pytest.mark.parametrize(
        "cookie",
        [
            f"{COOKIE}={ANNA}", f"a=b; {COOKIE}={ANNA}; c", f"bad name=1; {COOKIE}={ANNA}", f'{COOKIE}="{ANNA}"',
            f"a/b={{}}; {COOKIE}={ANNA}", f"=; {COOKIE}={ANNA}",
        ],
    )  # fmt: skip
    def test_cookies_are_let_in_whatever_lies_beside_them(self, closed: Served, cookie: str) -> None:
        with closed.client() as client:
            assert client.get("/api/jobs", headers={"cookie": cookie}).json() == []

    @pytest.mark.parametrize("cookie", ["", COOKIE, f"{COOKIE}=", f"{COOKIE}=x", f"x{COOKIE}={ANNA}", "\xff=\xff; ;;="])
    def test_wrong_cookies_are_refused(self, closed: Served, cookie: str) -> None:
        with closed.client() as client:
            refused(client.get("/api/jobs", headers={"cookie": cookie.encode("latin-1")}), 401)  # type: ignore[dict-item]

    def test_a_wrong_word_is_not_made_good_by_a_cookie(self, closed: Served) -> None:
        with closed.client() as client:
            told = {"authorization": "Bearer wrong", "cookie": f"{COOKIE}={ANNA}"}
            refused(client.get("/api/jobs", headers=told), 401)

    def test_the_printed_address_turns_into_a_cookie(self, closed: Served) -> None:
        with closed.client() as client:
            answer = client.get("/", params={"token": ANNA})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            told = answer.headers["set-cookie"]
            assert all(word in told for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
            assert all(answer.headers[name] == value for name, value in HEADERS.items())
            assert client.get("/api/jobs").json() == []
            assert client.get("/").status_code == 200

    def test_no_other_address_does(self, closed: Served) -> None:
        with closed.client() as client:
            for path, said in (("/", "wrong"), ("/", ""), ("/api/jobs", ANNA), ("/page/x", ANNA)):
                answer = client.get(path, params={"token": said})
                refused(answer, 401)
                assert "set-cookie" not in answer.headers
            refused(client.post("/", params={"token": ANNA}), 401)

    def test_pages_that_are_open_take_no_word(self, studio: Served) -> None:
        with studio.client() as client:
            assert client.get("/", params={"token": "anything"}).status_code == 200
            assert client.get("/api/jobs", headers={"authorization": "Bearer anything"}).status_code == 200

    def test_every_token_is_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rules, real, seen = Rules(LOCAL, TOKENS, Limits()), hmac.compare_digest, []

        def compare(one: Any, other: Any) -> bool:
            seen.append((len(one), len(other)))
            return real(one, other)

        monkeypatch.setattr(hmac, "compare_digest", compare)
        for secret in (ANNA, BORIS, "", "x" * 10_000, ANNA[:-1]):
            seen.clear()
            rules.owner_of(secret)
            assert seen == [(32, 32)] * len(TOKENS)  # as many for the first as for none, and all of one length
        assert [rules.owner_of(secret) for secret in (ANNA, BORIS, "")] == ["anna", "boris", None]


class TestOwners:
    def test_each_sees_only_his_own(self, closed: Served) -> None:
        with closed.client(ANNA) as anna, closed.client(BORIS) as boris:
            picture = uploaded(anna, kind="style")["id"]
            job = ordered(anna, picture)["id"]
            for path in (
                f"/api/pictures/{picture}", f"/api/pictures/{picture}/file", f"/api/pictures/{picture}/thumbnail",
                f"/api/jobs/{job}", f"/api/jobs/{job}/events", f"/api/jobs/{job}/preview",
            ):  # fmt: skip
                refused(boris.get(path), 404)
            for path in (f"/api/pictures/{picture}", f"/api/jobs/{job}"):
                refused(boris.delete(path), 404)
            refused(boris.post(f"/api/jobs/{job}/cancel"), 404)
            for asked in (
                {"content": picture, "styles": ["starry-hills"]},
                {"content": uploaded(boris)["id"], "styles": [picture]},
                {"content": uploaded(boris)["id"], "styles": ["starry-hills"], "options": {"mask": [picture]}},
            ):
                refused(boris.post("/api/jobs", json=asked), 404)
                refused(boris.post("/api/fast", json=asked), (404, 422))
            assert not [one for one in boris.get("/api/pictures").json() if one["id"] == picture]
            assert not [one for one in boris.get("/api/styles").json() if one["id"] == picture]
            assert boris.get("/api/jobs").json() == []
            assert anna.get(f"/api/jobs/{job}").json()["state"] == "queued"
            assert anna.get(f"/api/pictures/{picture}/file").status_code == 200

    def test_the_same_key_of_another_is_another_job(self, closed: Served) -> None:
        made = set()
        for token in (ANNA, BORIS):
            with closed.client(token, **{"idempotency-key": "one"}) as client:
                made.add(ordered(client, uploaded(client)["id"])["id"])
        assert len(made) == 2


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "path", "code"),
        [
            ("GET", "/", 200), ("GET", "/page/index.html", 200), ("GET", "/page/none", 404), ("GET", "/healthz", 200),
            ("GET", "/metrics", 200), ("GET", "/api/methods", 200), ("GET", "/api/openapi.json", 200),
            ("GET", "/api/styles/starry-hills/file", 200), ("GET", "/nowhere", 404), ("PATCH", "/api/jobs", 405),
            ("POST", "/api/jobs", 422), ("GET", "/api/jobs/zz", 422), ("DELETE", "/page/index.html", 405),
            ("GET", "/api/jobs/", 307), ("HEAD", "/page/index.html", 200), ("FOO", "/", 405),
        ],
    )  # fmt: skip
    def test_every_answer_has_them(self, client: httpx.Client, method: str, path: str, code: int) -> None:
        answer = client.request(method, path)
        assert answer.status_code == code
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] in ("no-store", "private, max-age=31536000, immutable")
        assert "server" not in answer.headers

    def test_so_do_refusals(self, studio: Served, closed: Served) -> None:
        with studio.client() as client, closed.client() as other:
            for answer in (
                client.get("/", headers={"host": "evil.example"}), other.get("/"),
                client.post("/api/jobs", headers={"origin": "null"}), client.post("/api/jobs", content=b"x" * 30_000),
            ):  # fmt: skip
                assert answer.status_code in (421, 401, 403, 413)
                assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS

    def test_nothing_may_run_but_our_own_scripts(self) -> None:
        policy = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert [policy[name] for name in ("object-src", "base-uri", "frame-ancestors")] == ["'none'"] * 3
        assert "unsafe" not in HEADERS["content-security-policy"]
        assert "*" not in HEADERS["content-security-policy"]

    def test_parts_of_files_are_not_given(self, client: httpx.Client) -> None:
        whole = client.get("/page/index.html").content
        for part in ("bytes=0-0", "bytes=" + ",".join("0-" for _ in range(1000)), "bytes=9-1", "nonsense"):
            answer = client.get("/page/index.html", headers={"range": part})
            assert (answer.status_code, answer.content) == (200, whole)


class TestSizes:
    def test_a_length_above_the_limit_is_refused_before_the_body(self, studio: Served) -> None:
        for path, limit in (("/api/jobs", 20_000), ("/api/pictures", 120_000), ("/api/nothing", 20_000)):
            with socket.create_connection(("127.0.0.1", studio.port), 20) as line:
                line.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {limit + 1}\r\n\r\n".encode())
                answer = line.recv(65536)  # before a byte of the body is sent
                line.sendall(bytes(limit + 1))
                answer += drained(line)  # and the line is closed
            assert status(answer) == 413
            assert b'{"error": "at most' in answer

    @pytest.mark.parametrize("path", ["/api/jobs", "/api/pictures", "/api/fast"])
    def test_bytes_without_a_length_are_counted_as_they_come(self, studio: Served, path: str) -> None:
        kind = "multipart/form-data; boundary=x" if path == "/api/pictures" else "application/json"
        with socket.create_connection(("127.0.0.1", studio.port), 20) as line:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: {kind}\r\n\r\n"
            )
            line.sendall(head.encode())
            if path == "/api/pictures":
                part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
                line.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            try:
                for _ in range(14):  # more than is taken, and no end
                    line.sendall(b"%x\r\n%s\r\n" % (MORE, b" " * MORE))
            except OSError:
                pass
            answer = drained(line)
        assert status(answer) == 413
        assert b'{"error":"at most' in answer

    def test_a_picture_of_the_largest_size_is_looked_at(self, client: httpx.Client) -> None:
        whole = png() + bytes(100_000 - len(png()))
        assert client.post("/api/pictures", files={"file": whole}).status_code == 201
        refused(client.post("/api/pictures", files={"file": whole + b"\0"}), 413, "100000 bytes")

    @pytest.mark.parametrize("length", [b"-1", b"+5", b"1e3", b"0x10", b"5 5", b"9" * 30, b"", b"1,2", b"\xb2"])
    def test_a_length_that_is_none_is_refused(self, studio: Served, length: bytes) -> None:
        asked = (
            b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            + length
            + b"\r\nConnection: close\r\n\r\n"
        )
        assert status(studio.raw(asked, seconds=5)) in (400, 413)

    def test_the_server_goes_on(self, client: httpx.Client) -> None:
        assert client.get("/healthz").status_code == 200
