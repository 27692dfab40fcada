"""What every family is: a LightningModule of built parts, trained phase by phase, minibatch by minibatch.

The loss of a phase is pure tensor code, so that one implementation serves a run alone and a population. The family
takes the optimizers' steps itself (Lightning's manual optimization): the training loader yields chunks of minibatches,
and what Lightning does around a batch, which costs several steps of a small network, is paid once a chunk.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from paribus.data.chunks import Batch, Chunk
from paribus.data.contract import InMemoryData
from paribus.errors import NonFiniteLoss
from paribus.families.division import WHOLE, Division
from paribus.families.history import History
from paribus.noise import Noise, NoiseSpec, NoiseStream, draw, noise_of
from paribus.objectives.loss import Loss
from paribus.streams import stream_seed

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
Schedule = Callable[[int, int], float]
"""The factor on the learning rate at a step, given the step and the number of all steps."""


@dataclass(frozen=True)
class Phase:
    """One kind of optimizer step.

    Attributes:
        name: its total is logged as `train/{name}`.
        loss: pure function of a minibatch and its noise; it may read the family's `step` and change buffers in place.
        parts: the family's attributes whose parameters this phase moves.
        optimizer: makes the optimizer of those parameters.
        every: the phase runs at steps divisible by this.
        limit: after each of its steps the parameters that it moves are clipped to within this of 0; None for no such
            limit.
    """

    name: str
    loss: Callable[[Batch, Noise], Loss]
    parts: tuple[str, ...]
    optimizer: OptimizerFactory
    every: int = 1
    limit: float | None = None

    def turns(self, step: int) -> int:
        """How often it has run when so many minibatches have been trained on."""
        return -(-step // self.every)


class Family(pl.LightningModule):
    """Base of all families: a subclass sets its parts and `phases`, and writes each phase's loss.

    Attributes:
        phases: what a step does, in order.
        step: minibatches trained on so far; kept in checkpoints, and all that the streams need to go on from one.
        rows: of the minibatch of a step; None before `begin`.
        division: how that is divided.
        scaler: of the gradients, in half precision.
    """

    phases: tuple[Phase, ...]

    def __init__(self, schedule: Schedule, seed: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.schedule, self.seed = schedule, seed
        self.step = 0
        self.total_steps = 1
        self.clip_norm: float | None = None
        self.rows: int | None = None
        self.division = WHOLE
        self.scaler: GradScaler | None = None
        self.noise = NoiseStream({}, 1, seed)
        self._undeclared = stream_seed(seed, "noise", "undeclared")

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The noise that each example needs, by name."""
        return {}

    def held_out_noise_spec(self) -> dict[str, NoiseSpec]:
        """The noise that each held-out example needs for its loss to mean what it does in training; mostly none.

        It is drawn once for a run, and stands in validation batches as the columns `noise/<name>`.
        """
        return {}

    def held_out_noise(self, examples: int) -> Noise:
        """The noise of held-out examples under those names: a function of the seed alone, whatever was trained."""
        noise = {}
        for name, spec in self.held_out_noise_spec().items():
            generator = torch.Generator().manual_seed(stream_seed(self.seed, "noise", "held out", name))
            noise[f"noise/{name}"] = draw({name: spec}, examples, generator)[name]
        return noise

    @classmethod
    def told(cls, part: str, facts: Mapping[str, Any], built: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a part's `Supplied` arguments are filled with: the data's facts, as the part's role changes them.

        Args:
            part: its name among the constructor's arguments, which are built in their order.
            facts: what the data tells, and the seed.
            built: the parts before it.
        """
        return facts

    def accept(self, data: InMemoryData) -> None:
        """Refuse, with a UserError, data that this family cannot be trained on."""

    def begin(self, total_steps: int, batch_size: int, clip_norm: float | None, division: Division = WHOLE) -> None:
        """Learn the budget: the schedule's end, the rows of a step, the norm to clip a phase's gradient to.

        division: of those rows.
        """
        self.total_steps, self.clip_norm, self.division = total_steps, clip_norm, division
        self.rows = batch_size
        self.noise = NoiseStream(self.noise_spec(), batch_size, self.seed)

    def parameters_of(self, phase: Phase) -> list[nn.Parameter]:
        """The parameters that a phase moves."""
        return [parameter for part in phase.parts for parameter in getattr(self, part).parameters()]

    def configure_optimizers(self) -> list[Optimizer]:
        """An optimizer for each phase."""
        optimizers = [phase.optimizer(self.parameters_of(phase)) for phase in self.phases]
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        return optimizers

    def training_step(self, chunk: Chunk | Batch, batch_idx: int) -> None:
        """Take the steps of a chunk, or of one minibatch, and log the mean of each term over them."""
        batches = chunk if isinstance(chunk, Chunk) else (chunk,)
        optimizers = self.optimizers(use_pl_optimizer=False)
        self.scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        history = self.advance(batches, optimizers if isinstance(optimizers, list) else [optimizers])
        values = {f"train/{name}": value for name, value in history.means().items()}
        self.log_dict(values | {"step": float(self.step)})

    def advance(self, batches: Iterable[Batch], optimizers: list[Optimizer]) -> History:
        """Take a step for each minibatch; the losses before each.

        Raises:
            NonFiniteLoss: a total is not finite.
        """
        movers = [(*pair, self.parameters_of(pair[0])) for pair in zip(self.phases, optimizers, strict=True)]
        history = History()
        for batch in batches:
            self.fix_undeclared_noise(self.division.rank)
            noise = self.noise.at(self.step, like=batch["x"])
            factor = self.schedule(self.step, self.total_steps)
            for phase, optimizer, parameters in movers:
                if self.step % phase.every == 0:
                    set_learning_rate(optimizer, factor)
                    history.add(phase.name, self.step, self._take_step(phase, optimizer, parameters, batch, noise))
            self.step += 1
        failed, value = history.first_non_finite()
        if failed >= 0:
            raise NonFiniteLoss(int(failed), float(value))
        return history

    def _take_step(
        self, phase: Phase, optimizer: Optimizer, parameters: list[nn.Parameter], batch: Batch, noise: Noise
    ) -> Loss:
        losses: list[Loss] = []

        def closure() -> float:
            optimizer.zero_grad()
            loss = self.gradient(phase, parameters, batch, noise)
            if self.scaler is not None:
                self.scaler.unscale_(optimizer)
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters, self.clip_norm)
            losses.append(loss)
            return loss.total  # type: ignore[return-value]  # torch takes a tensor here and says float

        if self.scaler is None:
            optimizer.step(closure)
        else:
            closure()
            self.scaler.step(optimizer)  # which leaves the step out where the scaled gradient overflowed
            self.scaler.update()
        if phase.limit is not None:
            with torch.no_grad():
                for parameter in parameters:
                    parameter.clamp_(-phase.limit, phase.limit)
        if torch.is_autocast_enabled(self.device.type):
            torch.clear_autocast_cache()  # it holds this step's weights, and Lightning's context spans the chunk
        return losses[0]  # L-BFGS evaluates more often; the first is the loss at the weights before the step

    def gradient(self, phase: Phase, parameters: list[nn.Parameter], batch: Batch, noise: Noise) -> Loss:
        """Fill in the gradient of a phase's loss; the loss."""
        if self.division.count > 1:
            return self.division.gradient(phase.loss, batch, noise, parameters, list(self.buffers()), self._scaled)
        loss = phase.loss(batch, noise)
        self._scaled(loss.total).backward(inputs=parameters)
        return loss

    def _scaled(self, total: Tensor) -> Tensor:
        return total if self.scaler is None else self.scaler.scale(total)

    def fix_undeclared_noise(self, rank: int) -> None:
        """Make what a part draws without declaring it (`nn.Dropout`) a function of the seed and the step too."""
        stream = stream_seed(self._undeclared, "rank", rank) if rank else self._undeclared
        torch.default_generator.manual_seed(stream + self.step)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(stream + self.step)

    def on_validation_start(self) -> None:
        """Validation at a step draws what it draws, however often there was one before."""
        self.fix_undeclared_noise(0)

    def validation_loss(self, batch: Batch) -> Loss:
        """The loss of held-out examples: the first phase's, with the noise that they were given and no other."""
        return self.phases[0].loss(batch, noise_of("noise", batch))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the validation part's mean of each term, at the step that training has reached."""
        loss = self.validation_loss(batch)
        values = {f"val/{name}": value for name, value in loss.terms.items()} | {"val/loss": loss.total}
        self.log_dict(values | {"step": float(self.step)}, on_step=False, on_epoch=True, batch_size=len(batch["x"]))

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep the step, on which every stream depends."""
        checkpoint["paribus_step"] = self.step

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on from the step."""
        self.step = checkpoint["paribus_step"]


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Set each group's learning rate to the one typed times a factor: a function of the step, so nothing to resume."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
