"""Annotations: as strict validators of what YAML gives, and in words."""

import types
from collections.abc import Callable as AbstractCallable
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from pydantic import PlainValidator, Strict
from torch import Tensor

from paribus.errors import nearest
from paribus.nodes.targets import Target

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    Path: "a path",
}
LISTS = (list, Sequence, Iterable, Collection)
LONGEST = 80


@dataclass(frozen=True)
class Child:
    """Stands for the object of a node that is checked but not built."""

    target: Target
    partial: bool

    @property
    def gives(self) -> type:
        """The class of the object, as far as it is known: of a function, what its annotation says."""
        if self.partial:
            return partial
        made = self.target if isclass(self.target) else _bare(annotations_of(self.target).get("return"))
        made = get_origin(made) or made
        return made if isclass(made) else object


def annotations_of(target: Target) -> dict[str, Any]:
    """Annotations of the arguments of a class's constructor or of a function.

    Foreign code may name types that only a type checker imports; its annotations then count as `Any`.
    """
    function = target.__init__ if isclass(target) else target
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        given = getattr(function, "__annotations__", {})
        return {name: _alone(hint, function) for name, hint in given.items()}


def _alone(hint: Any, function: Any) -> Any:
    stand_in = types.FunctionType((lambda: None).__code__, function.__globals__)
    stand_in.__annotations__ = {"argument": hint}
    try:
        return get_type_hints(stand_in, include_extras=True)["argument"]
    except NameError:
        return Any


def strict(hint: Any) -> Any:
    """An annotation that pydantic validates strictly, except that lists serve as tuples and text as a path.

    A class stands for its instances, for the `Child` of a node that will be one; a callable likewise.
    """
    hint = _bare(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return Any
    if (hint in WORDS and hint is not Path) or origin is Literal:
        return hint
    if hint is Path or hint is tuple:
        return Annotated[hint, Strict(False)]
    if origin in (Union, types.UnionType):
        return Union[tuple(strict(each) for each in inner)]  # noqa: UP007  # the members are known at run time only
    if origin is tuple:
        return Annotated[tuple[tuple(each if each is ... else strict(each) for each in inner)], Strict(False)]  # type: ignore[misc]
    if (origin or hint) in LISTS:
        return list[strict(inner[0])] if inner else list  # type: ignore[misc]
    if (origin or hint) in (dict, Mapping):
        return dict[strict(inner[0]), strict(inner[1])] if inner else dict  # type: ignore[misc]
    if (origin or hint) is AbstractCallable:
        return Annotated[Any, PlainValidator(_having(["__call__"]))]
    if isclass(origin or hint):
        return Annotated[Any, PlainValidator(_instance_of(origin or hint))]
    return Any


def _bare(hint: Any) -> Any:
    """The type alone: without the extras of `Annotated`, and of a new type what it is made of."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        else:
            return hint


def _having(names: Sequence[str]) -> AbstractCallable[[Any], Any]:
    """A validator of objects, and of the `Child` of a node, that have some methods."""

    def check(value: Any) -> Any:
        if not all(_has(value, name) for name in names):
            raise ValueError(f"lacks one of {', '.join(names)}")
        return value

    return check


def _has(value: Any, name: str) -> bool:
    if isinstance(value, Child):
        # Not hasattr: a class can itself be called.
        return any(name in vars(base) for base in value.gives.__mro__)
    return hasattr(value, name)


def _instance_of(wanted: type) -> AbstractCallable[[Any], Any]:
    """A validator of the instances of a class, and of the `Child` of a node that will be one."""
    if getattr(wanted, "_is_protocol", False):
        return _having([name for name in vars(wanted) if name == "__call__" or not name.startswith("_")])

    def check(value: Any) -> Any:
        if not (issubclass(value.gives, wanted) if isinstance(value, Child) else isinstance(value, wanted)):
            raise ValueError(f"not of class {wanted.__name__}")
        return value

    return check


def expected(hint: Any) -> str:
    """What an annotation expects, in words."""
    hint = _bare(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return "a value"
    if hint in WORDS:
        return WORDS[hint]
    if origin is Literal:
        return _either([repr(each) if isinstance(each, str) else show(each) for each in inner])
    if origin in (Union, types.UnionType):
        # No text of a config makes a tensor, so that to name it would mislead.
        return _either([expected(each) for each in inner if each is not Tensor])
    if (origin or hint) in (*LISTS, tuple):
        kinds = [expected(each) for each in inner if each is not ...]
        length = f" of {len(inner)}" if origin is tuple and ... not in inner else ""
        return f"a list{length}" + (f" (each {_either(kinds)})" if kinds else "")
    if (origin or hint) in (dict, Mapping):
        return "a mapping" + (f" (each value {expected(inner[1])})" if inner else "")
    if isclass(origin or hint) and (origin or hint) is not AbstractCallable:
        return f"a node whose _target_ is of class {(origin or hint).__name__}"
    return "a node with a _target_"


def _either(words: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = dict.fromkeys(words)
    return f"{', '.join(others)} or {last}" if others else last


def mistaken(hint: Any, value: Any) -> str:
    """What an annotation expects, whether a value that it refuses is text, and the nearest right one."""
    if not isinstance(value, str):
        return f"expected {expected(hint)}"
    listed = _literals(hint)
    advice = nearest(value, listed)
    return ("" if listed else "text, ") + f"expected {expected(hint)}" + (f".{advice}" if advice else "")


def _literals(hint: Any) -> list[str]:
    """The texts among the values that an annotation lists."""
    hint = _bare(hint)
    if get_origin(hint) is Literal:
        return [each for each in get_args(hint) if isinstance(each, str)]
    return [text for each in get_args(hint) for text in _literals(each)]


def show(value: Any) -> str:
    """A value of the config as one would type it, at most 80 characters."""
    if isinstance(value, Child):
        return f"{value.target.__module__}.{value.target.__qualname__}"
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, str):
        text = repr(value) if _reads_otherwise(value) else value
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(show(each) for each in value)}]"
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{name}: {show(each)}' for name, each in value.items())}}}"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _reads_otherwise(text: str) -> bool:
    """Whether YAML would take a text, typed bare, for something else."""
    try:
        float(text)
    except ValueError:
        return text.lower() in ("", "null", "true", "false", "~")
    return True
