"""Exact evidence against scipy and quadrature, and the optimum of probabilistic PCA against numerical optimisation."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA

from paribus.densities import Bernoulli, DiagonalGaussian, Gaussian, GaussianMixture, MeanSquaredError
from paribus.evaluation.evidence import LinearGaussianModel, covariance_eigenvalues, linear_gaussian, optimum
from paribus.networks import Mlp


def model(numbers, features, variance, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(numbers, features, generator=generator, dtype=torch.float64)
    offset = torch.randn(numbers, generator=generator, dtype=torch.float64)
    return LinearGaussianModel(weight, offset, torch.tensor(variance, dtype=torch.float64)), generator


@pytest.mark.parametrize(("numbers", "features"), [(1, 1), (5, 2), (3, 7), (40, 3)])
@pytest.mark.parametrize("variance", [1e-4, 0.3, 50.0])
def test_the_evidence_is_scipys(numbers, features, variance):
    known, generator = model(numbers, features, variance)
    x = 3 * torch.randn(20, numbers, generator=generator, dtype=torch.float64)
    covariance = (known.weight @ known.weight.T).numpy() + variance * np.eye(numbers)
    expected = multivariate_normal(known.offset.numpy(), covariance).logpdf(x.numpy())
    np.testing.assert_allclose(known.log_evidence(x), np.atleast_1d(expected), rtol=1e-9)


def test_the_evidence_is_the_integral_over_the_code():
    known, _ = model(numbers=3, features=1, variance=0.2)
    (w, b, v) = (each.numpy() for each in known)
    x = np.array([0.3, -1.2, 2.0])

    def joint(z):
        return norm.pdf(z) * norm.pdf(x, b + w[:, 0] * z, math.sqrt(v)).prod()

    integral, _ = quad(joint, -12, 12, epsabs=0, epsrel=1e-11, limit=500)
    assert known.log_evidence(torch.from_numpy(x)[None]).item() == pytest.approx(math.log(integral), rel=1e-9)


@pytest.mark.parametrize("variance", [1e-12, 1e12])
def test_the_evidence_is_right_at_the_ends_of_the_scale(variance):
    # Two numbers, W = (1, 1)': in the rotated frame the covariance is diag(2 + variance, variance).
    known = LinearGaussianModel(torch.ones(2, 1).double(), torch.zeros(2).double(), torch.tensor(variance).double())
    x = torch.tensor([[3.0, 3.0]], dtype=torch.float64)
    expected = -math.log(2 * math.pi) - (math.log(2 + variance) + math.log(variance) + 18 / (2 + variance)) / 2
    assert known.log_evidence(x).item() == pytest.approx(expected, rel=1e-9)


def test_the_closed_elbo_is_what_samples_of_the_posterior_average_to():
    known, generator = model(numbers=6, features=3, variance=0.4)
    x = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    mean, log_variance = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    posterior, samples = DiagonalGaussian(mean, log_variance), 200_000
    normal = torch.distributions.Normal
    q = normal(mean, (log_variance / 2).exp())
    code = mean + (log_variance / 2).exp() * torch.randn(samples, 4, 3, generator=generator, dtype=torch.float64)
    likelihood = normal(known.offset + code @ known.weight.T, known.variance.sqrt()).log_prob(x).sum(-1)
    drawn = likelihood + normal(0.0, 1.0).log_prob(code).sum(-1) - q.log_prob(code).sum(-1)
    error = (drawn.mean(0) - known.elbo(x, posterior)) / (drawn.std(0) / math.sqrt(samples))
    assert error.abs().max() < 6
    error = (-likelihood.mean(0) - known.distortion(x, posterior)) / (likelihood.std(0) / math.sqrt(samples))
    assert error.abs().max() < 6


def test_the_elbo_is_the_evidence_at_the_true_posterior_and_below_it_elsewhere(true_posterior):
    known, generator = model(numbers=6, features=3, variance=0.4)
    weight = torch.linalg.qr(known.weight)[0] * torch.tensor([3.0, 1.0, 0.2])  # orthogonal: the posterior is diagonal
    known = known._replace(weight=weight)
    x = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    true = true_posterior(known, x)
    torch.testing.assert_close(known.elbo(x, true), known.log_evidence(x), rtol=1e-12, atol=1e-10)
    for change in (0.1, -0.1):
        assert (known.elbo(x, true._replace(mean=true.mean + change)) < known.log_evidence(x)).all()
        assert (known.elbo(x, true._replace(log_variance=true.log_variance + change)) < known.log_evidence(x)).all()


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("likelihood", "variance"),
    [
        (Gaussian(scale=0.7, learn_scale=False), 0.49),
        (Gaussian(scale=0.7, learn_scale=True), 0.49),
        (Gaussian(scale=1e-6, learn_scale=False), 1e-12),
        (Gaussian(scale=1e5, learn_scale=False), 1e10),
        (MeanSquaredError(), 2.5),
    ],
)
def test_a_linear_family_is_recognised_with_its_numbers(vae, likelihood, variance, dtype):
    family = vae(likelihood=likelihood).to(dtype)
    found = linear_gaussian(family)
    assert found.variance.item() == pytest.approx(variance, rel=1e-6)
    torch.testing.assert_close(found.weight, family.decoder.linear.weight.double(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.offset, family.decoder.linear.bias.double(), rtol=1e-12, atol=1e-12)


def test_other_parts_that_come_to_the_same_model_are_recognised(vae):
    affine = Mlp(2, 5, hidden=[], activation="relu", normalisation="none", dropout=0.0)
    single = GaussianMixture(features=2, modes=1, radius=0.0, scale=1.0)
    assert linear_gaussian(vae(decoder=affine)) is not None
    assert linear_gaussian(vae(prior=single)) is not None


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu"])
def test_no_curved_decoder_is_taken_for_an_affine_one(vae, activation):
    curved = Mlp(2, 5, hidden=[16], activation=activation, normalisation="none", dropout=0.0)
    assert linear_gaussian(vae(decoder=curved)) is None
    for parameter in curved.hidden.parameters():
        parameter.data *= 1e-2  # nearly straight about the origin
    assert linear_gaussian(vae(decoder=curved)) is None


@pytest.mark.parametrize(
    "parts",
    [
        {"likelihood": Bernoulli()},
        {"prior": GaussianMixture(features=2, modes=10, radius=4.0, scale=0.5)},
        {"prior": GaussianMixture(features=2, modes=1, radius=0.0, scale=0.99)},
    ],
)
def test_another_likelihood_or_prior_has_no_exact_evidence(vae, parts):
    assert linear_gaussian(vae(**parts)) is None


def test_asking_leaves_the_random_numbers_of_an_evaluation_alone(vae):
    family = vae()
    before = torch.get_rng_state()
    linear_gaussian(family)
    assert torch.equal(before, torch.get_rng_state())
    assert next(family.parameters()).dtype == torch.float32


def test_eigenvalues_are_those_of_numpys_covariance(correlated):
    x = correlated()
    expected = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))[::-1]
    np.testing.assert_allclose(covariance_eigenvalues(x), expected, rtol=1e-10)


@pytest.mark.parametrize("features", [1, 2, 5])
def test_the_free_optimum_is_sklearns(correlated, features):
    x = correlated()
    reference = PCA(n_components=features).fit(x.numpy())
    unbiased = covariance_eigenvalues(x) * len(x) / (len(x) - 1)  # sklearn divides by n - 1
    assert optimum(unbiased, features).variance == pytest.approx(reference.noise_variance_, rel=1e-10)
    best = optimum(covariance_eigenvalues(x), features)
    scale = math.sqrt((len(x) - 1) / len(x))
    offset = reference.mean_
    components = reference.components_.T * np.sqrt(reference.explained_variance_ * scale**2 - best.variance)
    covariance = components @ components.T + best.variance * np.eye(x.shape[1])
    assert best.log_evidence == pytest.approx(multivariate_normal(offset, covariance).logpdf(x).mean(), rel=1e-10)


@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("variance", [None, 0.05, 1.0, 2.5, 6.0])
def test_no_numerical_optimum_is_better_and_it_has_the_same_rate(correlated, features, variance):
    x = correlated()
    weight = torch.randn(6, features, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.1
    log_variance = torch.tensor(math.log(variance or 1.0), dtype=torch.float64)
    free = [weight.requires_grad_(), *([log_variance.requires_grad_()] if variance is None else [])]
    optimizer = torch.optim.LBFGS(
        free, max_iter=2000, tolerance_grad=1e-10, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        value = -LinearGaussianModel(weight, x.mean(0), log_variance.exp()).log_evidence(x).mean()
        value.backward()
        return value

    optimizer.step(loss)
    best = optimum(covariance_eigenvalues(x), features, variance)
    assert best.log_evidence == pytest.approx(-loss().item(), abs=1e-9)
    assert best.variance == pytest.approx(log_variance.exp().item(), rel=1e-5)
    with torch.no_grad():  # KL(N(m, S) || N(0, I)) of the true posterior, by torch.distributions
        precision = torch.eye(features) + weight.T @ weight / log_variance.exp()
        means = (x - x.mean(0)) @ weight / log_variance.exp() @ precision.inverse()
        posterior = torch.distributions.MultivariateNormal(means, precision_matrix=precision)
        prior = torch.distributions.MultivariateNormal(torch.zeros(features).double(), torch.eye(features).double())
        assert torch.distributions.kl_divergence(posterior, prior).mean().item() == pytest.approx(best.rate, abs=1e-5)


def test_a_fixed_variance_that_no_eigenvalue_exceeds_collapses():
    eigenvalues = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)
    assert optimum(eigenvalues, 2, 2.0).rate == 0
    assert optimum(eigenvalues, 2, 1.99).rate == pytest.approx(math.log(2 / 1.99) / 2)
    assert optimum(eigenvalues, 2).rate > 0


@pytest.mark.parametrize("features", [2, 3, 4])
def test_there_is_no_optimum_where_no_variance_is_left(features):
    flat = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)
    assert optimum(flat, features) is None
    assert optimum(flat, features, 0.5) is not None
