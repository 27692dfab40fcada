"""Training a family on a data set within a budget of steps, in Lightning's Trainer."""

import logging
import math
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from paribus.allocator import keep_freed_memory
from paribus.callbacks import EarlyStopping, ProgressLine, ResumeCheckpoint, Terms, TimeLimit, seconds_spent
from paribus.curves import Curves
from paribus.data.chunks import ChunkLoader
from paribus.data.contract import InMemoryData
from paribus.errors import UserError
from paribus.families.contract import Family
from paribus.study.records import WEIGHTS_FILE

RESUME_FILE = "resume.ckpt"


class Training:
    """How a family is trained: the budget, the device, and what is kept.

    Training ends at `max_steps` or after `max_epochs`, whichever comes first, as in Lightning. What Lightning sees as
    an epoch is the stretch of `validate_every` steps between two validations; small data has many passes in one.

    Args:
        max_steps: optimizer steps (minibatches), or None for no such limit.
        max_epochs: passes over the training part, or None for no such limit.
        max_minutes: wall time after which the run fails, keeping its curves; or None.
        validate_every: steps from one validation to the next.
        chunk_steps: minibatches that Lightning sees as one batch; a point of the training curves is their mean.
        clip_norm: largest norm of a phase's gradient, or None for no clipping.
        accelerator: `cpu`, or `gpu` for one GPU.
        precision: of the arithmetic; `bf16-mixed` is autocast.
        threads: intra-op threads; for small networks more than one is slower.
        resume_seconds: training time between checkpoints to resume from; runs shorter than this write none.
        save_checkpoint: keep the trained weights as `last.ckpt`, which `paribus evaluate` needs.
        patience: validations after another without a lower `val/loss` than the lowest so far, after which training
            ends, with the weights that it has then; or None to use up the budget.

    Attributes:
        earlier_seconds: what the training that was begun last took before it was resumed.
    """

    def __init__(
        self,
        max_steps: int | None,
        max_epochs: int | None,
        max_minutes: float | None,
        validate_every: int,
        chunk_steps: int,
        clip_norm: float | None,
        accelerator: Literal["cpu", "gpu"],
        precision: Literal["32-true", "64-true", "bf16-mixed"],
        threads: int,
        resume_seconds: float,
        save_checkpoint: bool,
        patience: int | None,
    ) -> None:
        if max_steps is None and max_epochs is None:
            raise ValueError("max_steps and max_epochs are both null, expected at least one of them")
        counts = {
            "max_steps": max_steps,
            "max_epochs": max_epochs,
            "validate_every": validate_every,
            "patience": patience,
        }
        for name, value in (counts | {"chunk_steps": chunk_steps, "threads": threads}).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        for name, limit in {"max_minutes": max_minutes, "clip_norm": clip_norm}.items():
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} is {limit}, expected a number above 0, or null for none")
        self.max_steps, self.max_epochs, self.max_minutes = max_steps, max_epochs, max_minutes
        self.validate_every, self.chunk_steps, self.clip_norm = validate_every, chunk_steps, clip_norm
        self.accelerator, self.precision, self.threads = accelerator, precision, threads
        self.resume_seconds, self.save_checkpoint, self.patience = resume_seconds, save_checkpoint, patience
        self.earlier_seconds = 0.0

    def total_steps(self, steps_per_epoch: int) -> int:
        """The budget in optimizer steps."""
        steps = math.inf if self.max_steps is None else self.max_steps
        epochs = math.inf if self.max_epochs is None else self.max_epochs * steps_per_epoch
        return int(min(steps, epochs))

    def steps_for(self, data: InMemoryData) -> int:
        """The budget in optimizer steps on data that is set up."""
        return self.total_steps(-(-data.sizes()["train"] // data.batch_size))

    def stretch_end(self, start: int, total: int) -> int:
        """The step at which the stretch that begins at `start` is validated."""
        return min(total, (start // self.validate_every + 1) * self.validate_every)

    def fit(
        self,
        family: Family,
        data: InMemoryData,
        folder: Path,
        curves: Curves,
        loggers: list[Logger],
        progress: bool,
        terms: Mapping[str, str] | None = None,
    ) -> None:
        """Train on the training part of `data`, going on from the checkpoint in `folder` if it was made on these terms.

        Raises:
            NonFiniteLoss: the loss stopped being finite.
            TimeLimitReached: `max_minutes` have passed.
            UserError: there is `patience`, and no validation part.
        """
        torch.set_num_threads(self.threads)
        total = self.steps_for(data)
        loader = self.begin(family, data, lambda: family.step)
        validation = data.val_dataloader() if data.sizes()["validation"] else None
        everyone, limit = [curves, *loggers], self.max_minutes
        callbacks: list[pl.Callback] = [] if self.patience is None else [EarlyStopping(self.patience)]
        if progress:
            callbacks.append(ProgressLine(total))
        self.run(family, loader, validation, total, folder, [curves], everyone, limit, callbacks, [terms or {}])

    def begin(self, family: Family, data: InMemoryData, position: Callable[[], int]) -> ChunkLoader:
        """Put a family and its data where training happens and tell them of one another; the training part in chunks.

        position: the number of steps done so far.
        """
        self.place(family)  # before Lightning does: it would read a float64 checkpoint into float32 weights
        held_out = data.parts["validation"]
        held_out |= family.held_out_noise(len(held_out["x"]))
        data.place(self.device, self.dtype)
        loader = self.loader(data, position)
        family.begin(self.steps_for(data), loader.batch_size, self.clip_norm)
        return loader

    def loader(self, data: InMemoryData, position: Callable[[], int]) -> ChunkLoader:
        """The training part in chunks. `position`: the number of steps done so far."""
        total = self.steps_for(data)
        return ChunkLoader(
            data.parts["train"],
            data.batch_size,
            data.seed,
            position=position,
            stop=lambda start: self.stretch_end(start, total),
            chunk_steps=self.chunk_steps,
        )

    def run(
        self,
        module: pl.LightningModule,
        loader: Iterable[Any],
        validation: Iterable[Any] | None,
        total: int,
        folder: Path,
        curves: Sequence[Curves],
        loggers: list[Logger],
        max_minutes: float | None,
        more: Sequence[pl.Callback],
        terms: Terms = (),
    ) -> None:
        """Let Lightning train a module that counts its own steps, for `total` of them.

        `curves` survive a resume. `more`: callbacks. `terms`: a checkpoint that was made on other ones is not gone on
        from.
        """
        if self.patience is not None and validation is None:
            raise UserError(
                "trainer.patience waits for val/loss, but there is no validation part; set patience to null"
            )
        keep_freed_memory()
        resume = folder / RESUME_FILE
        earlier = self.earlier_seconds = seconds_spent(resume, terms)
        callbacks: list[pl.Callback] = [ResumeCheckpoint(resume, self.resume_seconds, curves, terms, earlier), *more]
        if max_minutes is not None:
            callbacks.append(TimeLimit(max_minutes, earlier))
        with quiet_lightning(), interruptible(), torch.random.fork_rng():
            trainer = pl.Trainer(
                max_epochs=-(-total // self.validate_every),
                accelerator=self.accelerator,
                devices=1,
                precision=self.precision,
                logger=loggers,
                callbacks=callbacks,
                log_every_n_steps=1,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            trainer.fit(
                module,
                loader,
                validation,
                ckpt_path=resume if resume.exists() else None,
                weights_only=True,
            )
            if self.save_checkpoint:
                trainer.save_checkpoint(folder / WEIGHTS_FILE, weights_only=True)
        resume.unlink(missing_ok=True)

    def place(self, module: nn.Module) -> None:
        """Move a module to where training happens, as Lightning does: numbers in float64 stay so under float32."""
        module.to(self.device)
        if self.precision == "64-true":
            module.double()

    @property
    def device(self) -> torch.device:
        """Where training happens."""
        return torch.device("cuda" if self.accelerator == "gpu" else "cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters and the data."""
        return torch.float64 if self.precision == "64-true" else torch.float32


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
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners, tips and advice on DataLoader workers out of the output; its warnings of fault stay."""
    names = ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for advice in ("does not have many workers", "IterableDataset", "litlogger", "isinstance.treespec, LeafSpec"):
            warnings.filterwarnings("ignore", message=f".*{advice}")
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
