"""What the codes of a latent-variable model hold: the examples, the prior's shape, the classes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.classification import ClassificationData
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.evaluation.aggregate import code_mmd, mode_metrics
from paribus.evaluation.pictures import latent_drawing
from paribus.evaluation.probes import knn_accuracy, probe_accuracy
from paribus.evaluation.sample_quality import SampleQuality
from paribus.evaluation.stream import stream
from paribus.families.latent import LatentFamily
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

MOST_PAIRED = 1000
"""Codes whose distances from one another are taken."""


class CodeMetrics:
    """Reconstructions, codes and, if asked for, samples: on the test part, by an encoder and decoder without noise.

    `reconstruction_rmse` is a number's, at the code of each example. `code_mmd`, `codes_in_modes` and `modes_covered`
    hold codes against the prior (`paribus.evaluation.aggregate`): draws of the posteriors, where there are any, which
    are then of the aggregate posterior. `probe_accuracy` and `knn_accuracy` are of classifiers fitted on the codes of
    the training part, as it was seen in training but with the labels as they were found, and only where the data has
    labels. A code is its posterior's mean there.

    Source: of the MMD, Gretton, Borgwardt, Rasch, Schoelkopf and Smola, A Kernel Two-Sample Test (2012).

    Args:
        neighbours: of the classifier by nearest neighbours in the space of codes.
        pictures: examples that a contact sheet shows in a row; 0 for no pictures.
        sample_quality: how samples are compared with held-out examples; None for not at all.

    Raises:
        ValueError: an argument is out of range.
    """

    measures: tuple[Metric, ...] = (
        Metric("reconstruction_rmse", "minimise", "units of the inputs", "log"),
        Metric("code_mmd", "minimise"),
        Metric("codes_in_modes", "maximise"),
        Metric("modes_covered", "maximise"),
        Metric("probe_accuracy", "maximise"),
        Metric("knn_accuracy", "maximise"),
    )
    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __init__(self, neighbours: int, pictures: int, sample_quality: SampleQuality | None) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours is {neighbours}, expected at least 1")
        if pictures < 0:
            raise ValueError(f"pictures is {pictures}, expected at least 0")
        self.neighbours, self.pictures, self.sample_quality = neighbours, pictures, sample_quality
        if sample_quality:
            self.measures = (*CodeMetrics.measures, *sample_quality.measures)

    def accept(self, data: InMemoryData) -> None:
        """Refuse what samples cannot be compared with, as `SampleQuality` does.

        Raises:
            UserError: a held-out part is too small.
        """
        if self.sample_quality:
            self.sample_quality.accept(data)

    def __call__(self, family: LatentFamily, data: InMemoryData) -> Iterable[Row]:
        """One row."""
        x = data.parts["test"]["x"]
        measured = {"reconstruction_rmse": reconstruction_rmse(family, x)} | against_prior(family, data)
        if isinstance(data, ClassificationData):
            measured |= self._probes(family, data)
        if self.sample_quality:
            measured |= self.sample_quality(family.draw_example, data)
        return [Row(measured)]

    def drawing(self, family: LatentFamily, data: InMemoryData) -> dict[str, Any]:
        """Contact sheets of images, and a map of the codes."""
        told = self.sample_quality.told(data) if self.sample_quality else ""
        return latent_drawing(family, data, codes(family.code, data.parts["test"]["x"]), self.pictures, told)

    def _probes(self, family: LatentFamily, data: ClassificationData) -> dict[str, float]:
        """What classifiers read off the codes."""
        seen = family.as_trained(data.parts["train"]["x"], stream(data, "augmentation"))
        train, test = codes(family.code, seen), codes(family.code, data.parts["test"]["x"])
        label = torch.from_numpy(data.raw.label)
        train_label, test_label = (label[torch.from_numpy(data.rows[part])] for part in ("train", "test"))
        fitted_on, classes = (train, train_label, test, test_label), len(data.classes)
        return {
            "probe_accuracy": probe_accuracy(*fitted_on, classes),
            "knn_accuracy": knn_accuracy(*fitted_on, classes, self.neighbours),
        }


def codes(encode: Callable[[Tensor], Tensor], x: Float[Tensor, "n ..."]) -> Float[Tensor, "n features"]:
    """The codes of examples, in float64 on the CPU."""
    return torch.cat([encode(rows).double().cpu() for rows in x.split(rows_at_once(x))])


def reconstruction_rmse(family: LatentFamily, x: Float[Tensor, "n ..."]) -> float:
    """The root of the mean square of what a number of an example is off, in units of the network's inputs."""
    squares = [(rows - family.reconstruct(rows)).double().square().sum() for rows in x.split(rows_at_once(x))]
    return (torch.stack(squares).sum() / x.numel()).sqrt().item()


def against_prior(family: LatentFamily, data: InMemoryData) -> dict[str, float]:
    """How codes of the test part lie about the prior; their MMD needs two of them."""
    x, generator = data.parts["test"]["x"], stream(data, "codes")
    drawn = codes(lambda rows: family.draw_code(rows, generator), x)
    some = drawn[torch.randperm(len(drawn), generator=stream(data, "paired"))[:MOST_PAIRED]]
    measured = mode_metrics(family.prior, drawn)
    if len(some) > 1:
        prior_code = family.sample_prior(len(some), stream(data, "prior")).cpu()
        measured["code_mmd"] = code_mmd(some, prior_code)
    return measured
