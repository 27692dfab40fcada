"""Minibatches from memory: gathered many at a time, in an order that is a function of the seed and the epoch alone."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from paribus.streams import stream_seed

Batch = dict[str, Tensor]
"""Named tensors of one minibatch, `x: [batch, ...]` and `y: [batch, ...]` where there is a target."""


class Chunk:
    """Consecutive minibatches, gathered in one go: `rows[name]` is `[sum(sizes), ...]`, `sizes` the length of each."""

    def __init__(self, rows: Batch, sizes: tuple[int, ...]) -> None:
        self.rows, self.sizes = rows, sizes

    def __iter__(self) -> Iterator[Batch]:
        columns = {name: tensor.split(self.sizes) for name, tensor in self.rows.items()}
        for position in range(len(self.sizes)):
            yield {name: parts[position] for name, parts in columns.items()}

    def to(self, device: torch.device, non_blocking: bool = False) -> "Chunk":
        """What Lightning calls to move a batch: one call a chunk and not one a minibatch."""
        return Chunk({name: rows.to(device, non_blocking=non_blocking) for name, rows in self.rows.items()}, self.sizes)


def epoch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """The order in which epoch number `epoch` visits the training examples: `[examples]` of int64."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
    return torch.randperm(examples, generator=generator)


class ChunkLoader:
    """The training data as chunks of minibatches, from the step that training has reached.

    Each example comes once an epoch; the last minibatch of an epoch is shorter where the batch size does not divide the
    examples. Chunks run on over the ends of epochs, so that small data does not make short chunks.

    Args:
        rows: the training part, `[examples, ...]` by name.
        batch_size: examples a minibatch.
        seed: the run's seed, of which the stream `order` is derived.
        position: the number of optimizer steps done so far; asked at each `iter`, so that a resumed run goes on.
        stop: the step at which a pass of the loader ends, given the step at which it starts. The loader has no length,
            since that differs from pass to pass.
        chunk_steps: minibatches a chunk, at most.
    """

    CHUNK_BYTES = 8_000_000  # larger chunks fall out of the cache before they are used

    def __init__(
        self,
        rows: Batch,
        batch_size: int,
        seed: int,
        *,
        position: Callable[[], int],
        stop: Callable[[int], int],
        chunk_steps: int,
    ) -> None:
        self.rows, self.seed = rows, seed
        self.examples = len(next(iter(rows.values())))
        self.batch_size = min(batch_size, self.examples)
        self.steps_per_epoch = -(-self.examples // self.batch_size)
        self.position, self.stop = position, stop
        batch_bytes = sum(tensor[:1].nbytes for tensor in rows.values()) * self.batch_size
        self.chunk_steps = max(1, min(chunk_steps, self.CHUNK_BYTES // max(1, batch_bytes)))
        self._order = lru_cache(maxsize=2)(lambda epoch: epoch_order(seed, epoch, self.examples))

    def __iter__(self) -> Iterator[Chunk]:
        for steps in self.spans():
            yield self.chunk(steps)

    def spans(self) -> Iterator[range]:
        """The steps of each chunk of a pass: about as many in each, so that the means over them vary alike."""
        start = self.position()
        steps = self.stop(start) - start
        chunks = -(-steps // self.chunk_steps)
        bounds = [start + steps * number // chunks for number in range(chunks + 1)] if chunks else []
        yield from map(range, bounds, bounds[1:])

    def chunk(self, steps: range) -> Chunk:
        """The minibatches of consecutive steps."""
        batches = [self.indices(step) for step in steps]
        index = torch.cat(batches)
        return Chunk({name: tensor[index] for name, tensor in self.rows.items()}, tuple(map(len, batches)))

    def indices(self, step: int) -> Tensor:
        """The examples of the minibatch of optimizer step `step`."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[batch * self.batch_size : (batch + 1) * self.batch_size]
