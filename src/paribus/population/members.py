"""The Population: many runs that Lightning trains as one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from paribus.data.chunks import Batch, ChunkLoader
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.display import PROGRESS_FILE
from paribus.errors import NonFiniteLoss
from paribus.families.contract import Family
from paribus.population.stack import Stack
from paribus.population.tiles import TILE, tiles
from paribus.training import Training
from paribus.training.callbacks import ProgressFile, Terms
from paribus.training.curves import Curves


@dataclass
class Member:
    """One run of a population.

    Attributes:
        family: built; a population moves it to where training happens, and `release` gives it the trained weights.
        data: set up.
        curves: gets what a lone run would log.
    """

    family: Family
    data: InMemoryData
    curves: Curves = field(default_factory=Curves)


class Population(pl.LightningModule):
    """Members that are trained together, each exactly as it would be alone.

    Members of one structure form tiles, and a tile takes all steps of a chunk before the next one does, so that its
    weights stay in the cache. Nothing flows between members.

    Args:
        members: of any structures that stack, with equal sizes of data and batches.
        training: the budget, which they share.
        tile: members of a tile, at most.

    Raises:
        NotStackable: a member can only be trained alone.
        ValueError: members differ in sizes.
    """

    def __init__(self, members: Sequence[Member], training: Training, tile: int = TILE) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.members, self.training_settings = tuple(members), training
        self.step = 0
        sizes = {
            (each.data.batch_size, *(each.data.sizes()[part] for part in ("train", "validation"))) for each in members
        }
        if len(sizes) != 1:
            raise ValueError(f"members have batches, training and validation parts of sizes {sizes}, expected the same")
        self._loaders = [training.begin(member.family, member.data, lambda: self.step) for member in members]
        self._places = tiles([member.family for member in members], tile)
        self._stacks = nn.ModuleList(Stack([members[place].family for place in places]) for places in self._places)
        self._held_out: list[list[tuple[int, dict[str, Tensor]]]] = []

    def fit(self, folder: Path, terms: Terms = ()) -> None:
        """Train all members, going on from the checkpoint in `folder` if there is one, and release them.

        `terms`: of each member; a checkpoint that was made on other ones is not gone on from. How far training has
        come is in the file `progress` of the folder meanwhile.

        Raises:
            TimeLimitReached: the members' `max_minutes` taken together have passed.
            UserError: there is `patience`, and no validation part.
        """
        settings = self.training_settings
        torch.set_num_threads(settings.threads)
        minutes = None if settings.max_minutes is None else settings.max_minutes * len(self.members)
        data = self.members[0].data
        validation = _Slices(data.sizes()["validation"], rows_at_once(data.parts["train"]["x"]))
        curves = [member.curves for member in self.members]
        total = self.members[0].family.total_steps
        progress = ProgressFile(folder / PROGRESS_FILE, len(self.members), total)
        spans = _Spans(self._loaders[0])
        try:
            settings.run(self, spans, validation or None, total, folder, curves, [], minutes, [progress], terms)
        finally:
            self.release()

    def release(self) -> None:
        """Write each member's weights, and the steps that it took, into its family."""
        for stack, places in self.tiles():
            stopped = stack.stopped.tolist()
            for row, place in enumerate(places):
                family = self.members[place].family
                stack.write_into(row, family)
                family.step = self.step if stopped[row] < 0 else stopped[row]

    def failures(self) -> list[NonFiniteLoss | None]:
        """Of each member, what a lone run would have raised."""
        found: list[NonFiniteLoss | None] = [None] * len(self.members)
        for stack, places in self.tiles():
            for place, step, total in zip(places, stack.failed.tolist(), stack.failed_total.tolist(), strict=True):
                found[place] = None if step < 0 else NonFiniteLoss(step, total)
        return found

    def tiles(self) -> Iterator[tuple[Stack, list[int]]]:
        """The stacks, each with the places of its rows among the members."""
        for stack, places in zip(self._stacks, self._places, strict=True):
            assert isinstance(stack, Stack)
            yield stack, places

    def training_step(self, span: slice, batch_idx: int) -> None:
        """Let each tile take the steps of a chunk, and log each member's means over them."""
        steps = range(span.start, span.stop)
        for stack, places in self.tiles():
            if not stack.is_over():
                loaders = [self._loaders[place] for place in places]
                means = stack.advance(steps, loaders, self.training_settings.clip_norm)
                self._log(stack, places, "train", means, steps.stop)
        self.step = steps.stop
        self._end_when_over()

    def on_validation_epoch_start(self) -> None:
        """Begin the members' means."""
        self._held_out = [[] for _ in self._places]

    def validation_step(self, rows: slice, batch_idx: int) -> None:
        """Measure some rows of each member's validation part."""
        for (stack, places), means in zip(self.tiles(), self._held_out, strict=True):
            parts = [self.members[place].data.parts["validation"] for place in places]
            batch: Batch = {name: torch.stack([part[name][rows] for part in parts]) for name in parts[0]}
            loss = stack.validation_loss(batch)
            means.append((batch["x"].shape[1], {**loss.terms, "loss": loss.total}))

    def on_validation_epoch_end(self) -> None:
        """Log the members' means over all rows."""
        for (stack, places), parts in zip(self.tiles(), self._held_out, strict=True):
            count = sum(rows for rows, _ in parts)
            means = {
                name: torch.stack([values[name] * rows for rows, values in parts]).sum(0) / count
                for name in parts[0][1]
            }
            self._log(stack, places, "val", means, self.step)
            if self.training_settings.patience is not None:
                stack.note_validation(means["loss"], self.training_settings.patience, self.step)
        self._end_when_over()

    def on_train_start(self) -> None:
        """Do not go on from a checkpoint that was written where the last member stopped."""
        self._end_when_over()

    def _end_when_over(self) -> None:
        self.trainer.should_stop |= all(stack.is_over() for stack, _ in self.tiles())

    def _log(self, stack: Stack, places: Sequence[int], stage: str, means: Mapping[str, Tensor], step: int) -> None:
        columns = {f"{stage}/{name}": values.tolist() for name, values in means.items()}
        for row, stopped in enumerate(stack.stopped.tolist()):
            if stopped < 0:
                values = {name: column[row] for name, column in columns.items()}
                self.members[places[row]].curves.log_metrics(values, step)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """None that Lightning knows of: the stacks keep the state of theirs."""
        return []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Batches are numbers of steps and rows: the members' data is where it belongs."""
        return batch

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the step, of which the streams are functions."""
        checkpoint["paribus_step"] = self.step

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the step."""
        self.step = checkpoint["paribus_step"]


class _Spans:
    """The steps of each chunk, which are those of a lone run; a tile gathers its members' minibatches itself.

    As slices, because Lightning looks for tensors in whatever is a sequence.
    """

    def __init__(self, loader: ChunkLoader) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[slice]:
        return (slice(steps.start, steps.stop) for steps in self._loader.spans())


class _Slices:
    """The rows of a part, as many at a time as a lone run computes."""

    def __init__(self, rows: int, at_once: int) -> None:
        self._rows, self._at_once = rows, at_once

    def __len__(self) -> int:
        return -(-self._rows // self._at_once)

    def __iter__(self) -> Iterator[slice]:
        return (slice(start, start + self._at_once) for start in range(0, self._rows, self._at_once))
