"""Processes that train one run together: how they meet, and what Lightning is told of them.

Lightning's `ddp` starts processes by running the command again, which under Hydra is the whole sweep. Here a run's
processes are started from its own config (`followers.py`), or by torchrun or Slurm; what they compute is in
`families/division.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch.distributed.rendezvous import rendezvous

from paribus.errors import UserError
from paribus.ranks import Rank

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others at a step; longer than any step, validation or checkpoint."""
POLL = 0.05
WORD = "paribus trains"


@contextmanager
def together(rank: Rank, accelerator: str) -> Iterator[None]:
    """Let this process meet the others.

    Raises:
        UserError: not all are there.
    """
    if rank.world == 1:
        yield
        return
    backend = "nccl" if accelerator == "gpu" else "gloo"
    dist.init_process_group(
        backend, init_method=rank.meeting, rank=rank.number, world_size=rank.world, timeout=TIMEOUT,
        device_id=torch.device("cuda", rank.number) if accelerator == "gpu" else None,
    )  # fmt: skip
    try:
        if dist.get_world_size() != rank.world:
            raise UserError(f"{dist.get_world_size()} processes have met, expected trainer.devices={rank.world}")
        yield
    finally:
        dist.destroy_process_group()


def say_whether(rank: Rank, trains: bool) -> None:
    """Tell the other processes that a launcher started whether this one, which keeps the record, trains.

    What was said first stands.
    """
    if not word_of(rank).check([WORD]):
        word_of(rank).set(WORD, str(trains))


def hear_whether(rank: Rank) -> bool:
    """Whether the process that keeps the record trains, which then waits for this one; False if it is gone.

    Raises:
        TimeoutError: it has not said so for a long time.
    """
    try:
        store, end = word_of(rank), time.monotonic() + TIMEOUT.total_seconds()
        while not store.check([WORD]):  # it would wait by itself, but be deaf to signals
            if time.monotonic() > end:
                raise TimeoutError("process 0 of the run has not said whether it trains")
            time.sleep(POLL)
        return store.get(WORD) == str(True).encode()
    except dist.DistError:
        return False


@cache
def word_of(rank: Rank) -> dist.Store:
    """Where processes that a launcher started leave word for one another, once all are there; it ends with process 0.

    Raises:
        RuntimeError: not all have come for a long time.
    """
    store, *_ = next(rendezvous(rank.meeting, rank.number, rank.world, timeout=TIMEOUT))
    return store


def of_rank_zero(rank: Rank, value: Any) -> Any:
    """What process 0 says."""
    if rank.world == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


class Together(DDPStrategy):
    """Lightning's strategy for processes that have met, without its wrapper.

    The wrapper averages gradients once a call of the module, whatever their share of the minibatch; a family calls its
    parts many times a batch, in phases that move some of the parameters each, and averages by itself.
    """

    def configure_ddp(self) -> None:
        """Wrap nothing. All processes have the same weights: those of the seed, or of one checkpoint."""


class Met(LightningEnvironment):
    """Tells Lightning that the processes are there.

    Args:
        rank: of this one.
    """

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self._rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        """They are there."""
        return True

    def local_rank(self) -> int:
        """The place of this process on its machine, which is that of all."""
        return self._rank.number

    def node_rank(self) -> int:
        """There is one machine."""
        return 0

    def teardown(self) -> None:
        """Leave the environment as it is."""


def options(rank: Rank, devices: int) -> dict[str, Any]:
    """What Lightning's Trainer is to be told of the processes."""
    if rank.world == 1:
        return {"devices": 1}
    return {
        "devices": devices,
        "strategy": Together(timeout=TIMEOUT),
        "plugins": [Met(rank)],
        "use_distributed_sampler": False,  # which would take rows from the validation part
    }
