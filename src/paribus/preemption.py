"""Signals of a scheduler, heard as Ctrl-C is: what is under way is recorded."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WARNING = signal.SIGUSR2
"""What submitit has Slurm send before the time limit, and what a preempted task gets."""


@contextmanager
def warned() -> Iterator[None]:
    """Let the handler of the warning do its work, then stop as Ctrl-C does, and leave as the handler meant to.

    Submitit's handler asks for the task to be queued again and exits, or raises an error where it may not be. Either
    would look like a failure of the run that is under way; as an interrupt, it goes on from its last checkpoint.
    """
    handler = signal.getsignal(WARNING)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    meant: list[BaseException] = []

    def stop(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as reason:
            meant.append(reason)
            raise KeyboardInterrupt(str(reason)) from reason

    signal.signal(WARNING, stop)
    try:
        yield
    except KeyboardInterrupt:
        if meant:
            raise meant[0] from None
        raise
    finally:
        signal.signal(WARNING, handler)


def end_when_terminated() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does: what runs is recorded as interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("SIGTERM")
