"""Signatures are the schema: what a node of the config may say is what its target's constructor takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import Parameter, isabstract, isclass, signature
from typing import Any, Union

from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from paribus.errors import SECRET, UserError, is_secret, nearest
from paribus.nodes.hints import Child, annotations_of, expected, mistaken, show, strict
from paribus.nodes.targets import Target, find_target
from paribus.supplied import SUPPLIED

FOREIGN = ("torch.", "pytorch_lightning.")
"""Packages whose targets may leave an argument at its default; those of users may not."""
TARGET, PARTIAL = "_target_", "_partial_"


@lru_cache(maxsize=1024)
def validator_of(hint: Any) -> TypeAdapter:
    """Accepts a value of an annotation, strictly, and gives it as a constructor wants it."""
    return TypeAdapter(strict(hint), config=ConfigDict(strict=True, arbitrary_types_allowed=True))


def convert(key: str, value: Any, hint: Any) -> Any:
    """A value as a constructor wants it: whole numbers for a float become floats, lists for a tuple tuples.

    Raises:
        UserError: the value is of another type than the annotation says.
    """
    try:
        return validator_of(hint).validate_python(value)
    except ValidationError:
        raise UserError(f"{key}={show(value)}: {mistaken(hint, value)}") from None


@dataclass(frozen=True)
class Argument:
    """An argument of a target.

    Attributes:
        hint: its annotation, `Any` where there is none.
        supplied: whether the framework fills it.
        required: whether it has no default.
        default: its default, if it has one.
    """

    hint: Any
    supplied: bool
    required: bool
    default: Any


@dataclass(frozen=True)
class Schema:
    """What a target takes.

    Attributes:
        name: the dotted name of the target, as the config gives it.
        arguments: by name.
        any_keyword: whether further keywords are passed on.
    """

    name: str
    arguments: Mapping[str, Argument]
    any_keyword: bool

    def check_names(self, key: str, given: Mapping[str, Any], partial: bool) -> None:
        """Refuse an argument that the target does not take, one that is missing, and one that hides in a default."""
        for name, value in given.items():
            if name in self.arguments and self.arguments[name].supplied:
                raise UserError(
                    f"{key}.{name}={show(value)}: {name} is filled in by Paribus; remove it from the config"
                )
            if name not in self.arguments and is_secret(f"{key}.{name}"):
                raise UserError(f"{key}.{name}: {SECRET}")
            if name not in self.arguments and not self.any_keyword:
                raise UserError(f"{key}.{name}={show(value)}: {self.name} takes no {name!r}.{self._instead(name)}")
        for name, argument in self.arguments.items():
            if name in given or argument.supplied:
                continue
            if argument.required and not partial:
                raise UserError(f"{key}.{name} is missing: {self.name} needs it, {_brief(argument.hint)}")
            if not argument.required and not self.name.startswith(FOREIGN):
                raise UserError(f"{key}.{name} is not in the config; write {name}: {show(argument.default)}")

    def _instead(self, name: str) -> str:
        known = [each for each, argument in self.arguments.items() if not argument.supplied]
        return nearest(name, known) or (f" It takes {', '.join(known)}." if known else " It takes no arguments.")


@lru_cache(maxsize=1024)
def schema_of(name: str, target: Target) -> Schema:
    """The schema of a target, read off its signature once."""
    hints = annotations_of(target)
    arguments, any_keyword = {}, False
    for each in signature(target).parameters.values():
        if each.kind is Parameter.VAR_KEYWORD:
            any_keyword = _passes_keywords_on(target)
        elif each.kind is not Parameter.VAR_POSITIONAL:
            hint = hints.get(each.name, Any)
            required = each.default is Parameter.empty
            supplied = SUPPLIED in getattr(hint, "__metadata__", ())
            accepted = Union[hint, None] if each.default is None else hint  # noqa: UP007  # `hint` may be a text
            default = None if required else each.default
            arguments[each.name] = Argument(accepted, supplied, required, default)
    return Schema(name, arguments, any_keyword)


def _brief(hint: Any) -> str:
    words = expected(hint)
    return f"expected {words}" if len(words) <= 80 else "expected what its documentation says"


def _passes_keywords_on(target: Target) -> bool:
    """Whether `**kwargs` is meant: `nn.Module.__init__` has one that takes nothing."""
    return not (isclass(target) and issubclass(target, nn.Module))


def is_node(value: object) -> bool:
    """Whether a value of the config says how to build an object."""
    return isinstance(value, Mapping) and TARGET in value


def split_node(key: str, node: Mapping[str, Any]) -> tuple[Schema, Target, bool, dict[str, Any]]:
    """A node's schema, its target, whether it is partial, and the arguments it gives.

    Raises:
        UserError: the target may not be built, or the names of the arguments are not those that it takes.
    """
    target = find_target(key, node[TARGET])
    partial = node.get(PARTIAL, False)
    if not isinstance(partial, bool):
        raise UserError(f"{key}.{PARTIAL}={show(partial)}: expected true or false")
    schema = schema_of(node[TARGET], target)
    if isabstract(target):
        raise UserError(f"{key}.{TARGET}={schema.name}: this is an abstract class, expected one that implements it")
    given = {str(name): value for name, value in node.items() if name not in (TARGET, PARTIAL)}
    schema.check_names(key, given, partial)
    return schema, target, partial, given


def check_value(key: str, value: Any) -> Any:
    """Check all nodes within a value of the config against their schemas, and build none.

    Returns:
        The value with a `Child` in the place of each node.

    Raises:
        UserError: the first mistake.
    """
    if is_node(value):
        schema, target, partial, given = split_node(key, value)
        for name, each in given.items():
            child = check_value(f"{key}.{name}", each)
            if name in schema.arguments:
                convert(f"{key}.{name}", child, schema.arguments[name].hint)
        return Child(target, partial)
    if isinstance(value, Mapping):
        return {name: check_value(f"{key}.{name}", each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [check_value(f"{key}.{index}", each) for index, each in enumerate(value)]
    return value
