"""PyTorch's optimizers on a matrix of many runs' parameters, a row a run, each row with numbers of its own.

A rule is one optimizer's arithmetic, elementwise, in the order in which `torch.optim` computes it. Numbers are floats
where all members share them and `[members, 1]` columns of float64 where they do not; what cannot vary within one
program (a flag, whether there is momentum at all) is the rule's structure.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

Number = float | Tensor
"""One number for all members, or `[members, 1]` in float64."""
Numbers = Mapping[str, Number]
Matrix = Float[Tensor, "members parameters"]
State = dict[str, Tensor]
Flags = Mapping[str, Any]

KERNELS = ("foreach", "fused", "capturable", "differentiable")
"""Options that choose how PyTorch computes and not what."""


@dataclass(frozen=True)
class Rule:
    """How one of PyTorch's optimizers moves a matrix.

    Attributes:
        update: moves the parameters in place, given them, their gradient (which it may overwrite), the state, the
            numbers with the scheduled `lr`, the flags, and the number of the step from 1.
        numbers: options that may differ between members; a pair like `betas` becomes `betas.0` and `betas.1`.
        flags: from the options of an optimizer, what its members must share.
        state: names of the matrices that it keeps, given the flags.
        start: what a matrix of the state starts from, given its name and the numbers.
    """

    update: Callable[[Matrix, Matrix, State, Numbers, Flags, int], None]
    numbers: tuple[str, ...]
    flags: Callable[[Mapping[str, Any]], dict[str, Any]]
    state: Callable[[Flags], tuple[str, ...]]
    start: Callable[[str, Numbers], Number] = lambda name, numbers: 0.0


class NotStackable(Exception):
    """Runs that cannot be trained as one program; the message says why."""


def rule_of(optimizer: Optimizer) -> Rule:
    """The rule of a built optimizer.

    Raises:
        NotStackable: there is none, or it has an option that the rule does not know.
    """
    name = type(optimizer).__name__
    rule = RULES.get(type(optimizer))
    if rule is None:
        raise NotStackable(f"{name} has no stacked form")
    if len(optimizer.param_groups) != 1:
        raise NotStackable(f"{name} has {len(optimizer.param_groups)} parameter groups, a stacked one has one")
    options = _options(optimizer)
    flags = rule.flags(options)
    for key, value in options.items():
        known = key in rule.numbers or key in flags or key.split(".")[0] in KERNELS
        if not known and key not in ("maximize", "initial_lr", "decoupled_weight_decay"):
            raise NotStackable(f"{name} has the option {key}={value!r}, which has no stacked form")
        if key in rule.numbers and not isinstance(value, int | float):
            raise NotStackable(f"{name}.{key} is {value!r}, a stacked optimizer takes a number")
    if options.get("maximize"):
        raise NotStackable(f"{name} maximises, a stacked optimizer minimises")
    return rule


def flags_of(optimizer: Optimizer) -> dict[str, Any]:
    """What members must share to be moved by one rule."""
    return rule_of(optimizer).flags(_options(optimizer))


def numbers_of(optimizers: Sequence[Optimizer], device: torch.device) -> dict[str, Number]:
    """The numbers of members' optimizers of one class and the same flags."""
    options = [_options(optimizer) for optimizer in optimizers]
    names = rule_of(optimizers[0]).numbers
    return {name: column([float(each[name]) for each in options], device) for name in names}


def column(values: Sequence[float], device: torch.device) -> Number:
    """One float where all values are equal, else `[len(values), 1]` in float64."""
    if all(value == values[0] for value in values):
        return values[0]
    return torch.tensor(values, dtype=torch.float64, device=device)[:, None]


def _options(optimizer: Optimizer) -> dict[str, Any]:
    """All options of an optimizer; the parts of a tuple by `name.index`."""
    options: dict[str, Any] = {}
    for key, value in optimizer.param_groups[0].items():
        if key == "params":
            continue
        if isinstance(value, tuple | list):
            options |= {f"{key}.{index}": part for index, part in enumerate(value)}
        else:
            options[key] = value
    return options


def _cast(number: Number, matrix: Matrix) -> Number:
    """A number in the matrix's dtype; computed in float64 until here, as Python's floats are."""
    return number.to(matrix.dtype) if isinstance(number, Tensor) else number


def _root(number: Number) -> Number:
    return number.sqrt() if isinstance(number, Tensor) else math.sqrt(number)


def _square_root(matrix: Matrix) -> Matrix:
    """As 1 / (1 / sqrt), 0 included: on a CPU `sqrt` takes five times as long, and forty times for denormal numbers."""
    return matrix.rsqrt().reciprocal_()


def _is_zero(number: Number) -> bool:
    return not isinstance(number, Tensor) and number == 0


def _scaled_step(parameters: Matrix, direction: Matrix, divisor: Matrix, size: Number) -> None:
    """`parameters -= size * direction / divisor`."""
    if isinstance(size, Tensor):
        parameters.sub_((direction / divisor).mul_(_cast(size, parameters)))
    else:
        parameters.addcdiv_(direction, divisor, value=-size)


def _step(parameters: Matrix, direction: Matrix, size: Number) -> None:
    """`parameters -= size * direction`."""
    if isinstance(size, Tensor):
        parameters.sub_(direction * _cast(size, parameters))
    else:
        parameters.sub_(direction, alpha=size)


def _decay_gradient(gradient: Matrix, parameters: Matrix, numbers: Numbers) -> Matrix:
    """The gradient with that of the penalty `weight_decay / 2 |parameters|^2` added."""
    decay = numbers["weight_decay"]
    return gradient if _is_zero(decay) else gradient.add_(parameters * _cast(decay, parameters))


def _average_square(average: Matrix, gradient: Matrix, keep: Number) -> None:
    """`average = keep * average + (1 - keep) * gradient^2`."""
    average.mul_(_cast(keep, average))
    if isinstance(keep, Tensor):
        average.add_(gradient.square().mul_(_cast(1 - keep, average)))
    else:
        average.addcmul_(gradient, gradient, value=1 - keep)


def _sgd(parameters: Matrix, gradient: Matrix, state: State, numbers: Numbers, flags: Flags, count: int) -> None:
    gradient = _decay_gradient(gradient, parameters, numbers)
    if flags["has_momentum"]:
        momentum, velocity = _cast(numbers["momentum"], gradient), state["velocity"]
        if count == 1:
            velocity.copy_(gradient)
        else:
            fresh = gradient if _is_zero(numbers["dampening"]) else gradient * _cast(1 - numbers["dampening"], gradient)
            velocity.mul_(momentum).add_(fresh)
        gradient = gradient.add_(velocity * momentum) if flags["nesterov"] else velocity
    _step(parameters, gradient, numbers["lr"])


def _adam(parameters: Matrix, gradient: Matrix, state: State, numbers: Numbers, flags: Flags, count: int) -> None:
    if not flags["decoupled"]:
        gradient = _decay_gradient(gradient, parameters, numbers)
    elif not _is_zero(numbers["weight_decay"]):
        parameters.mul_(_cast(1 - numbers["lr"] * numbers["weight_decay"], parameters))
    first, second = numbers["betas.0"], numbers["betas.1"]
    state["mean"].lerp_(gradient, _cast(1 - first, gradient))
    _average_square(state["square"], gradient, second)
    square = state["square"]
    if flags["amsgrad"]:
        square = torch.maximum(state["largest"], square, out=state["largest"])
    correction = _cast(_root(1 - second**count), gradient)
    divisor = _square_root(square).div_(correction).add_(_cast(numbers["eps"], gradient))
    _scaled_step(parameters, state["mean"], divisor, numbers["lr"] / (1 - first**count))


def _rmsprop(parameters: Matrix, gradient: Matrix, state: State, numbers: Numbers, flags: Flags, count: int) -> None:
    gradient = _decay_gradient(gradient, parameters, numbers)
    _average_square(state["square"], gradient, numbers["alpha"])
    square = state["square"]
    if flags["centered"]:
        state["mean"].lerp_(gradient, _cast(1 - numbers["alpha"], gradient))
        square = square - state["mean"].square()
    divisor = _square_root(square).add_(_cast(numbers["eps"], gradient))
    if flags["has_momentum"]:
        velocity = state["velocity"]
        velocity.mul_(_cast(numbers["momentum"], gradient)).addcdiv_(gradient, divisor)
        _step(parameters, velocity, numbers["lr"])
    else:
        _scaled_step(parameters, gradient, divisor, numbers["lr"])


def _adagrad(parameters: Matrix, gradient: Matrix, state: State, numbers: Numbers, flags: Flags, count: int) -> None:
    gradient = _decay_gradient(gradient, parameters, numbers)
    state["sum"].addcmul_(gradient, gradient)
    divisor = _square_root(state["sum"]).add_(_cast(numbers["eps"], gradient))
    _scaled_step(parameters, gradient, divisor, numbers["lr"] / (1 + (count - 1) * numbers["lr_decay"]))


def _adam_rule(decoupled: bool) -> Rule:
    return Rule(
        _adam,
        ("lr", "betas.0", "betas.1", "eps", "weight_decay"),
        lambda options: {
            "amsgrad": options["amsgrad"],
            "decoupled": options.get("decoupled_weight_decay", decoupled),
        },
        lambda flags: ("mean", "square", *(("largest",) if flags["amsgrad"] else ())),
    )


RULES: dict[type[Optimizer], Rule] = {
    SGD: Rule(
        _sgd,
        ("lr", "momentum", "dampening", "weight_decay"),
        lambda options: {"nesterov": options["nesterov"], "has_momentum": options["momentum"] != 0},
        lambda flags: ("velocity",) if flags["has_momentum"] else (),
    ),
    Adam: _adam_rule(decoupled=False),
    AdamW: _adam_rule(decoupled=True),
    RMSprop: Rule(
        _rmsprop,
        ("lr", "alpha", "eps", "weight_decay", "momentum"),
        lambda options: {"centered": options["centered"], "has_momentum": options["momentum"] > 0},
        lambda flags: (
            "square",
            *(("mean",) if flags["centered"] else ()),
            *(("velocity",) if flags["has_momentum"] else ()),
        ),
    ),
    Adagrad: Rule(
        _adagrad,
        ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
        lambda options: {},
        lambda flags: ("sum",),
        lambda name, numbers: numbers["initial_accumulator_value"],
    ),
}
