"""GANs as a population: every objective, penalty and constraint trains each member as it would be alone."""

import math
from itertools import product

import pytest
import torch
from torch.optim import SGD, Adam

from paribus.data import RingOfGaussians
from paribus.densities import LatentCode, StandardNormal
from paribus.families import Gan, InfoGan
from paribus.networks import Mlp, SpectralNorm, WeightClipping
from paribus.objectives import (
    R1,
    GradientPenalty,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    Wasserstein,
)
from paribus.population import Member, Population
from paribus.population.choice import choose
from paribus.schedules import Constant, Cosine
from paribus.training import Training
from paribus.training.curves import Curves


def training(**changes):
    settings = {
        "max_steps": 8, "max_epochs": None, "max_minutes": None, "validate_every": 5, "chunk_steps": 4,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


def ring(seed):
    """60 examples in minibatches of 16: the last of an epoch is shorter."""
    data = RingOfGaussians(
        modes=8, radius=2.0, scale=0.05, n_train=60, n_validation=10, n_test=4, batch_size=16, seed=seed
    )
    data.setup()
    return data


def mlp(in_features, out_features, seed, normalisation="none", dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mlp(in_features, out_features, [6, 5], "tanh", normalisation, dropout)


OBJECTIVES = (Minimax, NonSaturating, LeastSquares, Wasserstein, Hinge, RelativisticAverage)
PENALTIES = {
    "free": lambda seed: None,
    "two-sided": lambda seed: GradientPenalty(10.0 / (seed + 1), one_sided=False),
    "one-sided": lambda seed: GradientPenalty(10.0 / (seed + 1), one_sided=True),
    "r1": lambda seed: R1(1.0 + seed),
}
CONSTRAINTS = {
    "free": lambda seed: None,
    "spectral": lambda seed: SpectralNorm(3),
    "clipped": lambda seed: WeightClipping(0.1 + 0.1 * seed),
}


def momentum(seed):
    """No rule that divides by a gradient's size: a relativistic score's constant has no gradient but rounding."""
    return lambda parameters: SGD(parameters, lr=0.02 * (seed + 1), momentum=0.5)


def gan(seed, objective, penalty="free", constraint="free", optimizer=None, schedule=None, critic_steps=2, **changes):
    """Members differ in the seed, the optimizers' numbers, the penalty's weight, the limit and the average's decay."""
    normalisation, dropout = changes.pop("normalisation", "none"), changes.pop("dropout", 0.0)
    return Gan(
        StandardNormal(4), mlp(4, 2, seed, normalisation, dropout), mlp(2, 1, seed + 50, dropout=dropout), objective(),
        optimizer or momentum(seed), schedule or Constant(), (2,), seed, critic_steps, 0.9 + 0.01 * seed, 3,
        penalty=PENALTIES[penalty](seed), constraint=CONSTRAINTS[constraint](seed), **changes,
    )  # fmt: skip


def infogan(seed, continuous=1):
    code = LatentCode(3, continuous)
    return InfoGan(
        StandardNormal(4), code, mlp(4 + code.features, 2, seed), mlp(2, 1 + code.parameters_of_q, seed + 50),
        NonSaturating(), momentum(seed), Constant(), (2,), seed, 1, 0.9, 3, 0.5 + seed, penalty=R1(1.0 + seed),
    )  # fmt: skip


def assert_as_alone(make, folder, members=2, **settings):
    """Weights, buffers and curves of a population's members are those of the runs alone, in float64."""
    population = Population([Member(make(seed), ring(seed)) for seed in range(members)], training(**settings))
    population.fit(folder)
    assert len(list(population.tiles())) == 1
    for seed, member in enumerate(population.members):
        lone, curves = make(seed), Curves()
        before = {name: tensor.clone() for name, tensor in lone.double().state_dict().items()}
        training(**settings).fit(lone, ring(seed), folder, curves, [], progress=False)
        assert list(member.curves.rows) == list(curves.rows)
        for step, row in curves.rows.items():
            assert member.curves.rows[step] == pytest.approx(row, rel=1e-8, abs=1e-10)
        state = member.family.state_dict()
        for name, tensor in lone.state_dict().items():
            assert (tensor - state[name]).abs().max().item() <= 1e-12, name
        assert any(not torch.equal(before[name], tensor) for name, tensor in state.items())


SOME = [(kind, "free", "free") for kind in OBJECTIVES] + [
    (OBJECTIVES[number % len(OBJECTIVES)], *pair)
    for number, pair in enumerate(pair for pair in product(PENALTIES, CONSTRAINTS) if pair != ("free", "free"))
]
"""Each objective, and each pair of a penalty and a constraint."""
REST = [each for each in product(OBJECTIVES, PENALTIES, CONSTRAINTS) if each not in SOME]


def name_of(part):
    return part if isinstance(part, str) else part.__name__


@pytest.mark.parametrize(("objective", "penalty", "constraint"), SOME, ids=name_of)
def test_members_end_as_alone(tmp_path, objective, penalty, constraint):
    assert_as_alone(lambda seed: gan(seed, objective, penalty, constraint), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "penalty", "constraint"), REST, ids=name_of)
def test_members_of_every_combination_end_as_alone(tmp_path, objective, penalty, constraint):
    assert_as_alone(lambda seed: gan(seed, objective, penalty, constraint), tmp_path)


@pytest.mark.parametrize("make", [
    lambda seed: gan(seed, NonSaturating, optimizer=lambda each: Adam(each, lr=0.01 * (seed + 1)), critic_steps=3),
    lambda seed: gan(seed, Hinge, discriminator_optimizer=lambda each: Adam(each, lr=0.02 / (seed + 1))),
    lambda seed: gan(seed, Minimax, schedule=Cosine(final=0.1 * seed), normalisation="batch"),
    lambda seed: gan(seed, Wasserstein, "two-sided", "spectral", dropout=0.4),
    infogan,
], ids=["adam", "two time-scales", "batch normalisation", "dropout", "infogan"])  # fmt: skip
def test_members_of_other_forms_end_as_alone(tmp_path, make):
    assert_as_alone(make, tmp_path, members=3, max_steps=12, clip_norm=0.5)


def weights_alone(make, seed, folder, perturbed, steps):
    """What a lone run ends with; perturbed: from initial weights that are off by a rounding."""
    family, generator = make(seed).double(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in family.parameters() if perturbed else ():
            parameter.mul_(1 + 2e-16 * torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator))
    training(max_steps=steps).fit(family, ring(seed), folder, Curves(), [], progress=False)
    return family.state_dict()


def largest_difference(one, other):
    return max((tensor - other[name]).abs().max().item() for name, tensor in one.items())


@pytest.mark.slow
@pytest.mark.parametrize("constraint", ["free", "spectral"])
def test_members_end_as_alone_after_many_steps(tmp_path, constraint):
    """As near as a lone run to itself with its initial weights rounded otherwise, since adversaries amplify rounding.

    Without a constraint, tenfold every 60 steps: after 1,000 two such lone runs have nothing in common.
    """

    def make(seed):
        return gan(seed, LeastSquares, "two-sided", constraint, critic_steps=3)

    population = Population([Member(make(seed), ring(seed)) for seed in range(2)], training(max_steps=300))
    population.fit(tmp_path)
    for seed, member in enumerate(population.members):
        lone, off = (weights_alone(make, seed, tmp_path, perturbed, steps=300) for perturbed in (False, True))
        rounding = largest_difference(lone, off)
        assert rounding < 1e-9
        assert largest_difference(lone, member.family.state_dict()) <= 30 * rounding + 1e-14


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda kind: kind.__name__)
def test_what_the_configs_bring_is_tried_and_stacked(objective):
    """With Adam at its usual rate, and a penalty and a constraint at once."""

    def adam(parameters):
        return Adam(parameters, lr=1e-3, betas=(0.5, 0.9))

    members = [Member(gan(seed, objective, "two-sided", "spectral", optimizer=adam), ring(seed)) for seed in range(2)]
    choice = choose(members, training(precision="32-true", max_steps=10**7))
    assert "ms a step" in choice.why


def test_kinds_that_cannot_be_one_program_are_kept_apart(tmp_path):
    """Other objectives, critic steps, and penalties are other programs: each member still ends as alone."""
    makes = [
        lambda: gan(0, Hinge),
        lambda: gan(0, Hinge, critic_steps=3),
        lambda: gan(0, Hinge, "r1"),
        lambda: gan(0, Hinge, "r1", "clipped"),
        lambda: gan(0, Wasserstein),
    ]
    population = Population([Member(make(), ring(0)) for make in makes], training())
    population.fit(tmp_path)
    assert len(list(population.tiles())) == len(makes)
    for make, member in zip(makes, population.members, strict=True):
        lone = make()
        training().fit(lone, ring(0), tmp_path, Curves(), [], progress=False)
        state = member.family.state_dict()
        assert all(torch.allclose(tensor, state[name], 0, 1e-12) for name, tensor in lone.state_dict().items())


def test_limits_hold_for_each_member(tmp_path):
    makes = [gan(seed, Wasserstein, constraint="clipped") for seed in range(2)]
    population = Population([Member(make, ring(seed)) for seed, make in enumerate(makes)], training())
    population.fit(tmp_path)
    for member, limit in zip(population.members, (0.1, 0.2), strict=True):
        largest = max(parameter.abs().max().item() for parameter in member.family.discriminator.parameters())
        assert largest == pytest.approx(limit, rel=1e-9)
