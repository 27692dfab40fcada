"""The other processes of a run: started from its own config, or by a launcher, they train with the one that records.

A process that follows builds the same data and family, of the same streams, and takes its share of every step. It
holds no claim, writes no record and logs nowhere.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.distributed as dist

from paribus.build import build_data, build_family, build_training
from paribus.curves import Curves
from paribus.errors import UserError
from paribus.ranks import Rank, launched
from paribus.training import Training

PATIENCE = 10.0
"""Seconds that the others have to end by themselves when this process has."""


class RankFailed(RuntimeError):
    """Another process of a run has ended before it should; its message says how."""


class _Follower:
    """A process that this one has started.

    Attributes:
        process: it.
        receiving: where it tells that it is ready, and what goes wrong.
    """

    def __init__(self, rank: Rank, config: Mapping[str, Any], folder: Path) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share what CUDA and threads must not
        self.rank = rank
        self.receiving, sending = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=_follow, args=(rank, config, folder, sending), name=f"rank {rank.number} of {folder.name}"
        )
        self.process.start()
        sending.close()

    def await_ready(self) -> None:
        """Come back when it is ready to train.

        Raises:
            RankFailed: it has ended.
        """
        wait([self.receiving, self.process.sentinel])
        if said := self.failure():
            raise RankFailed(said)

    def failure(self) -> str:
        """How it ended, if that was not as it should; else empty."""
        said = ""
        try:
            while self.receiving.poll():
                said = self.receiving.recv()
        except EOFError:
            self.process.join(PATIENCE)
        code = self.process.exitcode
        if not said and not code:
            return ""
        how = said or (f"was ended by signal {-code}" if code and code < 0 else f"exited with code {code}")
        return f"process {self.rank.number} of {self.rank.world} {how}"

    def end(self, patience: float) -> None:
        """Let it end, or end it."""
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.receiving.close()


@contextmanager
def followed(training: Training, config: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Let this process, which records the run, train with as many others as `training` says.

    Raises:
        RankFailed: one of them failed.
        UserError: a launcher has started another number of processes.
    """
    rank = launched()
    _refuse_other_number(rank, training)
    if training.devices == 1 or rank.world > 1:
        training.rank = rank
        yield
        return
    with tempfile.TemporaryDirectory(prefix="paribus-") as meeting:
        ranks = [Rank(number, training.devices, f"file://{meeting}/ranks") for number in range(training.devices)]
        followers: list[_Follower] = []
        patience = 0.0
        try:
            followers += (_Follower(each, config, folder) for each in ranks[1:])
            for follower in followers:
                follower.await_ready()
            training.rank = ranks[0]
            yield
            patience = PATIENCE
        except RuntimeError as error:
            if _is_of_another(error) and (said := _first_failure(followers)):
                raise RankFailed(said) from error
            raise
        finally:
            for follower in followers:
                follower.end(patience)


def _is_of_another(error: RuntimeError) -> bool:
    """Whether an error says that this process can no longer talk to another."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _first_failure(followers: Sequence[_Follower]) -> str:
    wait([follower.process.sentinel for follower in followers], PATIENCE)
    return next(filter(None, (follower.failure() for follower in followers)), "")


def _follow(rank: Rank, config: Mapping[str, Any], folder: Path, sending: Connection) -> None:
    """The life of a process that was started to follow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        follow(rank, config, folder, lambda: sending.send(""))
    except Exception as error:
        sending.send(f"failed: {type(error).__name__}: {error}")
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def follow(rank: Rank, config: Mapping[str, Any], folder: Path, ready: Callable[[], None] = lambda: None) -> None:
    """Train as one of several processes of a run, and leave nothing.

    Args:
        rank: of this process.
        config: of the run, plain and resolved.
        folder: of the run, where its checkpoint may be.
        ready: called when there is nothing left to do but to train.

    Raises:
        UserError: a launcher has started another number of processes.
    """
    training = build_training(config)
    _refuse_other_number(rank, training)
    training.rank = rank
    training.demand_devices()
    data = build_data(config)
    data.setup()
    family = build_family(config, data)
    ready()
    training.fit(family, data, folder, Curves(), [], progress=False)


def _refuse_other_number(rank: Rank, training: Training) -> None:
    if rank.world not in (1, training.devices):
        raise UserError(
            f"torchrun or srun started {rank.world} processes, and trainer.devices is {training.devices}: expected as "
            f"many, trainer=ddp trainer.devices={rank.world}"
        )
