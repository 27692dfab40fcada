"""What the code of an InfoGAN does: how much of it can be read back, and whether its categories are the classes."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from paribus.data.classification import ClassificationData
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.densities import Prior
from paribus.densities.codes import LatentCode
from paribus.evaluation.classes import seen_classes
from paribus.evaluation.pictures import picture
from paribus.evaluation.stream import stream
from paribus.noise import draw
from paribus.study.factors import Metric

MEASURES = (
    Metric("information", "maximise", "nats"),
    Metric("category_information", "maximise", "nats"),
    Metric("category_purity", "maximise"),
)
MOST_CATEGORIES = 20
"""Rows of a sheet."""


@runtime_checkable
class Coded(Protocol):
    """A family whose generator is given a latent and a code, of which its discriminator tells beside the score."""

    prior: Prior
    code: LatentCode
    discriminator: nn.Module

    def decode(self, latent: Float[Tensor, "n features"]) -> Float[Tensor, "n ..."]:
        """The examples of latents, each followed by its code."""


def readable_metrics(family: Coded, data: InMemoryData, samples: int) -> dict[str, float]:
    """The metrics of `MEASURES`, by name, of fresh samples.

    `information` is E[log q(c | x)] + H(c), a lower bound on the mutual information of code and example, so at most
    H(c) for categories. `category_information` is between the category and the class that the yardstick sees, from
    their counts, which makes it too large by about (categories - 1)(classes - 1) / 2 samples; `category_purity` is the
    share of samples of the class that is commonest in their category: at least that of the commonest class. These two
    need categories and labelled data.
    """
    code, x = drawn(family, data, samples)
    output = torch.cat([family.discriminator(rows) for rows in x.split(rows_at_once(x))])
    log_q = family.code.log_q(output[:, 1:].double(), code.double())
    measured = {"information": log_q.mean().item() + family.code.entropy}
    categories = family.code.categories
    if categories and isinstance(data, ClassificationData):
        category, classes = code[:, :categories].argmax(dim=1).cpu(), len(data.classes)
        table = torch.bincount(category * classes + seen_classes(x, data), minlength=categories * classes)
        table = table.reshape(categories, classes)
        measured["category_information"] = mutual_information(table)
        measured["category_purity"] = table.amax(dim=1).sum().item() / samples
    return measured


def drawn(
    family: Coded, data: InMemoryData, samples: int
) -> tuple[Float[Tensor, "samples features"], Float[Tensor, "samples ..."]]:
    """Codes and the examples that were made of them."""
    generator, like = stream(data, "codes"), next(family.discriminator.parameters())
    latent, code = (
        part.sample(draw(part.noise_spec(), samples, generator, like=like)) for part in (family.prior, family.code)
    )
    at_once = rows_at_once(data.parts["test"]["x"])
    return code, torch.cat([family.decode(rows) for rows in torch.cat([latent, code], dim=1).split(at_once)])


def mutual_information(table: Int[Tensor, "rows columns"]) -> float:
    """Of two discrete variables, in nats, from how often each pair of values was counted."""
    share = table.double() / table.sum()
    apart = share.sum(dim=1, keepdim=True) * share.sum(dim=0)
    return (torch.special.xlogy(share, share) - torch.special.xlogy(share, apart)).sum().item()


def category_sheet(family: Coded, data: InMemoryData, columns: int) -> list[dict[str, Any]]:
    """A row for each category; the latent, and what else there is of the code, are the same down a column."""
    rows = min(family.code.categories, MOST_CATEGORIES)
    if not rows:
        return []
    latent, code = _latents(family, data, columns)
    category = one_hot(torch.arange(rows), family.code.categories).to(code).repeat_interleave(columns, dim=0)
    rest = torch.cat([latent.repeat(rows, 1), category, code[:, family.code.categories :].repeat(rows, 1)], dim=1)
    images = family.decode(rest).reshape(rows, columns, *data.in_shape)
    caption = "A category of the code in each row, the same latent in each column."
    return [picture("categories", "Categories", caption, data, images)]


def feature_sheet(family: Coded, data: InMemoryData, columns: int) -> list[dict[str, Any]]:
    """A row for each continuous feature of the code, which goes from -1 to 1; all else is the same."""
    rows, categories = family.code.continuous, family.code.categories
    if not rows:
        return []
    latent, code = _latents(family, data, 1)
    codes = code.repeat(rows * columns, 1)
    codes[:, categories:] = 0
    feature = torch.arange(rows).repeat_interleave(columns)
    codes[torch.arange(rows * columns), categories + feature] = torch.linspace(-1, 1, columns).repeat(rows).to(code)
    images = family.decode(torch.cat([latent.repeat(rows * columns, 1), codes], dim=1))
    caption = "A continuous feature of the code in each row, from -1 to 1; the others are 0, and the latent is one."
    return [picture("features", "Features of the code", caption, data, images.reshape(rows, columns, *data.in_shape))]


def _latents(family: Coded, data: InMemoryData, n: int) -> tuple[Float[Tensor, "n latent"], Float[Tensor, "n code"]]:
    """Latents and codes of a sheet."""
    generator, like = stream(data, "sheet"), next(family.discriminator.parameters())
    latent, code = (
        part.sample(draw(part.noise_spec(), n, generator, like=like)) for part in (family.prior, family.code)
    )
    return latent, code
