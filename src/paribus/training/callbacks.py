"""What happens around training: time limits, checkpoints to resume from, lines of progress."""

import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.study.records import write_atomically
from paribus.training.curves import Curves

Terms = Sequence[Mapping[str, str]]
"""What the training of each run depends on besides its config: hashes of the code, the data and the initial weights."""


class TerminatedAsBefore(pl.Callback):
    """Leave SIGTERM to whoever heard it before the training.

    Lightning's own handler calls the other processes of a run while these wait for the sums of a step: all of them then
    wait for ever. It is there from just before the training starts.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the handler back."""
        if self._handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


class TimeLimitReached(RuntimeError):
    """Training took longer than `trainer.max_minutes`."""


class TimeLimit(pl.Callback):
    """Fail a run that takes too long, with what it has recorded so far.

    Args:
        minutes: how long it may take.
        earlier: seconds that it took before it was resumed.
    """

    def __init__(self, minutes: float, earlier: float) -> None:
        self.minutes, self.earlier = minutes, earlier

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic() - self.earlier

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Look at it after each chunk."""
        if of_rank_zero(trainer, time.monotonic() - self._start > 60 * self.minutes):
            raise TimeLimitReached(f"training took more than trainer.max_minutes={self.minutes:g}")


class EarlyStopping(pl.Callback):
    """End a run whose validation loss has not fallen for a while; its weights stay as they are then.

    Args:
        patience: validations in a row without a lower `val/loss` than the lowest so far, after which training ends.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self._best, self._waited = torch.tensor(torch.inf, dtype=torch.float64), torch.tensor(0)

    def state_dict(self) -> dict:
        """The lowest loss, and the validations since."""
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on counting."""
        self._best, self._waited = state_dict["best"].cpu(), state_dict["waited"].cpu()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do not go on from a checkpoint that was written where the run ended."""
        trainer.should_stop |= bool(self._waited >= self.patience)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the loss."""
        loss = trainer.callback_metrics["val/loss"].detach().cpu()
        self._best, self._waited = after_validation(self._best, self._waited, loss)
        trainer.should_stop |= of_rank_zero(trainer, bool(self._waited >= self.patience))


def after_validation(
    best: Float[Tensor, "*runs"], waited: Int[Tensor, "*runs"], loss: Float[Tensor, "*runs"]
) -> tuple[Float[Tensor, "*runs"], Int[Tensor, "*runs"]]:
    """The lowest validation loss of each run, and the validations since: a loss that is equal or NaN is not lower."""
    lower = loss < best
    return torch.where(lower, loss.to(best.dtype), best), torch.where(lower, 0, waited + 1)


class ResumeCheckpoint(pl.Callback):
    """Write a checkpoint to resume from when enough time has passed since the last one, so that short runs write none.

    The learning curves so far, of one run or of each member of a population, are part of it, so that a resumed run ends
    with whole ones.

    Args:
        path: of the checkpoint.
        seconds: from one to the next.
        curves: of the runs.
        terms: what the training depends on besides its config; goes into the checkpoint.
        earlier: seconds that the training took before it was resumed.
    """

    def __init__(self, path: Path, seconds: float, curves: Sequence[Curves], terms: Terms, earlier: float) -> None:
        self.path, self.seconds, self.curves = path, seconds, curves
        self.terms, self.earlier = terms, earlier

    def state_dict(self) -> dict:
        """The curves, the terms, and the seconds that all legs have taken."""
        return {
            "curves": [each.rows for each in self.curves],
            "terms": _plain(self.terms),
            "seconds": self.earlier + time.monotonic() - self._start,
        }

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on with the curves of the checkpoint."""
        for each, rows in zip(self.curves, state_dict["curves"], strict=True):
            each.rows = rows

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = self._last = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint if it is time."""
        if of_rank_zero(trainer, time.monotonic() - self._last >= self.seconds):
            temporary = self.path.with_suffix(".part")
            try:
                trainer.save_checkpoint(temporary, weights_only=False)
                if trainer.is_global_zero:
                    temporary.replace(self.path)
            finally:
                if trainer.is_global_zero:
                    temporary.unlink(missing_ok=True)  # what a full disk took of it
            self._last = time.monotonic()


def seconds_spent(path: Path, terms: Terms) -> float:
    """The seconds that led to the checkpoint at `path`, 0 if there is none; one made on other terms is removed."""
    if not path.exists():
        return 0.0
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    state = next(state for name, state in checkpoint["callbacks"].items() if name == ResumeCheckpoint.__name__)
    if state.get("terms") != _plain(terms):
        path.unlink()
        print(f"{path} was made by other code or from other data: training begins anew", file=sys.stderr)
        return 0.0
    print(f"{path.parent} goes on from step {checkpoint['paribus_step']:,}", file=sys.stderr)
    return float(state["seconds"])


def of_rank_zero(trainer: pl.Trainer, said: bool) -> bool:
    """What the first of the processes that train a run says: clocks differ, and all do the same."""
    return trainer.strategy.broadcast(said)


def _plain(terms: Terms) -> list[dict[str, str]]:
    return [dict(each) for each in terms]


class ProgressLine(pl.Callback):
    """Steps done, the loss and the time left: one line that renews itself on a terminal, plain lines elsewhere."""

    TERMINAL_SECONDS, FILE_SECONDS = 0.2, 10.0

    def __init__(self, total_steps: int, stream: TextIO | None = None) -> None:
        self.total_steps, self.stream = total_steps, stream or sys.stderr

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, where training goes on from."""
        self._start = self._shown = time.monotonic()
        self._first = _step_of(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Renew the line if it is time."""
        now = time.monotonic()
        if now - self._shown < (self.TERMINAL_SECONDS if self.stream.isatty() else self.FILE_SECONDS):
            return
        self._shown = now
        step = _step_of(pl_module)
        left = (now - self._start) / (step - self._first) * (self.total_steps - step)
        names = [f"train/{phase.name}" for phase in pl_module.phases]  # type: ignore[union-attr]  # a family's
        losses = [f"{name} {float(trainer.callback_metrics.get(name, torch.nan)):.4g}" for name in names]
        text = "   ".join([f"step {step:,} of {self.total_steps:,}", *losses, f"{left:.0f} s left"])
        self.stream.write(f"\r\033[K{text}" if self.stream.isatty() else f"{text}\n")
        self.stream.flush()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Clear the line."""
        if self.stream.isatty():
            self.stream.write("\r\033[K")


class ProgressFile(pl.Callback):
    """What runs that are trained together have done, in a file for the sweep's display.

    Args:
        path: of the file.
        runs: how many are trained.
        total_steps: that each takes.
    """

    SECONDS = 0.5

    def __init__(self, path: Path, runs: int, total_steps: int) -> None:
        self.path, self.runs, self.total_steps = path, runs, total_steps

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._written = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Write the file if it is time."""
        now = time.monotonic()
        if now - self._written > self.SECONDS:
            self._written = now
            done = self.runs * _step_of(pl_module) / self.total_steps
            write_atomically(self.path, str(done), durable=False)


def _step_of(module: pl.LightningModule) -> int:
    """Steps done; Lightning's own count stays at 0, because the family takes the optimizers' steps itself."""
    return int(module.step)  # type: ignore[arg-type]  # a family or a population of them
