"""What every objective must do, checked for every file of conf/objective: of predictions and targets, or of logits
and labels, as the arguments of its `forward` say.

Another objective is one class and one YAML file: nothing here, and nothing in the package, names it.
"""

import ast
import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch.func import functional_call, grad, stack_module_state, vmap

from paribus.objectives import Loss, Number, Objective

ROOT = Path(__file__).parents[2]
BATCH = 33


def read(path):
    """The class that a file names, and the arguments that it gives."""
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name), node


def takes(path):
    """The names of what an objective takes, `self` apart."""
    return tuple(inspect.signature(read(path)[0].forward).parameters)[1:]


def regression_batch(generator):
    """Predictions and targets."""
    return (3 * torch.randn(2, BATCH, dtype=torch.float64, generator=generator)).unbind()


def classification_batch(generator):
    """Logits and labels."""
    logits = 3 * torch.randn(BATCH, 4, dtype=torch.float64, generator=generator)
    return logits, torch.randint(4, (BATCH,), generator=generator)


def tied_regression(prediction, target):
    """One example without an error, where a loss may have a corner."""
    return prediction, torch.cat([prediction[:1], target[1:]])


def tied_classification(logits, label):
    """One example whose classes are all as likely."""
    return torch.cat([torch.zeros_like(logits[:1]), logits[1:]]), label


KINDS = {
    ("prediction", "target"): (regression_batch, tied_regression),
    ("logits", "label"): (classification_batch, tied_classification),
}
FILES = [path for path in sorted((ROOT / "conf" / "objective").glob("*.yaml")) if takes(path) in KINDS]
each_objective = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def numbers_of(target):
    """The names of an objective's numbers and their descriptors."""
    return {name: getattr(target, name) for name in dir(target) if isinstance(getattr(target, name), Number)}


def batch(path, dtype, seed=0):
    """What an objective takes, its floating-point part in a dtype."""
    made, _ = KINDS[takes(path)]
    return [each.to(dtype) if each.is_floating_point() else each for each in made(torch.Generator().manual_seed(seed))]


def check_file_gives_every_argument(path):
    target, arguments = read(path)
    parameters = inspect.signature(target).parameters
    assert set(arguments) == set(parameters)
    assert all(parameter.default is parameter.empty for parameter in parameters.values())
    assert set(numbers_of(target)) <= set(arguments)
    first_line = path.read_text().splitlines()[0]
    assert first_line.startswith("# ")
    assert len(first_line) > 10
    assert target.__doc__


def check_loss(path, dtype):
    target, arguments = read(path)
    objective = target(**arguments)
    loss = objective(*batch(path, dtype))
    assert isinstance(objective, Objective)
    assert isinstance(loss, Loss)
    assert loss.terms
    for value in (loss.total, *loss.terms.values()):
        assert value.shape == ()
        assert value.dtype == dtype
        assert value.isfinite()
    torch.testing.assert_close(sum(loss.terms.values()), loss.total)


def check_mean_over_the_batch(path):
    target, arguments = read(path)
    objective, (prediction, observed) = target(**arguments), batch(path, torch.float64)
    once = objective(prediction, observed).total
    torch.testing.assert_close(objective(torch.cat([prediction] * 3), torch.cat([observed] * 3)).total, once)
    alone = [objective(prediction[i : i + 1], observed[i : i + 1]).total for i in range(BATCH)]
    torch.testing.assert_close(torch.stack(alone).mean(), once)
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(objective(prediction[order], observed[order]).total, once)


def check_gradient(path, dtype):
    target, arguments = read(path)
    _, tied = KINDS[takes(path)]
    objective, (prediction, observed) = target(**arguments), tied(*batch(path, dtype))
    gradient = grad(lambda prediction: objective(prediction, observed).total)(prediction)
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    state = {name: each.detach() for name, each in objective.named_parameters()}
    for each in grad(lambda state: functional_call(objective, state, (prediction, observed)).total)(state).values():
        assert each.isfinite()
        assert each != 0


def check_stack_is_a_loop(path, dtype):
    """One program for members that differ in every number and see different batches, in value and gradient."""
    target, arguments = read(path)
    first = {name: value for name, value in arguments.items() if name in numbers_of(target)}
    members = [target(**{**arguments, **{name: value * share for name, value in first.items()}}) for share in (1, 0.3)]
    predictions, targets = (
        torch.stack(pair) for pair in zip(batch(path, dtype), batch(path, dtype, seed=1), strict=True)
    )

    def loss(prediction, target, state):
        return functional_call(members[0], state, (prediction, target)).total

    def value_and_gradient(*each):
        return loss(*each), grad(loss)(*each)

    states = stack_module_state(members)
    values, gradients = vmap(value_and_gradient)(predictions, targets, states)
    assert values.dtype == gradients.dtype == dtype
    for index, member in enumerate(members):
        prediction = predictions[index].clone().requires_grad_()
        alone = member(prediction, targets[index]).total
        (gradient,) = torch.autograd.grad(alone, prediction)
        torch.testing.assert_close(values[index], alone.detach())
        torch.testing.assert_close(gradients[index], gradient)
    if first:
        same = [member(predictions[0], targets[0]).total.item() for member in members]
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
                target(**{**arguments, name: value})
            assert f"{name} is {value!r}" in str(refusal.value)
            for bound in (number.above, number.least, number.below):
                assert abs(bound) == float("inf") or f"{bound:g}" in str(refusal.value)


def test_the_objectives_are_found():
    assert {takes(path) for path in FILES} == set(KINDS)
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


@each_objective
def test_no_registry_knows_an_objective(path):
    """Outside of objectives/ no code names an objective's class: it is reached by its `_target_` alone."""
    name = read(path)[0].__name__
    sources = [source for source in (ROOT / "src").rglob("*.py") if "objectives" not in source.parts]
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [getattr(node, field, None) for field in ("id", "attr", "name")]
            assert name not in names, f"{source}:{getattr(node, 'lineno', 0)} names {name}"
