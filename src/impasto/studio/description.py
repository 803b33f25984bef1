"""The API's description (OpenAPI), with what the models over the line cannot say: which options each method takes."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI

from impasto.methods import Method, get_method
from impasto.studio.orders import guest_methods
from impasto.studio.schemas import JobIn, options_schema

PLACE = "#/components/schemas"


def describe(app: FastAPI) -> None:
    """Completes an application's description, when somebody first asks for it."""
    plain = app.openapi

    @cache
    def whole() -> dict[str, Any]:
        return _with_options(plain())

    app.openapi = whole  # type: ignore[method-assign]  # the way that FastAPI names


def _with_options(document: dict[str, Any]) -> dict[str, Any]:
    schemas, methods = document["components"]["schemas"], guest_methods()
    for method in methods:
        schemas[_name(method)] = {"title": _name(method), "description": f"Of `{method.name}`.", **_options(method)}
    job, fast = schemas["JobIn"], schemas["FastIn"]["properties"]["options"]
    job["properties"]["method"]["enum"] = [method.name for method in methods]
    job["oneOf"] = [_branch(method) for method in methods]
    fast.clear()
    fast |= {"$ref": f"{PLACE}/{_name(get_method('fast'))}", "description": "all but masks", "default": {}}
    return document


def _branch(method: Method) -> dict[str, Any]:
    """An order for one method; a word that is left out is the default's."""
    told = {"method": {"const": method.name}, "options": {"$ref": f"{PLACE}/{_name(method)}"}}
    usual = method.name == JobIn.model_fields["method"].default
    return {"title": method.name, "properties": told, "required": [] if usual else ["method"]}


def _options(method: Method) -> dict[str, Any]:
    schema = options_schema(method)
    known = schema["properties"]
    example = {"size": 512, "strength": known["strength"]["default"], "keep_color": "luminance", "quality": "draft"}
    return {**schema, "examples": [{name: value for name, value in example.items() if name in known}]}


def _name(method: Method) -> str:
    return method.options_class.__name__
