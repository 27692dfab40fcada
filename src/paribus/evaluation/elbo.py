"""The terms of the ELBO, each in nats and by normalised densities, whatever was minimised."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import InMemoryData
from paribus.densities import DiagonalGaussian
from paribus.evaluation.bounds import checked_count, importance_bound, log_weights
from paribus.evaluation.codes import CodeMetrics
from paribus.evaluation.decomposition import rate_terms
from paribus.evaluation.evidence import (
    LinearGaussianModel,
    covariance_eigenvalues,
    linear_gaussian,
    optimum,
    shared_variance,
)
from paribus.evaluation.inferred import Inferred, inferred
from paribus.evaluation.stream import stream
from paribus.families.vae import Vae
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

ACTIVE = 0.01
"""The variance over examples that the posterior mean of an active feature exceeds: Burda et al. (2016), section 5."""


class ElboMetrics:
    """What the ELBO is made of, on the clean test part, and how far it is from the evidence.

    elbo = -(distortion + rate), unweighted. The distortion is the mean over samples of the posterior, or exact where
    the model is linear and Gaussian; the rate is exact where the prior factorises. `iwae` is the bound of many samples
    on the first `images` examples, `iwae_gain` what it is above the ELBO of the same samples. `mutual_information`,
    `aggregate_kl` and its two parts are of the aggregate posterior of the first `aggregate` examples.
    `train_elbo` is of the training part as it was trained on, augmented once where it is augmented.

    Only where the likelihood is a Gaussian of one variance: `noise_scale`, its standard deviation, learned or not. Only
    where the model is linear and Gaussian (`paribus.evaluation.evidence`): `log_evidence` and `evidence_gap`, what it
    is above the ELBO, on the test part; and, on the training part and without any sample,

    - `elbo_gap`: the evidence less the ELBO;
    - `evidence_gap_to_optimum`: the evidence of the closed-form optimum less the model's;
    - `rate_excess`: the rate less the optimum's; both optima have the model's variance where that is fixed;
    - `noise_variance_ratio`: the model's variance over that of the optimum whose variance is free;
    - `leading_eigenvalue_ratio`: the largest eigenvalue of the covariance over the model's variance. Where that is
      fixed, the optimum collapses if and only if this is at most 1.

    Random numbers are of torch's global generator of the CPU.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013); of the aggregate posterior, Hoffman and Johnson,
    ELBO surgery (2016).

    Args:
        posterior_samples: of each posterior, for the distortion and the aggregate posterior.
        importance_samples: K of `iwae`.
        images: test examples of `iwae`; None for all. Named, because the bound's cost is K times that.
        aggregate: test examples that make up the aggregate posterior; None for all. The cost is its square, and the
            mutual information cannot exceed its logarithm.
        codes: what is measured of the codes besides; None for nothing.

    Raises:
        ValueError: a number is below 1.
    """

    measures: tuple[Metric, ...] = (
        Metric("elbo", "maximise", "nats"),
        Metric("distortion", "minimise", "nats"),
        Metric("rate", "neither", "nats"),
        Metric("bits_per_dimension", "minimise", "bits"),
        Metric("train_elbo", "maximise", "nats"),
        Metric("iwae", "maximise", "nats"),
        Metric("iwae_error", "neither", "nats"),
        Metric("iwae_gain", "neither", "nats"),
        Metric("mutual_information", "neither", "nats"),
        Metric("aggregate_kl", "minimise", "nats"),
        Metric("total_correlation", "neither", "nats"),
        Metric("dimension_wise_kl", "neither", "nats"),
        Metric("active_units", "neither"),
        Metric("collapsed", "neither"),
        Metric("noise_scale", "neither", "units of the inputs", "log"),
        Metric("log_evidence", "maximise", "nats"),
        Metric("evidence_gap", "minimise", "nats"),
        Metric("elbo_gap", "minimise", "nats"),
        Metric("evidence_gap_to_optimum", "minimise", "nats"),
        Metric("rate_excess", "neither", "nats"),
        Metric("noise_variance_ratio", "neither", scale="log"),
        Metric("leading_eigenvalue_ratio", "neither", scale="log"),
    )
    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __init__(
        self,
        posterior_samples: int,
        importance_samples: int,
        images: int | None,
        aggregate: int | None,
        codes: CodeMetrics | None,
    ) -> None:
        self.posterior_samples = checked_count("posterior_samples", posterior_samples)
        self.importance_samples = checked_count("importance_samples", importance_samples)
        self.images, self.aggregate = checked_count("images", images), checked_count("aggregate", aggregate)
        self.codes = codes
        if codes:
            self.measures = (*ElboMetrics.measures, *codes.measures)

    def __call__(self, family: Vae, data: InMemoryData) -> Iterable[Row]:
        """One row."""
        x, train = data.parts["test"]["x"], family.as_trained(data.parts["train"]["x"], stream(data, "augmentation"))
        exact = linear_gaussian(family)
        on_test, on_train = (inferred(family, part, self.posterior_samples, exact) for part in (x, train))
        measured = (
            self._terms(on_test, x[0].numel())
            | {"train_elbo": on_train.elbo.mean().item()}
            | self._bound(family, x[: self.images])
            | self._aggregate(family, on_test)
            | _noise_scale(family, x[0].numel())
        )
        if exact:
            measured |= _evidence(exact, x, on_test) | _against_optimum(family, exact, train, on_train)
        if self.codes:
            (row,) = self.codes(family, data)
            measured |= row.metrics
        return [Row(measured)]

    def drawing(self, family: Vae, data: InMemoryData) -> dict[str, Any]:
        """The rate of each feature, where the prior factorises, beside what is drawn of the codes."""
        drawn = self.codes.drawing(family, data) if self.codes else {"kind": "latent"}
        rate = inferred(family, data.parts["test"]["x"], 1, None).rate
        if not _factorises(family, rate):
            return drawn
        bars = {
            "name": "rate_by_feature",
            "title": "Rate by feature",
            "caption": "KL(q(z | x) || p(z)) of each feature of the code, mean over the test part, in nats",
            "values": rate.mean(dim=0).tolist(),
        }
        return {**drawn, "bars": [*drawn.get("bars", []), bars]}

    def _terms(self, on_test: Inferred, numbers: int) -> dict[str, float]:
        elbo = on_test.elbo.mean().item()
        active = (on_test.posterior.mean.var(dim=0, correction=0) > ACTIVE).sum().item()
        return {
            "elbo": elbo,
            "distortion": on_test.distortion.mean().item(),
            "rate": on_test.rate.sum(dim=1).mean().item(),
            "bits_per_dimension": -elbo / (numbers * math.log(2)),
            "active_units": float(active),
            "collapsed": float(active == 0),
        }

    def _bound(self, family: Vae, x: Float[Tensor, "batch ..."]) -> dict[str, float]:
        samples = self.importance_samples
        each = [
            torch.stack([importance_bound(some, samples), importance_bound(some, 1)])
            for some in log_weights(family, x, samples)
        ]
        bound, elbo = torch.cat(each, dim=1)
        error = {"iwae_error": bound.std().item() / math.sqrt(len(bound))} if len(bound) > 1 else {}
        return error | {
            "iwae": bound.mean().item(),
            "iwae_gain": (bound - elbo).mean().item(),
        }

    def _aggregate(self, family: Vae, on_test: Inferred) -> dict[str, float]:
        posterior = DiagonalGaussian(*(each[: self.aggregate] for each in on_test.posterior))
        noise = torch.randn(len(posterior.mean), self.posterior_samples, family.prior.features)
        terms = rate_terms(posterior, posterior.sample(noise.to(posterior.mean)), family.prior)
        names = ["mutual_information", "aggregate_kl", "total_correlation"]
        names += ["dimension_wise_kl"] if _factorises(family, on_test.rate) else []
        return {name: getattr(terms, name) for name in names}


def _factorises(family: Vae, rate: Float[Tensor, "batch groups"]) -> bool:
    """Whether the prior does: its rate comes feature by feature."""
    return rate.shape[1] == family.prior.features


def _noise_scale(family: Vae, numbers: int) -> dict[str, float]:
    like = next(family.parameters())
    variance = shared_variance(family.likelihood, torch.zeros(numbers, dtype=torch.float64, device=like.device))
    return {} if variance is None else {"noise_scale": variance.sqrt().item()}


def _evidence(exact: LinearGaussianModel, x: Float[Tensor, "batch ..."], on_test: Inferred) -> dict[str, float]:
    evidence = exact.log_evidence(x.flatten(1))
    return {"log_evidence": evidence.mean().item(), "evidence_gap": (evidence - on_test.elbo).mean().item()}


def _against_optimum(
    family: Vae, exact: LinearGaussianModel, train: Float[Tensor, "batch ..."], on_train: Inferred
) -> dict[str, float]:
    """How far training got, on the training part: nothing here is an estimate."""
    evidence, eigenvalues = exact.log_evidence(train.flatten(1)), covariance_eigenvalues(train.flatten(1))
    variance = exact.variance.item()
    measured = {
        "elbo_gap": (evidence - on_train.elbo).mean().item(),
        "leading_eigenvalue_ratio": eigenvalues[0].item() / variance,
    }
    learns = any(True for _ in family.likelihood.parameters())
    free = optimum(eigenvalues, family.prior.features)
    if free:
        measured["noise_variance_ratio"] = variance / free.variance
    best = free if learns else optimum(eigenvalues, family.prior.features, variance)
    if best:
        measured["evidence_gap_to_optimum"] = best.log_evidence - evidence.mean().item()
        measured["rate_excess"] = on_train.rate.sum(dim=1).mean().item() - best.rate
    return measured
