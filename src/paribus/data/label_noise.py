"""Wrong labels put on purpose into the training part, so that what they do is measured at a known rate."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paribus.errors import UserError
from paribus.streams import stream_seed

LabelNoiseKind = Literal["symmetric", "by_class"]


class LabelNoise:
    """Gives a fraction of the training examples another label; validation and test labels stay clean.

    A label that is hit always changes, so the fraction is the rate of wrong labels. (Where the new label may be the old
    one again, as in a part of the literature, a fraction f makes only f (K - 1) / K of them wrong.) Under one seed the
    labels hit at one fraction are hit alike at any larger one, and both kinds hit the same examples.

    Args:
        fraction: share of the training examples, in [0, 1): exactly `round(fraction * n)` of them are hit.
        kind: `symmetric` draws the new label uniformly from the other classes. `by_class` takes the next class, and the
            first after the last: Patrini et al., "Making Deep Neural Networks Robust to Label Noise", CVPR 2017, and
            others call this pair flipping.
    """

    def __init__(self, fraction: float, kind: LabelNoiseKind) -> None:
        if not 0 <= fraction < 1:
            raise ValueError(f"fraction is {fraction}, expected a number in [0, 1)")
        if kind not in get_args(LabelNoiseKind):
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(get_args(LabelNoiseKind))}")
        self.fraction, self.kind = fraction, kind

    def __call__(
        self, label: NDArray[np.int64], classes: int, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The labels `[n]` after the noise and which were hit `[n]`, drawn from the seed's stream `corruption`.

        Raises:
            UserError: a fraction above 0 that comes to no example at all.
        """
        count = round(self.fraction * len(label))
        if count == 0 and self.fraction > 0:
            raise UserError(
                f"label_noise.fraction={self.fraction} of {len(label)} training examples is no example at all; "
                f"expected 0 or at least {1 / len(label):.2g}"
            )
        rng = np.random.default_rng(stream_seed(seed, "corruption"))
        order = rng.permutation(len(label))  # all examples, whatever the fraction, so that rates nest
        steps = rng.integers(1, classes, len(label)) if self.kind == "symmetric" else 1
        hit = np.zeros(len(label), dtype=bool)
        hit[order[:count]] = True
        return np.where(hit, (label + steps) % classes, label), hit
