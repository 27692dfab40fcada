"""Importance-weighted bounds on log p(x), in bounded memory, and how they tighten with the number of samples."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import InMemoryData, rows_at_once
from paribus.evaluation.evidence import linear_gaussian
from paribus.families.vae import Vae
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

Count = TypeVar("Count", int, int | None)


def log_weights(family: Vae, x: Float[Tensor, "batch ..."], samples: int) -> Iterator[Float[Tensor, "samples some"]]:
    """log p(x, z) - log q(z | x) of samples z of each posterior, in nats and float64, a few examples at a time.

    However many examples and samples there are, `rows_at_once` codes are decoded at once, and of the few examples one
    number a sample is kept. The samples are made of normal numbers from torch's global generator of the CPU, on
    every device; which number goes where depends on the sizes alone.
    """
    codes = rows_at_once(x)
    at_once = min(samples, codes)
    for some in x.split(max(1, codes // at_once)):
        drawn = [
            family.log_weights(some, _noise(len(some), min(at_once, samples - first), family).to(some)).double()
            for first in range(0, samples, at_once)
        ]
        yield torch.cat(drawn)


def _noise(examples: int, samples: int, family: Vae) -> Float[Tensor, "examples samples features"]:
    return torch.randn(examples, samples, family.prior.features)


def importance_bound(log_weight: Float[Tensor, "samples batch"], samples: int) -> Float[Tensor, "batch"]:
    """The IWAE bound of K `samples`, in nats: E log 1/K sum_k w_k, of each example.

    The mean over as many groups of K as there are: each is an unbiased estimate of the same bound, so that all samples
    serve a small K too. With K = 1 it is the ELBO.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.
    """
    groups = len(log_weight) // samples
    grouped = log_weight[: groups * samples].reshape(groups, samples, -1)
    return (torch.logsumexp(grouped, dim=1) - math.log(samples)).mean(dim=0)


class Bounds:
    """The bound with K samples of each posterior, for each K: levels of the within-run factor `samples`.

    ELBO = bound of K = 1 <= ... <= log p(x), each in expectation over the samples. All levels are of the same test
    examples and the same samples, so they are paired.

    `bound_increase` is over the level before; `bound_gap`, where the evidence is known (`paribus.evaluation.evidence`),
    is what is missing from it: it may be negative by as much as the Monte-Carlo error.

        log (1/K) sum_k p(x, z_k) / q(z_k | x),   z_k from q(z | x)

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.

    Args:
        samples: the numbers K, growing.
        images: how many test examples, the first ones; null for all.

    Raises:
        ValueError: an argument is out of range.
    """

    measures = (
        Metric("bound", "maximise", "nats"),
        Metric("bound_increase", "neither", "nats"),
        Metric("bound_gap", "minimise", "nats"),
    )

    def __init__(self, samples: list[int], images: int | None) -> None:
        if not samples or samples[0] < 1 or any(after <= before for before, after in pairwise(samples)):
            raise ValueError(f"samples is {samples}, expected growing whole numbers of at least 1, such as [1, 5, 50]")
        self.samples, self.images = samples, checked_count("images", images)
        self.within: Mapping[str, Sequence[Level]] = {"samples": tuple(samples)}

    def __call__(self, family: Vae, data: InMemoryData) -> Iterable[Row]:
        """A row for each number of samples."""
        x = data.parts["test"]["x"][: self.images]
        by_level = self.by_example(family, x).mean(dim=1).tolist()
        exact = linear_gaussian(family)
        evidence = exact.log_evidence(x.flatten(1)).mean().item() if exact else None
        for number, (samples, bound) in enumerate(zip(self.samples, by_level, strict=True)):
            gap = {} if evidence is None else {"bound_gap": evidence - bound}
            increase = {"bound_increase": bound - by_level[number - 1]} if number else {}
            yield Row({"bound": bound, **increase, **gap}, levels={"samples": samples})

    def by_example(self, family: Vae, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "levels batch"]:
        """The bound of each example with each number of samples, in nats."""
        some = log_weights(family, x, self.samples[-1])
        return torch.cat([torch.stack([importance_bound(each, k) for k in self.samples]) for each in some], dim=1)

    def drawing(self, family: Vae, data: InMemoryData) -> dict[str, Any]:
        """Nothing."""
        return {}


def checked_count(name: str, count: Count) -> Count:
    """How many of something, None for all; ValueError where it is below 1."""
    if count is not None and count < 1:
        raise ValueError(f"{name} is {count}, expected at least 1")
    return count
