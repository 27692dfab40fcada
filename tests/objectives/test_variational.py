"""Bounds on log p(x) against their formulas, a model whose evidence is known, and what must not change them."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from paribus.densities import DiagonalGaussian, GaussianMixture, StandardNormal
from paribus.objectives import Elbo, Inference, Iwae

BATCH, FEATURES = 6, 3


def inference(samples=1, progress=0.0, prior=None, seed=0):
    """Of random posteriors and a distortion that depends on the code."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, BATCH, FEATURES, dtype=torch.float64, generator=generator)
    posterior = DiagonalGaussian(mean.requires_grad_(), (log_variance - 1).detach().requires_grad_())
    noise = torch.randn(BATCH, samples, FEATURES, dtype=torch.float64, generator=generator)
    code = posterior.sample(noise)
    return Inference(posterior, code, (code - 0.5).pow(4).sum(dim=-1) + 3, prior or StandardNormal(FEATURES), progress)


def elbo(**changes):
    return Elbo(**{"beta": 1.0, "free_nats": 0.0, "ramp": 0.0, "cycles": 1, "samples": 1} | changes)


def divergence(given):
    """KL of each example and feature, by torch."""
    q = Normal(given.posterior.mean, (given.posterior.log_variance / 2).exp())
    return kl_divergence(q, Normal(torch.zeros_like(q.loc), 1.0))


def repeated(given):
    """The same minibatch twice."""
    posterior = DiagonalGaussian(*(torch.cat([each] * 2) for each in given.posterior))
    return given._replace(
        posterior=posterior, code=torch.cat([given.code] * 2, 1), distortion=torch.cat([given.distortion] * 2, 1)
    )


def gradients(total, given):
    return torch.autograd.grad(total, given.posterior, retain_graph=True)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_elbo_is_reconstruction_less_divergence(samples, beta):
    given = inference(samples)
    loss, rate = elbo(beta=beta, samples=samples)(given), divergence(given).sum() / BATCH
    distortion = given.distortion.sum() / (samples * BATCH)
    torch.testing.assert_close(loss.total, distortion + beta * rate, rtol=1e-13, atol=0)
    expected = {
        "distortion": distortion,
        "rate": rate,
        "elbo": -distortion - rate,
        "weight": rate.new_tensor(beta),
    }
    assert set(loss.terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(loss.terms[name], value, rtol=1e-13, atol=0)
    torch.testing.assert_close(gradients(loss.total, given), gradients(distortion + beta * rate, given))


@pytest.mark.parametrize(("ramp", "cycles", "weights"), [
    (0.0, 1, {0.0: 4, 0.3: 4, 1.0: 4}),
    (0.5, 1, {0.0: 0, 0.125: 1, 0.25: 2, 0.5: 4, 0.75: 4, 1.0: 4}),
    (1.0, 1, {0.0: 0, 0.25: 1, 0.75: 3, 1.0: 4}),
    (0.5, 4, {0.0: 0, 1 / 16: 2, 1 / 8: 4, 0.24: 4, 0.25: 0, 5 / 16: 2, 0.74: 4, 0.75: 0, 15 / 16: 4, 1.0: 4}),
    (1.0, 2, {0.0: 0, 0.25: 2, 0.5: 0, 0.75: 2, 1.0: 4}),
])  # fmt: skip
def test_the_weight_climbs_in_each_cycle(ramp, cycles, weights):
    objective = elbo(beta=4.0, ramp=ramp, cycles=cycles)
    for progress, weight in weights.items():
        given = inference(progress=progress)
        loss = objective(given)
        assert loss.terms["weight"].item() == pytest.approx(weight, abs=1e-12)
        expected = given.distortion.mean() + weight * divergence(given).sum() / BATCH
        torch.testing.assert_close(loss.total, expected, rtol=1e-12, atol=0)
        assert loss.terms["elbo"].item() == elbo()(given).terms["elbo"].item()  # unweighted at every step


@pytest.mark.parametrize("steps", [30, 100, 1000])
@pytest.mark.parametrize("cycles", [3, 7, 10])
def test_a_cycle_begins_where_it_should(steps, cycles):
    """At each step: the weight is that of exact fractions, and never that of the end of the cycle before."""
    objective = elbo(ramp=1.0, cycles=cycles)
    found = [objective.weight(step / steps).item() for step in range(steps)]
    assert found == pytest.approx([step * cycles % steps / steps for step in range(steps)], abs=1e-9)


def test_free_nats_are_a_floor_for_each_features_mean():
    """sum_j max(free, mean KL_j), and no gradient in the features below."""
    given = inference()
    by_feature = divergence(given).mean(dim=0)
    low, middle, high = sorted(by_feature.tolist())
    for free in (low / 2, (low + middle) / 2, (middle + high) / 2, 2 * high):
        loss = elbo(beta=2.0, free_nats=free)(given)
        expected = given.distortion.mean() + 2 * by_feature.clamp(min=free).sum()
        torch.testing.assert_close(loss.total, expected, rtol=1e-13, atol=0)
        torch.testing.assert_close(loss.terms["rate"], by_feature.sum(), rtol=1e-13, atol=0)
        constant = given._replace(distortion=torch.zeros_like(given.distortion))
        for gradient in gradients(elbo(free_nats=free)(constant).total, given):
            assert torch.equal(gradient.abs().sum(dim=0) > 0, by_feature > free)


def test_nothing_is_freed_of_an_estimate_below_0():
    """The rate of a mixture is estimated, and may be negative: with no free nats it counts as it is."""
    mixture = GaussianMixture(FEATURES, 3, 0.5, 1.0)
    given = inference(prior=mixture)
    posterior = DiagonalGaussian(torch.zeros_like(given.posterior.mean), torch.zeros_like(given.posterior.mean))
    towards_a_mode = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64).expand(1, BATCH, FEATURES)
    given = given._replace(posterior=posterior, code=towards_a_mode)
    loss = elbo(beta=3.0)(given)
    expected = (posterior.log_prob(given.code) - mixture.log_prob(given.code)).mean()
    assert expected < 0
    torch.testing.assert_close(loss.terms["rate"], expected)
    torch.testing.assert_close(loss.total, given.distortion.mean() + 3 * expected)
    freed = elbo(free_nats=0.25)(given)  # the features of a mixture are one group
    torch.testing.assert_close(freed.total, given.distortion.mean() + 0.25)


@pytest.mark.parametrize(("changes", "message"), [
    ({"ramp": 1.5}, "ramp is 1.5, expected a share of a cycle from 0 to 1"),
    ({"ramp": -0.1}, "ramp is -0.1, expected a finite number at least 0"),
    ({"cycles": 0}, "cycles is 0, expected at least 1"),
    ({"samples": 0}, "samples is 0, expected at least 1"),
    ({"beta": -1.0}, "beta is -1.0, expected a finite number at least 0"),
])  # fmt: skip
def test_what_the_elbo_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        elbo(**changes)
    with pytest.raises(ValueError, match="samples is 0, expected at least 1"):
        Iwae(samples=0)


@pytest.mark.parametrize("prior", [StandardNormal(FEATURES), GaussianMixture(FEATURES, 4, 2.0, 0.5)])
def test_one_sample_of_iwae_is_the_elbo_of_one_sample(prior):
    """With the rate estimated from that sample too, in value and gradient."""
    given = inference(prior=prior)
    q = Independent(Normal(given.posterior.mean, (given.posterior.log_variance / 2).exp()), 1)
    expected = (given.distortion + q.log_prob(given.code) - prior.log_prob(given.code)).mean()
    loss = Iwae(samples=1)(given)
    torch.testing.assert_close(loss.total, expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(-loss.terms["bound"], loss.total)
    torch.testing.assert_close(gradients(loss.total, given), gradients(expected, given))


def test_iwae_is_the_log_of_the_mean_weight():
    given = inference(samples=5)
    q = Independent(Normal(given.posterior.mean, (given.posterior.log_variance / 2).exp()), 1)
    p = Independent(Normal(torch.zeros(FEATURES).double(), 1.0), 1)
    weights = (p.log_prob(given.code) - given.distortion - q.log_prob(given.code)).exp()
    loss = Iwae(samples=5)(given)
    torch.testing.assert_close(loss.total, -weights.mean(dim=0).log().mean(), rtol=1e-12, atol=0)
    for name in ("distortion", "rate", "elbo"):
        torch.testing.assert_close(loss.terms[name], elbo(samples=5)(given).terms[name])


def test_iwae_knows_no_order_of_samples_and_moves_with_a_constant():
    given = inference(samples=5)
    bound = Iwae(samples=5)(given).terms["bound"]
    turned = given._replace(code=given.code.flip(0), distortion=given.distortion.flip(0))
    torch.testing.assert_close(Iwae(samples=5)(turned).terms["bound"], bound)
    shifted = given._replace(distortion=given.distortion + 1000.0)
    torch.testing.assert_close(Iwae(samples=5)(shifted).terms["bound"], bound - 1000.0)
    same = given._replace(code=given.code[:1].expand(5, -1, -1), distortion=given.distortion[:1].expand(5, -1))
    one = given._replace(code=given.code[:1], distortion=given.distortion[:1])
    torch.testing.assert_close(Iwae(samples=5)(same).terms["bound"], Iwae(samples=1)(one).terms["bound"])


def conjugate(samples, repeats, mean, log_variance, seed=0):
    """z ~ N(0, 1), x ~ N(z, .5^2) at x = 1.2, seen through N(mean, exp(log_variance)); log p(x) is known."""
    x = torch.tensor(1.2, dtype=torch.float64)
    shape = (repeats, 1)
    posterior = DiagonalGaussian(*(torch.full(shape, each, dtype=torch.float64) for each in (mean, log_variance)))
    generator = torch.Generator().manual_seed(seed)
    code = posterior.sample(torch.randn(repeats, samples, 1, dtype=torch.float64, generator=generator))
    distortion = -Normal(code, 0.5).log_prob(x).sum(dim=-1)
    evidence = Normal(torch.zeros_like(x), math.sqrt(1.25)).log_prob(x).item()
    return Inference(posterior, code, distortion, StandardNormal(1), 0.0), evidence


def test_the_bounds_are_in_order():
    """E[ELBO] <= E[IWAE-2] <= ... <= log p(x), within 3 standard errors, and IWAE-K closes on it."""
    found = []
    for samples in (1, 2, 5, 20, 100):
        given, evidence = conjugate(samples, 20_000, 0.3, 0.5)
        each = torch.logsumexp(given.log_weights(), dim=0) - math.log(samples)
        assert Iwae(samples)(given).terms["bound"].item() == pytest.approx(each.mean().item(), rel=1e-12)
        found.append((each.mean().item(), each.std().item() / math.sqrt(20_000)))
    exact = elbo()(conjugate(1, 1, 0.3, 0.5)[0]).terms["rate"].item()
    # E_q of the distortion: log(.5 sqrt(2 pi)) + ((1.2 - .3)^2 + e^.5) / (2 * .25)
    exact += math.log(0.5 * math.sqrt(2 * math.pi)) + (0.81 + math.exp(0.5)) / 0.5
    assert found[0][0] == pytest.approx(-exact, abs=6 * found[0][1])
    for (low, first), (high, second) in zip(found, [*found[1:], (evidence, 0.0)], strict=True):
        assert low <= high + 3 * math.hypot(first, second)
    assert found[0][0] < evidence - 1
    assert found[-1][0] == pytest.approx(evidence, abs=0.02)


def test_the_exact_posterior_closes_every_bound_at_every_sample():
    """N(x / 1.25, .2): the weight of each sample is p(x)."""
    for samples in (1, 7):
        given, evidence = conjugate(samples, 50, 1.2 / 1.25, math.log(0.2))
        assert (given.log_weights() - evidence).abs().max() < 1e-12
        assert Iwae(samples)(given).terms["bound"].item() == pytest.approx(evidence, abs=1e-12)
    given, evidence = conjugate(200_000, 1, 1.2 / 1.25, math.log(0.2))
    spread = given.distortion.std().item() / math.sqrt(200_000)
    assert elbo(samples=200_000)(given).terms["elbo"].item() == pytest.approx(evidence, abs=6 * spread)


@pytest.mark.parametrize("objective", [elbo(), elbo(free_nats=0.5, beta=2.0), Iwae(samples=1)])
def test_a_minibatch_repeated_or_reordered_is_the_same(objective):
    given = inference()
    once, twice = objective(given), objective(repeated(given))
    torch.testing.assert_close(twice.total, once.total)
    for name, value in once.terms.items():
        torch.testing.assert_close(twice.terms[name], value)


@pytest.mark.parametrize("objective", [elbo(samples=3), Iwae(samples=3)])
@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, -300.0), (1.0, -90.0), (1e4, -80.0), (1e4, 60.0)])
@pytest.mark.parametrize("distortion", [1e5, 0.0])
def test_extreme_encoders_have_finite_losses_and_gradients(objective, mean, log_variance, distortion):
    """In float32, wherever the true value is one of its numbers."""
    posterior = DiagonalGaussian(*(torch.full((2, 2), each, requires_grad=True) for each in (mean, log_variance)))
    code = posterior.sample(torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0)))
    given = Inference(posterior, code, distortion + code.tanh().sum(dim=-1), StandardNormal(2), 1.0)
    loss = objective(given)
    assert loss.total.isfinite()
    assert all(value.isfinite() for value in loss.terms.values())
    for gradient in torch.autograd.grad(loss.total, posterior):
        assert gradient.isfinite().all()
