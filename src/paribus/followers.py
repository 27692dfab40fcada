"""The other processes of a run: started from its own config, or by a launcher, they train with the one that records.

A process that follows builds the same data and family, of the same streams, and takes its share of every step. It
holds no claim, writes no record and logs nowhere.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch.distributed as dist

from paribus.build import build_data, build_family, build_training
from paribus.errors import UserError
from paribus.ranks import Rank, launched
from paribus.training import Training
from paribus.training.curves import Curves
from paribus.training.processes import hear_whether, say_whether, word_of

PATIENCE = 10.0
"""Seconds that the others have to end by themselves when this process has."""
READY = "ready\n"


class RankFailed(RuntimeError):
    """Another process of a run has ended before it should; its message says how."""


class _Follower:
    """A process that this one has started: a fresh interpreter, since neither CUDA nor threads survive a fork.

    It is given its task through its input, whose end tells it that this process is gone; it says through its output
    that it is ready, or how it failed.
    """

    def __init__(self, rank: Rank, config: Mapping[str, Any], folder: Path) -> None:
        self.rank = rank
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paribus.followers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            text=True,
        )
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"rank": asdict(rank), "config": config, "folder": str(folder)}) + "\n")
        self.process.stdin.flush()

    def await_ready(self) -> None:
        """Come back when it is ready to train.

        Raises:
            RankFailed: it has ended.
        """
        assert self.process.stdout
        said = self.process.stdout.readline()
        if said != READY:
            self.process.wait()
            raise RankFailed(self.failure(said))

    def failure(self, said: str = "") -> str:
        """How it ended, if it did and not as it should; else empty. `said`: what it has told already."""
        code = self.process.poll()
        if not code:
            return ""
        assert self.process.stdout
        said = (said + self.process.stdout.read()).strip()
        how = said or (f"was ended by signal {-code}" if code < 0 else f"exited with code {code}")
        return f"process {self.rank.number} of {self.rank.world} {how}"

    def end(self, patience: float) -> None:
        """Let it end, or end it."""
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
        with self.process:  # closes its pipes
            pass


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
        if rank.world > 1:
            say_whether(rank, trains=True)
        yield
        return
    with TemporaryDirectory(prefix="paribus-") as meeting:
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
    """How the first ended that did not end as it should; it may take a moment to."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for follower in followers:
            if said := follower.failure():
                return said
        time.sleep(0.05)
    return ""


def _main() -> None:
    """The life of a process that was started to follow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the first one decides
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    with os.fdopen(os.dup(1), "w") as telling:
        os.dup2(2, 1)  # what anyone prints is not for the process that listens
        try:
            follow(
                Rank(**task["rank"]),
                task["config"],
                Path(task["folder"]),
                lambda: print(end=READY, file=telling, flush=True),
            )
        except Exception as error:
            print(f"failed: {type(error).__name__}: {error}", file=telling, flush=True)
            raise SystemExit(1) from None


def _end_with_input() -> None:
    os.read(0, 1)  # not of sys.stdin, whose lock a thread must not hold at the interpreter's end
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


@contextmanager
def leading(config: Mapping[str, Any]) -> Iterator[None]:
    """Let go the other processes that a launcher started, unless they were called to train within.

    Raises:
        UserError: it has started another number of processes than the run's.
    """
    rank = launched()
    if rank.world > 1:
        _refuse_other_number(rank, build_training(config))
        word_of(rank)
    try:
        yield
    finally:
        if rank.world > 1:
            say_whether(rank, trains=False)


def follow_launched(config: Mapping[str, Any], folder: Path) -> None:
    """Train with the process that keeps the record of a run, if that trains; for the others that a launcher started.

    Raises:
        UserError: it has started another number of processes than the run's.
    """
    rank = launched()
    _refuse_other_number(rank, build_training(config))
    if hear_whether(rank):
        follow(rank, config, folder)


def _refuse_other_number(rank: Rank, training: Training) -> None:
    if rank.world not in (1, training.devices):
        raise UserError(
            f"torchrun or srun started {rank.world} processes, and trainer.devices is {training.devices}: expected as "
            f"many, trainer=ddp trainer.devices={rank.world}"
        )


if __name__ == "__main__":
    _main()
