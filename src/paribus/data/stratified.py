"""Splits that give each part its share of every class."""

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from paribus.data.classification import ClassificationData, RawClasses
from paribus.data.contract import Split
from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScalingKind
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import check_fractions
from paribus.errors import UserError
from paribus.streams import stream_seed
from paribus.supplied import Supplied


class ResplitClassification(ClassificationData):
    """Fixed examples of which each seed takes another random split, stratified by class.

    Args:
        test_fraction: share of each class in the test part, in (0, 1).
        validation_fraction: share of each class in the validation part, in [0, 1); together below 1.
        batch_size, label_noise, input_scaling, seed: see `ClassificationData`.
    """

    replication = "resplit"

    def __init__(
        self,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, label_noise, input_scaling, seed)
        check_fractions(test_fraction, validation_fraction)
        self.test_fraction, self.validation_fraction = test_fraction, validation_fraction

    def split(self, raw: RawClasses) -> Split:
        """A random permutation of the rows, of which each class gives its first ones to test, the next to validate."""
        return stratified(raw.label, raw.classes, self.test_fraction, self.validation_fraction, self.seed)


class ResplitImages(ResplitClassification):
    """The same of images.

    Args:
        input_scaling: `none` (pixels in [0, 1]), `standard`, `symmetric` (in [-1, 1]), `binary` or `dynamic` (see
            `binarisation`).
        test_fraction, validation_fraction, batch_size, label_noise, seed: see `ResplitClassification`.
    """

    scalings = get_args(PixelScalingKind)

    def __init__(
        self,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(
            test_fraction,
            validation_fraction,
            batch_size,
            label_noise,
            input_scaling,  # type: ignore[arg-type]  # a table's kind there, and here one of `scalings`
            seed,
        )


def stratified(
    label: NDArray[np.int64], classes: tuple[str, ...], test_fraction: float, validation_fraction: float, seed: int
) -> Split:
    """Rows `[n]` for each part, drawn from the seed's stream `split`, in random order.

    A part of `round(fraction * n)` rows takes of each class its share, rounded down or up, and at least one where the
    fraction is above 0 (which can make it larger); the rest is trained on. A larger validation part keeps the test
    part.

    Args:
        label: `[n]`, positions in `classes`.
        classes: names of the classes.
        test_fraction, validation_fraction: shares in [0, 1), together below 1.
        seed: the run's seed.

    Raises:
        UserError: a class that has not enough examples for every part.
    """
    order = np.random.default_rng(stream_seed(seed, "split")).permutation(len(label))
    part = np.zeros(len(label), dtype=np.int8)
    counts = np.bincount(label, minlength=len(classes))
    tests, validations = _shares(test_fraction, counts), _shares(validation_fraction, counts)
    for number, (name, tested, validated) in enumerate(zip(classes, tests, validations, strict=True)):
        own = order[label[order] == number]
        if len(own) - tested - validated < 1:
            raise UserError(
                f"class {name!r} has {_count(len(own))}, too few for {tested} to test, {validated} to validate and "
                "at least 1 to train on; add examples, leave the class out, or change the fractions"
            )
        part[own[:tested]] = 2
        part[own[tested : tested + validated]] = 1
    in_order = part[order]
    return {"train": order[in_order == 0], "validation": order[in_order == 1], "test": order[in_order == 2]}


def _shares(fraction: float, counts: NDArray[np.int64]) -> list[int]:
    """What classes with these counts of examples give: rounded down, then up for the largest remainders."""
    if fraction == 0:
        return [0] * len(counts)
    exact = fraction * counts
    given = np.floor(exact)
    missing = round(exact.sum()) - int(given.sum())
    given[np.argsort(given - exact, kind="stable")[:missing]] += 1
    return np.maximum(given, 1).astype(int).tolist()


def _count(examples: int) -> str:
    return f"{examples} example{'' if examples == 1 else 's'}"
