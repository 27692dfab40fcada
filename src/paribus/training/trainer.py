"""Training a family on a data set within a budget of steps, in Lightning's Trainer."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import nn

from paribus.data.chunks import ChunkLoader
from paribus.data.contract import InMemoryData
from paribus.errors import UserError
from paribus.families.contract import Family
from paribus.families.division import Division
from paribus.families.means import what_is_no_mean
from paribus.ranks import ALONE
from paribus.study.records import WEIGHTS_FILE
from paribus.training.allocator import keep_freed_memory
from paribus.training.callbacks import (
    EarlyStopping,
    ProgressLine,
    ResumeCheckpoint,
    TerminatedAsBefore,
    Terms,
    TimeLimit,
    seconds_spent,
)
from paribus.training.compilation import compiled
from paribus.training.curves import Curves
from paribus.training.processes import of_rank_zero, options, together
from paribus.training.surroundings import interruptible, outside_slurm, quiet_lightning, restored_flags

RESUME_FILE = "resume.ckpt"


class Training:
    """How a family is trained: the budget, the device, and what is kept.

    Training ends at `max_steps` or after `max_epochs`, whichever comes first, as in Lightning. What Lightning sees as
    an epoch is the stretch of `validate_every` steps between two validations; small data has many passes in one.

    Args:
        max_steps: optimizer steps, each of one minibatch of `accumulate * data.batch_size` examples; None for no such
            limit.
        max_epochs: passes over the training part, or None for no such limit.
        max_minutes: wall time after which the run fails, keeping its curves; or None.
        validate_every: steps from one validation to the next.
        chunk_steps: minibatches that Lightning sees as one batch; a point of the training curves is their mean.
        clip_norm: largest norm of a phase's gradient, or None for no clipping.
        accelerator: `cpu` or `gpu`.
        devices: processes that train a run together, each with its share of every minibatch; on a GPU one each.
        precision: of the arithmetic. `bf16-mixed` and `16-mixed` let the networks compute in half precision (autocast)
            and keep weights and losses in float32; the latter scales the gradients, and needs a GPU.
        compile: let torch.compile make machine code of the networks for training; evaluation runs them as they are.
        accumulate: passes that a minibatch is taken in, each of `data.batch_size` examples.
        approximate: train losses that are no means over examples (batch normalisation, distances of samples) on each
            share of a minibatch by itself, instead of refusing to divide it.
        deterministic: torch's deterministic algorithms in training; operations that have none fail.
        detect_anomaly: stop at the operation whose gradient is not a number, and say where it was called. Slow.
        threads: intra-op threads of a process; for small networks more than one is slower.
        resume_seconds: training time between checkpoints to resume from; runs shorter than this write none.
        save_checkpoint: keep the trained weights as `last.ckpt`, which `paribus evaluate` needs.
        patience: validations after another without a lower `val/loss` than the lowest so far, after which training
            ends, with the weights that it has then; or None to use up the budget.

    Attributes:
        earlier_seconds: what the training that was begun last took before it was resumed.
        rank: of this process among those that train a run.
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
        devices: int,
        precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"],
        compile: bool,
        accumulate: int,
        approximate: bool,
        deterministic: bool,
        detect_anomaly: bool,
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
            "devices": devices,
            "accumulate": accumulate,
            "chunk_steps": chunk_steps,
            "threads": threads,
        }
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        for name, limit in {"max_minutes": max_minutes, "clip_norm": clip_norm}.items():
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} is {limit}, expected a number above 0, or null for none")
        if not resume_seconds >= 0:
            raise ValueError(f"resume_seconds is {resume_seconds}, expected a number from 0 on")
        if precision == "16-mixed" and accelerator == "cpu":
            raise ValueError("precision is '16-mixed', expected bf16-mixed on a CPU, or accelerator=gpu")
        self.max_steps, self.max_epochs, self.max_minutes = max_steps, max_epochs, max_minutes
        self.validate_every, self.chunk_steps, self.clip_norm = validate_every, chunk_steps, clip_norm
        self.accelerator, self.devices, self.precision, self.threads = accelerator, devices, precision, threads
        self.compile, self.accumulate, self.approximate = compile, accumulate, approximate
        self.deterministic, self.detect_anomaly = deterministic, detect_anomaly
        self.resume_seconds, self.save_checkpoint, self.patience = resume_seconds, save_checkpoint, patience
        self.earlier_seconds = 0.0
        self.rank = ALONE

    def total_steps(self, steps_per_epoch: int) -> int:
        """The budget in optimizer steps."""
        steps = math.inf if self.max_steps is None else self.max_steps
        epochs = math.inf if self.max_epochs is None else self.max_epochs * steps_per_epoch
        return int(min(steps, epochs))

    def steps_for(self, data: InMemoryData) -> int:
        """The budget in optimizer steps on data that is set up."""
        return self.total_steps(-(-data.sizes()["train"] // (data.batch_size * self.accumulate)))

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
            UserError: these settings and this family or data do not go together.
        """
        torch.set_num_threads(self.threads)
        total = self.steps_for(data)
        loader = self.begin(family, data, lambda: family.step)
        self._refuse_what_does_not_fit(family, loader)
        validation = data.val_dataloader() if data.sizes()["validation"] else None
        everyone, limit = [curves, *loggers], self.max_minutes
        callbacks: list[pl.Callback] = [] if self.patience is None else [EarlyStopping(self.patience)]
        if progress:
            callbacks.append(ProgressLine(total))
        with compiled(family, self.device) if self.compile else nullcontext():
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
        division = Division(self.devices, self.rank.number, self.accumulate)
        family.begin(self.steps_for(data), loader.batch_size, self.clip_norm, division)
        return loader

    def loader(self, data: InMemoryData, position: Callable[[], int]) -> ChunkLoader:
        """The training part in chunks. `position`: the number of steps done so far."""
        total = self.steps_for(data)
        return ChunkLoader(
            data.parts["train"],
            data.batch_size * self.accumulate,
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
        earlier = self.earlier_seconds = seconds_spent(resume, terms) if self.rank.number == 0 else 0.0
        checkpoint = ResumeCheckpoint(resume, self.resume_seconds, curves, terms, earlier)
        callbacks: list[pl.Callback] = [TerminatedAsBefore(), checkpoint, *more]
        if max_minutes is not None:
            callbacks.append(TimeLimit(max_minutes, earlier))
        with ExitStack() as stack:
            for context in (quiet_lightning(), outside_slurm(), interruptible(), torch.random.fork_rng()):
                stack.enter_context(context)
            stack.enter_context(restored_flags())
            stack.enter_context(together(self.rank, self.accelerator))
            goes_on = of_rank_zero(self.rank, resume.exists())
            trainer = pl.Trainer(
                max_epochs=-(-total // self.validate_every),
                accelerator=self.accelerator,
                precision=self.precision,
                deterministic=self.deterministic or None,
                detect_anomaly=self.detect_anomaly,
                default_root_dir=folder,
                logger=loggers,
                callbacks=callbacks,
                log_every_n_steps=1,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                **options(self.rank, self.devices),
            )
            trainer.fit(
                module,
                loader,
                validation,
                ckpt_path=resume if goes_on else None,
                weights_only=True,
            )
            if self.save_checkpoint:
                trainer.save_checkpoint(folder / WEIGHTS_FILE, weights_only=True)
        if self.rank.number == 0:
            resume.unlink(missing_ok=True)

    def demand_devices(self) -> None:
        """Refuse what this machine does not have.

        Raises:
            UserError: there are fewer GPUs than the training takes.
        """
        if self.accelerator == "gpu" and (there := torch.cuda.device_count()) < self.devices:
            build = "" if torch.version.cuda else f"; torch {torch.__version__} is a build without CUDA"
            raise UserError(
                f"trainer.accelerator=gpu takes {self.devices} of CUDA's GPUs, and this machine shows {there}{build}; "
                "expected a machine that has them, or trainer=cpu"
            )

    @property
    def alone(self) -> str:
        """Why a run cannot be trained with others as one program; empty where these settings let it."""
        if self.devices > 1:
            return f"trainer.devices={self.devices} takes the processes for each"
        if self.compile:
            return "trainer.compile=true compiles the networks of each"
        if self.precision == "16-mixed":
            return "trainer.precision=16-mixed scales the gradients of each"
        return "trainer.detect_anomaly=true watches each" if self.detect_anomaly else ""

    def _refuse_what_does_not_fit(self, family: Family, loader: ChunkLoader) -> None:
        """Refuse a family that cannot be trained on these terms.

        Raises:
            UserError: it cannot.
        """
        kinds = [type(optimizer) for optimizer in family.configure_optimizers()]
        if self.precision == "16-mixed" and torch.optim.LBFGS in kinds:
            raise UserError("trainer.precision=16-mixed and L-BFGS do not go together; expected bf16-mixed or 32-true")
        shares = self.devices * self.accumulate
        if shares == 1 or self.approximate or not (name := what_is_no_mean(family, loader, shares)):
            return
        raise UserError(
            f"trainer.devices={self.devices} trainer.accumulate={self.accumulate} divide each minibatch into {shares} "
            f"shares, and {name} is not the mean of what it is on them, as under batch normalisation, MMD or total "
            "correlation: it would be another. Expected 1 and 1, parts without it (normalisation=layer), or "
            "trainer.approximate=true, which takes it on each share by itself"
        )

    def place(self, module: nn.Module) -> None:
        """Move a module to where training happens, as Lightning does: numbers in float64 stay so under float32."""
        module.to(self.device)
        if self.precision == "64-true":
            module.double()

    @property
    def device(self) -> torch.device:
        """Where training happens."""
        if self.accelerator == "cpu":
            return torch.device("cpu")
        return torch.device("cuda", self.rank.number) if self.rank.world > 1 else torch.device("cuda")

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters and the data."""
        return torch.float64 if self.precision == "64-true" else torch.float32
