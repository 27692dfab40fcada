"""Yardsticks: classifiers whose last hidden layer gives the features in which samples are compared.

There is one for each labelled data set. It is trained on the data set's own examples, by a fixed recipe and whatever
the run's seed, so that all arms and seeds of a study are measured in the same features, and it has a name, which its
weights determine. Distances in its features compare with no others: they are neither FID nor KID, whose network is
another one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paribus.data.classification import RawClasses
from paribus.data.contract import rows_at_once
from paribus.evaluation.extent import Extent
from paribus.networks import LeNet, Mlp

STEPS, BATCH, LEARNING_RATE = 300, 64, 5e-3
CHANNELS, KERNEL, WIDTH, FEATURES = [16, 32], 3, 64, 32
HELD_OUT = 0.2
"""Share of the examples that a yardstick is not trained on: its accuracy is measured there."""
RECIPE = (1, STEPS, BATCH, LEARNING_RATE, CHANNELS, KERNEL, WIDTH, FEATURES, HELD_OUT)
"""What makes a yardstick, besides its examples; the first number counts the ways in which these were put to use."""


class Yardstick(nn.Module):
    """LeNet for images, a perceptron for tables, of inputs as shares of the data's extent.

    Args:
        shape: of an example.
        classes: how many.

    Attributes:
        accuracy: on the examples that it was not trained on.
        unit: of the features: the root of their mean square there.
    """

    mean: Tensor
    deviation: Tensor
    accuracy: Tensor
    unit: Tensor

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.stages: nn.Module
        if len(shape) == 3:
            lenet = LeNet(shape, classes, CHANNELS, KERNEL, [FEATURES], "none", 0.0)
            self.kind, self.stages, self.perceptron = "lenet", lenet.stages, lenet.perceptron
        else:
            self.kind, self.stages = "mlp", nn.Identity()
            self.perceptron = Mlp(shape[0], classes, [WIDTH, FEATURES], "relu", "none", 0.0)
        channels = (shape[0], *(1 for _ in shape[1:]))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("accuracy", torch.tensor(torch.nan))
        self.register_buffer("unit", torch.tensor(1.0))

    @property
    def name(self) -> str:
        """Its kind, the steps of its training, and 8 hexadecimal digits of its weights: equal names, equal features."""
        digest = blake2b(digest_size=4)
        for each in self.state_dict().values():
            digest.update(each.numpy().tobytes())
        return f"{self.kind}-{STEPS}-{digest.hexdigest()}"

    def forward(self, shares: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        """The logits of examples."""
        return self.perceptron.output(self._hidden(shares))

    @torch.no_grad()
    def features(self, shares: Float[Tensor, "n ..."]) -> Float[Tensor, "n features"]:
        """The activations of the last hidden layer, in units that give them a mean square of 1 on held-out examples."""
        return torch.cat([self._hidden(rows) for rows in shares.split(rows_at_once(shares))]) / self.unit

    def _hidden(self, shares: Float[Tensor, "n ..."]) -> Float[Tensor, "n features"]:
        hidden = self.stages((shares - self.mean) / self.deviation).flatten(1)
        for layer in self.perceptron.hidden:
            hidden = layer(hidden)
        return hidden

    @torch.no_grad()
    def standardise(self, shares: Float[Tensor, "n ..."]) -> None:
        """Take the mean and the deviation of each channel or column from these examples."""
        every = (0, *range(2, shares.ndim))
        deviation, mean = torch.std_mean(shares, dim=every, correction=0)
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0).reshape(self.mean.shape))

    @torch.no_grad()
    def judge(self, shares: Float[Tensor, "n ..."], label: Int[Tensor, "n"]) -> None:
        """Take the accuracy, and the unit of the features, from examples that it was not trained on."""
        features = self.features(shares)
        self.accuracy.copy_((self.perceptron.output(features).argmax(dim=1) == label).double().mean())
        unit = features.square().mean().sqrt()
        self.unit.copy_(torch.where(unit > 0, unit, 1.0))


def trained_yardstick(raw: RawClasses, drawn: bool) -> Yardstick:
    """A yardstick of a data set, by Adam under a one-cycle learning rate, with seed 0 and one thread.

    It is trained on four fifths of the raw examples, whichever part of a run they are in: so the examples that samples
    are held against are partly known to it, those of the floor alike.

    Args:
        raw: the examples.
        drawn: whether its inputs are draws of 0 or 1 with the shares as probabilities, as those of the run are, anew at
            each step.
    """
    generator = torch.Generator().manual_seed(0)
    inputs, label = torch.from_numpy(raw.inputs), torch.from_numpy(raw.label)
    extent = Extent.of(inputs)

    def seen(rows: Int[Tensor, "n"]) -> Float[Tensor, "n ..."]:
        shares = extent.share(inputs[rows])
        return torch.bernoulli(shares, generator=generator) if drawn else shares

    order = torch.randperm(len(label), generator=generator)
    held_out, train = order.tensor_split([round(HELD_OUT * len(order))])
    with _on_its_own():
        yardstick = Yardstick(tuple(inputs.shape[1:]), len(raw.classes))
        yardstick.standardise(seen(train[: rows_at_once(inputs)]))
        optimizer = torch.optim.Adam(yardstick.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
        for _ in range(STEPS):
            rows = train[torch.randint(len(train), (BATCH,), generator=generator)]
            optimizer.zero_grad()
            nn.functional.cross_entropy(yardstick(seen(rows)), label[rows]).backward()
            optimizer.step()
            schedule.step()
        yardstick.judge(seen(held_out), label[held_out])
    return yardstick


@contextmanager
def _on_its_own() -> Iterator[None]:
    """Whatever the run is at: gradients, initial weights of seed 0, one thread; and then the run as it was."""
    threads = torch.get_num_threads()
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
