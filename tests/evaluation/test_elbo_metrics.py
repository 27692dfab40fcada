"""The ELBO's terms: against torch.distributions, quadrature, and the linear model of which all is known."""

import math

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from paribus.build import build_data, build_evaluator, build_family, check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data.augmentation import Augmentation
from paribus.densities import Bernoulli, Gaussian, GaussianMixture, MeanSquaredError
from paribus.errors import UserError
from paribus.evaluation import CodeMetrics, ElboMetrics
from paribus.evaluation.evidence import linear_gaussian
from paribus.evaluation.inferred import inferred
from paribus.networks import Mlp
from paribus.noise import NoiseSpec
from paribus.objectives import Elbo
from paribus.trained import evaluate

pytestmark = pytest.mark.usefixtures("evaluating")


@pytest.fixture
def evaluating():
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        yield


def measured(family, data, **changes):
    settings = {"posterior_samples": 5, "importance_samples": 20, "images": None, "aggregate": None, "codes": None}
    (row,) = ElboMetrics(**settings | changes)(family, data)
    return row.metrics


def binary(n, numbers=5, seed=0):
    return (torch.rand(n, numbers, generator=torch.Generator().manual_seed(seed)) > 0.5).float()


def curved(features=2, numbers=5):
    return Mlp(features, numbers, hidden=[8], activation="tanh", normalisation="none", dropout=0.0)


ON_LINEAR = {"log_evidence", "evidence_gap", "elbo_gap", "evidence_gap_to_optimum", "rate_excess"}
ON_LINEAR |= {"noise_variance_ratio", "leading_eigenvalue_ratio"}


def test_every_metric_is_measured_and_declared(vae, examples):
    x = torch.randn(30, 5)
    assert measured(vae(), examples(x, x)).keys() == {each.name for each in ElboMetrics.measures}


def test_where_nothing_is_linear_or_gaussian_what_follows_from_it_is_absent(vae, examples):
    x = binary(30)
    names = measured(vae(likelihood=Bernoulli(), decoder=curved()), examples(x, x)).keys()
    assert names == {each.name for each in ElboMetrics.measures} - ON_LINEAR - {"noise_scale"}


def test_terms_are_those_of_torch_distributions(vae, examples):
    # One feature, so that the distortion is a quadrature.
    family, x = vae(5, 1, Bernoulli(), decoder=curved(1)).double(), binary(40).double()
    row = measured(family, examples(binary(7).double(), x), posterior_samples=2000)
    posterior = family.posterior(x)
    q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    rate = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    code = q.loc + q.scale * torch.from_numpy(nodes)  # [examples, nodes]
    likelihood = torch.distributions.Bernoulli(logits=family.decode(code[..., None])).log_prob(x[:, None]).sum(-1)
    weights = torch.from_numpy(weights / math.sqrt(2 * math.pi))
    expected = -(likelihood @ weights)
    variance = (likelihood.square() @ weights - expected.square()).clamp(min=0)
    error = variance.mean().sqrt().item() / math.sqrt(2000 * 40)
    assert row["rate"] == pytest.approx(rate.mean().item(), rel=1e-10)
    assert abs(row["distortion"] - expected.mean().item()) < 6 * error
    assert row["elbo"] == pytest.approx(-(row["distortion"] + row["rate"]), rel=1e-12)
    assert row["bits_per_dimension"] == pytest.approx(-row["elbo"] / 5 / math.log(2), rel=1e-12)


def test_sampled_and_exact_distortions_agree(vae):
    family, x, samples = vae().double(), torch.randn(50, 5, dtype=torch.float64), 4000
    exact = inferred(family, x, 1, linear_gaussian(family))
    sampled = torch.stack([inferred(family, x, 1, None).distortion for _ in range(200)])
    error = sampled.mean(1).std() / math.sqrt(200)
    assert abs(sampled.mean() - exact.distortion.mean()) < 6 * error
    many = inferred(family, x, samples, None)
    assert abs((many.distortion - exact.distortion).mean()) < 6 * error * math.sqrt(200 / samples)
    torch.testing.assert_close(many.rate, exact.rate)


@pytest.mark.parametrize("samples", [1, 3])
def test_what_is_inferred_does_not_depend_on_how_many_rows_go_at_once(vae, monkeypatch, samples):
    family, x = vae(), torch.randn(50, 5)
    exact = linear_gaussian(family)
    whole = inferred(family, x, samples, exact)
    monkeypatch.setattr("paribus.data.contract.ROWS_AT_ONCE", 7)
    parts = inferred(family, x, samples, exact)
    for one, other in zip((*whole.posterior, *whole[1:]), (*parts.posterior, *parts[1:]), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("features", [1, 3, 5])
def test_the_closed_form_optimum_is_recognised_as_such(best_vae, correlated, examples, features):
    train, test = correlated(), correlated(n=60, seed=2)
    row = measured(best_vae(train, features), examples(train, test))
    for name in ("elbo_gap", "evidence_gap", "evidence_gap_to_optimum", "rate_excess"):
        assert row[name] == pytest.approx(0, abs=1e-9), name
    assert row["noise_variance_ratio"] == pytest.approx(1, rel=1e-9)
    assert row["iwae"] == pytest.approx(row["log_evidence"], rel=1e-9)
    assert row["elbo"] == pytest.approx(row["log_evidence"], rel=1e-9)
    eigenvalues = np.linalg.eigvalsh(np.cov(train.numpy().T, bias=True))[::-1]
    left = eigenvalues[features:].mean()
    assert row["noise_scale"] == pytest.approx(math.sqrt(left), rel=1e-9)
    assert row["leading_eigenvalue_ratio"] == pytest.approx(eigenvalues[0] / left, rel=1e-9)
    assert row["active_units"] == features
    assert row["collapsed"] == 0


@pytest.mark.parametrize("variance", [0.3, 2.0, 5.0])
def test_a_fixed_variance_is_held_against_the_best_with_that_variance(best_vae, correlated, examples, variance):
    train = correlated()
    row = measured(best_vae(train, 2, variance), examples(train, train))
    for name in ("elbo_gap", "evidence_gap_to_optimum", "rate_excess"):
        assert row[name] == pytest.approx(0, abs=1e-9), name
    largest = np.linalg.eigvalsh(np.cov(train.numpy().T, bias=True))[-1]
    assert row["leading_eigenvalue_ratio"] == pytest.approx(largest / variance, rel=1e-9)
    assert row["collapsed"] == (largest <= variance)
    assert (row["rate"] > 0.01) == (largest > variance)


def test_off_the_optimum_each_gap_says_how_far(best_vae, correlated, examples):
    train = correlated()
    family = best_vae(train, 2)
    family.decoder.linear.bias += 0.1  # the evidence falls; the posterior is no longer the true one
    row = measured(family, examples(train, train))
    assert row["evidence_gap_to_optimum"] > 1e-3
    assert row["elbo_gap"] > 1e-3
    assert row["rate_excess"] == pytest.approx(0, abs=1e-9)
    variance = family.posterior(train).log_variance[0].exp()
    family.encoder.linear.bias[2:] += 1.0  # posteriors wider than the true ones
    wider = measured(family, examples(train, train))
    assert wider["rate_excess"] == pytest.approx(((math.e - 1) * variance - 1).sum().item() / 2, rel=1e-9)
    assert wider["elbo_gap"] > row["elbo_gap"]


@pytest.mark.parametrize(
    ("likelihood", "scale"), [(Gaussian(0.3, learn_scale=True), 0.3), (MeanSquaredError(), math.sqrt(5 / 2))]
)
def test_the_noise_of_a_gaussian_is_told_whatever_the_decoder(vae, examples, likelihood, scale):
    x = torch.randn(30, 5)
    row = measured(vae(likelihood=likelihood, decoder=curved()), examples(x, x))
    assert row["noise_scale"] == pytest.approx(scale, rel=1e-6)
    assert not row.keys() & ON_LINEAR


def test_terms_are_of_the_density_and_not_of_what_was_minimised(vae, examples):
    x = torch.randn(30, 5)
    family = vae(likelihood=MeanSquaredError())
    posterior = family.posterior(x)
    trace = (family.decoder.linear.weight.square().sum(0) * posterior.log_variance.exp()).sum(1)
    squares = (x - family.decode(posterior.mean)).square().sum(1) + trace
    expected = (squares / 5 + 5 / 2 * math.log(5 * math.pi)).mean().item()  # of a Gaussian with variance 5 / 2
    assert measured(family, examples(x, x))["distortion"] == pytest.approx(expected, rel=1e-5)
    other = vae(likelihood=MeanSquaredError(), objective=Elbo(4.0, free_nats=1.0, ramp=0.5, cycles=2, samples=3))
    rows = []
    for each in (family, other):
        torch.manual_seed(5)
        rows.append(measured(each, examples(x, x)))
    assert rows[0] == rows[1]


def test_active_units_are_those_whose_mean_varies(vae, examples):
    family, x = vae(features=4), torch.randn(500, 5)
    family.encoder.linear.weight.zero_()
    for feature, deviation in enumerate([0.0, 0.09, 0.11, 1.0]):  # variances below and above 0.01
        family.encoder.linear.weight[feature, 0] = deviation / x[:, 0].std(correction=0)
    row = measured(family, examples(x, x))
    assert row["active_units"] == 2
    assert row["collapsed"] == 0
    family.encoder.linear.weight.zero_()
    row = measured(family, examples(x, x))
    assert row["active_units"] == 0
    assert row["collapsed"] == 1
    assert row["mutual_information"] == pytest.approx(0, abs=1e-9)


def test_a_prior_that_does_not_factorise_has_no_dimension_wise_divergence(vae, examples):
    prior, x = GaussianMixture(features=2, modes=10, radius=4.0, scale=0.5), torch.randn(30, 5)
    family, data = vae(prior=prior), examples(x, x)
    row = measured(family, data)
    assert "dimension_wise_kl" not in row
    assert "log_evidence" not in row
    assert row["aggregate_kl"] > 0
    assert ElboMetrics(5, 20, None, None, None).drawing(family, data) == {"kind": "latent"}


def test_the_terms_of_the_rate_add_up_to_it_within_its_error(vae, examples):
    family, x = vae(features=3), torch.randn(400, 5)
    row = measured(family, examples(x, x), posterior_samples=20)
    added = row["mutual_information"] + row["total_correlation"] + row["dimension_wise_kl"]
    assert row["mutual_information"] + row["aggregate_kl"] == pytest.approx(added, rel=1e-9)
    posterior = family.posterior(x)
    code = posterior.sample(torch.randn(400, 20, 3))
    error = (posterior.log_prob(code) - family.prior.log_prob(code)).std().item() / math.sqrt(8000)
    assert abs(added - row["rate"]) < 6 * error


@pytest.mark.parametrize(("aggregate", "number"), [(None, 40), (8, 8)])
def test_codes_that_tell_every_example_have_the_information_of_their_number(vae, examples, aggregate, number):
    family, x = vae(), torch.randn(40, 5)
    family.encoder.linear.bias[2:] -= 30  # posteriors far narrower than they are apart
    row = measured(family, examples(x, x), aggregate=aggregate)
    assert row["mutual_information"] == pytest.approx(math.log(number), rel=1e-6)


def test_the_bound_is_of_the_first_images(vae, examples):
    family, x = vae(), torch.randn(40, 5)
    row = measured(family, examples(x, x), images=10, importance_samples=4000)
    first = measured(family, examples(x, x[:10]), importance_samples=4000)
    assert row["iwae"] == pytest.approx(first["log_evidence"], abs=0.05)
    assert row["iwae"] != pytest.approx(row["log_evidence"], abs=0.05)
    assert row["iwae_gain"] > 0
    assert 0 < row["iwae_error"] < 2


class Flip(Augmentation):
    """Turns every example's sign."""

    def noise_spec(self):
        return {"unused": NoiseSpec(())}

    def forward(self, x, noise):
        assert noise["unused"].shape == (len(x),)
        return -x


def test_the_training_part_is_augmented_as_in_training(vae, examples):
    family, x = vae(augmentation=Flip()), torch.randn(9, 5)
    torch.testing.assert_close(family.as_trained(x, torch.Generator()), -x)
    as_flipped = measured(family, examples(x, -x))
    assert as_flipped["train_elbo"] == pytest.approx(as_flipped["elbo"], rel=1e-12)
    assert vae().as_trained(x, torch.Generator()) is x


def test_the_rate_of_each_feature_is_drawn(vae, examples):
    family, x = vae(features=3), torch.randn(50, 5)
    data = examples(x, x)
    drawing = ElboMetrics(5, 20, None, None, None).drawing(family, data)
    (bars,) = drawing["bars"]
    assert bars["name"] == "rate_by_feature"
    assert sum(bars["values"]) == pytest.approx(measured(family, data)["rate"], rel=1e-6)
    assert len(bars["values"]) == 3


COMPOSER = Composer(open_tree())


def tree(*words):
    config = COMPOSER.compose(["family=vae", *words])
    keys = [key for key in config if key != "hydra"]
    return OmegaConf.to_container(OmegaConf.masked_copy(config, keys), resolve=True)


def test_a_run_of_digits_is_measured_with_its_codes_and_again_the_same():
    config = tree("evaluation.codes.pictures=2")
    check(config)
    data = build_data(config)
    data.setup()
    family = build_family(config, data)
    evaluator = build_evaluator(config)
    assert isinstance(evaluator.codes, CodeMetrics)
    assert {each.name for each in evaluator.codes.measures} < {each.name for each in evaluator.measures}
    once, twice = (evaluate(config, "key", family, data) for _ in range(2))
    assert once == twice
    (row,) = once.rows
    assert row.metrics.keys() <= {each.name for each in evaluator.measures}
    assert {"elbo", "iwae", "reconstruction_rmse"} <= row.metrics.keys()
    assert all(math.isfinite(value) for value in row.metrics.values())
    assert once.drawing["kind"] == "latent"
    assert "rate_by_feature" in [bars["name"] for bars in once.drawing["bars"]]
    alone = tree("evaluation.codes=null")
    check(alone)
    (without,) = evaluate(alone, "key", family, data).rows
    assert without.metrics == {name: row.metrics[name] for name in without.metrics}  # codes are measured last


@pytest.mark.parametrize("evaluation", ["elbo", "bounds"])
def test_a_family_without_a_posterior_is_refused_before_training(evaluation):
    with pytest.raises(UserError, match="measures Vae"):
        check(tree("family=autoencoder", f"evaluation={evaluation}"))


@pytest.mark.parametrize("name", ["posterior_samples", "importance_samples", "images", "aggregate"])
def test_numbers_below_one_are_refused(name):
    settings = {"posterior_samples": 1, "importance_samples": 1, "images": 1, "aggregate": 1, "codes": None}
    with pytest.raises(ValueError, match=f"{name} is 0, expected at least 1"):
        ElboMetrics(**settings | {name: 0})
