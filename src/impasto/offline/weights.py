"""Trained networks as files: safetensors that say which network they hold and how to build it.

Nothing in such a file is executed, and nothing in it is believed: a file that is cut off, comes from elsewhere, holds
another network than it says or numbers that are none is refused in one line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from impasto.errors import ImpastoError, ModelError
from impasto.image.targets import put

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = 1
KEY = "impasto"  # of the file's metadata

NETWORKS: dict[str, str] = {
    "johnson": "impasto.offline.networks.johnson:JohnsonNetwork",
    "dumoulin": "impasto.offline.networks.dumoulin:DumoulinNetwork",
    "ghiasi": "impasto.offline.networks.ghiasi:GhiasiNetwork",
    "adain": "impasto.offline.networks.adain:AdaInDecoder",
    "impasto": "impasto.offline.networks.impasto:ImpastoNetwork",
}
"""Name -> module and class. A class takes keyword arguments and keeps them, as JSON can hold them, in `arguments`."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a file held.

    Attributes:
        network: in evaluation mode, on the CPU, in float32.
        name: one of `NETWORKS`.
        about: what was written beside it, such as the names of its styles.
    """

    network: nn.Module
    name: str
    about: dict[str, Any]


def network_class(name: str) -> type[nn.Module]:
    """The class of a row of `NETWORKS`.

    Raises:
        ModelError: when there is none.
    """
    if name not in NETWORKS:
        raise ModelError(f"unknown network {name!r}; mend: update impasto, or choose one of: {', '.join(NETWORKS)}")
    module, _, attribute = NETWORKS[name].partition(":")
    found: type[nn.Module] = getattr(import_module(module), attribute)
    return found


def network_name(network: nn.Module) -> str:
    """What `NETWORKS` calls it.

    Raises:
        ModelError: when it does not.
    """
    kind = type(network)
    address = f"{kind.__module__}:{kind.__qualname__}"
    for name, row in NETWORKS.items():
        if row == address:
            return name
    raise ModelError(f"a {kind.__qualname__} cannot be saved; mend: add it to NETWORKS in impasto/offline/weights.py")


def save_network(
    network: nn.Module, path: str | os.PathLike[str], *, about: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Writes a network of `NETWORKS`; a file that is there already is replaced at once or not at all.

    Args:
        network: any, on any device; not a wrapper around one.
        path: the file, `.safetensors` by custom.
        about: what the file says of itself, as JSON can hold it.

    Raises:
        ModelError: when the network is none of ours or holds numbers that are not finite, or the system refuses.
    """
    from safetensors.torch import save

    target = Path(path)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    bad = _not_finite(tensors)
    if bad:
        raise ModelError(f"{target} is not written: {bad} is not finite; mend: go on from an earlier checkpoint")
    head = {
        "format": FORMAT,
        "network": network_name(network),
        "arguments": network.arguments,
        "about": dict(about),
    }
    write_whole(target, save(tensors, {KEY: json.dumps(head)}))


def load_network(path: str | os.PathLike[str], *, expected: str | None = None) -> Loaded:
    """Reads a file of `save_network`.

    Args:
        path: the file.
        expected: the only name of `NETWORKS` that will do.

    Raises:
        ModelError: when the file is missing, cut off, of another program, another network than it says or than was
            expected, or holds numbers that are not finite.
    """
    source = Path(path)
    tensors, metadata = _read(source)
    name, arguments, about = _head(source, metadata)
    if expected is not None and name != expected:
        raise ModelError(f"{source} holds a network of {name!r}, not of {expected!r}; mend: name another file")
    network = _build(source, name, arguments, tensors)
    bad = _not_finite(tensors)
    if bad:
        raise ModelError(f"{source} is spoilt: {bad} is not finite; mend: take an earlier checkpoint, or train again")
    network.load_state_dict(tensors)
    return Loaded(network.eval(), name, about)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is, at every moment, the old one or the new one.

    Raises:
        ModelError: when the system refuses; the old file is then untouched.
    """
    try:
        put(data, path, overwrite=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(f"{path} cannot be written: {reason}; mend: free space, or name another folder") from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise ModelError(f"{path} is a folder; mend: name the .safetensors file in it")
    if path.suffix == ".onnx":
        raise ModelError(f"{path} is an exported network; mend: name the .safetensors file that it was made from")
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist; mend: check the name, or train it: impasto train --help") from None
    except SafetensorError:
        raise ModelError(
            f"{path} is cut off or no safetensors file; mend: copy it again, or name a file that impasto train wrote"
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; mend: name another file") from error


def _head(path: Path, metadata: Mapping[str, str]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name, arguments and about, of types that fit."""
    try:
        head = json.loads(metadata[KEY])
        version, name, arguments, about = (head[key] for key in ("format", "network", "arguments", "about"))
        if not (type(version) is int and isinstance(name, str) and isinstance(arguments, dict)):
            raise TypeError
        about = dict(about)
    except (KeyError, TypeError, ValueError):
        raise ModelError(f"{path} is not of impasto; mend: name a file that impasto train wrote") from None
    if version > FORMAT:
        raise ModelError(f"{path} is of a newer impasto (format {version}); mend: pip install --upgrade impasto")
    if name not in NETWORKS:
        raise ModelError(f"{path} holds an unknown network {name!r}; mend: pip install --upgrade impasto")
    return name, arguments, about


def _build(path: Path, name: str, arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network, random, once it is known that the tensors fill it."""
    make = network_class(name)
    try:
        with torch.device("meta"):  # no memory yet: the arguments may ask for any amount
            plan = make(**arguments).state_dict()
    except (ImpastoError, TypeError, ValueError, RuntimeError, OverflowError):
        raise ModelError(
            f"{path} asks for a network of {name!r} that cannot be built; mend: copy it again, or train again"
        ) from None
    for key in (*plan, *tensors):
        if key not in plan or key not in tensors or plan[key].shape != tensors[key].shape:
            raise ModelError(
                f"{path} is not the network of {name!r} that it says: {key} does not fit; mend: copy it again"
            )
    return make(**arguments)


def _not_finite(tensors: Mapping[str, Tensor]) -> str:
    """Name of the first tensor that holds infinity or no number, or nothing."""
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return key
    return ""
