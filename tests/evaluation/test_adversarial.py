"""The game of discriminator and generator where both densities are known, against quadrature and closed forms."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm, wasserstein_distance

from paribus.data import RingOfGaussians, ShiftedGaussian
from paribus.densities import GaussianMixture, StandardNormal
from paribus.densities.codes import LatentCode
from paribus.evaluation.adversarial import clouds, game, generated_gaussian, wasserstein_1
from paribus.families import Gan, InfoGan
from paribus.networks import Linear, Mlp
from paribus.objectives import NonSaturating, Wasserstein
from paribus.schedules import Constant

VALUES = {0.0: -1.3863, 0.5: -1.3257, 1.0: -1.1635, 2.0: -0.7126, 4.0: -0.1209}
"""Of the best discriminator of N(0, 1) and N(m, 1), by m."""


class Score(Linear):
    """An affine score, or what is given of it."""

    def __init__(self, numbers, of=None):
        super().__init__(numbers, 1)
        self.of = of

    def forward(self, inputs, noise=None):
        return self.of(inputs)[:, None] if self.of else super().forward(inputs)


def gan(numbers=1, prior=None, generator=None, score=None, averaging=None):
    """The identity is the generator where none is given, and 0 the score."""
    prior = prior or StandardNormal(numbers)
    if generator is None:
        generator = affine(torch.eye(numbers), torch.zeros(numbers))
    return Gan(
        prior, generator, Score(numbers, score or (lambda x: 0 * x[:, 0])), NonSaturating(), torch.optim.Adam,
        Constant(), (numbers,), 0, critic_steps=1, averaging=averaging, snapshots=0,
    ).eval()  # fmt: skip


def affine(weight, offset):
    network = Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        network.linear.weight.copy_(weight)
        network.linear.bias.copy_(offset)
    return network


def shifted(shift=1.0, dimensions=1, scale=1.0, n_test=1000):
    return ready(ShiftedGaussian(dimensions, shift, scale, 20, 0, n_test, 10, seed=0))


def ready(data):
    data.setup()
    return data


@torch.no_grad()
def played(family, data):
    return game(family, data, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shift", VALUES)
def test_the_best_discriminator_of_shifted_normals(shift):
    """Its logit is m x - m^2 / 2; its value is that of quadrature to four digits; no logit at all has -log 4."""
    found = played(gan(score=lambda x: shift * x[:, 0] - shift**2 / 2), shifted(shift))
    assert found["optimal_value"] == pytest.approx(VALUES[shift], abs=5e-5)
    assert found["value_of_discriminator"] == pytest.approx(found["optimal_value"], abs=1e-6)
    assert found["value_gap"] == pytest.approx(0, abs=1e-6)
    assert found["score_difference"] == pytest.approx(shift**2, abs=1e-5)
    assert found["jsd"] == pytest.approx((VALUES[shift] + math.log(4)) / 2, abs=5e-5)
    assert found["wasserstein_1"] == pytest.approx(shift, abs=1e-6)
    blind = played(gan(), shifted(shift))
    assert blind["value_of_discriminator"] == pytest.approx(-math.log(4), abs=1e-9)
    assert blind["value_gap"] == pytest.approx(found["optimal_value"] + math.log(4), abs=1e-9)


def test_densities_that_do_not_meet():
    """JSD is log 2 whatever the distance, which is what W1 tells."""
    for distance in (20.0, 200.0):
        found = played(gan(), shifted(distance, scale=0.5))
        assert found["jsd"] == pytest.approx(math.log(2), abs=1e-9)
        assert found["optimal_value"] == pytest.approx(0, abs=1e-9)
        assert found["wasserstein_1"] == pytest.approx(distance, rel=1e-6)
        assert math.isfinite(found["value_gap"])


def test_any_discriminator_against_any_affine_generator_is_scipys():
    """p = N(1, 2^2), q = N(-.5, .3^2) of three latents, and a score with kinks."""
    score = lambda x: 1.5 * x[:, 0].abs() - 0.7 * (x[:, 0] - 0.4).relu()  # noqa: E731
    weight = torch.tensor([[0.1, -0.2, 0.2]])
    found = played(
        gan(prior=StandardNormal(3), generator=affine(weight, torch.tensor([-0.5])), score=score),
        shifted(1.0, scale=2.0),
    )
    p, q = norm(1, 2).pdf, norm(-0.5, 0.3).pdf
    logit = lambda x: score(torch.tensor([[x]], dtype=torch.float64)).item()  # noqa: E731
    expected = quad(lambda x: -p(x) * math.log1p(math.exp(-logit(x))), -20, 20, points=[-0.5, 0, 0.4], limit=200)[0]
    expected += quad(lambda x: -q(x) * math.log1p(math.exp(logit(x))), -4, 3, points=[-0.5, 0, 0.4], limit=200)[0]
    assert found["value_of_discriminator"] == pytest.approx(expected, abs=1e-6)
    best = quad(lambda x: p(x) * math.log(p(x) / (p(x) + q(x))), -19, 21, points=[-0.5, 0.0], limit=200)[0]
    best += quad(lambda x: q(x) * math.log(q(x) / (p(x) + q(x))), -3, 2, points=[-0.5], limit=200)[0]
    assert found["optimal_value"] == pytest.approx(best, abs=1e-6)
    assert found["wasserstein_1"] == pytest.approx(wasserstein_1(1.5, 1.7), rel=1e-6)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (2.0, 0.0), (-1.5, 0.7), (0.3, -2.0), (1e6, 1e-6)])
def test_wasserstein_of_gaussians_is_between_quantiles(shift, spread):
    expected = quad(lambda t: abs(shift + spread * t) * norm.pdf(t), -12, 12, points=[0], limit=400)[0]
    assert wasserstein_1(shift, spread) == pytest.approx(expected, rel=1e-6)


def test_wasserstein_is_scipys_of_large_samples():
    grid = norm.ppf((torch.arange(20_000) + 0.5).numpy() / 20_000)
    assert wasserstein_1(0.5, 2.0 - 0.7) == pytest.approx(
        wasserstein_distance(1 + 2 * grid, 0.5 + 0.7 * grid), abs=1e-3
    )


def test_in_the_plane_expectations_are_sample_means():
    """p on a wide ring against a Gaussian: D with the best logit has no gap at all, and the value is a grid's."""
    data = ready(RingOfGaussians(3, 1.0, 0.6, 20, 0, 40_000, 10, seed=0))
    weight, offset = torch.tensor([[1.0, 0.4], [0.0, -0.8]]), torch.tensor([0.2, 0.1])
    q = multivariate_normal(offset.numpy(), (weight @ weight.T).numpy())
    best = lambda x: (data.log_density(x) - torch.from_numpy(q.logpdf(x.numpy()))).float()  # noqa: E731
    found = played(gan(2, generator=affine(weight, offset), score=best), data)
    assert found["value_gap"] == pytest.approx(0, abs=1e-5)
    side = torch.linspace(-7, 7, 500, dtype=torch.float64)
    plane = torch.cartesian_prod(side, side)
    log_p, log_q = data.log_density(plane), torch.from_numpy(q.logpdf(plane.numpy()))
    either, cell = torch.logaddexp(log_p, log_q), (side[1] - side[0]) ** 2
    value = ((log_p.exp() * (log_p - either) + log_q.exp() * (log_q - either)).sum() * cell).item()
    deviation = 2 * math.sqrt(2 / 40_000)  # of two means of logarithms that vary by less than 1
    assert found["optimal_value"] == pytest.approx(value, abs=4 * deviation)
    assert found["jsd"] == pytest.approx((value + math.log(4)) / 2, abs=2 * deviation)
    assert "wasserstein_1" not in found


def test_the_gap_in_the_plane_is_above_zero_and_what_is_missing():
    found = played(gan(2, score=lambda x: x[:, 1]), shifted(1.0, dimensions=2, n_test=5000))
    assert found["value_gap"] == pytest.approx(found["optimal_value"] - found["value_of_discriminator"])
    assert found["value_gap"] > 0.1


def test_the_density_of_what_is_generated():
    weight, offset = torch.tensor([[2.0, 0.0, -1.0], [0.5, -3.0, 0.2]]), torch.tensor([5.0, -1.0])
    found = generated_gaussian(gan(2, prior=StandardNormal(3), generator=affine(weight, offset)))
    x = 3 * torch.randn(10, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    reference = multivariate_normal(offset.numpy(), (weight @ weight.T).numpy()).logpdf(x.numpy())
    assert found.log_density(x).tolist() == pytest.approx(reference.tolist(), rel=1e-4)
    assert (found.root.diagonal() > 0).all()


def test_generators_of_unknown_density():
    def known(**parts):
        with torch.no_grad():
            return generated_gaussian(gan(**parts)) is not None

    torch.manual_seed(0)
    assert known(numbers=2, generator=Mlp(2, 2, [], "relu", "none", 0.0))
    assert not known(numbers=2, generator=Mlp(2, 2, [8], "relu", "none", 0.0))
    assert not known(numbers=2, generator=Mlp(2, 2, [8], "tanh", "none", 0.0))
    assert not known(numbers=2, generator=affine(torch.tensor([[1.0, 2.0], [2.0, 4.0]]), torch.zeros(2)))  # a line
    assert not known(numbers=2, generator=affine(torch.zeros(2, 2), torch.zeros(2)))  # a point
    assert not known(numbers=3, prior=StandardNormal(2), generator=Linear(2, 3))
    assert not known(numbers=2, prior=GaussianMixture(2, 3, 1.0, 0.1))
    assert played(gan(2, generator=Mlp(2, 2, [8], "relu", "none", 0.0)), shifted(dimensions=2)) == {}


def test_a_code_has_no_gaussian_density():
    family = InfoGan(
        StandardNormal(2), LatentCode(2, 0), Linear(4, 2), Linear(2, 3), NonSaturating(), torch.optim.Adam, Constant(),
        (2,), 0, critic_steps=1, averaging=None, snapshots=0, information=1.0,
    )  # fmt: skip
    assert generated_gaussian(family) is None


def test_the_game_is_against_the_weights_that_were_trained_against():
    """Not against the average, which is still at the initial weights."""
    family = gan(averaging=0.9)
    with torch.no_grad():
        family.generator.linear.bias.fill_(3.0)
    assert played(family, shifted(1.0))["wasserstein_1"] == pytest.approx(2, abs=1e-6)


def test_the_rule_integrates_what_normals_have():
    real, fake = clouds(shifted(1.5, scale=0.2), generated_gaussian(gan()), torch.Generator())
    x = real.points[:, 0]
    assert real.mean(x) == pytest.approx(1.5, abs=1e-12)
    assert real.mean((x - 1.5) ** 4) == pytest.approx(3 * 0.2**4, rel=1e-9)
    assert fake.mean(fake.points[:, 0].relu()) == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-6)


@torch.no_grad()
def test_only_logits_have_a_value():
    """A critic's scores are no log-odds: sigmoids of them mean nothing."""
    family, data = gan(1, score=lambda x: 3 * x[:, 0]), shifted()
    told = played(family, data)
    family.objective = Wasserstein()
    of_critic = played(family, data)
    assert told.keys() - of_critic.keys() == {"value_of_discriminator", "value_gap"}
    assert all(of_critic[name] == told[name] for name in of_critic)
