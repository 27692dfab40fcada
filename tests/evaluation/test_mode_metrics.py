"""The evaluator of GANs on known modes: what a perfect and a collapsed generator score, and what is drawn."""

import base64
import math
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from paribus.data import GridOfGaussians, RingOfGaussians, ShiftedGaussian
from paribus.densities import GaussianMixture, StandardNormal
from paribus.errors import UserError
from paribus.evaluation import ModeMetrics
from paribus.evaluation.over_training import GREY
from paribus.families import Gan
from paribus.networks import Linear
from paribus.objectives import NonSaturating
from paribus.schedules import Constant


def ready(data):
    data.setup()
    return data


def ring(n_test=3000, seed=0):
    return ready(RingOfGaussians(8, 2.0, 0.02, 100, 0, n_test, 10, seed=seed))


def gan(prior, weight, numbers=2, averaging=None, snapshots=0):
    """x = weight times a sample of the prior, and a score that is the first number."""
    generator, discriminator = Linear(prior.features, numbers), Linear(numbers, 1)
    with torch.no_grad():
        generator.linear.weight.copy_(weight)
        discriminator.linear.weight.zero_()
        discriminator.linear.weight[0, 0] = 1
        for network in (generator, discriminator):
            network.linear.bias.zero_()
    return Gan(
        prior, generator, discriminator, NonSaturating(), torch.optim.Adam, Constant(), (numbers,), 0, critic_steps=1,
        averaging=averaging, snapshots=snapshots,
    ).eval()  # fmt: skip


def perfect():
    return gan(GaussianMixture(2, 8, 2.0, 0.02), torch.eye(2))


@torch.no_grad()
def measured(family, data, **settings):
    (row,) = ModeMetrics(**{"samples": 2500, "neighbours": 3} | settings)(family, data)
    return row.metrics


def test_the_mixture_itself_as_generator():
    found = measured(perfect(), ring())
    good = 1 - math.exp(-4.5)
    assert found["modes_covered"] == 8
    assert found["high_quality"] == pytest.approx(good, abs=4 * math.sqrt(good * (1 - good) / 2500))
    assert found["reverse_kl"] < (7 + 4 * math.sqrt(14)) / 5000  # 2 n KL is chi-squared of 7
    entropy = math.log(8) + math.log(2 * math.pi * math.e * 0.02**2)
    assert found["sample_log_density"] == pytest.approx(-entropy, abs=4 / math.sqrt(2500))
    assert found["data_log_density"] == pytest.approx(-entropy, abs=4 / math.sqrt(3000))
    assert abs(found["energy_distance"]) < 0.01
    assert min(found["precision"], found["recall"]) > 0.95
    assert "value_gap" not in found  # the generator is affine, but what it is given is not normal


def test_a_generator_that_has_one_mode_only():
    """All samples at the first mode, (2, 0), as tight as it."""
    found = measured(gan(GaussianMixture(2, 1, 2.0, 0.02), torch.eye(2)), ring())
    assert found["modes_covered"] == 1
    assert found["reverse_kl"] == pytest.approx(math.log(8))
    assert found["high_quality"] > 0.97
    assert found["precision"] > 0.9
    assert found["recall"] == pytest.approx(1 / 8, abs=0.03)
    assert found["sample_log_density"] == pytest.approx(found["data_log_density"], abs=0.1)
    assert found["energy_distance"] > 1


def test_a_point_is_likelier_than_the_data():
    found = measured(gan(GaussianMixture(2, 1, 2.0, 1e-6), torch.eye(2)), ring())
    assert found["sample_log_density"] == pytest.approx(found["data_log_density"] + 1, abs=0.1)
    assert found["recall"] < 0.01


def test_an_affine_generator_is_played_against_the_best_discriminator():
    data = ready(ShiftedGaussian(1, 2.0, 1.0, 100, 0, 3000, 10, seed=0))
    found = measured(gan(StandardNormal(1), torch.eye(1), numbers=1), data)
    assert found["optimal_value"] == pytest.approx(-0.7126, abs=5e-5)
    assert found["wasserstein_1"] == pytest.approx(2, abs=1e-6)
    assert found["score_difference"] == pytest.approx(2, abs=1e-6)
    declared = {measure.name for measure in ModeMetrics.measures}
    assert set(found) == declared


def test_samples_are_of_the_averaged_weights():
    family = gan(GaussianMixture(2, 8, 2.0, 0.02), torch.eye(2), averaging=0.9)
    with torch.no_grad():
        family.generator.linear.weight.zero_()
    assert measured(family, ring())["modes_covered"] == 8


def test_a_small_test_part_is_compared_with_as_many_samples_and_a_tiny_one_is_refused():
    assert measured(perfect(), ring(n_test=4))["precision"] in (0, 0.25, 0.5, 0.75, 1)
    with pytest.raises(UserError, match="the test part has 3 examples, expected at least 4: precision and recall"):
        ModeMetrics(samples=10, neighbours=3).accept(ring(n_test=3))


def test_it_is_a_function_of_the_seed():
    first, again, other = (measured(perfect(), ring(seed=seed), samples=200) for seed in (0, 0, 1))
    assert first == again
    assert first["high_quality"] != other["high_quality"] or first["energy_distance"] != other["energy_distance"]


def test_the_drawing_of_the_plane():
    with torch.no_grad():
        drawing = ModeMetrics(samples=500, neighbours=3).drawing(perfect(), ring())
    (surface,), (samples,), (bars,) = drawing["pictures"], drawing["maps"], drawing["bars"]
    assert sum(bars["values"]) == 500
    assert len(bars["values"]) == 8
    assert samples["classes"] == ["held out", "generated"]
    assert len(samples["points"]) == 800
    radii = {kind: [math.hypot(x, y) for x, y, each in samples["points"] if each == kind] for kind in (0, 1)}
    assert all(abs(radius - 2) < 0.2 for both in radii.values() for radius in both)
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(surface["png"]))))
    assert pixels.shape == (surface["height"], surface["width"]) == (96, 96)
    # the score is x, and its mean 0: brighter to the right, the same along a column, half-way in the middle
    assert (np.diff(pixels.astype(int), axis=1) >= 0).all()
    assert (pixels == pixels[:1]).all()
    expected = 255 / (1 + math.exp(2 * 1.3 * (1 - 1 / 96)))
    assert pixels[0, 0] == pytest.approx(expected, abs=12)
    assert "-2.6 to 2.6" in surface["caption"]


def test_the_samples_over_training_are_drawn_over_the_centres_of_the_modes():
    """A generator that has lost all modes but leaves its points at the origin: the eight crosses are whole."""
    family = gan(GaussianMixture(2, 8, 2.0, 0.02), torch.zeros(2, 2), snapshots=3)
    with torch.no_grad():
        pictures = ModeMetrics(samples=500, neighbours=3).drawing(family, ring())["pictures"]
    (over,) = [each for each in pictures if each["name"] == "over_training"]
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(over["png"]))))
    assert (pixels == 255).sum() == 4, "all points are one"
    assert (pixels == GREY).sum() == 8 * 9
    for turn in range(8):
        x, y = 2 * math.cos(math.tau * turn / 8), 2 * math.sin(math.tau * turn / 8)
        assert pixels[int(96 * (2.6 - y) / 5.2), int(96 * (2.6 + x) / 5.2)] == GREY


def test_up_is_up():
    family = perfect()
    with torch.no_grad():
        family.discriminator.linear.weight.copy_(torch.tensor([[0.0, 1.0]]))
        (surface,) = ModeMetrics(samples=500, neighbours=3).drawing(family, ring())["pictures"]
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(surface["png"]))))
    assert pixels[0, 0] > 200 > 50 > pixels[-1, 0]


def test_a_score_without_a_zero_is_drawn_about_its_middle():
    def drawn(offset):
        family = perfect()
        with torch.no_grad():
            family.discriminator.linear.bias.fill_(offset)
            return ModeMetrics(samples=500, neighbours=3).drawing(family, ring())["pictures"]

    assert drawn(64.0) == drawn(0.0)


@pytest.mark.parametrize("numbers", [1, 3])
def test_the_drawing_of_other_dimensions(numbers):
    data = ready(ShiftedGaussian(numbers, 2.0, 1.0, 100, 0, 50, 10, seed=0))
    with torch.no_grad():
        drawing = ModeMetrics(samples=60, neighbours=3).drawing(
            gan(StandardNormal(numbers), torch.eye(numbers), numbers), data
        )
    assert drawing["pictures"] == []
    points = drawing["maps"][0]["points"]
    assert len(points) == 50 + 60
    if numbers == 1:
        assert all(x == y for x, y, _ in points)  # upwards is the score, which is the number here
    assert drawing["bars"][0]["values"] == [60]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"samples": 3, "neighbours": 3}, "samples is 3"), ({"samples": 9, "neighbours": 0}, "neighbours is 0")],
)
def test_what_is_out_of_range_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        ModeMetrics(**settings)


def test_a_grid_is_measured_too():
    found = measured(
        gan(GaussianMixture(2, 1, 0.0, 0.05), torch.eye(2)),
        ready(GridOfGaussians(5, 2.0, 0.05, 20, 0, 500, 10, seed=0)),
    )
    assert (found["modes_covered"], found["reverse_kl"]) == (1, pytest.approx(math.log(25)))
