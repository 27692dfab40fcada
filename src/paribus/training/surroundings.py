"""What Lightning changes of the process, given back; and what it says, kept short."""

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def restored_flags() -> Iterator[None]:
    """Leave torch's switches as they were: Lightning sets those of its Trainer for good."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C stop training as KeyboardInterrupt: Lightning would exit, and be deaf to the next Ctrl-C."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise stop.__context__ from None


@contextmanager
def outside_slurm() -> Iterator[None]:
    """Let Lightning take this for no job of Slurm, which is what a job of this name is to it.

    Within one it queues the job again by itself on SIGUSR1, goes on from whatever `hpc_ckpt_*.ckpt` lies in its folder
    before it looks at the checkpoint that it is told of, and refuses numbers of tasks that are none of its business.
    """
    name = os.environ.get("SLURM_JOB_NAME")
    os.environ["SLURM_JOB_NAME"] = "interactive"
    try:
        yield
    finally:
        del os.environ["SLURM_JOB_NAME"]
        if name is not None:
            os.environ["SLURM_JOB_NAME"] = name


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners, tips and advice on DataLoader workers out of the output; its warnings of fault stay."""
    names = ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for advice in (
            "does not have many workers",
            "IterableDataset",
            "litlogger",
            "isinstance.treespec, LeafSpec",
            "sync_dist=True",
            "`?srun`? command is available",
        ):
            warnings.filterwarnings("ignore", message=f".*{advice}")
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
