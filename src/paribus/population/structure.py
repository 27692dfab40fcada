"""Which families can be trained as one program: derived from the built objects, not from a list of what may differ.

Parameters, buffers (an objective's numbers among them), seeds, data, optimizers' numbers and schedules are values: they
may differ between members. Everything else that a family holds is its structure, and must be the same; what cannot be
compared (a plain tensor, a random generator, an object) keeps a family out of every program.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import cache, partial
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from paribus.families.contract import Family, Phase
from paribus.population.optimizers import NotStackable, flags_of

PLAIN = (bool, int, float, complex, str, bytes, range, Enum, PurePath, torch.dtype, torch.device, torch.Size)
"""Types whose values are compared as they are."""
UNTOLD = ("the shape of", "the mode of", "_hparams")
"""What follows from another difference, or from having been trained."""


class Structure:
    """What members of one stack share: classes, plain attributes, shapes, phases and the form of their optimizers.

    Equal and hashable as its `facts`, which are named so that a difference can be told.
    """

    def __init__(self, facts: Mapping[str, Hashable]) -> None:
        self.facts = dict(facts)
        self._key = tuple(self.facts.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def difference(self, other: "Structure") -> str:
        """The first fact that is not the same in both; empty if there is none."""
        return next(iter(self.differences(other)), "")

    def differences(self, other: "Structure") -> list[str]:
        """The facts that are not the same in both."""
        names = [*self.facts, *(name for name in other.facts if name not in self.facts)]
        return [name for name in names if self.facts.get(name) != other.facts.get(name)]


def structure(family: Family) -> Structure:
    """The structure of a family.

    Raises:
        NotStackable: the family can only be trained alone; the message says why.
    """
    facts: dict[str, Any] = {}
    for phase, optimizer in zip(family.phases, family.configure_optimizers(), strict=True):
        form = (type(optimizer), _frozen(flags_of(optimizer), f"the optimizer of phase {phase.name}"))
        facts[f"the phase {phase.name}"] = (
            _method(family, phase),
            phase.parts,
            phase.every,
            phase.limit is None,
            *form,
        )
    _refuse_shared_parameters(family)
    for path, module in family.named_modules():
        name = path or "the family"
        facts[f"the class of {name}"] = type(module)
        facts[f"the mode of {name}"] = module.training
        for attribute, value in _plain_attributes(module).items():
            where = f"{path}.{attribute}" if path else attribute
            facts[where] = _frozen(value, where)
    for name, tensor in _tensors(family):
        facts[f"the shape of {name}"] = (tensor.shape, tensor.dtype, isinstance(tensor, nn.Parameter))
    return Structure(facts)


def what_sets_apart(family: Family, others: Sequence[Family]) -> str:
    """That there is one of its kind, and what it does not share with the most similar other, if both could stack."""
    differences = []
    for other in others:
        with suppress(NotStackable):
            named = structure(family).differences(structure(other))
            differences.append([name for name in named if not name.startswith(UNTOLD)])
    named = min(differences, key=len, default=[])
    return f"there is one of its kind{f': {named[0]} is its own' if named else ''}"


def _method(family: Family, phase: Phase) -> str:
    if getattr(phase.loss, "__self__", None) is not family:
        raise NotStackable(f"the loss of phase {phase.name} is no method of the family")
    return str(getattr(phase.loss, "__qualname__", ""))


def _tensors(family: Family) -> Iterator[tuple[str, torch.Tensor]]:
    yield from family.named_parameters()
    yield from family.named_buffers()


def _refuse_shared_parameters(family: Family) -> None:
    seen: dict[int, str] = {}
    for phase in family.phases:
        for parameter in family.parameters_of(phase):
            other = seen.setdefault(id(parameter), phase.name)
            if other != phase.name:
                raise NotStackable(f"the phases {other} and {phase.name} move the same parameters")
    counted = [name for name, _ in family.named_parameters(remove_duplicate=False)]
    if len(counted) != len(dict(family.named_parameters())):
        raise NotStackable("a parameter is used under two names")
    frozen = [name for name, parameter in family.named_parameters() if not parameter.requires_grad]
    if frozen:
        raise NotStackable(f"{frozen[0]} is not trained")


def _plain_attributes(module: nn.Module) -> dict[str, Any]:
    """What a module holds besides tensors and modules, and besides what every family has of its own."""
    own = _contract_attributes() if isinstance(module, Family) else _module_attributes()
    return {name: value for name, value in vars(module).items() if name not in own}


@cache
def _module_attributes() -> frozenset[str]:
    return frozenset(vars(nn.Module()))


@cache
def _contract_attributes() -> frozenset[str]:
    """What `Family` itself keeps: streams, counters, the budget, Lightning's own. Values, not structure."""
    return frozenset({*vars(Family(lambda step, total: 1.0, 0)), *vars(pl.LightningModule()), "phases"})


def _frozen(value: Any, name: str) -> Hashable:
    """A value that can be compared and hashed.

    Raises:
        NotStackable: nobody can tell whether two such values mean the same.
    """
    if value is None or isinstance(value, PLAIN):
        return (type(value), repr(value))  # 1 is not True, and NaN is NaN
    if isinstance(value, Mapping):
        return ("mapping", *((repr(key), _frozen(each, name)) for key, each in value.items()))
    if isinstance(value, list | tuple):
        return (type(value), *(_frozen(each, name) for each in value))
    if isinstance(value, set | frozenset):
        return frozenset(_frozen(each, name) for each in value)
    if isinstance(value, type | BuiltinFunctionType):
        return value
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return (value.__code__, _frozen([cells, value.__defaults__, value.__kwdefaults__], name))
    if isinstance(value, partial):
        return ("partial", _frozen([value.func, value.args, value.keywords], name))
    what = "a tensor that is no buffer" if isinstance(value, torch.Tensor) else f"of type {type(value).__qualname__}"
    raise NotStackable(f"{name} is {what}, which cannot be compared between runs")
