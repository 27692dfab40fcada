"""Declared noise: drawn outside the parts that use it, in blocks, as a function of the seed and the step alone.

A loss that drew its own random numbers could not be resumed from a step, and under `vmap` it would draw other numbers
than alone. So a family declares what it needs and receives it with the batch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paribus.streams import stream_seed

Noise = dict[str, Tensor]
"""Noise of one minibatch by name, each `[batch, *shape]`."""

BLOCK, BLOCK_NUMBERS = 64, 65_536
"""Steps whose noise of a name is drawn at once, and numbers: fewer steps, but at least one, where a step needs many.

Part of what a seed means, so never settings. Small blocks can be kept, a stream a member of a population.
"""


@dataclass(frozen=True)
class NoiseSpec:
    """Noise for each example: independent numbers of `shape`, standard normal or uniform on [0, 1)."""

    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform"] = "normal"


def within(part: str, spec: Mapping[str, NoiseSpec]) -> dict[str, NoiseSpec]:
    """The noise that a part needs, named as the family's: `network/dropout`."""
    return {f"{part}/{name}": each for name, each in spec.items()}


def noise_of(part: str, noise: Mapping[str, Tensor]) -> Noise:
    """A part's share of the family's noise, under the part's own names: the inverse of `within`."""
    return {name.removeprefix(f"{part}/"): each for name, each in noise.items() if name.startswith(f"{part}/")}


def draw(spec: Mapping[str, NoiseSpec], examples: int, generator: torch.Generator, like: Tensor | None = None) -> Noise:
    """Noise for some examples from a generator on the CPU, by name; in the dtype and on the device of `like`."""
    noise = {name: _drawn(each, (examples,), generator) for name, each in spec.items()}
    return noise if like is None else {name: each.to(like) for name, each in noise.items()}


def _drawn(spec: NoiseSpec, leading: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise `[*leading, *shape]`."""
    of = torch.randn if spec.distribution == "normal" else torch.rand
    return of(*leading, *spec.shape, generator=generator)


class NoiseStream:
    """The streams `noise/<name>` of a seed: each name has its own, so that an arm that needs one more shifts no other.

    Args:
        spec: what each example needs, by name.
        batch_size: rows drawn a step; a shorter minibatch takes the first of them.
        seed: the run's seed.

    Attributes:
        numbers: that a step needs.
        block_steps: of each name, the steps whose noise is drawn at once.
    """

    def __init__(self, spec: Mapping[str, NoiseSpec], batch_size: int, seed: int) -> None:
        self.spec, self.batch_size, self.seed = dict(spec), batch_size, seed
        sizes = {name: batch_size * math.prod(each.shape) for name, each in spec.items()}
        self.numbers = sum(sizes.values())
        self.block_steps = {name: max(1, min(BLOCK, BLOCK_NUMBERS // max(1, size))) for name, size in sizes.items()}
        self._blocks: dict[str, tuple[int, Tensor]] = {}

    def at(self, step: int, like: Tensor) -> Noise:
        """The noise of one step for the minibatch `like: [batch, ...]`, in its dtype and on its device."""
        rows = len(like)
        return {
            name: self._block(name, step // length)[step % length, :rows].to(like)
            for name, length in self.block_steps.items()
        }

    def span(self, first: int, stop: int) -> Noise:
        """The noise of steps `first` to `stop - 1`, by name, `[steps, batch, *shape]` for whole minibatches."""
        return {name: self._span(name, length, first, stop) for name, length in self.block_steps.items()}

    def _span(self, name: str, length: int, first: int, stop: int) -> Tensor:
        blocks = [self._block(name, number) for number in range(first // length, (stop - 1) // length + 1)]
        start = first % length
        return torch.cat(blocks)[start : start + stop - first]

    def _block(self, name: str, number: int) -> Tensor:
        """A block, kept until another is asked for: consecutive spans may begin and end within one."""
        kept = self._blocks.get(name)
        if kept is None or kept[0] != number:
            kept = self._blocks[name] = (number, self._draw(name, number))
        return kept[1]

    def _draw(self, name: str, number: int) -> Tensor:
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "noise", name, number))
        return _drawn(self.spec[name], (self.block_steps[name], self.batch_size), generator)
