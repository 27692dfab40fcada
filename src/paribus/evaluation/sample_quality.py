"""How samples of a model compare with held-out examples, in the features of a named classifier."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.classification import ClassificationData
from paribus.data.contract import InMemoryData, Part, rows_at_once
from paribus.evaluation.extent import extent_of
from paribus.evaluation.features import Yardstick
from paribus.evaluation.held_out import refuse_few
from paribus.evaluation.yardsticks import yardstick_of
from paribus.metrics import frechet_distance, kernel_distance
from paribus.streams import stream_seed
from paribus.study.factors import Metric

Draw = Callable[[int, torch.Generator], Float[Tensor, "n ..."]]
"""Samples of a model, as many as asked for, in units of its inputs: shaped as examples or flat."""


class SampleQuality:
    """Distances of samples from held-out examples, in the features of the data set's yardstick; labelled data only.

    Samples and the test part, and as a floor the validation part and the test part, all equally many: both distances
    depend on how many there are, the Frechet distance by its bias. `sample_frechet_ratio` is how many times its floor
    that is: 1 for samples as good as held-out examples, as far as so many can tell. What is compared are examples of
    the kind that the data has: draws for binary data, whose means are grey; for continuous data the likelihood's means,
    whose draws would be judged for their white noise. Numbers outside the extent of the data count as its ends.

    Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (2017);
    Binkowski et al., Demystifying MMD GANs (2018).

    Args:
        samples: at most so many of each; `sample_count` says how many, where a part has fewer.

    Raises:
        ValueError: samples is below 2.
    """

    measures: tuple[Metric, ...] = (
        Metric("sample_frechet", "minimise", scale="log"),
        Metric("sample_frechet_floor", "neither", scale="log"),
        Metric("sample_frechet_ratio", "minimise", scale="log"),
        Metric("sample_kernel_distance", "minimise"),
        Metric("sample_kernel_distance_floor", "neither"),
        Metric("sample_count", "neither"),
        Metric("yardstick_accuracy", "neither"),
    )

    def __init__(self, samples: int) -> None:
        if samples < 2:
            raise ValueError(f"samples is {samples}, expected at least 2")
        self.samples = samples

    def accept(self, data: InMemoryData) -> None:
        """Refuse labelled data whose held-out parts are too small.

        Raises:
            UserError: the validation or the test part has fewer than 2 examples.
        """
        if isinstance(data, ClassificationData):
            refuse_few(data, ("validation", "test"), 2, "samples are compared with both held-out parts")

    def __call__(self, draw: Draw, data: InMemoryData) -> dict[str, float]:
        """The metrics by name; none where the data has no labels to train a yardstick on."""
        if not isinstance(data, ClassificationData):
            return {}
        count = min(self.samples, data.sizes()["test"], data.sizes()["validation"])
        yardstick, extent = yardstick_of(data), extent_of(data)
        generator = torch.Generator().manual_seed(stream_seed(data.seed, "evaluation", "samples"))

        def features(examples: Float[Tensor, "n ..."]) -> Float[Tensor, "n features"]:
            return yardstick.features(extent.share(examples.reshape(-1, *data.in_shape)))

        def held_out(part: Part) -> Float[Tensor, "n features"]:
            x = data.parts[part]["x"]
            return features(x[torch.randperm(len(x), generator=generator)[:count].to(x.device)])

        test, validation = held_out("test"), held_out("validation")
        sizes = [len(rows) for rows in torch.empty(count).split(rows_at_once(data.parts["test"]["x"]))]
        samples = torch.cat([features(draw(size, generator)) for size in sizes])
        frechet, floor = (frechet_distance(each, test).item() for each in (samples, validation))
        return {
            "sample_frechet": frechet,
            "sample_frechet_floor": floor,
            "sample_frechet_ratio": frechet / floor if floor > 0 else float("nan"),
            "sample_kernel_distance": kernel_distance(samples, test).item(),
            "sample_kernel_distance_floor": kernel_distance(validation, test).item(),
            "sample_count": float(count),
            "yardstick_accuracy": yardstick.accuracy.item(),
        }

    def told(self, data: InMemoryData) -> str:
        """A sentence on what measured the samples, for a caption; empty where nothing did."""
        return described(yardstick_of(data)) if isinstance(data, ClassificationData) else ""


def described(yardstick: Yardstick) -> str:
    """What measured the samples: `Measured in features of lenet-300-62371cff, a classifier that is right on ...`."""
    share = f"{100 * yardstick.accuracy.item():.1f} %"
    return (
        f"Measured in features of {yardstick.name}, a classifier that is right on {share} of the examples that it was "
        "not trained on."
    )
