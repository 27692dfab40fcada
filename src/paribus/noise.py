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
"""Steps whose noise is drawn at once, and numbers: fewer steps, but at least one, where a step needs many.

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
    noise = drawn(spec, (examples,), generator)
    return noise if like is None else {name: each.to(like) for name, each in noise.items()}


def drawn(spec: Mapping[str, NoiseSpec], leading: tuple[int, ...], generator: torch.Generator) -> Noise:
    """Noise `[*leading, *shape]` by name."""
    of = {"normal": torch.randn, "uniform": torch.rand}
    return {name: of[each.distribution](*leading, *each.shape, generator=generator) for name, each in spec.items()}


class NoiseStream:
    """The stream `noise` of a seed.

    Args:
        spec: what each example needs, by name.
        batch_size: rows drawn a step; a shorter minibatch takes the first of them.
        seed: the run's seed.

    Attributes:
        numbers: that a step needs.
        block_steps: steps whose noise is drawn at once.
    """

    def __init__(self, spec: dict[str, NoiseSpec], batch_size: int, seed: int) -> None:
        self.spec, self.batch_size, self.seed = spec, batch_size, seed
        self.numbers = batch_size * sum(math.prod(each.shape) for each in spec.values())
        self.block_steps = max(1, min(BLOCK, BLOCK_NUMBERS // max(1, self.numbers)))
        self._block: tuple[int, Noise] = (-1, {})

    def at(self, step: int, like: Tensor) -> Noise:
        """The noise of one step for the minibatch `like: [batch, ...]`, in its dtype and on its device."""
        if not self.spec:
            return {}
        number, position = divmod(step, self.block_steps)
        return {name: block[position, : len(like)].to(like) for name, block in self._drawn(number).items()}

    def span(self, first: int, stop: int) -> Noise:
        """The noise of steps `first` to `stop - 1`, by name, `[steps, batch, *shape]` for whole minibatches."""
        length = self.block_steps
        blocks = [self._drawn(number) for number in range(first // length, (stop - 1) // length + 1)]
        start = first % length
        return {name: torch.cat([block[name] for block in blocks])[start : start + stop - first] for name in self.spec}

    def _drawn(self, number: int) -> Noise:
        """A block, kept until another is asked for: consecutive spans may begin and end within one."""
        if self._block[0] != number:
            self._block = (number, self._draw(number))
        return self._block[1]

    def _draw(self, number: int) -> Noise:
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "noise", number))
        return drawn(self.spec, (self.block_steps, self.batch_size), generator)
