"""How the minibatch of a step is divided: over processes, and by each of them over passes that fit into memory.

A loss is a mean over examples, so that of a minibatch is the mean of those of its shares, weighted by their rows, and
so is its gradient. Each share takes its rows of the one minibatch and of its noise: however a minibatch is divided, a
step computes what it computes on the whole, up to rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from paribus.data.chunks import Batch
from paribus.noise import Noise
from paribus.objectives.loss import Loss


@dataclass(frozen=True)
class Division:
    """The shares of a minibatch.

    Attributes:
        processes: that train together.
        rank: of this one, from 0.
        passes: forward and backward passes that each process makes before the optimizer's step.
    """

    processes: int = 1
    rank: int = 0
    passes: int = 1

    @property
    def count(self) -> int:
        """Shares of a minibatch."""
        return self.processes * self.passes

    def shares(self, rows: int) -> list[tuple[slice, float]]:
        """The rows of this process, pass by pass, each with its share of all `rows`.

        A process for which there is none takes one for nothing, since the others wait for what it says of its share.
        """
        bounds = [rows * number // self.count for number in range(self.count + 1)]
        mine = range(self.rank * self.passes, (self.rank + 1) * self.passes)
        spans = [(bounds[number], bounds[number + 1]) for number in mine]
        return [(slice(*span), (span[1] - span[0]) / rows) for span in spans if span[0] < span[1]] or [(slice(1), 0.0)]

    def gradient(
        self,
        loss: Callable[[Batch, Noise], Loss],
        batch: Batch,
        noise: Noise,
        parameters: Sequence[nn.Parameter],
        buffers: Sequence[Tensor],
        scaled: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Fill in the gradient of a loss; the loss, without a graph.

        Args:
            loss: of a minibatch and its noise.
            batch: the whole minibatch.
            noise: of the whole minibatch.
            parameters: whose gradient it is.
            buffers: that the loss may change in place, which then happens once however many passes there are.
            scaled: what is differentiated of a loss.
        """
        before = [buffer.clone() for buffer in buffers] if self.passes > 1 else []
        losses: list[tuple[Loss, float]] = []
        for rows, weight in self.shares(len(batch["x"])):
            if losses:
                _set(buffers, before)
            part = loss(_rows_of(batch, rows), _rows_of(noise, rows))
            scaled(weight * part.total).backward(inputs=parameters)
            losses.append((part, weight))
        whole = _weighted_sum(losses)
        return whole if self.processes == 1 else _sum_over_processes(whole, parameters)


WHOLE = Division()
"""One process, one pass."""


def _rows_of(columns: Batch, rows: slice) -> Batch:
    return {name: column[rows] for name, column in columns.items()}


@torch.no_grad()
def _set(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def _weighted_sum(losses: Sequence[tuple[Loss, float]]) -> Loss:
    """The losses of shares, put together; without a graph."""
    first, _ = losses[0]
    return Loss(
        torch.stack([weight * loss.total.detach() for loss, weight in losses]).sum(),
        {
            name: torch.stack([weight * loss.terms[name].detach() for loss, weight in losses]).sum()
            for name in first.terms
        },
    )


@torch.no_grad()
def _sum_over_processes(loss: Loss, parameters: Sequence[nn.Parameter]) -> Loss:
    """Add up what all processes have of a loss, and, in place, of its gradient."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    values = torch.stack([value.to(gradients[0]) for value in (loss.total, *loss.terms.values())])
    message = torch.cat([*(gradient.reshape(-1) for gradient in gradients), values])
    dist.all_reduce(message)
    *sums, values = message.split([*(gradient.numel() for gradient in gradients), len(values)])
    for gradient, total in zip(gradients, sums, strict=True):
        gradient.copy_(total.view_as(gradient))
    return Loss(values[0], dict(zip(loss.terms, values[1:], strict=True)))
