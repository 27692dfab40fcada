"""Labels whose probabilities are known, and logits that exaggerate them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from paribus.calibrators import ValidationLogits

Planted = Callable[..., ValidationLogits]


@pytest.fixture
def planted() -> Planted:
    """Labels drawn from softmax(z), logits scale z: the best temperature is the scale."""

    def draw(rows: int, classes: int, scale: float, seed: int = 0) -> ValidationLogits:
        generator = np.random.default_rng(seed)
        exact = generator.normal(scale=2.0, size=(rows, classes))
        label = (exact + generator.gumbel(size=exact.shape)).argmax(axis=1)
        return ValidationLogits(torch.from_numpy(scale * exact), torch.from_numpy(label))

    return draw
