"""The check of fork health: a fork of the zygote computes before tests run in a fork."""

from __future__ import annotations

from sprintest.modules._cache import cache
from sprintest.process._own import library


def check_fork_health() -> None:
    """Run small numpy and torch operations on every thread that a run would have.

    A fork of a process whose thread pools do not survive a fork hangs here, or dies. The caller sets a
    deadline.
    """
    with cache.in_sight():  # Libraries in C import other modules.
        _compute()


def _compute() -> None:
    numpy = library("numpy")
    if numpy is not None:
        square = numpy.ones((128, 128))
        assert (square @ square)[0, 0] == 128
    torch = library("torch")
    if torch is None:
        return
    from sprintest.preload._preload import Preloader

    torch.set_num_threads(Preloader.torch_threads)
    # Large enough to be shared among threads: a parallel region's grain is 32768 elements.
    matrix = torch.ones(512, 512, requires_grad=True)
    torch.nn.functional.layer_norm(matrix @ matrix, (512,)).sum().backward()
    assert not torch.cuda._is_in_bad_fork()
