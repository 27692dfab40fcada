"""Codes against the prior: the distance of Gaussians in closed form, and modes that are known to be hit."""

import math

import pytest
import torch

from paribus.densities import GaussianMixture, StandardNormal, SwissRoll
from paribus.evaluation.aggregate import MULTIPLES, code_mmd, mode_metrics
from paribus.noise import draw

RING = GaussianMixture(features=2, modes=10, radius=4.0, scale=0.5)


def drawn(prior, n, seed):
    return prior.sample(draw(prior.noise_spec(), n, torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_distance_of_gaussians(shift):
    """MMD^2 of N(0, 1) and N(m, 1) under exp(-d^2 / 2 l^2) is 2 l / sqrt(l^2 + 2) (1 - exp(-m^2 / 2 (l^2 + 2)))."""
    generator = torch.Generator().manual_seed(0)
    median = math.sqrt(2) * 0.6744897501960817  # of |x - y|
    scales = [multiple * median for multiple in MULTIPLES]
    terms = [2 * s / math.sqrt(s**2 + 2) * (1 - math.exp(-(shift**2) / (2 * (s**2 + 2)))) for s in scales]
    found = torch.tensor([
        code_mmd(shift + torch.randn(150, 1, generator=generator), torch.randn(150, 1, generator=generator))
        for _ in range(200)
    ])  # fmt: skip
    # the scale is estimated, too: a bias of less than a percent at 11,175 pairs
    assert abs(found.mean() - sum(terms) / len(terms)) < 4 * found.std() / 200**0.5 + 0.01 * sum(terms) / len(terms)


def test_half_of_a_ring_is_far_from_the_ring():
    prior_code, many = drawn(RING, 500, 0), drawn(RING, 2000, 4)
    half = many[many[:, 0] > 0][:500]
    assert abs(code_mmd(drawn(RING, 500, 3), prior_code)) < 0.003
    assert code_mmd(half, prior_code) > 0.05
    assert mode_metrics(RING, half)["modes_covered"] < 10


def test_samples_of_the_mixture_lie_in_its_modes():
    found = mode_metrics(RING, drawn(RING, 20_000, 0))
    share = 1 - math.exp(-4.5)  # a squared distance in the plane is exponential; modes are 2.47 = 4.9 deviations apart
    assert found["codes_in_modes"] == pytest.approx(share, abs=0.01)
    assert found["modes_covered"] == 10


def test_a_mode_with_less_than_a_percent_of_the_codes_is_not_covered():
    centres = RING.centres(torch.zeros(1))
    code = torch.cat([centres[:1].repeat(98, 1), centres[1:2], torch.zeros(1, 2)])
    assert mode_metrics(RING, code) == {"codes_in_modes": 0.99, "modes_covered": 2.0}
    assert mode_metrics(RING, torch.cat([code, torch.zeros(1, 2)]))["modes_covered"] == 1.0


def test_nothing_is_told_of_priors_without_modes():
    for prior in (StandardNormal(2), SwissRoll(extent=3.0, scale=0.1)):
        assert mode_metrics(prior, torch.zeros(5, 2)) == {}
