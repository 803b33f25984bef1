"""One option, one place: what the API says of options is what the dataclasses say, field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from impasto.encoders import ENCODERS
from impasto.errors import OptionError
from impasto.methods import METHODS, Method
from impasto.options import Spec
from impasto.studio.limits import Limits
from impasto.studio.orders import OURS, Order, check, guest_methods, meant_options, method_specs
from impasto.studio.schemas import options_schema

from .conftest import STYLE
from .server import ID, Served, order, refused, served, uploaded

KINDS = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "string"}
PAIRS = [(method, spec) for method in guest_methods() for spec in method_specs(method)]


def named(pair: tuple[Method, Spec]) -> str:
    return f"{pair[0].name}-{pair[1].name}"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("schemas")) as running:
        yield running


@pytest.fixture(scope="module")
def client(studio: Served) -> Iterator[httpx.Client]:
    with studio.client() as one:
        yield one


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> Any:
    return client.get("/api/openapi.json").json()


class TestOptions:
    @pytest.mark.parametrize("pair", PAIRS, ids=named)
    def test_each_is_described_as_it_is(self, pair: tuple[Method, Spec]) -> None:
        method, spec = pair
        told = options_schema(method)["properties"][spec.name]
        assert told["description"] == spec.help
        assert told["default"] == (list(spec.default) if spec.many else spec.default)
        whole = told
        if spec.optional:
            whole, nothing = told["anyOf"]
            assert nothing == {"type": "null"}
        if spec.many:
            assert whole["type"] == "array"
            whole = whole["items"]
        assert whole["type"] == KINDS[spec.kind]
        assert whole.get("enum", []) == (list(ENCODERS) if spec.name == "encoder" else list(spec.choices))
        assert (whole.get("minimum"), whole.get("maximum")) == (spec.low, spec.high)
        assert (whole.get("format") == "picture-id") == (spec.kind is Path)

    @pytest.mark.parametrize("method", guest_methods(), ids=lambda method: method.name)
    def test_none_is_missing_and_none_is_ours(self, method: Method) -> None:
        told = options_schema(method)
        fields = [spec.name for spec in method.options_class.specs()]
        assert list(told["properties"]) == [name for name in fields if name not in OURS]
        assert told["additionalProperties"] is False

    @pytest.mark.parametrize("pair", PAIRS, ids=named)
    def test_what_is_said_is_what_is_checked(self, pair: tuple[Method, Spec]) -> None:
        method, spec = pair
        for value, good in values(spec):
            said = {"blend": [value, 1], "semantic": [value, value]}.get(spec.name, [value]) if spec.many else value
            styles = (STYLE, STYLE) if spec.name in ("blend", "mix_scales") else (STYLE,)
            asked = Order("stylize", method.name, ID, styles, {spec.name: said})
            try:
                told = check(asked, Limits(pixel_steps=10**14, job_side=32_768)).options[spec.name]
            except OptionError:
                assert not good, value
                continue
            assert good, value
            assert told == said

    @pytest.mark.parametrize("method", guest_methods(), ids=lambda method: method.name)
    def test_what_is_meant_is_what_is_taken(self, method: Method) -> None:
        """An option that means something in a job may be said there, any other may not."""
        jobs: dict[str, dict[str, Any]] = {
            "stylize": {"job": "stylize", "content": ID, "styles": (STYLE,)},
            "texture": {"job": "texture", "content": None, "styles": (STYLE,)},
            "reconstruct": {"job": "reconstruct", "content": ID, "styles": (), "layers": ("relu1_1",)},
        }  # fmt: skip
        jobs["statistics"] = jobs["reconstruct"] | {"statistics": True}
        for job, names in meant_options(method).items():
            for spec in method_specs(method):
                if (said := another(spec)) is None:
                    continue
                try:
                    check(Order(method=method.name, options={spec.name: said}, **jobs[job]), Limits(job_side=32_768))
                except OptionError as error:
                    assert spec.name not in names, (job, error)
                else:
                    assert spec.name in names, (job, spec.name)

    def test_the_page_gets_the_same(self, client: httpx.Client) -> None:
        found = {method["name"]: method["options"] for method in client.get("/api/methods").json()}
        assert found == {method.name: json.loads(json.dumps(options_schema(method))) for method in guest_methods()}
        assert set(found) == {name for name, method in METHODS.items() if not method.needs_model}

    def test_defaults_may_be_said(self, client: httpx.Client) -> None:
        photo = uploaded(client)["id"]
        for method in client.get("/api/methods").json():
            defaults = {name: told["default"] for name, told in method["options"]["properties"].items()}
            small = defaults | {"size": 32} | ({"steps": 2} if "steps" in defaults else {})
            answer = client.post("/api/jobs", json=order(photo, method=method["name"], options=small))
            assert answer.status_code == 201, answer.text
            assert answer.json()["options"] == small


def fitting(described: Any, name: str) -> Callable[[Any], bool]:
    """Whether something is as the description says, by a validator of others."""
    validators = pytest.importorskip("jsonschema_rs", reason="mend: pip install schemathesis")
    fits: Callable[[Any], bool] = validators.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    ).is_valid
    return fits


def uploaded_once(client: httpx.Client) -> str:
    """A photo, the same one every time."""
    found = client.get("/api/pictures?kind=photo&limit=1").json()
    return str(found[0]["id"] if found else uploaded(client)["id"])


def another(spec: Spec) -> Any:
    """A value that is not the default and that fits one photo and one painting; None where there is none."""
    if spec.many or spec.kind is Path or spec.name in ("init", "mix_scales", "encoder"):
        return None
    if spec.choices:
        return next((word for word in spec.choices if word != spec.default), None)
    if spec.kind is bool:
        return not spec.default
    return spec.kind(spec.low if spec.low != spec.default else spec.high)


def values(spec: Spec) -> Iterator[tuple[Any, bool]]:
    """What fits an option, and what does not."""
    yield True, spec.kind is bool
    yield object(), False
    if choices := tuple(ENCODERS) if spec.name == "encoder" else spec.choices:
        yield from ((word, True) for word in choices)
        yield "nonsense", False
    elif spec.kind in (int, float):
        assert spec.low is not None
        assert spec.high is not None
        yield from (((spec.kind(bound)), True) for bound in (spec.low, spec.high))
        yield from (
            (value, False) for value in (spec.low - 1, spec.high * 2 + 1, float("nan"), float("inf"), "1", 10**400)
        )
        yield 1.5, spec.kind is float and spec.low <= 1.5 <= spec.high
    elif spec.kind is Path:
        yield from ((ID, True), ("/etc/passwd", False), (ID + ".png", False), (1, False))
    elif spec.kind is bool:
        yield from ((False, True), (1, False), ("true", False))


class TestDescription:
    def test_every_call_is_told_with_its_refusals(self, described: Any) -> None:
        for path, calls in described["paths"].items():
            for method, call in calls.items():
                assert call["summary"], path
                assert call["description"], (method, path)
                for code, answer in call["responses"].items():
                    if int(code) >= 400:
                        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/Trouble")
                assert {"400", "401", "403", "404", "413", "421", "422", "429"} <= set(call["responses"])

    def test_every_body_has_an_example_that_fits(self, described: Any, client: httpx.Client) -> None:
        photo = uploaded(client)["id"]
        for path in ("/api/jobs", "/api/fast"):
            name = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"][
                "$ref"
            ].rpartition("/")[2]
            for example in described["components"]["schemas"][name]["examples"]:
                text = json.dumps(example).replace(ID, photo)
                answer = client.post(path, content=text, headers={"content-type": "application/json"})
                assert answer.status_code in (200, 201), answer.text

    def test_orders_are_described_by_their_methods(self, described: Any) -> None:
        branches = {
            one["properties"]["method"]["const"]: one for one in described["components"]["schemas"]["JobIn"]["oneOf"]
        }
        assert set(branches) == {method.name for method in guest_methods()}
        for method in guest_methods():
            name = branches[method.name]["properties"]["options"]["$ref"].rpartition("/")[2]
            told = described["components"]["schemas"][name]
            expected = json.loads(json.dumps(options_schema(method)))
            assert {part: told[part] for part in expected} == expected

    def test_examples_are_what_is_described_and_taken(self, described: Any, client: httpx.Client) -> None:
        schemas, fits, photo = described["components"]["schemas"], fitting(described, "JobIn"), uploaded(client)["id"]
        methods = [one["properties"]["method"]["const"] for one in schemas["JobIn"]["oneOf"]]
        options = {name: schemas[METHODS[name].options_class.__name__]["examples"] for name in methods}
        orders = [order(ID, method=name, options=example) for name in methods for example in options[name]]
        assert {one["job"] for one in schemas["JobIn"]["examples"] if "job" in one} == {
            "stylize",
            "texture",
            "reconstruct",
        }
        for asked in (*schemas["JobIn"]["examples"], *orders):
            assert fits(asked), asked
            answer = client.post("/api/jobs", json=json.loads(json.dumps(asked).replace(ID, photo)))
            assert answer.status_code == 201, answer.text
        assert all(fitting(described, "FastIn")(example) for example in schemas["FastIn"]["examples"])

    @pytest.mark.parametrize("method", [None, *guest_methods()], ids=lambda method: method and method.name)
    @pytest.mark.parametrize(
        "options",
        [{"strength": "0.5"}, {"strength": 2}, {"size": 64.5}, {"size": 15}, {"keep_color": "red"}, {"blend": 1},
         {"mask": ["a.png"]}, {"photorealistic": None}, {"device": "cpu"}, {"nonsense": 1}],
        ids=str,
    )  # fmt: skip
    def test_what_is_of_the_wrong_type_is_neither(
        self, described: Any, client: httpx.Client, method: Method | None, options: dict[str, Any]
    ) -> None:
        asked = order(uploaded_once(client), options=options) | ({"method": method.name} if method else {})
        assert not fitting(described, "JobIn")(asked)
        refused(client.post("/api/jobs", json=asked), 422)

    def test_options_of_another_method_are_neither(self, described: Any, client: httpx.Client) -> None:
        photo, fits = uploaded_once(client), fitting(described, "JobIn")
        for asked in (order(photo, options={"steps": 2}), order(photo, method="nonsense", options={})):
            assert not fits(asked)
            refused(client.post("/api/jobs", json=asked), 422)
        assert fits(order(photo, method="gatys", options={"steps": 2}))

    def test_pictures_are_told_as_what_they_are(self, described: Any) -> None:
        for path, kind in {
            "/api/pictures/{picture}/file": "image/png", "/api/pictures/{picture}/thumbnail": "image/jpeg",
            "/api/jobs/{job}/preview": "image/jpeg", "/api/styles/{name}/file": "image/jpeg",
            "/api/jobs/{job}/events": "text/event-stream",
        }.items():  # fmt: skip
            assert list(described["paths"][path]["get"]["responses"]["200"]["content"]) == [kind]

    def test_unknown_fields_are_refused_everywhere(self, described: Any) -> None:
        for name, schema in described["components"]["schemas"].items():
            if name in ("JobIn", "FastIn", "TextureSize"):
                assert schema["additionalProperties"] is False

    def test_numbers_are_not_words(self, client: httpx.Client) -> None:
        photo = uploaded(client)["id"]
        texture = {"job": "texture", "method": "gatys", "styles": [STYLE]}
        for more in (
            {"size": {"width": "64", "height": 64}},
            {"size": {"width": 64.0, "height": True}},
            {"tileable": "true"},
        ):
            refused(client.post("/api/jobs", json=texture | more), 422)
        refused(client.post("/api/jobs", json=order(photo) | {"styles": STYLE}), 422)
        refused(client.post("/api/jobs", json=order(photo) | {"options": []}), 422)
