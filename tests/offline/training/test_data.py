"""Sources of training pictures, what is held out, what is left out."""

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.errors import OptionError, PictureError
from impasto.offline.album import Album
from impasto.offline.data import Entry, decode, held_out, index, split


def jpeg(colour: tuple[int, int, int] = (200, 40, 90), size: tuple[int, int] = (40, 30), **more: object) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "JPEG", quality=95, **more)
    return data.getvalue()


def shard(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A folder with pictures, a folder in it, hidden files, text, and a shard; beside it a list."""
    root = tmp_path / "all"
    (root / "deep" / ".hidden").mkdir(parents=True)
    (root / "b.jpg").write_bytes(jpeg())
    (root / "deep" / "a.PNG").write_bytes(jpeg())
    (root / "deep" / ".hidden" / "x.jpg").write_bytes(jpeg())
    (root / "._b.jpg").write_bytes(b"")
    (root / "notes.md").write_text("no picture")
    shard(root / "s.tar", {"one.jpg": jpeg((1, 2, 3)), "one.json": b"{}", "sub/two.jpg": jpeg((250, 9, 9))})
    (tmp_path / "list.txt").write_text("# pictures\n\nall/b.jpg\nall/s.tar\nmissing.jpg\n")
    return root


def test_all_kinds_of_sources(everything: Path) -> None:
    found = index([everything], "--content")
    assert [e.name for e in found.entries] == ["b.jpg", "a.PNG", "one.jpg", "two.jpg"]
    assert found.troubles == ()
    listed = index([everything.parent / "list.txt"], "--content")
    assert [e.name for e in listed.entries] == ["b.jpg", "one.jpg", "two.jpg"]
    assert listed.troubles == ("missing.jpg: listed in list.txt, does not exist",)
    mixed = index([everything / "s.tar", everything / "b.jpg"], "--content")
    assert [e.name for e in mixed.entries] == ["one.jpg", "two.jpg", "b.jpg"]


def test_a_picture_in_a_shard_is_read_where_it_lies(everything: Path) -> None:
    two = next(e for e in index([everything], "--style").entries if e.name == "two.jpg")
    assert two.read() == jpeg((250, 9, 9))


def test_a_fingerprint_knows_names_not_places(everything: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    everything.rename(moved)
    here = index([moved], "--style").fingerprint
    assert here == index([moved], "--style").fingerprint
    (moved / "c.jpg").write_bytes(jpeg())
    assert index([moved], "--style").fingerprint != here


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: None, OptionError, r"--style .*it does not exist; mend: check the name"),
        (lambda p: p.mkdir(), PictureError, r"--style .*it: no picture in it; mend: name a folder with"),
    ],
)
def test_sources_of_no_use(tmp_path: Path, make: object, error: type[Exception], message: str) -> None:
    make(tmp_path / "it")  # type: ignore[operator]
    with pytest.raises(error, match=message):
        index([tmp_path / "it"], "--style")


def test_no_source() -> None:
    with pytest.raises(OptionError, match="--content is not given; name folders"):
        index([], "--content")


def test_packed_shards_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as tar:
        tar.add(__file__, "a.jpg")
    with pytest.raises(OptionError, match=r"s.tar.gz is no plain tar file .*; mend: unpack it"):
        index([tmp_path / "s.tar.gz"], "--content")


def test_a_shard_that_is_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, "PNG")
    whole = shard(tmp_path / "s.tar", {f"{i}.png": data.getvalue() for i in range(3)})
    whole.write_bytes(whole.read_bytes()[: 2 * (len(data.getvalue()) + 1024) + 3000])
    found = index([whole], "--content")
    album = Album(found.entries, side=32, room=1 << 20)
    pictures = album.draw(range(len(found.entries)))
    assert len(pictures) == 2
    assert np.array_equal(*pictures)
    assert found.troubles == ("s.tar: damaged after 2 pictures (unexpected end of data)",)
    assert album.unreadable() == []
    album.close()


def test_one_name_in_twenty_is_held_out() -> None:
    assert held_out("coco__000042-000014ffee.jpg")  # 0x000014 is 20
    assert not held_out("coco__000042-000015ffee.jpg")
    assert held_out("a/b/x-000028.png") == held_out("x-000028.jpeg") is True
    plain = [f"name{i}.jpg" for i in range(4000)]
    assert [held_out(n) for n in plain[:50]] == [zlib.crc32(n[:-4].encode()) % 20 == 0 for n in plain[:50]]
    assert 140 < sum(map(held_out, plain)) < 260


def test_what_is_held_out_is_not_trained_on() -> None:
    entries = [Entry(f"x-{i:06x}.jpg", Path("x")) for i in range(100)]
    kept, seen = split(entries)
    assert [e.name for e in seen] == [f"x-{i:06x}.jpg" for i in range(0, 100, 20)]
    assert len(kept) == 95
    assert not set(kept) & set(seen)
    few = entries[:5]
    assert split(few) == (few, few)


def test_pictures_are_upright_small_and_srgb() -> None:
    turned = Image.new("RGB", (60, 20), (255, 0, 0))
    turned.paste((0, 0, 255), (0, 0, 30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    data = io.BytesIO()
    turned.save(data, "JPEG", quality=95, subsampling=0, exif=exif)
    made = decode(data.getvalue(), 10)
    assert made.shape == (20, 10, 3)  # twice as long as wide, the rest cut off equally
    assert made.dtype == np.uint8
    assert made[1, 5, 2] > 200
    assert made[-2, 5, 0] > 200
    assert decode(data.getvalue(), 500).shape == (40, 20, 3)


def test_rare_kinds_come_out_alike() -> None:
    values = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)
    values = np.asarray(Image.fromarray(values).resize((70, 60), Image.Resampling.BICUBIC))
    whole = Image.fromarray(values)
    results = []
    for kind, image in (("PNG", whole), ("TIFF", whole), ("PNG", whole.convert("RGBA")), ("WEBP", whole)):
        data = io.BytesIO()
        image.save(data, kind, **({"lossless": True} if kind == "WEBP" else {}))
        results.append(decode(data.getvalue(), 100))
    assert all(np.array_equal(r, values) for r in results)
    grey = io.BytesIO()
    whole.convert("L").save(grey, "PNG")
    assert decode(grey.getvalue(), 30).shape == (30, 35, 3)


def test_an_album_stands_in_for_what_cannot_be_read(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg((60 * number, 0, 0)))
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xffnothing")
    (tmp_path / "2.jpg").unlink()
    entries = [Entry(f"{i}.jpg", tmp_path / f"{i}.jpg") for i in range(4)]
    for room in (1 << 20, 0):  # with all pictures kept, and with none
        album = Album(entries, side=16, room=room)
        drawn = album.draw([1, 0, 2, 3])
        assert [int(p[0, 0, 0]) // 50 for p in drawn] == [3, 0, 3, 3]
        album.draw([1])
        while not album.settled():
            pass
        assert [text.partition(":")[0] for text in album.unreadable()] == ["1.jpg", "2.jpg"]
        assert album.smaller_than(16) == 0
        album.close()


def test_a_small_album_room_is_not_passed(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg((40 * number, 0, 0)))
    entries = [Entry(f"{i}.jpg", tmp_path / f"{i}.jpg") for i in range(6)]
    album = Album(entries, side=30, room=2 * 30 * 40 * 3)
    drawn = album.draw(range(6))
    assert [round(int(p[0, 0, 0]) / 40) for p in drawn] == list(range(6))
    while not album.settled():
        pass
    assert album.room == 0
    album.close()
