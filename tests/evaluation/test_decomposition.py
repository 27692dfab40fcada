"""What the rate is made of: against torch.distributions, quadrature and cases whose answer is known."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from paribus.densities import DiagonalGaussian, GaussianMixture, StandardNormal
from paribus.evaluation import decomposition
from paribus.evaluation.decomposition import log_mixture, rate_terms


def posterior_of(examples, features, log_variance=-1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean, spread = torch.randn(2, examples, features, generator=generator, dtype=torch.float64)
    return DiagonalGaussian(2 * mean, log_variance + spread / 2)


def samples_of(posterior, samples, seed=1):
    generator = torch.Generator().manual_seed(seed)
    examples, features = posterior.mean.shape
    return posterior.sample(torch.randn(examples, samples, features, generator=generator, dtype=torch.float64))


def mixture(mean, log_variance):
    """By torch.distributions, of features `[examples, features]`, as one density of all of them."""
    components = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    return MixtureSameFamily(Categorical(logits=torch.zeros(len(mean), dtype=torch.float64)), components)


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_the_aggregate_is_the_mixture_of_torch(monkeypatch, at_once):
    monkeypatch.setattr(decomposition, "PAIRS_AT_ONCE", at_once)
    posterior = posterior_of(examples=13, features=3)
    code = samples_of(posterior, 2).flatten(0, 1)
    joint, marginals = log_mixture(posterior, code)
    torch.testing.assert_close(joint, mixture(*posterior).log_prob(code), rtol=1e-12, atol=1e-12)
    for feature in range(3):
        one = mixture(posterior.mean[:, [feature]], posterior.log_variance[:, [feature]])
        torch.testing.assert_close(marginals[:, feature], one.log_prob(code[:, [feature]]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("prior", [StandardNormal(2), GaussianMixture(features=2, modes=10, radius=4.0, scale=0.5)])
@pytest.mark.parametrize("log_variance", [-30.0, -1.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_terms_close_to_the_rate_of_the_same_samples(prior, log_variance, dtype):
    posterior = DiagonalGaussian(*(each.to(dtype) for each in posterior_of(40, 2, log_variance)))
    code = samples_of(posterior, 3).to(dtype)
    terms = rate_terms(posterior, code, prior)
    log_posterior = Normal(posterior.mean.double(), (posterior.log_variance.double() / 2).exp()).log_prob(code.double())
    rate = (log_posterior.sum(-1) - prior.log_prob(code.double())).mean().item()
    assert terms.rate == pytest.approx(rate, rel=1e-10)
    assert terms.mutual_information + terms.total_correlation + terms.dimension_wise_kl == pytest.approx(
        rate, rel=1e-10
    )
    assert terms.aggregate_kl == pytest.approx(terms.total_correlation + terms.dimension_wise_kl, rel=1e-10, abs=1e-12)


def test_information_and_distance_are_the_integrals_in_one_dimension():
    posterior, samples = posterior_of(examples=5, features=1), 20_000
    aggregate = mixture(*posterior)

    def log_q(z):
        return aggregate.log_prob(torch.tensor([[z]], dtype=torch.float64)).item()

    def integral(of):
        return quad(of, -14, 14, epsabs=1e-11, limit=500)[0]

    entropy = -integral(lambda z: math.exp(log_q(z)) * log_q(z))
    within = ((posterior.log_variance + math.log(2 * math.pi) + 1) / 2).mean().item()
    distance = -entropy + integral(lambda z: math.exp(log_q(z)) * (z * z + math.log(2 * math.pi)) / 2)
    code = samples_of(posterior, samples)
    terms = rate_terms(posterior, code, StandardNormal(1))
    log_posterior = posterior.log_prob(code)
    error = (log_posterior - aggregate.log_prob(code)).std() / math.sqrt(code.numel())
    assert abs(terms.mutual_information - (entropy - within)) < 6 * error
    error = (aggregate.log_prob(code) - StandardNormal(1).log_prob(code)).std() / math.sqrt(code.numel())
    assert abs(terms.aggregate_kl - distance) < 6 * error
    assert terms.total_correlation == pytest.approx(0, abs=1e-12)  # one feature is correlated with no other


def test_examples_far_apart_are_told_by_their_codes():
    mean = torch.tensor([[-50.0], [0.0], [50.0]], dtype=torch.float64)
    posterior = DiagonalGaussian(mean, torch.zeros_like(mean))
    terms = rate_terms(posterior, samples_of(posterior, 100), StandardNormal(1))
    assert terms.mutual_information == pytest.approx(math.log(3), rel=1e-12)


def test_two_features_that_say_the_same_are_wholly_correlated():
    mean = torch.tensor([[-50.0, -50.0], [50.0, 50.0]], dtype=torch.float64)
    posterior = DiagonalGaussian(mean, torch.zeros_like(mean))
    terms = rate_terms(posterior, samples_of(posterior, 100), StandardNormal(2))
    assert terms.total_correlation == pytest.approx(math.log(2), rel=1e-12)


def test_a_posterior_that_is_the_prior_has_no_rate():
    flat = DiagonalGaussian(*torch.zeros(2, 20, 3, dtype=torch.float64))
    terms = rate_terms(flat, samples_of(flat, 2), StandardNormal(3))
    assert terms == pytest.approx((0.0,) * 5, abs=1e-12)


@pytest.mark.parametrize("examples", [1, 2, 17])
def test_the_information_of_n_examples_is_at_most_log_n(examples):
    for log_variance in (-20.0, -1.0, 2.0):
        posterior = posterior_of(examples, features=4, log_variance=log_variance)
        terms = rate_terms(posterior, samples_of(posterior, 50), StandardNormal(4))
        assert terms.mutual_information <= math.log(examples) + 1e-9  # of every sample, not only in expectation
