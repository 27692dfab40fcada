"""Nodes to objects: import the target, build its arguments, fill in what is supplied, call it."""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from inspect import isclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from paribus.errors import UserError
from paribus.nodes.hints import show
from paribus.nodes.schema import Schema, convert, is_node, split_node

LEAST_ZERO: "tuple[Callable[[float], bool], str]" = (lambda value: value >= 0, "a number of at least 0")
SHARE: "tuple[Callable[[float], bool], str]" = (lambda value: 0 <= value < 1, "at least 0 and below 1")
RANGES = {
    **dict.fromkeys(("lr", "eps", "weight_decay", "momentum", "lr_decay", "alpha"), LEAST_ZERO),
    "betas": (SHARE[0], f"two numbers, each {SHARE[1]}"),
}
"""What PyTorch's optimizers take for the arguments that they share; they say what they refuse, not what they expect."""


def assemble(key: str, value: Any, supplied: Mapping[str, Any]) -> Any:
    """Build a value of the config and all nodes within it.

    Args:
        key: where the value stands, for messages.
        value: plain values, lists, mappings, and nodes with `_target_`.
        supplied: what arguments annotated `Supplied` are filled with, by name.

    Raises:
        UserError: a node does not fit its target's signature, or the target's constructor refuses it.
    """
    if isinstance(value, Mapping) and not is_node(value):
        return {name: assemble(f"{key}.{name}", each, supplied) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [assemble(f"{key}.{index}", each, supplied) for index, each in enumerate(value)]
    if not is_node(value):
        return value
    schema, target, is_partial, given = split_node(key, value)
    arguments = {}
    for name, each in given.items():
        built = assemble(f"{key}.{name}", each, supplied)
        argument = schema.arguments.get(name)
        arguments[name] = convert(f"{key}.{name}", built, argument.hint) if argument else built
    arguments |= _fill_in(key, schema, supplied)
    try:
        if not is_partial:
            return target(**arguments)
        made = partial(target, **arguments)
        if isclass(target) and issubclass(target, Optimizer):
            made([nn.Parameter(torch.zeros(1, device="cpu"))])  # optimizers judge their numbers only when made
        return made
    except UserError:
        raise
    except ValueError as error:
        is_optimizer = isclass(target) and issubclass(target, Optimizer)
        wanted = _range_missed(given) if is_optimizer else ""
        raise UserError(f"{_at_fault(key, given, str(error))}: {error}{wanted}") from error
    except Exception as error:
        raise UserError(f"{key}: {schema.name} cannot be built: {type(error).__name__}: {error}") from error


def _fill_in(key: str, schema: Schema, supplied: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are `Supplied`, from what there is."""
    filled = {}
    for name, argument in schema.arguments.items():
        if not argument.supplied:
            continue
        if name in supplied:
            filled[name] = convert(name, supplied[name], argument.hint)
        elif argument.required:
            raise UserError(f"{key}: {schema.name} needs {name!r}, which this config does not have: {name}=<name>")
    return filled


def _range_missed(given: Mapping[str, Any]) -> str:
    """`, expected a number of at least 0`: of the first argument that is out of its range, what that is."""
    for name, value in given.items():
        numbers = value if isinstance(value, list | tuple) else [value]
        if name in RANGES and not all(isinstance(each, int | float) and RANGES[name][0](each) for each in numbers):
            return f", expected {RANGES[name][1]}"
    return ""


def _at_fault(key: str, given: Mapping[str, Any], message: str) -> str:
    """`objective.delta=0`: the argument that a constructor's message is about, or the node where that is unclear."""
    places = {name: re.search(rf"\b{re.escape(name)}\b", message) for name in given}
    named = sorted((place.start(), name) for name, place in places.items() if place)
    if named:
        name = named[0][1]
    else:
        # Foreign messages give the value, last, rather than the argument: "Invalid learning rate: -1.0".
        numbers = re.findall(r"-?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)", message)
        holders = [each for each, value in given.items() if numbers and _holds(value, float(numbers[-1]))]
        if len(holders) != 1:
            return key
        name = holders[0]
    return f"{key}.{name}={show(given[name])}"


def _holds(value: Any, number: float) -> bool:
    """Whether a value of the config is a number, or a list with it."""
    if isinstance(value, list | tuple):
        return any(_holds(each, number) for each in value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (value == number or (math.isnan(value) and math.isnan(number)))
