"""The linear variational autoencoder is probabilistic PCA: its optimum is known in closed form.

Tipping and Bishop, Probabilistic principal component analysis (1999); Lucas, Tucker, Grosse and Norouzi, Don't blame
the ELBO! (2019). The samples of each posterior are its sigma points, mean +- sqrt(k) deviations along each axis, at
which quadratic functions have their exact means: the loss is the exact ELBO, and L-BFGS takes it to its optimum.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from paribus.densities import Gaussian
from paribus.objectives import Elbo

N, D, K = 300, 6, 2


def data():
    """Two directions and noise, and the eigenvalues of their covariance, the largest first."""
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(N, K, dtype=torch.float64, generator=generator)
    weights = torch.randn(K, D, dtype=torch.float64, generator=generator)
    x = code @ (0.8 * weights) + 0.6 * torch.randn(N, D, dtype=torch.float64, generator=generator) + 0.5
    return x, np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))[::-1].copy()


def sigma_points(n, features):
    points = math.sqrt(features) * torch.cat([torch.eye(features), -torch.eye(features)]).double()
    return points.expand(n, 2 * features, features)


def trained(vae, x, likelihood, features=K):
    """A linear VAE at its optimum, and its loss there."""
    objective = Elbo(beta=1.0, free_nats=0.0, ramp=0.0, cycles=1, samples=2 * features)
    family = vae(objective, likelihood=likelihood, linear=True, features=features, numbers=D).double()
    rows, noise = {"x": x}, {"code": sigma_points(len(x), features)}
    optimizer = torch.optim.LBFGS(
        family.parameters(), max_iter=3000, tolerance_grad=1e-7, tolerance_change=1e-12, history_size=20,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        total = family.loss(rows, noise).total
        total.backward()
        return total

    optimizer.step(closure)
    return family, family.loss(rows, noise)


def test_the_optimum_is_that_of_ppca(vae):
    x, eigenvalues = data()
    family, loss = trained(vae, x, Gaussian(1.0, learn_scale=True))
    noise = eigenvalues[K:].mean()
    assert family.likelihood.log_scale.exp().item() ** 2 == pytest.approx(noise, rel=1e-4)
    weights = family.decoder.linear.weight.detach().numpy()
    implied = weights @ weights.T + family.likelihood.log_scale.exp().item() ** 2 * np.eye(D)
    model = stats.multivariate_normal(family.decoder.linear.bias.detach().numpy(), implied)
    evidence = model.logpdf(x.numpy()).mean()
    assert loss.terms["elbo"].item() == pytest.approx(evidence, abs=1e-6)
    # Tipping and Bishop, equation 8: the evidence of the maximum likelihood solution
    logs = np.log(eigenvalues[:K]).sum() + (D - K) * math.log(noise)
    assert evidence == pytest.approx(-(D * math.log(2 * math.pi) + logs + D) / 2, abs=1e-6)
    assert loss.terms["rate"].item() == pytest.approx(np.log(eigenvalues[:K] / noise).sum() / 2, abs=1e-3)
    assert loss.terms["elbo"].item() == pytest.approx(-loss.terms["distortion"].item() - loss.terms["rate"].item())


def test_no_encoder_exceeds_the_evidence(vae):
    """Away from the optimum the ELBO is less by the divergence of the posteriors, here in closed form."""
    x, _ = data()
    family = vae(
        Elbo(beta=1.0, free_nats=0.0, ramp=0.0, cycles=1, samples=2 * K),
        likelihood=Gaussian(0.9, learn_scale=False), linear=True, features=K, numbers=D,
    ).double()  # fmt: skip
    elbo = family.loss({"x": x}, {"code": sigma_points(N, K)}).terms["elbo"].item()
    weights, bias = (getattr(family.decoder.linear, name).detach().numpy() for name in ("weight", "bias"))
    evidence = stats.multivariate_normal(bias, weights @ weights.T + 0.81 * np.eye(D)).logpdf(x.numpy()).mean()
    covariance = np.linalg.inv(np.eye(K) + weights.T @ weights / 0.81)
    true_mean = (x.numpy() - bias) @ weights @ covariance / 0.81
    q = family.posterior(x)
    mean, variance = q.mean.detach().numpy(), q.log_variance.detach().exp().numpy()
    precision = np.linalg.inv(covariance)
    distance = mean - true_mean
    gap = (variance @ np.diag(precision) + np.einsum("ni,ij,nj->n", distance, precision, distance) - K) / 2
    gap += (np.linalg.slogdet(covariance)[1] - np.log(variance).sum(axis=1)) / 2
    assert gap.mean() > 0.1
    assert evidence - elbo == pytest.approx(gap.mean(), rel=1e-9)


@pytest.mark.parametrize("ratio", [0.8, 0.95, 1.05, 1.25, 4.0])
def test_it_collapses_if_and_only_if_the_fixed_noise_is_the_largest_eigenvalue_or_more(vae, ratio):
    """lambda_1 = ratio sigma^2, one feature: a rate of log(ratio) / 2 above 1, and of 0 below."""
    x, eigenvalues = data()
    family, loss = trained(vae, x, Gaussian(math.sqrt(eigenvalues[0] / ratio), learn_scale=False), features=1)
    expected = max(0.0, math.log(ratio) / 2)
    assert loss.terms["rate"].item() == pytest.approx(expected, abs=1e-4)
    squared = family.decoder.linear.weight.square().sum().item()
    assert squared == pytest.approx(max(0.0, eigenvalues[0] * (1 - 1 / ratio)), abs=1e-2 * eigenvalues[0])
    assert (family.posterior(x).mean.var(dim=0) > 0.01).item() == (ratio > 1)
