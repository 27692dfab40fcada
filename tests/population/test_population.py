"""A population against lone runs: in float64 to 1e-10 after 2,000 steps, whatever differs between the members."""

import math

import pytest
import torch

from paribus.curves import Curves
from paribus.data import Contamination, Sine
from paribus.errors import NonFiniteLoss
from paribus.families import Regression
from paribus.networks import Mlp
from paribus.objectives import Absolute, Cauchy, GaussianLikelihood, Huber, Quantile, Squared
from paribus.population import Member, NotStackable, Population
from paribus.schedules import Constant, Cosine, Warmup
from paribus.training import Training


def training(**changes):
    settings = dict(
        max_steps=60, max_epochs=None, max_minutes=None, validate_every=25, chunk_steps=8, clip_norm=None,
        accelerator="cpu", precision="64-true", threads=1, resume_seconds=math.inf, save_checkpoint=False,
    )  # fmt: skip
    return Training(**settings | changes)


def sine(seed=0, **changes):
    settings = dict(n_train=50, n_validation=10, n_test=10, noise=0.1, batch_size=16)
    outliers = Contamination(fraction=0.1, size=3.0, sides="one", placement="random")
    data = Sine(**settings | changes, contamination=outliers, input_scaling="none", target_scaling="none", seed=seed)
    data.setup()
    return data


def family(seed=0, objective=None, optimizer=None, scheduler=None, input_noise=0.0, hidden=8, cls=Regression):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Mlp(hidden=[hidden], activation="tanh", in_features=1, out_features=1)
    return cls(
        network=network, objective=objective or Squared(), scheduler=scheduler or Constant(), in_features=1, seed=seed,
        optimizer=optimizer or (lambda parameters: torch.optim.Adam(parameters, lr=0.01)), input_noise=input_noise,
    )  # fmt: skip


def using(kind, **options):
    return lambda parameters: kind(parameters, **options)


def together(make, tmp_path, **settings):
    """The members that `make` builds, trained as one population."""
    members = [Member(each, data) for each, data in make()]
    population = Population(members, training(**settings))
    population.fit(tmp_path, progress=False)
    return population


def alone(make, tmp_path, **settings):
    """Each as a lone run: the family, its curves, and what stopped it."""
    runs = []
    for each, data in make():
        curves, failure = Curves(), None
        try:
            training(**settings).fit(each, data, tmp_path, curves, [], progress=False)
        except NonFiniteLoss as error:
            failure = error
        runs.append((each, curves, failure))
    return runs


def assert_same(population, runs, tolerance):
    for member, (lone, curves, failure), found in zip(population.members, runs, population.failures(), strict=True):
        assert member.family.step == lone.step
        assert (found is None) == (failure is None)
        if failure is None:
            for name, parameter in lone.named_parameters():
                difference = (parameter - member.family.get_parameter(name)).abs().max().item()
                assert difference <= tolerance, (name, difference)
        else:
            assert found.step == failure.step
        assert list(member.curves.rows) == list(curves.rows)
        for step, row in curves.rows.items():
            assert list(member.curves.rows[step]) == list(row)
            assert member.curves.rows[step] == pytest.approx(row, rel=1e-8, abs=1e-10)


OPTIMIZERS = {
    "sgd": [using(torch.optim.SGD, lr=0.05), using(torch.optim.SGD, lr=0.01, weight_decay=0.01)],
    "momentum": [
        using(torch.optim.SGD, lr=0.01, momentum=0.9),
        using(torch.optim.SGD, lr=0.02, momentum=0.5, dampening=0.1, weight_decay=0.001),
    ],
    "nesterov": [
        using(torch.optim.SGD, lr=0.01, momentum=0.9, nesterov=True),
        using(torch.optim.SGD, lr=0.02, momentum=0.8, nesterov=True),
    ],
    "adam": [
        using(torch.optim.Adam, lr=0.01),
        using(torch.optim.Adam, lr=0.003, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01),
        using(torch.optim.Adam, lr=0.01, fused=True),
    ],
    "amsgrad": [using(torch.optim.Adam, lr=0.01, amsgrad=True), using(torch.optim.Adam, lr=0.02, amsgrad=True)],
    "adamw": [using(torch.optim.AdamW, lr=0.01), using(torch.optim.AdamW, lr=0.003, weight_decay=0.1)],
    "rmsprop": [
        using(torch.optim.RMSprop, lr=0.001),
        using(torch.optim.RMSprop, lr=0.002, alpha=0.9, eps=1e-6, weight_decay=0.01),
    ],
    "rmsprop_centered": [
        using(torch.optim.RMSprop, lr=0.001, momentum=0.9, centered=True),
        using(torch.optim.RMSprop, lr=0.002, momentum=0.5, alpha=0.9, centered=True),
    ],
    "adagrad": [
        using(torch.optim.Adagrad, lr=0.05),
        using(torch.optim.Adagrad, lr=0.1, lr_decay=0.01, weight_decay=0.01, initial_accumulator_value=0.1),
    ],
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_end_where_lone_runs_end(tmp_path, name):
    """2,000 steps of every optimizer, with per-member numbers, seeds, data, schedules, input noise, and clipping."""

    def make():
        first, last = OPTIMIZERS[name][0], OPTIMIZERS[name][-1]
        return [
            (family(0, GaussianLikelihood(1.0, True), first, Cosine(final=0.0), input_noise=0.1), sine(0)),
            (family(1, GaussianLikelihood(0.5, True), last, Warmup(50, 0.0, 0.1), input_noise=0.1), sine(1)),
            (family(2, Huber(0.5), last), sine(2)),
            (family(3, Huber(2.0), first), sine(2)),
            *((family(4, Squared(), each, Cosine(final=0.1)), sine(4)) for each in OPTIMIZERS[name]),
        ]

    settings = dict(max_steps=2000, chunk_steps=64, validate_every=1000, clip_norm=1.0)
    population = together(make, tmp_path, **settings)
    assert len(list(population.tiles())) == 3
    assert_same(population, alone(make, tmp_path, **settings), 1e-10)
