"""The adversarial objectives against their papers' formulas, and against divergences that are known."""

import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from numpy.polynomial.hermite_e import hermegauss
from scipy import integrate, stats
from torch.func import vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from paribus.objectives import (
    AdversarialObjective,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    Wasserstein,
)

REAL = torch.tensor([-30.0, -1.5, -0.2, 0.0, 0.7, 3.0, 40.0], dtype=torch.float64)
FAKE = torch.tensor([25.0, 1.2, 0.4, 0.0, -0.6, -2.0, -35.0], dtype=torch.float64)
ALL = (Minimax, NonSaturating, LeastSquares, Wasserstein, Hinge, RelativisticAverage)
known_objective = pytest.mark.parametrize("objective", [kind() for kind in ALL], ids=lambda each: type(each).__name__)


def configured():
    """The adversarial objectives of conf/objective: another one is one class and one file."""
    for path in sorted((Path(__file__).parents[2] / "conf" / "objective").glob("*.yaml")):
        node = yaml.safe_load(path.read_text())
        module, _, name = node.pop("_target_").rpartition(".")
        kind = getattr(import_module(module), name)
        if issubclass(kind, AdversarialObjective):
            yield pytest.param(kind(**node), id=path.stem)


each_objective = pytest.mark.parametrize("objective", list(configured()))


def entropy(logits, label):
    """Torch's cross entropy of logits that all have one label."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def relativistic(kind, others, label):
    return entropy(kind - others.mean(), label)


DISCRIMINATOR = {
    Minimax: lambda r, f: entropy(r, 1.0) + entropy(f, 0.0),
    NonSaturating: lambda r, f: entropy(r, 1.0) + entropy(f, 0.0),
    LeastSquares: lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
    Wasserstein: lambda r, f: f.mean() - r.mean(),
    Hinge: lambda r, f: -torch.minimum(r - 1, 0 * r).mean() - torch.minimum(-f - 1, 0 * f).mean(),
    RelativisticAverage: lambda r, f: relativistic(r, f, 1.0) + relativistic(f, r, 0.0),
}
GENERATOR = {
    Minimax: lambda r, f: -entropy(f, 0.0),
    NonSaturating: lambda r, f: entropy(f, 1.0),
    LeastSquares: lambda r, f: ((f - 1) ** 2).mean() / 2,
    Wasserstein: lambda r, f: -f.mean(),
    Hinge: lambda r, f: -f.mean(),
    RelativisticAverage: lambda r, f: relativistic(f, r, 1.0) + relativistic(r, f, 0.0),
}


def turns(objective):
    """Both losses as functions of the logits."""
    return objective.discriminator, lambda real, fake: objective.generator(lambda: real, fake)


def value_and_gradients(loss, real, fake):
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    value = loss(real, fake)
    total = value if isinstance(value, torch.Tensor) else value.total
    gradients = torch.autograd.grad(total, (real, fake), allow_unused=True, materialize_grads=True)
    return total.detach(), *gradients


@known_objective
def test_values_and_gradients_are_the_formulas(objective):
    for loss, formulas in zip(turns(objective), (DISCRIMINATOR, GENERATOR), strict=True):
        formula = formulas[type(objective)]
        for mine, theirs in zip(
            value_and_gradients(loss, REAL, FAKE), value_and_gradients(formula, REAL, FAKE), strict=True
        ):
            torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)


@each_objective
def test_terms_sum_to_the_total(objective):
    for loss in turns(objective):
        total, terms = loss(REAL, FAKE)
        parts = [value for name, value in terms.items() if name != "discriminator_accuracy"]
        torch.testing.assert_close(sum(parts), total)


@known_objective
def test_accuracy_counts_the_right_side(objective):
    """By hand, on either side of 0, of 1/2, and of the others' mean: .1 of the real and .2 of the fake ones."""
    real, fake = torch.tensor([0.9, 0.15, 0.05, -0.7]), torch.tensor([-0.3, 0.4, 0.7, 0.0])
    expected = {
        LeastSquares: (1 / 4 + 3 / 4) / 2,
        RelativisticAverage: (1 / 4 + 2 / 4) / 2,
    }.get(type(objective), (3 / 4 + 2 / 4) / 2)
    terms = objective.discriminator(real, fake).terms
    if isinstance(objective, Wasserstein):
        assert "discriminator_accuracy" not in terms  # scores have no origin
    else:
        assert terms["discriminator_accuracy"].item() == pytest.approx(expected, rel=1e-6)


@each_objective
def test_a_batch_repeated_changes_nothing_but_the_share_of_each(objective):
    for loss in turns(objective):
        once = value_and_gradients(loss, REAL, FAKE)
        thrice = value_and_gradients(loss, REAL.repeat(3), FAKE.repeat(3))
        torch.testing.assert_close(thrice[0], once[0])
        for many, one in zip(thrice[1:], once[1:], strict=True):
            torch.testing.assert_close(many, one.repeat(3) / 3)


@known_objective
def test_only_the_relativistic_generator_asks_for_real_logits(objective):
    asked = []

    def real():
        asked.append(True)
        return REAL

    objective.generator(real, FAKE)
    assert len(asked) == (1 if isinstance(objective, RelativisticAverage) else 0)


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sure_logits_are_finite_in_value_and_gradient(objective, dtype):
    sure = torch.tensor([1e4, -1e4, 0.0], dtype=dtype)
    for real, fake in ((sure, -sure), (sure, sure), (sure[:1], sure[1:2]), (sure[1:2], sure[:1])):
        for loss in turns(objective):
            for each in value_and_gradients(loss, real, fake):
                assert each.dtype == dtype
                assert each.isfinite().all()


@each_objective
def test_a_stack_is_a_loop(objective):
    real, fake = torch.stack([REAL, REAL.flip(0) / 2]), torch.stack([FAKE, FAKE / 3])
    for loss in turns(objective):
        together = vmap(lambda r, f: loss(r, f).total)(real, fake)  # noqa: B023  # called at once
        alone = torch.stack([loss(r, f).total for r, f in zip(real, fake, strict=True)])
        torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("logit", [-8.0, -1.0, 0.0, 0.3, 6.0])
def test_saturation(logit):
    """In one logit a of a fake: sigmoid(a) falls to 0 where the discriminator is sure, 1 - sigmoid(a) does not."""
    fake = torch.tensor([logit], dtype=torch.float64)
    sigmoid = 1 / (1 + math.exp(-logit))
    for objective, size in ((Minimax(), sigmoid), (NonSaturating(), 1 - sigmoid)):
        _, _, gradient = value_and_gradients(lambda r, f: objective.generator(lambda: r, f), fake, fake)  # noqa: B023
        assert gradient.item() == pytest.approx(-size, rel=1e-12)


def test_minimax_plays_for_zero_sum():
    """What the generator minimises is the discriminator's value, less what it cannot move."""
    total = Minimax().discriminator(REAL, FAKE)
    generator = Minimax().generator(lambda: REAL, FAKE).total
    torch.testing.assert_close(generator, -total.terms["discriminator_fake"])


def test_relativistic_turns_are_each_others_with_the_kinds_exchanged():
    objective = RelativisticAverage()
    torch.testing.assert_close(
        objective.generator(lambda: REAL, FAKE).total, objective.discriminator(FAKE, REAL).total, rtol=1e-12, atol=0
    )
    torch.testing.assert_close(  # only differences count
        objective.discriminator(REAL + 5.0, FAKE + 5.0).total, objective.discriminator(REAL, FAKE).total
    )
    equal = objective.discriminator(torch.zeros(4), torch.zeros(4)).total
    assert equal.item() == pytest.approx(2 * math.log(2), rel=1e-6)


def test_a_discriminator_that_knows_nothing():
    """2 log 2 nats; squares of 1/2 twice, halved; nothing; and the hinge's two margins."""
    nothing = torch.zeros(5, dtype=torch.float64)
    values = {Minimax: 2 * math.log(2), NonSaturating: 2 * math.log(2), Wasserstein: 0.0, Hinge: 2.0}
    for kind, value in values.items():
        assert kind().discriminator(nothing, nothing).total.item() == pytest.approx(value, rel=1e-12)
    assert LeastSquares().discriminator(nothing + 0.5, nothing + 0.5).total.item() == pytest.approx(0.25, rel=1e-12)


VALUES = {0.0: -1.3863, 0.5: -1.3257, 1.0: -1.1635, 2.0: -0.7126, 4.0: -0.1209}
"""Of the best discriminator of N(0, 1) from N(m, 1): 2 JSD - log 4."""


def value_of(slope, intercept, shift):
    """E log D(real) + E log(1 - D(fake)) of D = sigmoid(slope x + intercept), by 200 nodes of Gauss and Hermite."""
    nodes, weights = hermegauss(200)
    weights = torch.from_numpy(weights / math.sqrt(2 * math.pi))
    real, fake = (slope * (torch.from_numpy(nodes) + place) + intercept for place in (0.0, shift))
    log_sigmoid = torch.nn.functional.logsigmoid
    return float((weights * (log_sigmoid(real) + log_sigmoid(-fake))).sum())


@pytest.mark.parametrize(("shift", "value"), VALUES.items())
def test_the_best_discriminator_of_two_gaussians(shift, value):
    """The logit is -m x + m^2 / 2, the value is 2 JSD - log 4, and a logistic discriminator finds both."""

    def integrand(x):
        p, q = stats.norm.pdf(x), stats.norm.pdf(x, loc=shift)
        return p * np.log(p / (p + q)) + q * np.log(q / (p + q))

    best, _ = integrate.quad(integrand, -12, 12 + shift, points=[0, shift / 2, shift])
    assert best == pytest.approx(value, abs=6e-5)
    assert value_of(-shift, shift**2 / 2, shift) == pytest.approx(best, abs=1e-6)
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 20_000, dtype=torch.float64, generator=generator).unbind()
    fake = fake + shift
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=30, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = Minimax().discriminator(weights[0] * real + weights[1], weights[0] * fake + weights[1]).total
        loss.backward()
        return loss

    optimizer.step(closure)
    slope, intercept = weights.tolist()
    assert value_of(slope, intercept, shift) == pytest.approx(value, abs=0.01)
    assert slope == pytest.approx(-shift, abs=0.05 + 0.05 * shift)


@pytest.mark.parametrize("distance", [0.1, 1.0, 30.0])
def test_disjoint_supports(distance):
    """Uniform on [-1, 0] and on [d, d + 1]: a JSD of log 2 at any distance, where W1 = 1 + d is the way to go."""
    grid = torch.linspace(0, 1, 1001, dtype=torch.float64)
    real, fake = grid - 1, distance + grid
    sure = 1e4 / distance  # steep enough between the two
    value = -Minimax().discriminator(sure * (distance / 2 - real), sure * (distance / 2 - fake)).total.item()
    assert (value + math.log(4)) / 2 == pytest.approx(math.log(2), rel=1e-12)
    lipschitz = -Wasserstein().discriminator(-real, -fake).total.item()
    assert lipschitz == pytest.approx(1 + distance, rel=1e-9)
    assert lipschitz == pytest.approx(stats.wasserstein_distance(real.numpy(), fake.numpy()), rel=1e-9)


def test_all_that_are_known_are_configured():
    assert set(ALL) <= {type(each.values[0]) for each in configured()}
