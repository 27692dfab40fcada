"""The processes that train one run together: who they are, how they meet, and what Lightning is told of them.

Lightning's `ddp` starts processes by running the command again, which under Hydra is the whole sweep. Here a run's
processes are started from its own config (`followers.py`), or by torchrun or Slurm; what they compute is in
`families/division.py`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment
from pytorch_lightning.strategies import DDPStrategy

from paribus.errors import UserError

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others at a step; longer than any step, validation or checkpoint."""


@dataclass(frozen=True)
class Rank:
    """The place of this process among those that train a run.

    Attributes:
        number: from 0; number 0 keeps the record.
        world: how many there are.
        meeting: where they find one another, as `torch.distributed` takes it.
    """

    number: int = 0
    world: int = 1
    meeting: str = ""


ALONE = Rank()


def launched() -> Rank:
    """The place that torchrun or Slurm's `srun` gave to this process; `ALONE` where neither started several.

    Raises:
        UserError: they started processes on several machines.
    """
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS")  # of `srun`: a batch script alone is one process, whatever is asked
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        rank, world, here = (int(os.environ.get(name, 1)) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        here = here if "LOCAL_WORLD_SIZE" in os.environ else world
        meeting = "env://"
    elif tasks is not None and int(tasks) > 1:
        rank, world = int(os.environ["SLURM_PROCID"]), int(tasks)
        here = world if os.environ.get("SLURM_STEP_NUM_NODES", "1") == "1" else 1
        meeting = f"tcp://127.0.0.1:{SLURMEnvironment().main_port}"
    else:
        return ALONE
    if here != world:
        raise UserError(f"a launcher started {world} processes, {here} of them here: a run's are of one machine")
    return ALONE if world == 1 else Rank(rank, world, meeting)


def refuse_sweep() -> None:
    """Refuse a sweep in each of several processes that a launcher started.

    Raises:
        UserError: this is one of several.
    """
    rank = launched()
    if rank.world > 1:
        raise UserError(
            f"this is process {rank.number} of {rank.world} that torchrun or srun started, and each would run the "
            "whole sweep; start it once, without them. Runs of several processes start theirs themselves: "
            "trainer=ddp trainer.devices=N"
        )


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
