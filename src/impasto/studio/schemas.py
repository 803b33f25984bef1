"""What goes over the line, as pydantic models; of a method's options the schema is read off the options dataclass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from impasto.encoders import ENCODERS
from impasto.methods import Method
from impasto.options import Spec
from impasto.studio.orders import Kind, Purpose, meant_options, method_specs

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])]
StyleId = Annotated[
    str, Field(pattern=r"^([0-9a-f]{32}|[a-z0-9-]{1,40})$", examples=["starry-hills"],
               description="id of an uploaded painting, or name of a built-in style")
]  # fmt: skip
PictureKind = Literal["photo", "style", "mask"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
Side = Annotated[int, Field(ge=16, le=32768)]
Layer = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,60}$", examples=["relu3_1"])]


class Strict(BaseModel):
    """What clients send: unknown names are refused, and so are numbers that are words."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


WORD = 200
"""Letters of an option's value; none needs more."""


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options whose values are numbers, words, true, false, null, or lists of those; what they mean is seen later."""
    for value in options.values():
        for one in value if isinstance(value, list) else (value,):
            if not isinstance(one, str | int | float | None):
                raise PydanticCustomError("option", "an option takes a number, a word, true, false, null or a list")
            if isinstance(one, str) and (len(one) > WORD or not one.isprintable()):
                raise PydanticCustomError("option", "a word has at most 200 letters, all of which can be printed")
    return options


Said = Annotated[dict[Annotated[str, Field(max_length=60)], Any], AfterValidator(_plain)]


class Trouble(BaseModel):
    """Every answer of 400 and above."""

    error: str = Field(examples=["there is no such job"], description="one line: what happened, and how to mend it")


class PictureOut(BaseModel):
    """A picture that is kept."""

    id: Id
    kind: Literal["photo", "style", "mask", "result"]
    name: str
    width: int
    height: int
    bytes: int
    created: float = Field(description="seconds since 1970")
    settings: dict[str, Any] | None = Field(description="what an Impasto result says of how it was painted")
    url: str
    thumbnail: str


class StyleOut(BaseModel):
    """A painting to choose."""

    id: str
    name: str
    built_in: bool
    width: int
    height: int
    url: str
    thumbnail: str


class TextureSize(Strict):
    """Of a texture."""

    width: Side
    height: Side


class JobIn(Strict):
    """An order."""

    job: Kind = "stylize"
    method: str = Field("fast", max_length=40)
    content: Id | None = Field(None, description="the photo; none for a texture")
    styles: list[StyleId] = Field(default=[], max_length=64)
    options: Said = Field(default={}, description="as the method's schema in /api/methods says")
    size: TextureSize | None = Field(None, description="of a texture; as large as its picture if not given")
    tileable: bool = Field(False, description="whether a texture's opposite borders fit each other")
    layers: list[Layer] = Field(default=[], max_length=16, description="to reconstruct")
    statistics: bool = Field(False, description="reconstruct only what the layers' statistics hold")

    model_config = ConfigDict(
        **Strict.model_config,
        json_schema_extra={
            "examples": [
                {"job": "stylize", "method": "gatys", "content": "0123456789abcdef0123456789abcdef",
                 "styles": ["starry-hills"], "options": {"size": 512, "quality": "draft", "strength": 0.5}},
                {"content": "0123456789abcdef0123456789abcdef", "styles": ["starry-hills", "knife-sea"],
                 "options": {"blend": [2, 1], "keep_color": "luminance"}},
                {"job": "texture", "method": "w2", "styles": ["woodcut-wave"], "size": {"width": 512, "height": 384},
                 "tileable": True, "options": {"quality": "good"}},
                {"job": "reconstruct", "method": "gatys", "content": "0123456789abcdef0123456789abcdef",
                 "layers": ["relu3_1"], "options": {"size": 256, "steps": 100}},
            ]
        },
    )  # fmt: skip


class JobOut(BaseModel):
    """A job, as it stands."""

    id: Id
    job: Kind
    method: str
    content: str | None
    styles: list[str]
    options: dict[str, Any]
    size: TextureSize | None
    tileable: bool
    layers: list[str]
    statistics: bool
    label: str
    state: State
    position: int | None = Field(description="how many jobs come before it; only while it waits")
    created: float
    started: float | None
    finished: float | None
    attempt: int
    step: int
    steps: int
    loss: float | None
    seconds: float | None
    seconds_left: float | None
    notices: list[str]
    cancelling: bool
    error: str | None
    preview: str | None
    result: PictureOut | None


class FastIn(Strict):
    """A picture to be painted while the caller waits."""

    content: Id
    styles: list[StyleId] = Field(min_length=1, max_length=64)
    options: Said = Field(default={}, description="as the schema of `fast` in /api/methods says, but for masks")
    format: Literal["jpeg", "png", "webp"] = "jpeg"

    model_config = ConfigDict(
        **Strict.model_config,
        json_schema_extra={
            "examples": [
                {"content": "0123456789abcdef0123456789abcdef", "styles": ["starry-hills"],
                 "options": {"strength": 0.8, "keep_color": "luminance"}, "format": "jpeg"}
            ]
        },
    )  # fmt: skip


class MethodOut(BaseModel):
    """A way of painting."""

    name: str
    title: str = Field(description="the name as its paper writes it")
    paper: str
    good_at: str
    typical: str
    ready: bool
    missing: str | None = Field(description="the command that installs what it needs")
    texture: bool = Field(description="whether it makes textures and reconstructions")
    options: dict[str, Any] = Field(description="JSON schema of its options")
    meant: dict[Purpose, list[str]] = Field(
        description="for each job that it does, the options that mean something there; of reconstructions with and "
        "without `statistics`"
    )


def method_out(method: Method) -> MethodOut:
    """A row of the table, with its options."""
    missing = None if method.ready else f'pip install "impasto[{method.extra}]"'
    return MethodOut(
        name=method.name, title=method.title, paper=method.paper, good_at=method.good_at, typical=method.typical,
        ready=method.ready, missing=missing, texture=bool(method.texture), options=options_schema(method),
        meant=meant_options(method),
    )  # fmt: skip


def options_schema(method: Method) -> dict[str, Any]:
    """JSON schema (2020-12) of the options that guests may say."""
    return {
        "type": "object",
        "properties": {spec.name: _schema(spec) for spec in method_specs(method)},
        "additionalProperties": False,
    }


def _schema(spec: Spec) -> dict[str, Any]:
    one: dict[str, Any] = {"type": {int: "integer", float: "number", bool: "boolean"}.get(spec.kind, "string")}
    if spec.kind is Path:
        one |= {"pattern": "^[0-9a-f]{32}$", "format": "picture-id"}
    if choices := tuple(ENCODERS) if spec.name == "encoder" else spec.choices:
        one["enum"] = list(choices)
    if spec.low is not None:
        one["minimum"] = spec.low
    if spec.high is not None:
        one["maximum"] = spec.high
    whole: dict[str, Any] = {"type": "array", "items": one} if spec.many else one
    if spec.optional:
        whole = {"anyOf": [whole, {"type": "null"}]}
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    return {"description": spec.help, **whole, "default": default}
