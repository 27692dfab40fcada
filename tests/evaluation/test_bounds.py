"""Importance-weighted bounds: against the exact evidence, quadrature, and each other."""

import itertools
import math

import numpy as np
import pytest
import torch

from paribus.data.contract import rows_at_once
from paribus.densities import Bernoulli, StandardNormal
from paribus.evaluation import Bounds
from paribus.evaluation.bounds import importance_bound, log_weights
from paribus.evaluation.evidence import linear_gaussian
from paribus.networks import Linear, Mlp

pytestmark = pytest.mark.usefixtures("evaluating")


@pytest.fixture
def evaluating():
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        yield


class Counted(Linear):
    """An affine map that notes how many codes it is given at once."""

    largest = 0

    def forward(self, inputs, noise=None):
        self.largest = max(self.largest, len(inputs))
        return super().forward(inputs)


def test_a_bound_is_the_log_of_the_mean_weight_over_groups():
    log_weight = torch.randn(7, 2, dtype=torch.float64)
    weights = log_weight.exp().numpy()
    expected = [np.mean([np.log(weights[k : k + 3, n].mean()) for k in (0, 3)]) for n in range(2)]
    np.testing.assert_allclose(importance_bound(log_weight, 3), expected, rtol=1e-12)
    np.testing.assert_allclose(importance_bound(log_weight, 1), log_weight.mean(0), rtol=1e-12)


def test_a_bound_of_weights_beyond_the_range_of_exp_is_finite():
    log_weight = torch.tensor([[-5000.0], [-4000.0]], dtype=torch.float64)
    assert importance_bound(log_weight, 2).item() == pytest.approx(-4000 - math.log(2), rel=1e-15)


@pytest.mark.parametrize(("batch", "samples"), [(1, 1), (5, 7), (300, 2), (3, 9000)])
def test_every_weight_is_the_evidence_at_the_true_posterior(best_vae, correlated, batch, samples):
    # Whichever codes are decoded at once, an example's weight is of its own code: else this is not constant.
    x = correlated()
    family = best_vae(x, features=2)
    evidence = linear_gaussian(family).log_evidence(x[:batch])
    weights = torch.cat(list(log_weights(family, x[:batch], samples)), dim=1)
    torch.testing.assert_close(weights, evidence.expand(samples, batch), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("batch", "samples"), [(3, 700), (40, 30), (700, 3), (2, 3)])
def test_no_more_is_decoded_at_once_than_memory_is_meant_for(vae, batch, samples):
    numbers = 4000
    decoder = Counted(2, numbers)
    family, x = vae(numbers, decoder=decoder), torch.randn(batch, numbers)
    assert rows_at_once(x) == 131
    shapes = [each.shape for each in log_weights(family, x, samples)]
    assert sum(shape[1] for shape in shapes) == batch
    assert {shape[0] for shape in shapes} == {samples}
    assert min(131, batch * samples) / 2 < decoder.largest <= 131


def test_the_numbers_drawn_are_torchs_own(vae):
    family, x = vae(likelihood=Bernoulli()), (torch.rand(4, 5) > 0.5).float()
    torch.manual_seed(8)
    (ours,) = log_weights(family, x, 6)
    torch.manual_seed(8)
    torch.testing.assert_close(ours, family.log_weights(x, torch.randn(4, 6, 2)).double())


def test_the_bound_of_two_samples_is_its_integral(vae):
    family, x = vae(numbers=3, features=1).double(), torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    nodes, weights = torch.from_numpy(nodes), torch.from_numpy(weights / math.sqrt(2 * math.pi))
    known, posterior = linear_gaussian(family), family.posterior(x)
    code = posterior.mean + (posterior.log_variance / 2).exp() * nodes[:, None]  # [nodes, 1]
    normal = torch.distributions.Normal
    at_nodes = (
        normal(known.offset + code @ known.weight.T, known.variance.sqrt()).log_prob(x).sum(1)
        + normal(0.0, 1.0).log_prob(code)[:, 0]
        - normal(posterior.mean, (posterior.log_variance / 2).exp()).log_prob(code)[:, 0]
    )
    both = torch.logaddexp(at_nodes[:, None], at_nodes[None]) - math.log(2)
    expected = (weights[:, None] * weights[None] * both).sum()
    samples = 100_000
    drawn = torch.cat(list(log_weights(family, x, samples)), dim=1)
    pairs = torch.logsumexp(drawn.reshape(-1, 2), dim=1) - math.log(2)
    assert abs(importance_bound(drawn, 2) - expected) < 6 * pairs.std() / math.sqrt(len(pairs))


def trained(family, x, steps):
    """Adam on the negative ELBO."""
    optimizer = torch.optim.Adam(family.parameters(), lr=0.05)
    with torch.enable_grad():
        for _ in range(steps):
            noise = {"code": torch.randn(len(x), 1, family.prior.features, dtype=x.dtype)}
            optimizer.zero_grad()
            family.loss({"x": x}, noise).total.backward()
            optimizer.step()
    return family


@pytest.mark.parametrize("steps", [0, 60])
def test_bounds_grow_with_the_samples_up_to_the_evidence(vae, correlated, steps):
    x = correlated().float()
    family = trained(vae(numbers=6), x, steps)
    levels = [1, 2, 5, 20, 100]
    known = linear_gaussian(family)
    bounds, evidence = Bounds(levels, None).by_example(family, x), known.log_evidence(x)
    elbo = known.elbo(x, family.posterior(x))

    def error(differences):
        return differences.std() / math.sqrt(len(x))

    assert abs((bounds[0] - elbo).mean()) < 6 * error(bounds[0] - elbo)
    for lower, upper in itertools.pairwise([*bounds, evidence]):
        assert (upper - lower).mean() > -3 * error(upper - lower)
    assert (bounds[-1] - bounds[0]).mean() > 3 * error(bounds[-1] - bounds[0])  # and they do grow
    gaps = evidence.mean() - bounds.mean(dim=1)
    assert gaps[-1] < 0.25 * gaps[0]


def test_rows_hold_each_level_against_the_one_before(vae, correlated, examples):
    x = correlated().float()
    family, data = vae(numbers=6), examples(train=x, test=x)
    evaluator = Bounds([1, 5, 50], images=100)
    first, second, third = evaluator(family, data)
    assert [dict(row.levels) for row in (first, second, third)] == [{"samples": 1}, {"samples": 5}, {"samples": 50}]
    assert evaluator.within == {"samples": (1, 5, 50)}
    assert first.metrics.keys() == {"bound", "bound_gap"}
    assert second.metrics["bound_increase"] == second.metrics["bound"] - first.metrics["bound"]
    assert third.metrics["bound_increase"] == third.metrics["bound"] - second.metrics["bound"]
    evidence = linear_gaussian(family).log_evidence(x[:100]).mean().item()  # of the examples that the bounds are of
    for row in (first, second, third):
        assert row.metrics["bound"] + row.metrics["bound_gap"] == pytest.approx(evidence, rel=1e-12)
    assert {name for row in (first, second, third) for name in row.metrics} == {each.name for each in Bounds.measures}
    assert evaluator.drawing(family, data) == {}


def test_where_the_evidence_is_not_known_there_is_no_gap(vae, examples):
    decoder = Mlp(2, 5, hidden=[8], activation="tanh", normalisation="none", dropout=0.0)
    family, x = vae(likelihood=Bernoulli(), decoder=decoder), (torch.rand(9, 5) > 0.5).float()
    rows = list(Bounds([1, 3], None)(family, examples(train=x, test=x)))
    assert [row.metrics.keys() for row in rows] == [{"bound"}, {"bound", "bound_increase"}]


def test_a_bernoulli_model_of_two_codes_has_the_evidence_that_the_bound_reaches(vae):
    # One feature, integrated by quadrature: the bound of many samples is log p(x) there.
    decoder = Mlp(1, 5, hidden=[8], activation="tanh", normalisation="none", dropout=0.0)
    family = vae(5, 1, Bernoulli(), StandardNormal(1), decoder).double()
    x = (torch.rand(1, 5) > 0.5).double()
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    output = family.decode(torch.from_numpy(nodes)[:, None])
    likelihood = torch.distributions.Bernoulli(logits=output).log_prob(x).sum(1).exp()
    evidence = math.log((likelihood * torch.from_numpy(weights)).sum() / math.sqrt(2 * math.pi))
    drawn = torch.cat(list(log_weights(family, x, 50_000)), dim=1)[:, 0]
    relative = (drawn - evidence).exp()
    assert abs(relative.mean() - 1) < 6 * relative.std() / math.sqrt(len(relative))
    assert importance_bound(drawn[:, None], 50_000).item() == pytest.approx(evidence, abs=0.02)


@pytest.mark.parametrize("samples", [[], [0, 1], [5, 1], [1, 1]])
def test_levels_that_do_not_grow_are_refused(samples):
    with pytest.raises(ValueError, match=r"samples is \[.*\], expected growing whole numbers of at least 1"):
        Bounds(samples, None)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="images is 0, expected at least 1"):
        Bounds([1], 0)
