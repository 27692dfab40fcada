"""Families that use all that the contract allows, as a population and alone, and those that cannot be one program."""

import math
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from paribus.data.contract import InMemoryData
from paribus.families import Family, Phase
from paribus.noise import NoiseSpec
from paribus.objectives import Loss
from paribus.population import Member, NotStackable, Population
from paribus.population.choice import choose
from paribus.population.stack import Stack
from paribus.schedules import Constant, Cosine
from paribus.training import Training
from paribus.training.curves import Curves


def training(**changes):
    settings = {
        "max_steps": 30, "max_epochs": None, "max_minutes": None, "validate_every": 10, "chunk_steps": 4,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


class Images(InMemoryData):
    """Images of 1 x 6 x 6 in two classes: the brighter half is the left one, or the right one."""

    replication = "fresh"

    def prepare(self):
        generator = torch.Generator().manual_seed(self.seed)
        for part, size in (("train", 30), ("validation", 12), ("test", 4)):
            y = torch.randint(2, (size,), generator=generator)
            x = torch.randn(size, 1, 6, 6, generator=generator)
            x[:, 0, :, :3] += (y - 0.5)[:, None, None]
            self.parts[part] = {"x": x, "y": y}


def images(seed):
    data = Images(batch_size=8, seed=seed)
    data.setup()
    return data


class Convolutional(Family):
    """A classifier with a convolution and batch normalisation, whose running moments change in forward.

    The convolution has no bias: batch normalisation takes it away again, so that its gradient is rounding alone, which
    Adam would divide by its size.
    """

    def __init__(self, optimizer, seed, scheduler=None):
        super().__init__(scheduler or Constant(), seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)
            )
        self.phases = (Phase("loss", self.loss, ("network",), optimizer),)

    def loss(self, batch, noise):
        total = nn.functional.cross_entropy(self.network(batch["x"]), batch["y"])
        return Loss(total, {"cross_entropy": total})


class Counting(Convolutional):
    """Keeps a running mean of its inputs in a buffer, which it subtracts: centred by what it has seen."""

    def __init__(self, optimizer, seed):
        super().__init__(optimizer, seed)
        self.register_buffer("seen", torch.zeros(()))

    def loss(self, batch, noise):
        if self.training:
            self.seen.mul_(0.9).add_(0.1 * batch["x"].mean().detach())
        return super().loss({**batch, "x": batch["x"] - self.seen}, noise)


class Alternating(Convolutional):
    """Two phases: a head at each step, features at every second one, with noise; as adversaries take turns."""

    def __init__(self, optimizer, seed):
        super().__init__(optimizer, seed, Cosine(final=0.1))
        self.features, self.head = self.network[:4], self.network[4]
        del self.network
        self.phases = (
            Phase("head", self.head_loss, ("head",), optimizer),
            Phase("features", self.features_loss, ("features",), lambda each: Adam(each, lr=0.01), every=2),
        )

    def noise_spec(self):
        return {"shift": NoiseSpec((1, 1, 1)), "drop": NoiseSpec((48,), "uniform")}

    def head_loss(self, batch, noise):
        hidden = self.features(batch["x"]).detach()
        hidden = hidden * (noise["drop"] > 0.5) if noise else hidden
        return self._named("head_entropy", self.head(hidden), batch)

    def features_loss(self, batch, noise):
        return self._named("features_entropy", self.head(self.features(batch["x"] + noise["shift"])), batch)

    def _named(self, name, logits, batch):
        total = nn.functional.cross_entropy(logits, batch["y"])
        return Loss(total, {name: total})


class Annealed(Convolutional):
    """Weights the loss by how far training is."""

    def loss(self, batch, noise):
        loss = super().loss(batch, noise)
        return loss._replace(total=loss.total * min(1.0, (self.step + 1) / 20))


class Seeded(Convolutional):
    """Reads its own seed: one program has one."""

    def loss(self, batch, noise):
        loss = super().loss(batch, noise)
        return loss._replace(total=loss.total * (1 + self.seed))


class Replacing(Convolutional):
    """Puts a new tensor in the place of a buffer."""

    def __init__(self, optimizer, seed):
        super().__init__(optimizer, seed)
        self.register_buffer("seen", torch.zeros(()))

    def loss(self, batch, noise):
        self.seen = self.seen + batch["x"].mean()
        return super().loss({**batch, "x": batch["x"] - self.seen}, noise)


class Remembering(Convolutional):
    """Counts its calls in Python."""

    calls = 0

    def loss(self, batch, noise):
        self.calls += 1
        loss = super().loss(batch, noise)
        return loss._replace(total=loss.total / self.calls)


class Ghost(Convolutional):
    """Looks at something of Python's that tells the members apart, and that no structure shows."""

    scale: ClassVar = {0: 1.0}

    def loss(self, batch, noise):
        loss = super().loss(batch, noise)
        late = Ghost.scale.setdefault(id(self), 1.0 + len(Ghost.scale))
        return loss._replace(total=loss.total * late)


def members(kind, count=3):
    rates = [0.02, 0.05, 0.01]
    return [
        (kind(lambda each, rate=rates[seed]: SGD(each, lr=rate, momentum=0.9), seed), images(seed))
        for seed in range(count)
    ]


def assert_as_alone(kind, folder, **settings):
    """Parameters, buffers and curves of a population's members are those of the runs alone, to 1e-10 in float64."""
    population = Population([Member(*each) for each in members(kind)], training(**settings))
    population.fit(folder)
    assert len(list(population.tiles())) == 1
    for member, (lone, data) in zip(population.members, members(kind), strict=True):
        curves = Curves()
        training(**settings).fit(lone, data, folder, curves, [], progress=False)
        assert list(member.curves.rows) == list(curves.rows)
        for step, row in curves.rows.items():
            assert member.curves.rows[step] == pytest.approx(row, rel=1e-8, abs=1e-10)
        state = member.family.state_dict()
        for name, tensor in lone.state_dict().items():
            assert (tensor - state[name]).abs().max().item() <= 1e-10, name
        assert member.family.step == lone.step


@pytest.mark.parametrize("kind", [Convolutional, Counting, Alternating, Annealed])
def test_any_family_ends_as_alone(tmp_path, kind):
    """Validation between the steps, so that what it leaves behind (a mode, a buffer) would tell."""
    assert_as_alone(kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Convolutional, Counting, Alternating, Annealed])
def test_any_family_ends_as_alone_after_2000_steps(tmp_path, kind):
    assert_as_alone(kind, tmp_path, max_steps=2000, validate_every=500, chunk_steps=64)


def test_phases_and_buffers_under_clipping(tmp_path):
    assert_as_alone(Alternating, tmp_path, clip_norm=0.3)


def begun(kind):
    return [Member(*each) for each in members(kind, 2)]


@pytest.mark.parametrize(("kind", "reason"), [
    (Seeded, "its loss reads seed"),
    (Replacing, "the buffer seen is replaced"),
    (Remembering, "in its loss"),
    (Ghost, "differ from"),
])  # fmt: skip
def test_what_would_be_trained_wrongly_is_refused_with_its_reason(kind, reason):
    choice = choose(begun(kind), training())
    assert not choice.together
    assert reason in choice.why


@pytest.mark.parametrize("kind", [Convolutional, Counting, Alternating, Annealed])
def test_what_is_trained_rightly_is_not_refused(kind):
    assert "ms a step" in choose(begun(kind), training(precision="32-true", max_steps=10**7)).why


def test_a_population_that_was_not_tried_refuses_too(tmp_path):
    with pytest.raises(NotStackable, match="seed"):
        Population(begun(Seeded), training()).fit(tmp_path)


def test_trying_leaves_the_families_as_they_were():
    tried, fresh = begun(Counting), begun(Counting)
    choose(tried, training(precision="32-true"))
    for mine, yours in zip(tried, fresh, strict=True):
        assert mine.family.step == 0
        for name, tensor in yours.family.state_dict().items():
            assert torch.equal(tensor, mine.family.state_dict()[name]), name


def test_stacking_changes_no_family():
    first, second = (each for each, _ in members(Convolutional, 2))
    stack = Stack([first, second])
    stack.validation_loss({name: torch.stack([rows, rows]) for name, rows in images(0).parts["validation"].items()})
    assert all(module.training for module in first.modules())


def test_a_member_that_has_stopped_no_longer_moves():
    """Not a weight, by decay or by momentum; not a buffer, nor the optimizer's state. The others move as ever."""

    def make():
        settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}
        return Stack([Counting(lambda each: SGD(each, **settings), seed).double() for seed in range(3)])

    stack, free = make(), make()
    loaders = [training().loader(images(seed), lambda: 0) for seed in range(3)]
    for loader in loaders:
        loader.rows = {name: rows.double() if name == "x" else rows for name, rows in loader.rows.items()}
    for each in (stack, free):
        each.advance(range(4), loaders, None)
    stack.stopped[1] = 4
    before = {name: tensor.clone() for name, tensor in (*stack.named_parameters(), *stack.named_buffers())}
    means = stack.advance(range(4, 8), loaders, None)["loss"]
    expected = free.advance(range(4, 8), loaders, None)["loss"]
    assert means[1].isnan()
    torch.testing.assert_close(means[[0, 2]], expected[[0, 2]], rtol=1e-12, atol=0)
    moved = {**dict(free.named_parameters()), **dict(free.named_buffers())}
    for name, tensor in (*stack.named_parameters(), *stack.named_buffers()):
        assert torch.equal(tensor[1], before[name][1]), name
        if name != "stopped":
            torch.testing.assert_close(tensor[[0, 2]], moved[name][[0, 2]], rtol=1e-12, atol=1e-14)
    assert not torch.equal(before["state_loss_velocity"], stack.get_buffer("state_loss_velocity"))
