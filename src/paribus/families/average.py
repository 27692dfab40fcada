"""The moving average of a module's weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from paribus.number import Number


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
        self.names = [name for name, _ in module.named_parameters()]
        for number, parameter in enumerate(module.parameters()):
            self.register_buffer(f"average_{number}", parameter.detach().clone())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's weights in."""
        for number, parameter in enumerate(module.parameters()):
            average = self.get_buffer(f"average_{number}")
            average.add_((1 - self.decay).to(average.dtype) * (parameter - average))

    def weights(self) -> Mapping[str, Tensor]:
        """The averages under the names of the module's parameters."""
        return {name: self.get_buffer(f"average_{number}") for number, name in enumerate(self.names)}

    def call(self, module: nn.Module, *inputs: object) -> Tensor:
        """The module's output with the averaged weights."""
        return functional_call(module, dict(self.weights()), inputs)
