"""Files of trained networks: what is refused, and that a file is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from impasto.errors import ModelError  # noqa: E402
from impasto.offline.networks.dumoulin import DumoulinNetwork  # noqa: E402
from impasto.offline.networks.impasto import ImpastoNetwork  # noqa: E402
from impasto.offline.networks.johnson import JohnsonNetwork  # noqa: E402
from impasto.offline.weights import NETWORKS, load_network, network_class, network_name, save_network  # noqa: E402


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "johnson.safetensors"
    save_network(JohnsonNetwork(width=0.125), path, about={"styles": ["wave"], "steps": 3})
    return path


def head(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["impasto"])


def rewrite(path: Path, **changes: Any) -> None:
    said = head(path) | changes
    save_file(load_file(path), path, {"impasto": json.dumps(said)})


def test_file_says_what_it_is(path: Path) -> None:
    assert head(path) == {
        "format": 1,
        "network": "johnson",
        "arguments": {"width": 0.125},
        "about": {"styles": ["wave"], "steps": 3},
    }
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file stays


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_is_a_network(name: str) -> None:
    network = network_class(name)(**({"styles": 2} if name == "dumoulin" else {}))
    assert network_name(network) == name
    assert type(network)(**network.arguments).state_dict().keys() == network.state_dict().keys()
    json.dumps(network.arguments)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def picture(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(1000))


def pickled(path: Path) -> None:
    torch.save({"a": torch.ones(1)}, path)


def foreign(path: Path) -> None:
    save_file({"a": torch.ones(1)}, path)


def other_words(path: Path) -> None:
    save_file({"a": torch.ones(1)}, path, {"impasto": "[]"})


def swapped(path: Path) -> None:
    save_file(ImpastoNetwork(size="tiny").state_dict(), path, {"impasto": json.dumps(head(path))})


def narrower(path: Path) -> None:
    rewrite(path, arguments={"width": 0.25})


def huge(path: Path) -> None:
    rewrite(path, arguments={"width": 1e6})


def nonsense(path: Path) -> None:
    rewrite(path, arguments={"breadth": "wide"})


def wrong_type(path: Path) -> None:
    rewrite(path, arguments={"width": "wide"})


def unknown(path: Path) -> None:
    rewrite(path, network="os:system")


def newer(path: Path) -> None:
    rewrite(path, format=2)


def not_a_number(path: Path) -> None:
    state = load_file(path)
    state["expand2.conv.weight"][0, 0, 0, 0] = float("nan")
    save_file(state, path, {"impasto": json.dumps(head(path))})


def gone(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "cut off or no safetensors"),
        (short, "cut off or no safetensors"),
        (empty, "cut off or no safetensors"),
        (picture, "cut off or no safetensors"),
        (pickled, "cut off or no safetensors"),
        (foreign, "is not of impasto"),
        (other_words, "is not of impasto"),
        (swapped, "is not the network of 'johnson' that it says: contract1.conv.weight does not fit"),
        (narrower, "is not the network of 'johnson' that it says"),
        (huge, "is not the network of 'johnson' that it says"),
        (nonsense, "cannot be built"),
        (wrong_type, "cannot be built"),
        (unknown, "unknown network 'os:system'"),
        (newer, "of a newer impasto"),
        (not_a_number, "expand2.conv.weight is not finite"),
        (gone, "does not exist"),
        (folder, "is a folder; mend: name the .safetensors file in it"),
    ],
)
def test_what_is_refused(path: Path, harm: Callable[[Path], None], words: str) -> None:
    harm(path)
    with pytest.raises(ModelError, match=words) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert "mend:" in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_network_than_expected(path: Path) -> None:
    assert load_network(path, expected="johnson").name == "johnson"
    with pytest.raises(ModelError, match="holds a network of 'johnson', not of 'dumoulin'; mend: "):
        load_network(path, expected="dumoulin")


def test_spoilt_network_is_not_written(path: Path) -> None:
    network, before = JohnsonNetwork(width=0.125), path.read_bytes()
    network.contract1.norm.bias.data[0] = float("inf")
    with pytest.raises(ModelError, match=r"is not written: contract1\.norm\.bias is not finite; mend: "):
        save_network(network, path)
    assert path.read_bytes() == before


def test_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ModelError, match="cannot be written: No space left on device; mend: "):
        save_network(DumoulinNetwork(styles=1, width=0.125), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written: No such file or directory; mend: "):
        save_network(JohnsonNetwork(width=0.125), tmp_path / "nowhere" / "n.safetensors")


def test_foreign_module_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a Linear cannot be saved; mend: "):
        save_network(torch.nn.Linear(1, 1), tmp_path / "n.safetensors")


def test_half_precision_files_load(path: Path) -> None:
    expected, said = load_file(path), head(path)
    save_file({k: v.half() for k, v in expected.items()}, path, {"impasto": json.dumps(said)})
    for key, value in load_network(path).network.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected[key], atol=1e-3, rtol=1e-3)
