"""How a GAN's samples lie about the modes of data whose density is known."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import InMemoryData
from paribus.data.gaussian_mixtures import GaussianModes
from paribus.evaluation import adversarial, turns
from paribus.evaluation.held_out import refuse_few
from paribus.evaluation.over_training import plane_sheet
from paribus.evaluation.pictures import framed
from paribus.evaluation.stream import stream
from paribus.families.gan import Gan
from paribus.metrics import energy_distance, mode_coverage, points_in_modes, precision_recall
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

MOST_POINTS = 400
"""Of each kind, on a map."""
PIXELS, MARGIN = 96, 1.3
"""Of a side of the discriminator's surface, which reaches this far beyond the outermost centre."""


class ModeMetrics:
    """Coverage, fidelity and likelihood of samples, how training went, and how good the discriminator is.

    `lost_modes` is 1 where a mode is not covered, else 0: its mean over seeds is the share of runs that lose one.
    `modes_covered`, `high_quality` and `reverse_kl` are PacGAN's, with its 2,500 samples: see `ModeCoverage`. In the
    plane the mixture itself has 1 - exp(-9 / 2) = .989 of high quality, and a reverse KL of (modes - 1) / 2 samples;
    `data_high_quality` is what the test part has, less in more dimensions.
    `sample_log_density` is the mean of log p(x) of the samples, beside that of the test part, `data_log_density`, which
    it may exceed: where samples keep to the middle of modes. `energy_distance`, `precision` and `recall` are between
    the samples and as many examples of the test part, or fewer of both where it has fewer. The other metrics are told
    of in `paribus.evaluation.turns` and, where the generator is affine, `paribus.evaluation.adversarial`.

    Samples are of averaged weights, where there are any.

    Source: Srivastava et al., VEEGAN (2017), section 5.1; Lin et al., PacGAN (2018), section 4.1.

    Args:
        samples: how many, at least 2.
        neighbours: k of precision and recall.

    Raises:
        ValueError: an argument is out of range.
    """

    measures: tuple[Metric, ...] = (
        Metric("modes_covered", "maximise", "modes"),
        Metric("lost_modes", "minimise"),
        Metric("high_quality", "maximise"),
        Metric("data_high_quality", "neither"),
        Metric("reverse_kl", "minimise", "nats"),
        Metric("sample_log_density", "neither", "nats"),
        Metric("data_log_density", "neither", "nats"),
        Metric("energy_distance", "minimise", "units of the inputs"),
        Metric("precision", "maximise"),
        Metric("recall", "maximise"),
        *turns.MEASURES,
        *adversarial.MEASURES,
    )
    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __init__(self, samples: int, neighbours: int) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours is {neighbours}, expected at least 1")
        if samples <= neighbours:
            raise ValueError(f"samples is {samples}, expected more than the {neighbours} neighbours")
        self.samples, self.neighbours = samples, neighbours

    def accept(self, data: GaussianModes) -> None:
        """Refuse a test part that has not more examples than there are neighbours.

        Raises:
            UserError: it has not.
        """
        refuse_few(data, ("test",), self.neighbours + 1, "precision and recall take so many")

    def __call__(self, family: Gan, data: GaussianModes) -> Iterable[Row]:
        """One row."""
        count = min(self.samples, data.sizes()["test"])
        test = data.parts["test"]["x"].cpu()
        samples = self.draw(family, data)
        coverage = mode_coverage(samples, torch.from_numpy(data.centres), data.scale)
        compared = precision_recall(test[:count], samples[:count], self.neighbours)
        generator = stream(data, "turns")
        measured = {
            "modes_covered": float(coverage.covered),
            "lost_modes": float(coverage.covered < len(data.centres)),
            "high_quality": coverage.high_quality,
            "data_high_quality": mode_coverage(test, torch.from_numpy(data.centres), data.scale).high_quality,
            "reverse_kl": coverage.reverse_kl,
            "sample_log_density": data.log_density(samples).mean().item(),
            "data_log_density": data.log_density(test).mean().item(),
            "energy_distance": energy_distance(test[:count], samples[:count]).item(),
            "precision": compared.precision,
            "recall": compared.recall,
        }
        return [Row(measured | turns.diagnostics(family, data, generator) | adversarial.game(family, data, generator))]

    def draw(self, family: Gan, data: InMemoryData) -> Float[Tensor, "samples dimensions"]:
        """The samples, on the CPU: the same ones, whenever they are asked for."""
        return family.sample(self.samples, stream(data, "samples")).flatten(1).cpu()

    def drawing(self, family: Gan, data: GaussianModes) -> dict[str, Any]:
        """Samples over held-out examples, how many each mode has, and in the plane the discriminator's surface."""
        samples = self.draw(family, data)
        centres = torch.from_numpy(data.centres)
        held = points_in_modes(samples, centres, torch.inf)
        pictures = []
        if data.in_shape == (2,):
            pictures = [surface(family, data), *plane_sheet(family, centres, reach_of(data))]
        return {
            "kind": "latent",
            "pictures": pictures,
            "maps": [sample_map(family, data, samples)],
            "bars": [
                {
                    "name": "samples_by_mode",
                    "title": "Samples of each mode",
                    "caption": f"How many of {self.samples} samples are nearest to each mode.",
                    "values": held.tolist(),
                }
            ],
        }


def sample_map(family: Gan, data: GaussianModes, samples: Float[Tensor, "n dimensions"]) -> dict[str, Any]:
    """Samples and held-out examples by their first two numbers; by the number and its score, where it is one alone."""
    kinds = {"held out": data.parts["test"]["x"][:MOST_POINTS].cpu(), "generated": samples[:MOST_POINTS]}
    caption = "Samples over held-out examples"
    if data.in_shape == (1,):
        kinds = {name: torch.cat([x, adversarial.scored(family, x)[:, None].to(x)], dim=1) for name, x in kinds.items()}
        caption += ": upwards, the discriminator's score"
    elif data.in_features > 2:
        caption += ", by their first two numbers"
    points = [
        [float(f"{number:.4g}") for number in point[:2]] + [kind]
        for kind, x in enumerate(kinds.values())
        for point in x[x.isfinite().all(dim=1)].tolist()
    ]
    return {"name": "samples", "title": "Samples", "caption": f"{caption}.", "points": points, "classes": list(kinds)}


def surface(family: Gan, data: GaussianModes) -> dict[str, Any]:
    """The discriminator's score over the plane, as a picture.

    Scores of critics have no zero, so the shade is the sigmoid of how far the score is above the middle between its
    means on held-out and on generated examples.
    """
    reach = reach_of(data)
    pixel = 2 * reach / PIXELS
    along = -reach + pixel * (torch.arange(PIXELS, dtype=torch.float64) + 0.5)
    plane = torch.stack(torch.meshgrid(along, along.flip(0), indexing="xy"), dim=-1)
    test = data.parts["test"]["x"][:MOST_POINTS]
    fake = family.sample(MOST_POINTS, stream(data, "surface"))
    middle = (adversarial.scored(family, test).mean() + adversarial.scored(family, fake).mean()) / 2
    shade = (adversarial.scored(family, plane.reshape(-1, 2)) - middle).sigmoid().reshape(1, PIXELS, PIXELS)
    caption = (
        f"Its score over the plane, from {-reach:g} to {reach:g} in both directions: the brighter, the more real; grey "
        "is midway between its means on held-out and on generated examples."
    )
    return framed("discriminator", "The discriminator's surface", caption, (255 * shade).round().byte().cpu())


def reach_of(data: GaussianModes) -> float:
    """From the middle of a picture of the plane to its edges: all modes, and room around them."""
    furthest = abs(data.centres).max().item()
    return max(MARGIN * furthest, furthest + 6 * data.scale)
