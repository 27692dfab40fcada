"""How good a GAN's samples of images or tables are: like the data, as varied, and not copied from it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.classification import ClassificationData
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.evaluation import turns
from paribus.evaluation.classes import class_shares, total_variation
from paribus.evaluation.extent import extent_of
from paribus.evaluation.held_out import refuse_few
from paribus.evaluation.over_training import image_sheet
from paribus.evaluation.pictures import picture
from paribus.evaluation.readable import MEASURES as OF_CODES
from paribus.evaluation.readable import Coded, category_sheet, feature_sheet, readable_metrics
from paribus.evaluation.sample_quality import SampleQuality
from paribus.evaluation.stream import stream
from paribus.evaluation.yardsticks import yardstick_of
from paribus.families.gan import Gan
from paribus.metrics import memorisation, precision_recall
from paribus.metrics.memorisation import nearest
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row


class GeneratedMetrics:
    """Samples against held-out examples, in the features and the classes of the data set's yardstick.

    `precision` and `recall` are those of Kynkaanniemi et al. in the yardstick's features, beside what the validation
    part has in the place of samples (`real_precision`, `real_recall`). `least_class_share`, `largest_class_share` are
    of the classes that the yardstick sees in the samples, and `class_distance` is the total variation, 0 to 1, from
    those that it sees in the test part, beside the validation part's (`class_distance_floor`). All these need labelled
    data, on which a yardstick can be trained.

    `nearest_training_ratio` and `copied_share` tell of memorisation (see `Memorisation`), by distances of the inputs,
    with the test part as what is held out; `nearest_training_ratio_floor` is the validation part's. The other metrics
    are told of in `SampleQuality`, `paribus.evaluation.turns` and, for a generator with a code,
    `paribus.evaluation.readable`. Samples are of averaged weights, where there are any.

    Source: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models (2019); Heusel et
    al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (2017).

    Args:
        samples: how many; where they are compared with a part, as many of both, so fewer where that has fewer.
        neighbours: k of precision and recall.
        pictures: samples in a row of the contact sheet, which has as many rows; 0 for no pictures.

    Raises:
        ValueError: an argument is out of range.
    """

    measures: tuple[Metric, ...] = (
        *SampleQuality.measures,
        Metric("precision", "maximise"),
        Metric("recall", "maximise"),
        Metric("real_precision", "neither"),
        Metric("real_recall", "neither"),
        Metric("least_class_share", "maximise"),
        Metric("largest_class_share", "minimise"),
        Metric("class_distance", "minimise"),
        Metric("class_distance_floor", "neither"),
        Metric("nearest_training_ratio", "neither"),
        Metric("nearest_training_ratio_floor", "neither"),
        Metric("copied_share", "minimise"),
        *OF_CODES,
        *turns.MEASURES,
    )
    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __init__(self, samples: int, neighbours: int, pictures: int) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours is {neighbours}, expected at least 1")
        if samples <= neighbours:
            raise ValueError(f"samples is {samples}, expected more than the {neighbours} neighbours")
        if pictures < 0:
            raise ValueError(f"pictures is {pictures}, expected at least 0")
        if pictures > samples:
            raise ValueError(f"pictures is {pictures}, expected at most the {samples} samples")
        self.samples, self.neighbours, self.pictures = samples, neighbours, pictures
        self.quality = SampleQuality(samples)

    def accept(self, data: InMemoryData) -> None:
        """Refuse labelled data of which a held-out part has not more examples than there are neighbours.

        Raises:
            UserError: one has not.
        """
        self.quality.accept(data)
        if isinstance(data, ClassificationData):
            refuse_few(data, ("validation", "test"), self.neighbours + 1, "precision and recall take so many")

    def __call__(self, family: Gan, data: InMemoryData) -> Iterable[Row]:
        """One row."""
        samples = self.draw(family, data)
        measured = self.quality(family.sample, data)
        if isinstance(data, ClassificationData):
            measured |= self.judged(samples, data)
        if isinstance(family, Coded):
            measured |= readable_metrics(family, data, self.samples)
        measured |= copies(samples, data) | turns.diagnostics(family, data, stream(data, "turns"))
        return [Row(measured)]

    def draw(self, family: Gan, data: InMemoryData) -> Float[Tensor, "samples ..."]:
        """The samples, on the CPU: the same ones, whenever they are asked for."""
        generator = stream(data, "generated")
        sizes = [len(rows) for rows in torch.empty(self.samples).split(rows_at_once(data.parts["test"]["x"]))]
        return torch.cat([family.sample(size, generator).cpu() for size in sizes])

    def judged(self, samples: Float[Tensor, "samples ..."], data: ClassificationData) -> dict[str, float]:
        """What the yardstick says of samples and of both held-out parts."""
        count = min(self.samples, data.sizes()["test"], data.sizes()["validation"])
        yardstick, extent = yardstick_of(data), extent_of(data)
        generator = stream(data, "judged")
        parts = {"samples": samples, **{part: data.parts[part]["x"] for part in ("validation", "test")}}
        rows = {name: torch.randperm(len(x), generator=generator)[:count] for name, x in parts.items()}
        features = {name: yardstick.features(extent.share(x[rows[name].to(x.device)])) for name, x in parts.items()}
        shares = {name: class_shares(x, data) for name, x in parts.items()}
        of_samples = precision_recall(features["test"], features["samples"], self.neighbours)
        of_real = precision_recall(features["test"], features["validation"], self.neighbours)
        return {
            "precision": of_samples.precision,
            "recall": of_samples.recall,
            "real_precision": of_real.precision,
            "real_recall": of_real.recall,
            "least_class_share": shares["samples"].min().item(),
            "largest_class_share": shares["samples"].max().item(),
            "class_distance": total_variation(shares["samples"], shares["test"]),
            "class_distance_floor": total_variation(shares["validation"], shares["test"]),
        }

    def drawing(self, family: Gan, data: InMemoryData) -> dict[str, Any]:
        """Contact sheets where examples are images of 1 or 3 channels, and the classes that the yardstick sees."""
        drawn = self.draw(family, data)
        shown = len(data.in_shape) == 3 and data.in_shape[0] in (1, 3) and self.pictures
        bars = [class_bars(drawn, data)] if isinstance(data, ClassificationData) else []
        return {"kind": "latent", "pictures": self.sheets(family, data, drawn) if shown else [], "bars": bars}

    def sheets(self, family: Gan, data: InMemoryData, drawn: Float[Tensor, "samples ..."]) -> list[dict[str, Any]]:
        """Samples; some of them above the nearest training examples; and what the parts of a code do."""
        columns = self.pictures
        rows = min(columns, len(drawn) // columns)
        grid = drawn[: rows * columns].reshape(rows, columns, *data.in_shape)
        train = data.parts["train"]["x"].cpu()
        copied = train[nearest(grid[0].flatten(1), train.flatten(1)).position]
        told = self.quality.told(data)
        sheets = [
            picture("samples", "Samples", f"Drawn at random. {told}".strip(), data, grid),
            picture(
                "nearest_training", "Nearest training examples",
                "Above, samples; below, the training example that is nearest to each.",
                data, torch.stack([grid[0], copied]),
            ),
        ]  # fmt: skip
        sheets += image_sheet(family, data, columns)
        if isinstance(family, Coded):
            sheets += category_sheet(family, data, columns) + feature_sheet(family, data, columns)
        return sheets


def copies(samples: Float[Tensor, "samples ..."], data: InMemoryData) -> dict[str, float]:
    """The metrics of memorisation."""
    train, test, validation = (data.parts[part]["x"].flatten(1) for part in ("train", "test", "validation"))
    found = memorisation(samples.flatten(1), test, train)
    measured = {"nearest_training_ratio": found.ratio, "copied_share": found.copied}
    if len(validation):
        measured["nearest_training_ratio_floor"] = memorisation(validation, test, train).ratio
    return measured


def class_bars(samples: Float[Tensor, "samples ..."], data: ClassificationData) -> dict[str, Any]:
    """The share of each class in the samples."""
    return {
        "name": "classes",
        "title": "Classes of the samples",
        "caption": f"Share of each class, as the yardstick sees it: {', '.join(data.classes)}.",
        "values": class_shares(samples, data).tolist(),
        "labels": list(data.classes),
    }
