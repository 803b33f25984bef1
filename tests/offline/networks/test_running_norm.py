"""Normalisation by running statistics."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from impasto.offline.networks.running_norm import RunningNorm  # noqa: E402


def drawn(n: int) -> torch.Tensor:
    return 5 + 2 * torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def test_start_leaves_no_trace() -> None:
    """Before 1 / momentum batches, the statistics are those of all that was seen, whatever it was cut into."""
    x = drawn(60)
    for size in (1, 4, 60):
        norm = RunningNorm(4, momentum=0.01).train()
        for batch in x.split(size):
            norm(batch)
        torch.testing.assert_close(norm.running_mean, x.mean(0))
        assert ((norm.running_var / x.var(0)) - 1).abs().max() < 0.1
        assert norm.num_batches_tracked == 60 // size


def test_batches_of_one_settle_at_the_variance() -> None:
    norm = RunningNorm(4).train()
    for row in drawn(3000).split(1):
        assert torch.isfinite(norm(row)).all()
    assert (norm.running_mean - 5).abs().max() < 0.6
    assert (norm.running_var / 4 - 1).abs().max() < 0.35


def test_training_and_use_agree() -> None:
    norm, x = RunningNorm(4), drawn(8)
    norm.train()(drawn(20))
    trained = norm(x)
    torch.testing.assert_close(norm.eval()(x), trained)
    mean = norm.running_mean.clone()
    norm(x + 100)
    assert torch.equal(norm.running_mean, mean)


def test_state_is_a_batch_norms() -> None:
    batch_norm, x = torch.nn.BatchNorm1d(4, affine=False), drawn(16)
    batch_norm.train()(x)
    norm = RunningNorm(4)
    norm.load_state_dict(batch_norm.state_dict(), strict=True)
    torch.testing.assert_close(norm.eval()(x), batch_norm.eval()(x))


def _half(rank: int, port: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    norm = RunningNorm(4).train()
    for batch in drawn(24).split(8):
        norm(batch[:3] if rank == 0 else batch[3:])
    torch.save(norm.state_dict(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_half, (port, str(tmp_path)), nprocs=2)
    whole = RunningNorm(4).train()
    for batch in drawn(24).split(8):
        whole(batch)
    for rank in range(2):
        for key, value in torch.load(tmp_path / f"{rank}.pt", weights_only=True).items():
            torch.testing.assert_close(value, whole.state_dict()[key])
