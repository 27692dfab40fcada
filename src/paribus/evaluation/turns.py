"""What a GAN's training came to: how well its discriminator tells, how steep the losses still are, what was spent."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import InMemoryData, rows_at_once
from paribus.families.contract import Family, Phase
from paribus.families.gan import Gan
from paribus.metrics.ranking import binary_auroc
from paribus.noise import draw, noise_of
from paribus.study.factors import Metric

MINIBATCHES = 8
"""Of the training part, over which the norm of a turn's gradient is averaged."""

MEASURES = (
    Metric("discriminator_accuracy", "neither"),
    Metric("train_discriminator_accuracy", "neither"),
    Metric("discriminator_auroc", "neither"),
    Metric("train_discriminator_auroc", "neither"),
    Metric("discriminator_gradient", "neither"),
    Metric("generator_gradient", "neither"),
    Metric("discriminator_steps", "neither", "steps"),
    Metric("generator_steps", "neither", "steps"),
    Metric("examples_seen", "neither", "examples"),
)


def diagnostics(family: Gan, data: InMemoryData, generator: torch.Generator) -> dict[str, float]:
    """The metrics of `MEASURES`, by name.

    `discriminator_auroc` is the chance that a held-out example scores above a generated one, .5 for a discriminator
    that knows nothing and 1 for one that has won, whatever the objective; `discriminator_accuracy` the share of both
    that it tells rightly, where the objective has a number that tells them. `train_...` are the same with training
    examples: higher where it knows them by heart. All are of the generator that it was trained against, not of averaged
    weights. `discriminator_gradient` and `generator_gradient` are the norms of the gradients of both turns' losses,
    penalties included and clipping not: means over minibatches of the training part.
    """
    x, train = data.parts["test"]["x"], data.parts["train"]["x"]
    rows = torch.randperm(len(train), generator=generator)[: len(x)]
    return {
        **told_apart(family, x),
        **{f"train_{name}": value for name, value in told_apart(family, train[rows.to(train.device)]).items()},
        **{f"{phase.name}_gradient": gradient_norm(family, phase, data, generator) for phase in family.phases},
        **{f"{phase.name}_steps": float(phase.turns(family.step)) for phase in family.phases},
        "examples_seen": float(examples_seen(family, data)),
    }


def told_apart(family: Gan, x: Float[Tensor, "n ..."]) -> dict[str, float]:
    """How well the discriminator tells real examples from as many generated ones."""
    noise = {name: each.to(x) for name, each in noise_of("noise", family.held_out_noise(len(x))).items()}
    at_once, scores = rows_at_once(x), []
    for start in range(0, len(x), at_once):
        turn = noise_of("discriminator", {name: each[start : start + at_once] for name, each in noise.items()})
        real = x[start : start + at_once]
        scores.append(torch.stack([family.score(real), family.score(family.generated(turn))]))
    real, fake = torch.cat(scores, dim=1)
    is_real = torch.arange(2 * len(x), device=x.device) < len(x)
    measured = {"discriminator_auroc": binary_auroc(torch.cat([real, fake]), is_real).item()}
    told = family.objective.discriminator(real, fake).terms.get("discriminator_accuracy")
    return measured if told is None else {"discriminator_accuracy": told.item(), **measured}


def gradient_norm(family: Gan, phase: Phase, data: InMemoryData, generator: torch.Generator) -> float:
    """The mean over minibatches of the norm of the gradient of a phase's loss in the parameters that it moves."""
    train, parameters = data.parts["train"], family.parameters_of(phase)
    size = min(family.rows or data.batch_size, len(train["x"]))
    norms = []
    with as_in_training(family):
        for _ in range(MINIBATCHES):
            rows = torch.randperm(len(train["x"]), generator=generator)[:size].to(train["x"].device)
            batch = {name: column[rows] for name, column in train.items()}
            noise = draw(family.noise_spec(), size, generator, like=batch["x"])
            gradients = torch.autograd.grad(phase.loss(batch, noise).total, parameters, allow_unused=True)
            squares = [each.double().square().sum() for each in gradients if each is not None]
            norms.append(torch.stack(squares).sum().sqrt())
    return torch.stack(norms).mean().item()


@contextmanager
def as_in_training(family: Family) -> Iterator[None]:
    """Losses as training has them, with gradients; buffers that they change are put back."""
    kept = [(buffer, buffer.clone()) for buffer in family.buffers()]
    was_training = family.training
    family.train()
    try:
        with torch.enable_grad():
            yield
    finally:
        family.train(was_training)
        for buffer, before in kept:
            buffer.copy_(before)


def examples_seen(family: Family, data: InMemoryData) -> int:
    """Real examples in all minibatches so far; the last minibatch of an epoch may be shorter."""
    examples = data.sizes()["train"]
    size = min(family.rows or data.batch_size, examples)
    epochs, rest = divmod(family.step, -(-examples // size))
    return epochs * examples + rest * size
