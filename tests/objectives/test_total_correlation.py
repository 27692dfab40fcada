"""The rate in three parts: against sums written out, against known values, and over all minibatches."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from paribus.densities import DiagonalGaussian, GaussianMixture, StandardNormal
from paribus.objectives import BetaTcVae, Inference
from paribus.objectives.variational import log_aggregate

PARTS = ("mutual_information", "total_correlation", "dimension_wise_kl")


def inference(batch=7, features=3, prior=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance, noise, distortion = torch.randn(4, batch, features, dtype=torch.float64, generator=generator)
    posterior = DiagonalGaussian((2 * mean).requires_grad_(), (log_variance - 1).detach().requires_grad_())
    code = posterior.sample(noise[:, None])
    return Inference(posterior, code, distortion.sum(dim=1)[None] ** 2, prior or StandardNormal(features), 0.5)


def written_out(given):
    """The three terms at the samples, where the minibatch is all there is: q(z) is a mean over its posteriors."""
    mean, scale = (each.detach().numpy() for each in (given.posterior.mean, (given.posterior.log_variance / 2).exp()))
    code = given.code[0].detach().numpy()
    n, features = code.shape
    information = correlation = by_dimension = 0.0
    for z, own_mean, own_scale in zip(code, mean, scale, strict=True):
        each = [[stats.norm(mean[j, k], scale[j, k]).logpdf(z[k]) for k in range(features)] for j in range(n)]
        joint = logsumexp([sum(row) for row in each]) - math.log(n)
        marginals = sum(logsumexp([row[k] for row in each]) - math.log(n) for k in range(features))
        information += stats.norm(own_mean, own_scale).logpdf(z).sum() - joint
        correlation += joint - marginals
        by_dimension += marginals - stats.norm.logpdf(z).sum()
    return [each / n for each in (information, correlation, by_dimension)]


@pytest.mark.parametrize(("batch", "features"), [(7, 3), (1, 2), (5, 1)])
def test_the_terms_where_the_minibatch_is_all_there_is(batch, features):
    given = inference(batch, features)
    loss = BetaTcVae(alpha=0.5, beta=4.0, gamma=2.0, examples=batch)(given)
    expected = written_out(given)
    assert [loss.terms[name].item() for name in PARTS] == pytest.approx(expected, rel=1e-10, abs=1e-12)
    distortion = given.distortion.mean().item()
    total = distortion + 0.5 * expected[0] + 4 * expected[1] + 2 * expected[2]
    assert loss.total.item() == pytest.approx(total, rel=1e-12)
    assert loss.terms["rate"].item() == pytest.approx(sum(expected), rel=1e-12)
    assert loss.terms["elbo"].item() == pytest.approx(-distortion - sum(expected), rel=1e-12)


@pytest.mark.parametrize("prior", [StandardNormal(3), GaussianMixture(3, 4, 2.0, 0.5)])
@pytest.mark.parametrize("examples", [7, 1000])
def test_weights_of_1_are_the_elbo_of_one_sample(prior, examples):
    """Whatever the estimate of q(z) is: it drops out, in value and in gradient."""
    given = inference(prior=prior)
    log_ratio = given.posterior.log_prob(given.code) - prior.log_prob(given.code)
    expected = (given.distortion + log_ratio).mean()
    loss = BetaTcVae(alpha=1.0, beta=1.0, gamma=1.0, examples=examples)(given)
    torch.testing.assert_close(loss.total, expected, rtol=1e-12, atol=1e-12)
    pairs = [torch.autograd.grad(each, given.posterior, retain_graph=True) for each in (loss.total, expected)]
    torch.testing.assert_close(*pairs, rtol=1e-9, atol=1e-12)


def test_two_clusters_on_the_diagonal():
    """At (a, a) and (-a, -a), far apart: the code tells the example, log 2 nats, and one feature the other, log 2.

    KL(q(z_j) || p) of two narrow peaks is (a^2 + s^2 - 1) / 2 - log s - log 2; on average over samples.
    """
    a, s, n = 3.0, 0.1, 20_000
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None]
    posterior = DiagonalGaussian(a * sign.expand(2, 2), torch.full((2, 2), 2 * math.log(s), dtype=torch.float64))
    noise = torch.randn(n, 2, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    objective = BetaTcVae(alpha=1.0, beta=4.0, gamma=1.0, examples=2)

    def terms(noise):
        given = Inference(posterior, posterior.sample(noise), torch.zeros(1, 2).double(), StandardNormal(2), 0.0)
        loss = objective(given)
        return torch.stack([loss.terms[name] for name in PARTS])

    found = torch.func.vmap(terms)(noise)
    by_feature = (a**2 + s**2 - 1) / 2 - math.log(s) - math.log(2)
    exact = torch.tensor([math.log(2), math.log(2), 2 * by_feature], dtype=torch.float64)
    assert ((found.mean(dim=0) - exact).abs() < 6 * found.std(dim=0) / math.sqrt(n) + 1e-12).all()
    assert (found[:, 1] - math.log(2)).abs().max() < 1e-6  # no noise is in it


def test_independent_features_have_no_total_correlation():
    """A grid of every pair of levels: q(z) is the product of its marginals, at every sample."""
    levels = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64)
    mean = torch.cartesian_prod(levels, levels)
    posterior = DiagonalGaussian(mean, torch.full_like(mean, -1.0))
    noise = torch.randn(9, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    given = Inference(posterior, posterior.sample(noise), torch.zeros(1, 9).double(), StandardNormal(2), 0.0)
    loss = BetaTcVae(alpha=1.0, beta=1.0, gamma=1.0, examples=9)(given)
    assert loss.terms["total_correlation"].abs().item() < 1e-12


@pytest.mark.parametrize("batch", [2, 3, 5])
def test_the_aggregate_is_right_on_average_over_all_minibatches(batch):
    """Over every minibatch of 6 examples that has a given one, the estimate of q(z) has q(z) as its mean."""
    given = inference(6, 2)
    posterior, code = DiagonalGaussian(*(each.detach() for each in given.posterior)), given.code[0].detach()
    whole, _ = log_aggregate(posterior, code, 6)
    for own in range(6):
        others = [row for row in range(6) if row != own]
        estimates = []
        for chosen in itertools.combinations(others, batch - 1):
            rows = [own, *chosen]
            part = DiagonalGaussian(*(each[rows] for each in posterior))
            log_joint, log_marginals = log_aggregate(part, code[rows], 6)
            assert log_marginals.isfinite().all()
            estimates.append(log_joint[0].exp().item())
        assert np.mean(estimates) == pytest.approx(whole[own].exp().item(), rel=1e-12)
        assert np.mean(np.log(estimates)) < whole[own].item()


@pytest.mark.parametrize("log_variance", [-300.0, -80.0, 60.0])
def test_extreme_encoders_have_finite_terms(log_variance):
    """In float32, with posteriors that do not meet anywhere."""
    mean = torch.tensor([[0.0, 0.0], [1.0, 1e4], [-1e4, 2.0]], requires_grad=True)
    posterior = DiagonalGaussian(mean, torch.full((3, 2), log_variance, requires_grad=True))
    code = posterior.sample(torch.ones(3, 1, 2))
    given = Inference(posterior, code, torch.ones(1, 3), StandardNormal(2), 0.0)
    loss = BetaTcVae(alpha=1.0, beta=4.0, gamma=1.0, examples=10)(given)
    assert loss.total.isfinite()
    for gradient in torch.autograd.grad(loss.total, posterior):
        assert gradient.isfinite().all()
