"""A run: what it leaves behind, how it ends, how it goes on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import ModelError, OptionError, PictureError
from impasto.events import Started, Trained, Update
from impasto.offline.data import held_out
from impasto.offline.trainer import train
from impasto.offline.weights import load_network

from .conftest import Make
from .tiny import TinyNetwork, finish, losses, notices


def test_a_run_from_beginning_to_end(options: Make) -> None:
    asked = options(sheet_every=5, steps=12, log_every=3)
    done, events = finish(train("tiny", asked))
    assert events[0] == Started("tiny", (32, 32), 12)
    updates = [event for event in events if isinstance(event, Update)]
    assert [u.step for u in updates] == list(range(1, 13))
    assert updates[0].losses.keys() == {"likeness", "calm", "total"}
    assert updates[0].losses["total"] == pytest.approx(updates[0].losses["likeness"] + updates[0].losses["calm"])
    assert updates[-1].losses["total"] < updates[0].losses["total"]
    assert updates[-1].images_per_second > 0
    assert (done.ended, done.step, done.skipped, done.unreadable) == ("done", 12, 0, 0)
    assert {p.name for p in asked.out.iterdir()} - {"tensorboard"} == {
        ".running", "checkpoint-8.pt", "checkpoint-12.pt", "log.jsonl", "sheets", "tiny.safetensors",
    }  # fmt: skip
    assert {p.name for p in (asked.out / "sheets").iterdir()} == {"5.jpg", "10.jpg", "12.jpg"}
    assert [step for step, _ in losses(asked.out)] == [3, 6, 9, 12]


def test_a_line_of_the_log_is_the_mean_since_the_last(options: Make) -> None:
    asked = options(log_every=4)
    _, events = finish(train("tiny", asked))
    seen = [event.losses["total"] for event in events if isinstance(event, Update)]
    assert [loss for _, loss in losses(asked.out)] == pytest.approx([np.mean(seen[i : i + 4]) for i in (0, 4, 8)])


def test_the_finished_network_is_the_moving_average(options: Make) -> None:
    asked = options(ema=0.9, seed=3)
    done, _ = finish(train("tiny", asked))
    assert done.network is not None
    loaded = load_network(done.network)
    saved = torch.load(done.checkpoint, weights_only=True)
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, saved["ema"][name])
    assert not torch.equal(saved["ema"]["first.weight"], saved["network"]["first.weight"])
    assert loaded.about["of"] == "the tests"
    assert loaded.about["updates"] == 12
    assert loaded.about["training"]["seed"] == 3
    assert not {"content", "style", "out"} & loaded.about["training"].keys()


def test_without_a_moving_average_the_weights_themselves_are_kept(options: Make) -> None:
    done, _ = finish(train("tiny", options(ema=0, steps=3)))
    saved = torch.load(done.checkpoint, weights_only=True)
    assert torch.equal(saved["ema"]["first.weight"], saved["network"]["first.weight"])


def test_the_moving_average_and_the_step_by_hand(options: Make) -> None:
    """One update: Adam's first step is the rate in the direction of each gradient, the average is half of it."""
    asked = options(steps=1, warmup=0, clip=0, rate=1e-3, ema=0.999)
    torch.manual_seed(asked.seed)
    start = TinyNetwork().first.weight.detach().clone()
    done, _ = finish(train("tiny", asked))
    saved = torch.load(done.checkpoint, weights_only=True)
    moved = saved["network"]["first.weight"] - start
    assert moved.abs().max() == pytest.approx(1e-3, rel=1e-3)
    assert torch.allclose(saved["ema"]["first.weight"] - start, moved / 2, atol=1e-7)


@pytest.mark.parametrize("stopped_at", [3, 7, 8])
def test_a_run_with_a_late_stage_goes_on_exactly(options: Make, tmp_path: Path, stopped_at: int) -> None:
    whole = options(out=tmp_path / "whole", late=0.3)
    _, events = finish(train("tiny", whole))
    assert notices(events)[0] == "10 of 10 photographs are smaller than the crops of 48 pixels and enlarged"
    parts = options(out=tmp_path / "parts", late=0.3)
    stop = threading.Event()
    for event in train("tiny", parts, stop=stop):
        if isinstance(event, Update) and event.step == stopped_at:
            stop.set()
    finish(train("tiny", parts))
    assert losses(parts.out) == losses(whole.out)
    assert losses(whole.out)[:8] == losses(early(options, tmp_path))[:8]
    assert losses(whole.out)[8:] != losses(early(options, tmp_path))[8:]
    same(whole.out, parts.out)


def early(options: Make, folder: Path) -> Path:
    """A run without a late stage."""
    finish(train("tiny", options(out=folder / "early")))
    return folder / "early"


def test_a_checkpoint_from_before_an_option_was_there_goes_on(options: Make) -> None:
    done, _ = finish(train("tiny", options(steps=8)))
    saved = torch.load(done.checkpoint, weights_only=True)
    for name in ("late", "late_crop", "compile"):
        del saved["options"][name]
    torch.save(saved, done.checkpoint)
    assert finish(train("tiny", options(steps=9)))[0].step == 9
    torch.save(saved, done.checkpoint)
    (options().out / "checkpoint-9.pt").unlink()
    with pytest.raises(OptionError, match=r"with --late 0.0, not 0.5; mend: give --late 0.0, or another --out"):
        finish(train("tiny", options(steps=9, late=0.5)))


def test_compiling_is_refused_where_there_is_no_gpu(options: Make) -> None:
    with pytest.raises(OptionError, match="--compile is for a GPU, this run is on the cpu; mend: leave it out"):
        finish(train("tiny", options(compile=True)))
    assert not options().out.exists()


def test_an_update_that_is_left_out_leaves_no_trace_in_batch_norms(options: Make) -> None:
    done, _ = finish(train("tiny", options(steps=3, spoil=(1,))))
    saved = torch.load(done.checkpoint, weights_only=True)
    assert saved["network"]["norm.num_batches_tracked"] == 2


def test_held_out_pictures_that_cannot_be_read_are_stood_in_for(options: Make, tmp_path: Path, photos: Path) -> None:
    """Sheets must not end a run over them."""
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    names = [f"q{number:03d}.jpg" for number in range(60)]
    assert any(held_out(name) for name in names)
    good = (photos / "p00.jpg").read_bytes()
    for name in names:
        (mixed / name).write_bytes(b"no picture" if held_out(name) else good)
    done, _ = finish(train("tiny", options(content=(mixed,), steps=2)))
    assert done.ended == "done"
    assert (options().out / "sheets" / "2.jpg").exists()


@pytest.mark.parametrize("stopped_at", [1, 4, 6])
def test_a_stopped_run_goes_on_exactly(options: Make, tmp_path: Path, stopped_at: int) -> None:
    whole = options(out=tmp_path / "whole", log_every=3, spoil=(5,))
    finish(train("tiny", whole))
    parts = options(out=tmp_path / "parts", log_every=3, spoil=(5,))
    stop = threading.Event()
    events = []
    for event in train("tiny", parts, stop=stop):
        events.append(event)
        if isinstance(event, Update) and event.step == stopped_at:
            stop.set()
    first = events[-1]
    assert isinstance(first, Trained)
    assert (first.ended, first.network, first.step) == ("stop", None, stopped_at + 1)
    assert first.checkpoint.exists()
    done, events = finish(train("tiny", parts))
    assert notices(events) == [f"{parts.out}: goes on after update {stopped_at + 1} of 12"]
    assert losses(parts.out) == losses(whole.out)
    assert done.skipped == 1
    same(whole.out, parts.out)


def test_a_time_limit_saves_and_ends(options: Make) -> None:
    asked = options(time_limit="0.01s", steps=500)
    done, _ = finish(train("tiny", asked))
    assert (done.ended, done.network) == ("time", None)
    assert 1 <= done.step < 500
    assert done.checkpoint.exists()


def test_more_steps_go_on_and_a_finished_run_says_so(options: Make) -> None:
    finish(train("tiny", options(steps=4)))
    done, events = finish(train("tiny", options(steps=4)))
    assert notices(events) == [f"{options().out}: finished already; give more --steps to go on"]
    assert done.network is not None
    assert done.network.exists()
    done, _ = finish(train("tiny", options(steps=6)))
    assert done.step == 6
    with pytest.raises(OptionError, match="with --steps 6, not 5"):
        finish(train("tiny", options(steps=5)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.5}, r"holds a run with --rate 0.001, not 0.5; mend: give --rate 0.001, or another --out"),
        ({"batch": 2}, "with --batch 4, not 2"),
        ({"seed": 1}, "with --seed 0, not 1"),
    ],
)
def test_another_run_in_the_folder(options: Make, change: dict[str, object], message: str) -> None:
    finish(train("tiny", options(steps=4)))
    before = {p: p.read_bytes() for p in options().out.glob("*.*")}
    with pytest.raises(OptionError, match=message):
        finish(train("tiny", options(**{"steps": 6, **change})))
    assert {p: p.read_bytes() for p in options().out.glob("*.*")} == before


def test_other_pictures_in_the_folder(options: Make, photos: Path) -> None:
    finish(train("tiny", options(steps=4)))
    with pytest.raises(OptionError, match=r"with something else in --style; mend: give the same"):
        finish(train("tiny", options(steps=6, style=(photos / "p00.jpg",))))


def test_an_update_without_a_finite_loss_is_left_out(options: Make) -> None:
    asked = options(spoil=(2, 5))
    done, events = finish(train("tiny", asked))
    assert done.skipped == 2
    assert [u.step for u in events if isinstance(u, Update)] == list(range(1, 13))
    loaded = load_network(asked.out / "tiny.safetensors")
    assert all(t.isfinite().all() for t in loaded.network.state_dict().values())
    lines = [json.loads(line) for line in (asked.out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" not in line] == [3, 6]


def test_a_run_that_diverges_ends_and_keeps_its_checkpoint(options: Make) -> None:
    asked = options(spoil=tuple(range(6, 30)), steps=30, checkpoint_every=5)
    with pytest.raises(OptionError, match=r"no finite loss or gradient for 10 updates up to 16; mend: a --rate below"):
        finish(train("tiny", asked))
    newest = torch.load(asked.out / "checkpoint-15.pt", weights_only=True)
    assert all(t.isfinite().all() for t in newest["network"].values())
    assert not (asked.out / "tiny.safetensors").exists()


def test_a_folder_that_is_in_use(options: Make) -> None:
    events = train("tiny", options())
    next(events)
    with pytest.raises(OptionError, match="is in use by another run"):
        finish(train("tiny", options()))
    events.close()  # type: ignore[attr-defined]
    finish(train("tiny", options(steps=1)))


def test_a_folder_that_cannot_be(options: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OptionError, match=r"--out .*file/run cannot be written \(Not a directory\); mend: name another"
    ):
        finish(train("tiny", options(out=tmp_path / "file" / "run")))


def test_unreadable_pictures_are_left_out_counted_and_listed(options: Make, tmp_path: Path, photos: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number in range(4):
        (mixed / f"p{number}.jpg").write_bytes((photos / f"p{number:02d}.jpg").read_bytes())
    (mixed / "cut.jpg").write_bytes((photos / "p05.jpg").read_bytes()[:400])
    (mixed / "text.png").write_text("no picture")
    asked = options(content=(mixed,), steps=2)
    done, events = finish(train("tiny", asked))
    (said,) = notices(events)
    assert said.startswith("2 of 13 pictures cannot be read and are left out: cut.jpg: ")
    assert done.unreadable == 2
    listed = [json.loads(line) for line in (asked.out / "log.jsonl").read_text().splitlines()]
    (named,) = [line["unreadable"] for line in listed if "unreadable" in line]
    assert [text.partition(":")[0] for text in named] == ["cut.jpg", "text.png"]
    finish(train("tiny", options(content=(mixed,), steps=3)))
    assert (asked.out / "log.jsonl").read_text().count("unreadable") == 1


def test_no_readable_picture(options: Make, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(PictureError, match=r"not one of 1 pictures can be read \(a.jpg: .*\); mend: name other"):
        finish(train("tiny", options(style=(tmp_path / "a.jpg",))))


def test_pictures_smaller_than_the_crop_are_said(options: Make, tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 24, 3), 90, np.uint8)).save(tmp_path / "small.png")
    _, events = finish(train("tiny", options(style=(tmp_path / "small.png",), steps=2)))
    assert notices(events) == ["the painting is smaller than the crops of 32 pixels and enlarged"]


def test_wrong_recipes_and_options(options: Make) -> None:
    with pytest.raises(OptionError, match="there is no training for 'monet'; choose one of: johnson"):
        train("monet", options())
    with pytest.raises(OptionError, match="tiny takes TinyTrainOptions, not Foreign"):
        from impasto.offline.recipe import TrainOptions

        class Foreign(TrainOptions):
            pass

        train("tiny", Foreign())


def test_the_program_s_own_random_numbers_stay(options: Make) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    finish(train("tiny", options(steps=2)))
    assert torch.equal(torch.rand(3), expected)


def test_a_full_disk_keeps_what_there_is(options: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    finish(train("tiny", options(steps=8)))
    before = {p.name: p.read_bytes() for p in options().out.glob("checkpoint-*.pt")}
    real = os.fsync

    def full(handle: int) -> None:
        if os.fstat(handle).st_size > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match=r"checkpoint-12.pt cannot be written.*No space left on device.*; mend: "):
        finish(train("tiny", options(steps=12)))
    assert {p.name: p.read_bytes() for p in options().out.glob("*checkpoint-*")} == before


def same(one: Path, other: Path) -> None:
    """The same weights in both finished runs, bit for bit."""
    pair = [load_network(run / "tiny.safetensors").network.state_dict() for run in (one, other)]
    for name, tensor in pair[0].items():
        assert torch.equal(tensor, pair[1][name]), name


def test_a_parameter_moves_at_its_own_pace(options: Make) -> None:
    moved = {}
    for pace in (0.0, 0.5, 1.0):
        asked = options(pace=pace, steps=1, warmup=0, clip=0.0, ema=0.999)
        done, _ = finish(train("tiny", asked))
        saved = torch.load(done.checkpoint, weights_only=True)
        groups = {group["pace"]: group["lr"] for group in saved["optimiser"]["param_groups"]}
        assert groups[pace] == pytest.approx(pace * groups[1.0])
        moved[pace] = (saved["network"]["first.weight"], saved["network"]["last.weight"])
        for path in asked.out.glob("checkpoint-*.pt"):
            path.unlink()
    still, half, whole = (moved[pace][0] for pace in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half - still, (whole - still) / 2, rtol=1e-3, atol=1e-7)
    assert (whole - still).abs().max() > 1e-4
    assert torch.equal(moved[0.0][1], moved[1.0][1])


def test_a_checkpoint_from_before_there_were_paces_goes_on(options: Make, tmp_path: Path) -> None:
    done, _ = finish(train("tiny", options(steps=4)))
    saved = torch.load(done.checkpoint, weights_only=True)
    for group in saved["optimiser"]["param_groups"]:
        del group["pace"]
    torch.save(saved, done.checkpoint)
    later, _ = finish(train("tiny", options(steps=6)))
    unbroken, _ = finish(train("tiny", options(steps=6, out=tmp_path / "unbroken")))
    assert later.step == 6
    assert later.losses.keys() == unbroken.losses.keys()


def test_a_network_to_begin_with_is_known_by_what_is_in_it(options: Make, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a network")
    other.write_bytes(b"a network")
    finish(train("tiny", options(steps=4, start=one)))
    done, _ = finish(train("tiny", options(steps=6, start=other)))
    assert done.step == 6
    other.write_bytes(b"another network")
    with pytest.raises(OptionError, match="with something else in --start"):
        finish(train("tiny", options(steps=8, start=other)))
