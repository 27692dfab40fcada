"""What every objective must do, checked for every file of conf/objective: of predictions and targets, of logits and
labels, of what is inferred, of codes, or of an adversary's logits, as the arguments of its `forward` say.

Another objective is one class and one YAML file: nothing here, and nothing in the package, names it.
"""

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
import yaml
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from paribus.build import STAND_INS
from paribus.densities import DiagonalGaussian, StandardNormal
from paribus.objectives import Inference, Loss, Number, Objective
from paribus.supplied import SUPPLIED

ROOT = Path(__file__).parents[2]
BATCH, FEATURES = 33, 3


def read(path):
    """The class that a file names, and the arguments that it gives."""
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name), node


def takes(path):
    """The names of what an objective takes, `self` apart; of an adversary's, its two turns."""
    target, _ = read(path)
    if target.forward is nn.Module.forward:
        return tuple(name for name in ("discriminator", "generator") if hasattr(target, name))
    return tuple(inspect.signature(target.forward).parameters)[1:]


def supplied(target):
    """The arguments that no file gives."""
    hints = get_type_hints(target.__init__, include_extras=True)
    names = [name for name, hint in hints.items() if SUPPLIED in getattr(hint, "__metadata__", ())]
    return {name: STAND_INS[name] for name in names}


def normal(generator, *shape):
    """Numbers of standard deviation 3."""
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=generator)


def regression_batch(generator, samples):
    """Predictions and targets."""
    return normal(generator, BATCH), normal(generator, BATCH)


def classification_batch(generator, samples):
    """Logits and labels."""
    return normal(generator, BATCH, 4), torch.randint(4, (BATCH,), generator=generator)


def inferred_batch(generator, samples):
    """Means and logarithms of variances of posteriors, and the noise of their samples."""
    shape = (BATCH, FEATURES)
    return normal(generator, *shape), normal(generator, *shape), normal(generator, BATCH, samples, FEATURES)


def code_batch(generator, samples):
    """Distortions, codes and samples of a prior."""
    return normal(generator, BATCH).square(), normal(generator, BATCH, FEATURES), normal(generator, BATCH, FEATURES)


def infer(objective, mean, log_variance, noise):
    """With a distortion that depends on the code."""
    posterior = DiagonalGaussian(mean, log_variance)
    code = posterior.sample(noise)
    return objective(Inference(posterior, code, (code - 1).square().sum(dim=-1), StandardNormal(FEATURES), 0.5))


def take_turns(objective, real, fake):
    """The losses of both, added."""
    losses = objective.discriminator(real, fake), objective.generator(lambda: real, fake)
    return Loss(losses[0].total + losses[1].total, {**losses[0].terms, **losses[1].terms})


def add_up(loss, tensors):
    """All terms are the total, but for what is only told."""
    return sum(value for name, value in loss.terms.items() if name != "discriminator_accuracy"), loss.total


@dataclass(frozen=True)
class Kind:
    """What objectives of some arguments are tried on.

    Attributes:
        batch: makes tensors of so many examples, of a generator and the samples that the objective needs of each.
        tied: changes them so that corners of losses are met.
        call: the loss of them.
        alike: what the terms must add up to, and what they do.
        alone: whether the loss is the mean of the examples' own.
    """

    batch: Callable
    tied: Callable
    call: Callable = lambda objective, *tensors: objective(*tensors)
    alike: Callable = add_up
    alone: bool = True


KINDS = {
    ("prediction", "target"): Kind(
        regression_batch,
        lambda prediction, target: (prediction, torch.cat([prediction[:1], target[1:]])),  # one without an error
    ),
    ("logits", "label"): Kind(
        classification_batch,
        lambda logits, label: (torch.cat([torch.zeros_like(logits[:1]), logits[1:]]), label),  # one without a favourite
    ),
    ("inference",): Kind(
        inferred_batch,
        lambda *tensors: tuple(torch.cat([0 * each[:2], each[2:]]) for each in tensors),  # two that are the prior
        infer,
        lambda loss, tensors: (loss.terms["elbo"], -loss.terms["distortion"] - loss.terms["rate"]),
        alone=False,
    ),
    ("distortion", "code", "prior_code"): Kind(
        code_batch,
        lambda distortion, code, prior_code: (distortion, torch.cat([code[:1], code[:-1]]), code),  # codes that meet
        alike=lambda loss, tensors: (loss.terms["distortion"], tensors[0].mean()),
        alone=False,
    ),
    ("discriminator", "generator"): Kind(
        regression_batch,
        lambda real, fake: (torch.cat([real[:1] * 0, real[1:]]), torch.cat([fake[:1] * 0, fake[1:]])),  # undecided
        take_turns,
        alone=False,
    ),
}
FILES = sorted((ROOT / "conf" / "objective").glob("*.yaml"))
each_objective = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


class Called(nn.Module):
    """An objective of a file as a function of tensors."""

    def __init__(self, path, **changes):
        super().__init__()
        target, arguments = read(path)
        self.objective = target(**arguments | changes, **supplied(target))
        self.call = KINDS[takes(path)].call

    def forward(self, *tensors):
        return self.call(self.objective, *tensors)


def numbers_of(target):
    """The names of an objective's numbers and their descriptors."""
    return {name: getattr(target, name) for name in dir(target) if isinstance(getattr(target, name), Number)}


def batch(path, dtype, seed=0):
    """What an objective takes, its floating-point part in a dtype."""
    samples = read(path)[1].get("samples", 1)
    made = KINDS[takes(path)].batch(torch.Generator().manual_seed(seed), samples)
    return [each.to(dtype) if each.is_floating_point() else each for each in made]


def check_file_gives_every_argument(path):
    target, arguments = read(path)
    parameters = inspect.signature(target).parameters
    assert set(arguments) == set(parameters) - set(supplied(target))
    assert all(parameter.default is parameter.empty for parameter in parameters.values())
    assert set(numbers_of(target)) <= set(arguments)
    first_line = path.read_text().splitlines()[0]
    assert first_line.startswith("# ")
    assert len(first_line) > 10
    assert target.__doc__


def check_loss(path, dtype):
    called, tensors = Called(path), batch(path, dtype)
    loss = called(*tensors)
    assert isinstance(called.objective, Objective)
    assert isinstance(loss, Loss)
    assert loss.terms
    for value in (loss.total, *loss.terms.values()):
        assert value.shape == ()
        assert value.dtype == dtype
        assert value.isfinite()
    torch.testing.assert_close(*KINDS[takes(path)].alike(loss, tensors))


def check_mean_over_the_batch(path):
    called, tensors = Called(path), batch(path, torch.float64)
    once = called(*tensors).total
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(called(*(each[order] for each in tensors)).total, once)
    if KINDS[takes(path)].alone:
        torch.testing.assert_close(called(*(torch.cat([each] * 3) for each in tensors)).total, once)
        alone = [called(*(each[i : i + 1] for each in tensors)).total for i in range(BATCH)]
        torch.testing.assert_close(torch.stack(alone).mean(), once)


def check_gradient(path, dtype):
    called = Called(path)
    first, *others = KINDS[takes(path)].tied(*batch(path, dtype))
    gradient = grad(lambda first: called(first, *others).total)(first)
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    for place, other in enumerate(others):
        if other.is_floating_point():
            rest = [first, *others]
            rest.pop(place + 1)
            of_other = grad(lambda other, at=place + 1, rest=rest: called(*rest[:at], other, *rest[at:]).total)(other)
            assert of_other.isfinite().all()
    state = {name: each.detach() for name, each in called.named_parameters()}
    for each in grad(lambda state: functional_call(called, state, (first, *others)).total)(state).values():
        assert each.isfinite()
        assert each != 0


def check_stack_is_a_loop(path, dtype):
    """One program for members that differ in every number and see different batches, in value and gradient."""
    target, arguments = read(path)
    numbers = {name: value for name, value in arguments.items() if name in numbers_of(target)}
    members = [Called(path, **{name: value * share for name, value in numbers.items()}) for share in (1, 0.3)]
    firsts, *others = (torch.stack(pair) for pair in zip(batch(path, dtype), batch(path, dtype, seed=1), strict=True))

    def loss(first, others, state):
        return functional_call(members[0], state, (first, *others)).total

    def value_and_gradient(*each):
        return loss(*each), grad(loss)(*each)

    states = stack_module_state(members)
    values, gradients = vmap(value_and_gradient)(firsts, others, states)
    assert values.dtype == gradients.dtype == dtype
    for index, member in enumerate(members):
        first = firsts[index].clone().requires_grad_()
        alone = member(first, *(each[index] for each in others)).total
        (gradient,) = torch.autograd.grad(alone, first)
        torch.testing.assert_close(values[index], alone.detach())
        torch.testing.assert_close(gradients[index], gradient)
    if numbers:
        same = [member(firsts[0], *(each[0] for each in others)).total.item() for member in members]
        assert same[0] != pytest.approx(same[1], rel=1e-3)


def check_numbers_out_of_range_are_refused(path):
    target, arguments = read(path)
    for name, number in numbers_of(target).items():
        values = [float("nan"), float("inf"), -float("inf")]
        values += [number.above] if number.above > -float("inf") else []
        values += [number.least - 1] if number.least > -float("inf") else []
        values += [number.below] if number.below < float("inf") else []
        for value in values:
            with pytest.raises(ValueError, match="expected a finite number") as refusal:
                target(**{**arguments, **supplied(target), name: value})
            assert f"{name} is {value!r}" in str(refusal.value)
            for bound in (number.above, number.least, number.below):
                assert abs(bound) == float("inf") or f"{bound:g}" in str(refusal.value)


def test_the_objectives_are_found():
    assert {takes(path) for path in FILES} == set(KINDS)
    assert {"elbo", "iwae", "beta_tc_vae", "reconstruction", "wasserstein_mmd"} <= {path.stem for path in FILES}
    assert {"non_saturating", "minimax", "wasserstein"} <= {path.stem for path in FILES}
    assert {"cross_entropy", "label_smoothing", "focal", "brier"} <= {path.stem for path in FILES}
    assert {"squared", "absolute", "huber", "log_cosh", "quantile", "cauchy", "tukey"} <= {path.stem for path in FILES}
    assert {"gaussian", "laplace", "student_t"} <= {path.stem for path in FILES}


@each_objective
def test_file_gives_every_argument(path):
    check_file_gives_every_argument(path)


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss(path, dtype):
    check_loss(path, dtype)


@each_objective
def test_mean_over_the_batch(path):
    check_mean_over_the_batch(path)


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient(path, dtype):
    check_gradient(path, dtype)


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stack_is_a_loop(path, dtype):
    check_stack_is_a_loop(path, dtype)


@each_objective
def test_numbers_out_of_range_are_refused(path):
    check_numbers_out_of_range_are_refused(path)


NEW_CLASS = '''
from paribus.objectives import Loss, Number, RegressionObjective, batch_mean
from paribus.objectives.residuals import residuals


class Power(RegressionObjective):
    """The mean of |r|^exponent."""

    exponent = Number(least=1)

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, prediction, target):
        size = residuals(prediction, target).abs()
        mean = batch_mean(size ** self.exponent.to(size.dtype))
        return Loss(mean, {"power": mean})
'''


def test_a_new_objective_costs_one_class_and_one_file(tmp_path, monkeypatch):
    (tmp_path / "somebodys_objectives.py").write_text(NEW_CLASS)
    path = tmp_path / "power.yaml"
    path.write_text("# |r| to a power.\n_target_: somebodys_objectives.Power\nexponent: 4.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert takes(path) in KINDS
    check_file_gives_every_argument(path)
    for dtype in (torch.float32, torch.float64):
        check_loss(path, dtype)
        check_gradient(path, dtype)
        check_stack_is_a_loop(path, dtype)
    check_mean_over_the_batch(path)
    check_numbers_out_of_range_are_refused(path)
    sys.modules.pop("somebodys_objectives")


@cache
def names_outside():
    """The names in the code outside of objectives/, each with a file that has it."""
    sources = [source for source in (ROOT / "src").rglob("*.py") if "objectives" not in source.parts]
    nodes = ((source, node) for source in sources for node in ast.walk(ast.parse(source.read_text())))
    return {getattr(node, field, None): source for source, node in nodes for field in ("id", "attr", "name")}


@each_objective
def test_no_registry_knows_an_objective(path):
    """Outside of objectives/ no code names an objective's class: it is reached by its `_target_` alone."""
    assert "RegressionObjective" in names_outside()
    name = read(path)[0].__name__
    assert name not in names_outside(), f"{names_outside().get(name)} names {name}"
