"""What the codes of a latent-variable model hold: the examples, the prior's shape, the classes."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from paribus.data.contract import InMemoryData
from paribus.evaluation.sample_quality import SampleQuality
from paribus.families.latent import LatentFamily
from paribus.study.levels import Level
from paribus.study.records import Row
from paribus.study.structure import Metric


class CodeMetrics:
    """Reconstructions, codes and, if asked for, samples, all on the test part.

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

    def __call__(self, family: LatentFamily, data: InMemoryData) -> Iterable[Row]:
        """One row."""
        x = data.parts["test"]["x"]
        error = (x - family.reconstruct(x)).double()
        return [Row({"reconstruction_rmse": error.square().mean().sqrt().item()})]

    def drawing(self, family: LatentFamily, data: InMemoryData) -> dict[str, Any]:
        """Contact sheets and a map of the codes."""
        return {"kind": "latent"}
