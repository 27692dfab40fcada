"""A population against lone runs, whatever differs between the members and whatever goes wrong in one of them."""

import math

import pytest
import torch
from torch.optim import LBFGS, SGD, Adagrad, Adam, AdamW, RMSprop

from paribus.data import Contamination, Sine
from paribus.errors import NonFiniteLoss, UserError
from paribus.families import Regression
from paribus.networks import Mlp
from paribus.objectives import Absolute, GaussianLikelihood, Huber, Loss, RegressionObjective, Squared
from paribus.population import Member, NotStackable, Population
from paribus.population.choice import choose, rounds
from paribus.population.stack import Stack
from paribus.schedules import Constant, Cosine, Warmup
from paribus.training import Training
from paribus.training.curves import Curves

LONG = 10**7
"""Steps for which any two members train long enough to be tried together."""


def training(**changes):
    settings = {
        "max_steps": 40, "max_epochs": None, "max_minutes": None, "validate_every": 15, "chunk_steps": 8,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


def sine(seed=0, **changes):
    settings = {"n_train": 50, "n_validation": 10, "n_test": 10, "noise": 0.1, "batch_size": 16}
    outliers = Contamination(fraction=0.1, size=3.0, sides="one", placement="random")
    data = Sine(**settings | changes, contamination=outliers, input_scaling="none", target_scaling="none", seed=seed)
    data.setup()
    return data


def using(kind, **options):
    return lambda parameters: kind(parameters, **options)


def family(seed=0, objective=None, optimizer=None, scheduler=None, input_noise=0.0, hidden=8, cls=Regression):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Mlp(
            hidden=[hidden], activation="tanh", normalisation="none", dropout=0.0, in_features=1, out_features=1
        )
    return cls(
        network=network, objective=objective or Squared(), optimizer=optimizer or using(Adam, lr=0.01),
        scheduler=scheduler or Constant(), in_features=1, seed=seed, input_noise=input_noise,
    )  # fmt: skip


def together(make, folder, **settings):
    """The members that `make` builds, trained as one population."""
    population = Population([Member(each, data) for each, data in make()], training(**settings))
    population.fit(folder)
    return population


def alone(make, folder, **settings):
    """Each as a lone run: the family, its curves, and what stopped it."""
    runs = []
    for each, data in make():
        curves, failure = Curves(), None
        try:
            training(**settings).fit(each, data, folder, curves, [], progress=False)
        except NonFiniteLoss as error:
            failure = error
        runs.append((each, curves, failure))
    return runs


def assert_same(population, runs, tolerance=1e-10):
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
    "sgd": [using(SGD, lr=0.05), using(SGD, lr=0.01, weight_decay=0.01)],
    "momentum": [
        using(SGD, lr=0.01, momentum=0.9),
        using(SGD, lr=0.02, momentum=0.5, dampening=0.1, weight_decay=0.001),
    ],
    "nesterov": [
        using(SGD, lr=0.01, momentum=0.9, nesterov=True),
        using(SGD, lr=0.02, momentum=0.8, nesterov=True),
    ],
    "adam": [using(Adam, lr=0.01, fused=True), using(Adam, lr=0.003, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01)],
    "amsgrad": [using(Adam, lr=0.01, amsgrad=True), using(Adam, lr=0.02, amsgrad=True)],
    "adamw": [using(AdamW, lr=0.01), using(AdamW, lr=0.003, weight_decay=0.1)],
    "rmsprop": [using(RMSprop, lr=0.001), using(RMSprop, lr=0.002, alpha=0.9, eps=1e-6, weight_decay=0.01)],
    "rmsprop_centered": [
        using(RMSprop, lr=0.001, momentum=0.9, centered=True),
        using(RMSprop, lr=0.002, momentum=0.5, alpha=0.9, centered=True),
    ],
    "adagrad": [
        using(Adagrad, lr=0.05),
        using(Adagrad, lr=0.1, lr_decay=0.01, weight_decay=0.01, initial_accumulator_value=0.1),
    ],
}


def check_optimizer(name, folder, steps):
    """Per-member numbers, seeds, data, schedules and input noise; clipping; a batch that does not divide the data."""

    def make():
        first, last = OPTIMIZERS[name]
        return [
            (family(0, GaussianLikelihood(1.0, True), first, Cosine(final=0.0), input_noise=0.1), sine(0)),
            (family(1, GaussianLikelihood(0.5, True), last, Warmup(20, 0.0, 0.1), input_noise=0.1), sine(1)),
            (family(2, Huber(0.5), last), sine(2)),
            (family(3, Huber(2.0), first), sine(2)),
            (family(4, Absolute(), last, Cosine(final=0.1)), sine(4)),
        ]

    settings = {"max_steps": steps, "chunk_steps": 64, "validate_every": 1000, "clip_norm": 0.5}
    population = together(make, folder, **settings)
    assert len(list(population.tiles())) == 3
    assert_same(population, alone(make, folder, **settings))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_end_where_lone_runs_end(tmp_path, name):
    check_optimizer(name, tmp_path, steps=130)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_members_end_where_lone_runs_end_after_2000_steps(tmp_path, name):
    check_optimizer(name, tmp_path, steps=2000)


def test_2000_steps_of_adam(tmp_path):
    def make():
        return [(family(seed, GaussianLikelihood(1.0, True), input_noise=0.1), sine(seed)) for seed in range(2)]

    settings = {"max_steps": 2000, "chunk_steps": 64, "validate_every": 1000}
    assert_same(together(make, tmp_path, **settings), alone(make, tmp_path, **settings))


class Exploding(RegressionObjective):
    """Squared, times a gain: with a large one plain gradient descent diverges."""

    def __init__(self, gain):
        super().__init__()
        self.register_buffer("gain", torch.tensor(gain, dtype=torch.float64), persistent=False)

    def forward(self, prediction, target):
        loss = Squared()(prediction, target)
        return loss._replace(total=loss.total * self.gain)


def gains(*values):
    return lambda: [
        (family(seed, Exploding(gain), using(SGD, lr=0.01)), sine(seed)) for seed, gain in enumerate(values)
    ]


def test_a_member_that_diverges_leaves_the_others_as_they_were(tmp_path):
    population = together(gains(1.0, 1e9, 2.0), tmp_path)
    assert [failure is not None for failure in population.failures()] == [False, True, False]
    assert_same(population, alone(gains(1.0, 1e9, 2.0), tmp_path))
    tame = together(gains(1.0, 1.0, 2.0), tmp_path)
    for place in (0, 2):
        pair = (population.members[place].family.parameters(), tame.members[place].family.parameters())
        assert all(map(torch.equal, *pair))


def test_a_member_that_has_diverged_no_longer_moves(tmp_path):
    population = together(gains(1.0, 1e9), tmp_path)
    stack, _ = next(population.tiles())
    loaders = [training().loader(member.data, lambda: 0) for member in population.members]
    matrix = stack.matrices[0]
    matrix[1] = 1.0
    before = matrix.clone()
    stack.advance(range(40, 44), loaders, None)
    assert stack.stopped.tolist() == [-1, population.members[1].family.step]
    assert torch.equal(before[1], matrix[1])
    assert not torch.equal(before[0], matrix[0])


class Scripted(Regression):
    """Its validation losses are written down in a buffer: at steps 5, 10, ..."""

    def validation_loss(self, batch):
        return Loss(self.losses[self.step // 5 - 1], {})


def test_a_member_stops_where_its_own_losses_say(tmp_path):
    """By hand, for a patience of 2: the lowest is the second, the fourth of an equal pair, and none after the first."""
    scripts = {
        20: [3.0, 2.0, 2.1, 2.2, 1.0, 1.0, 1.0, 1.0],
        30: [4.0, 3.0, 3.5, 2.0, 2.0, 2.0, 1.0, 1.0],
        15: [1.0, math.nan, 1.0, 0.5, 0.5, 0.4, 0.3, 0.2],
        40: [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    }
    members = []
    for seed, losses in enumerate(scripts.values()):
        each = family(seed, cls=Scripted)
        each.register_buffer("losses", torch.tensor(losses))
        members.append(Member(each, sine(seed)))
    Population(members, training(validate_every=5, patience=2)).fit(tmp_path)
    assert [member.family.step for member in members] == list(scripts)
    assert [max(member.curves.rows) for member in members] == list(scripts)


STOPPING = {
    "adam": [using(Adam, lr=rate, weight_decay=0.01) for rate in (0.01, 0.1, 0.2, 1e-4)],
    "adamw": [using(AdamW, lr=rate, weight_decay=0.1) for rate in (0.01, 0.1, 0.2, 1e-4)],
    "momentum": [using(SGD, lr=rate, momentum=0.9, weight_decay=0.01) for rate in (0.05, 0.1, 0.2, 1e-4)],
}


@pytest.mark.parametrize("name", STOPPING)
def test_members_stop_as_lone_runs_do(tmp_path, name):
    def make():
        return [(family(seed, optimizer=each), sine(seed)) for seed, each in enumerate(STOPPING[name])]

    settings = {"max_steps": 120, "validate_every": 5, "patience": 2}
    population = together(make, tmp_path, **settings)
    steps = [member.family.step for member in population.members]
    assert len(set(steps)) >= 3, steps
    assert min(steps) < max(steps) == 120, steps
    assert_same(population, alone(make, tmp_path, **settings))


def test_training_ends_with_the_last_member(tmp_path):
    def make():
        return [(family(seed, optimizer=using(SGD, lr=0.0)), sine(seed)) for seed in range(2)]

    population = together(make, tmp_path, validate_every=5, patience=2)
    assert population.step == 15
    assert_same(population, alone(make, tmp_path, validate_every=5, patience=2))


class Ending(Population):
    """Is killed after its last checkpoint."""

    def on_fit_end(self):
        raise RuntimeError("power cut")


@pytest.mark.parametrize("dies_at", [31, 52, math.inf])
def test_a_resumed_population_goes_on_counting(tmp_path, monkeypatch, dies_at):
    """Killed between two validations, after some members have stopped, and after the end."""

    def make():
        return [(family(seed, optimizer=each), sine(seed)) for seed, each in enumerate(STOPPING["adam"])]

    settings = {"max_steps": 120, "validate_every": 5, "patience": 2, "resume_seconds": 0.0}
    whole = together(make, tmp_path / "whole", **settings)
    (tmp_path / "cut").mkdir()
    if dies_at == math.inf:
        cut = Ending([Member(*each) for each in make()], training(**settings))
        with pytest.raises(RuntimeError, match="power cut"):
            cut.fit(tmp_path / "cut")
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Stack, "advance", dying(Stack.advance, dies_at))
            with pytest.raises(RuntimeError, match="power cut"):
                together(make, tmp_path / "cut", **settings)
    resumed = together(make, tmp_path / "cut", **settings)
    for mine, yours in zip(resumed.members, whole.members, strict=True):
        assert mine.family.step == yours.family.step
        assert all(map(torch.equal, mine.family.parameters(), yours.family.parameters()))
        assert mine.curves.rows == yours.curves.rows


def dying(advance, step):
    def until(stack, steps, loaders, clip_norm):
        if step in steps:
            raise RuntimeError("power cut")
        return advance(stack, steps, loaders, clip_norm)

    return until


def test_patience_needs_something_to_wait_for(tmp_path):
    population = Population([Member(family(), sine(n_validation=0))], training(patience=1))
    with pytest.raises(UserError, match="no validation part"):
        population.fit(tmp_path)


def test_all_members_diverge(tmp_path):
    population = together(gains(1e9, 1e10), tmp_path)
    assert_same(population, alone(gains(1e9, 1e10), tmp_path))
    assert all(population.failures())
    assert population.step < 40


def test_learning_rate_zero_and_twins(tmp_path):
    def make():
        return [
            (family(0, optimizer=using(Adam, lr=0.0)), sine(0)),
            (family(1), sine(1)),
            (family(1), sine(1)),
            (family(1, Squared(), using(Adam, lr=0.02)), sine(1)),
        ]

    population = together(make, tmp_path)
    assert_same(population, alone(make, tmp_path))
    still, twin, other, faster = (list(member.family.parameters()) for member in population.members)
    assert all(map(torch.equal, still, family(0).double().parameters()))
    assert all(map(torch.equal, twin, other))
    assert not torch.equal(twin[0], faster[0])


def test_one_member_and_a_thousand(tmp_path):
    """The first and the last, those about the end of a tile, and one that is a population of its own."""

    def make(places):
        return [(family(seed, hidden=2), data) for seed in places]

    data, places = sine(), [0, 7, 62, 63, 999]
    runs = alone(lambda: make(places), tmp_path, max_steps=8)
    assert_same(together(lambda: make([7]), tmp_path, max_steps=8), runs[1:2])
    many = together(lambda: make(range(1000)), tmp_path, max_steps=8)
    assert len(list(many.tiles())) == 16
    for place, (lone, curves, _) in zip(places, runs, strict=True):
        member = many.members[place]
        assert member.curves.rows.keys() == curves.rows.keys()
        for mine, yours in zip(member.family.parameters(), lone.parameters(), strict=True):
            torch.testing.assert_close(mine, yours, rtol=0, atol=1e-12)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_other_precisions_follow_lone_runs(tmp_path, precision):
    """Two roundings of one run: each is as far from the next higher precision as the other, so at most twice apart."""

    def make():
        return [(family(seed, Huber(1.0)), sine(seed)) for seed in range(3)]

    higher = {"32-true": "64-true", "bf16-mixed": "32-true"}[precision]
    members = together(make, tmp_path, precision=precision).members
    runs, better = (alone(make, tmp_path, precision=each) for each in (precision, higher))
    for member, (lone, _, _), (exact, _, _) in zip(members, runs, better, strict=True):
        mine, own, exactly = (
            torch.cat([parameter.flatten() for parameter in each.parameters()]) for each in (member.family, lone, exact)
        )
        assert mine.dtype == torch.float32
        assert (own - exactly).norm() > 0
        assert (mine - own).norm() <= 2 * (own - exactly).norm()


class Crashing(Regression):
    """Dies at step 24, as a killed process would: nothing is written after."""

    armed = True

    def loss(self, batch, noise):
        if Crashing.armed and torch.is_grad_enabled() and Crashing.count == 24:
            raise RuntimeError("power cut")
        Crashing.count += 1
        return super().loss(batch, noise)


def test_a_resumed_population_ends_as_an_uninterrupted_one(tmp_path):
    def make(cls=Regression):
        return [
            (family(seed, GaussianLikelihood(1.0, True), input_noise=0.2, cls=cls), sine(seed)) for seed in range(3)
        ]

    whole = together(make, tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    Crashing.count = 0
    with pytest.raises(RuntimeError, match="power cut"):
        together(lambda: make(Crashing), tmp_path / "cut", resume_seconds=0.0)
    assert (tmp_path / "cut" / "resume.ckpt").exists()
    resumed = together(make, tmp_path / "cut", resume_seconds=0.0)
    for mine, yours in zip(resumed.members, whole.members, strict=True):
        assert all(map(torch.equal, mine.family.parameters(), yours.family.parameters()))
        assert mine.curves.rows == yours.curves.rows


class Branching(RegressionObjective):
    """Chooses by the value of a tensor, which one program cannot do for many."""

    def forward(self, prediction, target):
        loss = Squared()(prediction, target)
        return loss if loss.total > 0.1 else Absolute()(prediction, target)


def begun(families):
    """Members as they are before a population has begun."""
    return [Member(each, sine(each.seed)) for each in families]


@pytest.mark.parametrize(("make", "reason"), [
    (lambda seed: family(seed, Branching()), "does not go through vmap"),
    (lambda seed: family(seed, optimizer=using(LBFGS, lr=1.0)), "LBFGS has no stacked form"),
    (lambda seed: family(seed, optimizer=using(Adam, lr=0.1, maximize=True)), "maximises"),
])  # fmt: skip
def test_what_cannot_be_stacked_is_refused_with_its_reason(make, reason):
    choice = choose(begun([make(0), make(1)]), training())
    assert not choice.together
    assert reason in choice.why


@pytest.mark.parametrize(("seconds", "together"), [
    ((1.2, 0.518), False),  # seconds of a step of both members, and of one alone
    ((0.958, 0.518), False),  # 0.92 of the loop's time is noise
    ((0.92, 0.518), True),
])  # fmt: skip
def test_a_program_is_chosen_where_it_is_clearly_faster(monkeypatch, seconds, together):
    monkeypatch.setattr("paribus.population.choice.rounds", lambda candidates, clock: list(seconds)[-len(candidates) :])
    assert choose(begun([family(0), family(1)]), training(max_steps=LONG)).together is together


@pytest.mark.parametrize(("members", "steps", "tried"), [(2, 100, False), (2, LONG, True), (4, 100, True)])
def test_few_that_train_for_a_moment_are_not_tried(members, steps, tried):
    choice = choose(begun([family(seed) for seed in range(members)]), training(max_steps=steps))
    assert ("ms a step" in choice.why) is tried
    assert tried or not choice.together


def test_ways_take_turns_and_the_least_time_counts():
    """A clock that each step moves by its way's time, and by 10 s more in the first turn: a slow stretch hits both."""
    now, order = [0.0], []

    def way(name, seconds):
        def advance(steps):
            order.append(name)
            now[0] += seconds * len(steps) + (10.0 if len(order) in (5, 6) else 0.0)

        return advance

    fast, slow = rounds([way("fast", 0.25), way("slow", 0.5)], lambda: now[0])
    assert (fast, slow) == pytest.approx((0.25, 0.5))
    assert order == ["fast", "slow"] * 5


def test_runs_that_diverge_at_once_can_be_tried():
    choice = choose(
        begun([family(seed, optimizer=using(SGD, lr=1e200)) for seed in range(2)]), training(max_steps=LONG)
    )
    assert "ms a step" in choice.why


def test_measuring_changes_nothing():
    families = [family(seed, hidden=4) for seed in range(40)]
    before = [parameter.clone() for each in families for parameter in each.parameters()]
    assert "ms a step" in choose(begun(families), training(precision="32-true")).why
    assert all(map(torch.equal, before, [parameter for each in families for parameter in each.parameters()]))
    assert all(each.step == 0 for each in families)


def test_members_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="sizes"):
        Population([Member(family(0), sine(0)), Member(family(1), sine(1, n_train=51))], training())


def test_a_parameter_outside_all_phases_is_refused():
    one = family(0)
    one.extra = torch.nn.Linear(1, 1)
    with pytest.raises(NotStackable, match=r"extra\.weight is moved by no phase"):
        Stack([one])
