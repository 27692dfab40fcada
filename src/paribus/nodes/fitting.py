"""Whether the choices of a config belong together; where they do not, which ones of the config tree would."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import yaml
from omegaconf import OmegaConf

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.config.tree import config_groups
from paribus.data.contract import InMemoryData
from paribus.errors import UserError
from paribus.evaluation.contract import Evaluator
from paribus.families.contract import Family
from paribus.nodes.hints import annotations_of
from paribus.nodes.schema import TARGET, check_value, convert, split_node
from paribus.nodes.targets import Target, find_target


def check_part(part: str, child: Any, hint: Any) -> None:
    """Refuse a part of another kind than the family takes.

    Args:
        part: its key at the root of the config.
        child: the `Child` of its node.
        hint: what the family's constructor says of it.

    Raises:
        UserError: with the choices that are of that kind, and the families that would take the one given.
    """
    try:
        convert(part, child, hint)
    except UserError as error:
        fitting = ", ".join(_choices_of(part, hint))
        families = ", ".join(_families_that_take(part, child))
        raise UserError(
            f"{error}{f'; choices of {part} that are: {fitting}' if fitting else ''}"
            f"{f'. What was given is for family={families}' if families else ''}"
        ) from None


def check_fit(data: InMemoryData, family: Family, evaluator: Evaluator) -> None:
    """Refuse data or a family that the evaluator does not measure, as its `__call__` says.

    Raises:
        UserError: with the evaluations that do, or else the families that bring one for such data.
    """
    wanted = _measured_by(type(evaluator))
    for key, built, hint in (("data", data, wanted.data), ("family", family, wanted.family)):
        if isinstance(built, hint):
            continue
        name = type(data).__name__
        if evaluations := ", ".join(_evaluations_of(data, family)):
            advice = f" For {type(family).__name__} on {name} there is evaluation={evaluations}"
        elif families := ", ".join(_families_for(data)):
            advice = f" For {name} there is family={families}, with a network, an objective and an evaluation that fit"
        else:
            advice = ""
        raise UserError(
            f"{key} is {type(built).__name__}, and the evaluation {type(evaluator).__name__} measures "
            f"{wanted.family.__name__} on {wanted.data.__name__}; choose a family, data and evaluation that belong "
            f"together.{advice}"
        )


class _Measured(NamedTuple):
    """The classes of family and data that an evaluator measures."""

    family: type
    data: type


def _measured_by(evaluator: Target) -> _Measured:
    hints = {"data": InMemoryData, "family": Family} | get_type_hints(evaluator.__call__)  # type: ignore[operator]
    return _Measured(hints["family"], hints["data"])


def _choices_of(group: str, hint: Any) -> Iterator[str]:
    """The choices of a group whose files build what an annotation says."""
    for choice, path in sorted(config_groups().get(group, {}).items()):
        with suppress(UserError, OSError, yaml.YAMLError):
            convert(group, check_value(group, yaml.safe_load(path.read_text())), hint)
            yield choice


def _evaluations_of(data: InMemoryData, family: Family) -> Iterator[str]:
    """The choices of evaluation that measure such a family on such data."""
    for choice, path in sorted(config_groups()["evaluation"].items()):
        with suppress(UserError, OSError, yaml.YAMLError):
            measured = _measured_by(find_target("evaluation", yaml.safe_load(path.read_text()).get(TARGET)))
            if isinstance(data, measured.data) and isinstance(family, measured.family):
                yield choice


def _families() -> tuple[tuple[str, Any], ...]:
    """Each choice of family, with the config that it makes of the defaults."""
    return _composed(tuple(sorted(config_groups()["family"].items())))


@cache
def _composed(files: tuple[tuple[str, Path], ...]) -> tuple[tuple[str, Any], ...]:
    composer, found = Composer(open_tree()), []
    for choice, _ in files:
        with suppress(UserError):
            found.append((choice, OmegaConf.to_container(composer.compose([f"family={choice}"]), resolve=False)))
    return tuple(found)


def _families_that_take(part: str, child: Any) -> Iterator[str]:
    for choice, config in _families():
        with suppress(UserError):
            hints = annotations_of(split_node("family", config["family"])[1])
            if part in hints:
                convert(part, child, hints[part])
                yield choice


def _families_for(data: InMemoryData) -> list[str]:
    """The families that bring an evaluation of such data: those whose evaluation is most particular about it."""
    kinds = type(data).__mro__
    brought: dict[str, int] = {}
    for choice, config in _families():
        with suppress(UserError):
            hint = _measured_by(split_node("evaluation", config["evaluation"])[1]).data
            if isinstance(data, hint):
                brought[choice] = kinds.index(hint)
    return [choice for choice, distance in brought.items() if distance == min(brought.values())]
