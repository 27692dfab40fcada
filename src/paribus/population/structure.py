"""Which families can be trained as one program: derived from the built objects, not from a list of what may differ.

Parameters, buffers (an objective's numbers among them), seeds, data, optimizers' numbers and schedules are values: they
may differ between members. Everything else that a family holds is its structure, and must be the same.
"""

from collections.abc import Hashable, Iterator, Mapping
from functools import cache
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from paribus.families.contract import Family, Phase
from paribus.population.optimizers import NotStackable, flags_of

Signature = tuple[Hashable, ...]


def structure(family: Family) -> Signature:
    """What members of one stack share: classes, plain attributes, shapes, phases and the form of their optimizers.

    Raises:
        NotStackable: the family can only be trained alone; the message says why.
    """
    phases = tuple(
        (phase.name, _method(family, phase), phase.parts, phase.every, type(optimizer), _frozen(flags_of(optimizer)))
        for phase, optimizer in zip(family.phases, family.configure_optimizers(), strict=True)
    )
    _refuse_shared_parameters(family)
    modules = tuple(
        (name, type(module).__module__, type(module).__qualname__, _frozen(_plain_attributes(module)))
        for name, module in family.named_modules()
    )
    tensors = tuple(
        (name, tuple(tensor.shape), str(tensor.dtype), isinstance(tensor, nn.Parameter))
        for name, tensor in _tensors(family)
    )
    return (phases, modules, tensors)


def differences(first: Signature, second: Signature) -> str:
    """What keeps two families out of one stack, in words."""
    words = ("phases or their optimizers", "classes or settings of parts", "shapes of parameters")
    return ", ".join(word for word, a, b in zip(words, first, second, strict=True) if a != b)


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


def _frozen(value: Any) -> Hashable:
    """A value that can be compared and hashed; whatever is not plain counts as unlike any other."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _frozen(each)) for key, each in value.items()))
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(_frozen, value))
    if isinstance(value, set | frozenset):
        return frozenset(map(_frozen, value))
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | torch.device):
        return (type(value).__name__, repr(value))
    if isinstance(value, type) or callable(getattr(value, "__get__", None)):  # a class or a function
        return (value.__module__, value.__qualname__, id(value))
    return (type(value).__qualname__, id(value))
