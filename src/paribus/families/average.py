"""The moving average of a module's weights."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from paribus.number import Number


def _averaged(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters, and the running moments of normalisations: those of other weights would not fit the averages."""
    yield from module.named_parameters()
    yield from ((name, buffer) for name, buffer in module.named_buffers() if buffer.is_floating_point())


class WeightAverage(nn.Module):
    """average <- decay * average + (1 - decay) * weights, from the initial weights on; buffers, so that it stacks.

    Source: Yazici et al., The Unusual Effectiveness of Averaging in GAN Training (2019), equation 1.

    Args:
        module: whose weights are averaged; it is read, not kept.
        decay: in [0, 1).

    Raises:
        ValueError: decay is out of range.
    """

    decay = Number(least=0, below=1)

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.names = [name for name, _ in _averaged(module)]
        for number, (_, tensor) in enumerate(_averaged(module)):
            self.register_buffer(f"average_{number}", tensor.detach().clone())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's weights in."""
        for number, (_, tensor) in enumerate(_averaged(module)):
            average = self.get_buffer(f"average_{number}")
            average.add_((1 - self.decay).to(average.dtype) * (tensor - average))

    def weights(self) -> Mapping[str, Tensor]:
        """The averages under the names of the module's tensors."""
        return {name: self.get_buffer(f"average_{number}") for number, name in enumerate(self.names)}

    def call(self, module: nn.Module, *inputs: object) -> Tensor:
        """The module's output with the averaged weights."""
        return functional_call(module, dict(self.weights()), inputs)
