"""How much memory is free, and how much runs that are trained together take."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch

from paribus.data.contract import InMemoryData
from paribus.errors import stopped
from paribus.job import Run

STATE_COPIES = 6
"""Copies of the parameters in memory: the family's own, the matrix, its gradient, the optimizer's state."""
UNKNOWN = 4 * 2**30
"""Bytes, where the system does not say."""
CGROUP_FILES = {
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "": ("memory.max", "memory.current", "inactive_file"),
}
"""By the controller that `/proc/self/cgroup` names, of version 1 or 2: the limit, what is used, what of it is cache."""


def free_memory(accelerator: str) -> int:
    """Bytes that this process may still take, where training happens."""
    free = min([_available(Path("/proc/meminfo")), *_below_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])
    return min(free, torch.cuda.mem_get_info()[0]) if accelerator == "gpu" else free


def state_bytes(run: Run, others: Sequence[InMemoryData]) -> int:
    """What a prepared run keeps in memory while it is trained: data that it does not share, weights and their like."""
    assert run.family is not None
    parameters = sum(parameter.nbytes for parameter in run.family.parameters())
    if any(run.data is other for other in others):
        return STATE_COPIES * parameters
    return STATE_COPIES * parameters + sum(rows.nbytes for part in run.data.parts.values() for rows in part.values())


def step_bytes(run: Run) -> int:
    """What a step of a prepared run takes: what is kept for the way back, and as much again for its gradients.

    Neither the run's weights nor its streams change. 0 where a step fails, which training will tell.
    """
    family, training = deepcopy(run.family), run.training
    kept: dict[int, int] = {}
    assert family is not None

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    try:
        loader = training.loader(run.data, lambda: 0)
        family.begin(training.steps_for(run.data), loader.batch_size, training.clip_norm)
        (batch,) = loader.chunk(range(1))
        noise = family.noise.at(0, like=batch["x"])
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            losses = [phase.loss(batch, noise) for phase in family.phases]
        del losses  # only now: memory that is given back is used again, and would count once
    except Exception as error:
        if stopped(error):
            raise
        return 0
    return 2 * sum(kept.values())


def _available(meminfo: Path) -> int:
    """What the machine has."""
    try:
        lines = meminfo.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return UNKNOWN


def _below_limits(own: Path, root: Path) -> list[int]:
    """What the control groups that hold this process leave it: containers, batch systems and services set such limits.

    Args:
        own: lists the groups of this process.
        root: the file system of groups. In a container it shows the container's group as the topmost.
    """
    try:
        entries = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    free = []
    for _, controllers, path in entries:
        controller = next((name for name in controllers.split(",") if name in CGROUP_FILES), None)
        if controller is not None:
            group = root / controller / path.lstrip("/")
            folders = [folder for folder in (group, *group.parents) if folder.is_relative_to(root / controller)]
            free += [left for folder in folders if (left := _left(folder, *CGROUP_FILES[controller])) is not None]
    return free


def _left(folder: Path, limit: str, used: str, cache: str) -> int | None:
    """What a group may still take; None where it has no limit."""
    try:
        allowed, taken = int((folder / limit).read_text()), int((folder / used).read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, allowed - taken + int(counts.get(cache, 0)))
    except (OSError, ValueError):  # no such file; or the limit is the word max
        return None
