"""The place of a process among those that train one run together, as torchrun or Slurm tell it. No torch."""

import os
from dataclasses import dataclass

from paribus.errors import UserError


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
        meeting = f"tcp://127.0.0.1:{15_000 + int(os.environ['SLURM_JOB_ID']) % 10_000}"
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
