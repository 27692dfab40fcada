"""The classification family: its loss by hand, what noise reaches which part, and a training to a known optimum."""

import numpy as np
import torch
from torch import nn

from paribus.data.augmentation import Augmentation
from paribus.families import Classification
from paribus.networks import Linear, Network
from paribus.noise import NoiseSpec
from paribus.objectives import CrossEntropy
from paribus.schedules import Constant


class Shifted(Network):
    """Adds its noise to what a linear map gives."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(4, 3)

    def noise_spec(self):
        return {"shift": NoiseSpec((3,), "uniform")}

    def forward(self, inputs, noise=None):
        logits = self.map(inputs.flatten(1))
        return logits + noise["shift"] if noise else logits


class Scaled(Augmentation):
    """Multiplies each example by its noise."""

    def noise_spec(self):
        return {"factor": NoiseSpec((), "uniform")}

    def forward(self, x, noise):
        return x * noise["factor"][:, None]


def family(network=None, augmentation=None):
    return Classification(
        network=network or Linear(4, 3),
        objective=CrossEntropy(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        scheduler=Constant(),
        seed=0,
        augmentation=augmentation,
    )


def batch(n=6):
    generator = torch.Generator().manual_seed(0)
    return {"x": torch.randn(n, 4, generator=generator), "y": torch.randint(3, (n,), generator=generator)}


def test_the_loss_is_cross_entropy_of_the_logits():
    model, rows = family(), batch()
    expected = nn.functional.cross_entropy(model.network.linear(rows["x"]), rows["y"])
    torch.testing.assert_close(model.loss(rows, {}).total, expected)


def test_validation_tells_the_share_of_errors():
    model, rows = family(), batch()
    loss = model.validation_loss(rows)
    wrong = (model.network.linear(rows["x"]).detach().numpy().argmax(1) != rows["y"].numpy()).mean()
    assert loss.terms["error"].item() == np.float32(wrong)
    torch.testing.assert_close(loss.total, model.loss(rows, {}).total)


def test_each_part_gets_its_own_noise():
    model, rows = family(Shifted(), Scaled()), batch()
    assert {name: spec.shape for name, spec in model.noise_spec().items()} == {
        "network/shift": (3,),
        "augmentation/factor": (),
    }
    noise = {"network/shift": torch.rand(6, 3), "augmentation/factor": torch.rand(6)}
    logits = model.network.map(rows["x"] * noise["augmentation/factor"][:, None]) + noise["network/shift"]
    torch.testing.assert_close(model.loss(rows, noise).total, nn.functional.cross_entropy(logits, rows["y"]))


def test_without_noise_nothing_is_random_or_augmented():
    model, rows = family(Shifted(), Scaled()), batch()
    torch.testing.assert_close(model.predict(rows["x"]), model.network.map(rows["x"]))
    torch.testing.assert_close(model.validation_loss(rows).total, model.loss(rows, {}).total)
