"""Signatures as schemas: every value of YAML against every annotation."""

import math
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, Union

import pytest
import torch
from torch import Tensor, nn

from paribus.errors import UserError
from paribus.nodes.hints import Child, expected, show
from paribus.nodes.schema import check_value, convert, schema_of
from paribus.supplied import Supplied

NO = object()


class Callsome(Protocol):
    def __call__(self, x: int) -> int: ...


class Draws(Protocol):
    def draw(self) -> int: ...


class Drawing:
    def draw(self) -> int:
        return 1


def linear(inputs: int) -> nn.Linear:
    return nn.Linear(inputs, 1)


def halved(start: float) -> Callable[[int], float]:
    return lambda step: start / 2**step


def unannotated(inputs):
    return nn.Linear(inputs, 1)


WIDTH = NewType("WIDTH", int)
LINEAR, LINEAR_PARTIAL = Child(nn.Linear, False), Child(nn.Linear, True)


@pytest.mark.parametrize(
    ("hint", "given", "accepted"),
    [
        (int, 3, 3),
        (int, 10**30, 10**30),
        (int, 2.7, NO),
        (int, 2.0, NO),
        (int, True, NO),
        (int, "3", NO),
        (int, "abc", NO),
        (int, None, NO),
        (int, [3], NO),
        (float, 0.5, 0.5),
        (float, 1, 1.0),
        (float, math.inf, math.inf),
        (float, True, NO),
        (float, "0.5", NO),
        (float, "1e-3", NO),
        (float, None, NO),
        (bool, True, True),
        (bool, 1, NO),
        (bool, "true", NO),
        (str, "a", "a"),
        (str, 3, NO),
        (Path, "a/b", Path("a/b")),
        (Path, 3, NO),
        (str | Path, "a/b", "a/b"),
        (Literal["relu", "tanh"], "tanh", "tanh"),
        (Literal["relu", "tanh"], "rellu", NO),
        (Literal[1, 2], 2, 2),
        (Literal[1, 2], "2", NO),
        (int | None, None, None),
        (Optional[int], 3, 3),  # noqa: UP045
        (Optional[int], "abc", NO),  # noqa: UP045
        (Union[int, str], "abc", "abc"),  # noqa: UP007
        (int | float, 3, 3),
        (float | Tensor, 3, 3.0),
        (float | Tensor, "abc", NO),
        (Literal["all"] | bool, "all", "all"),
        (Literal["all"] | bool, "al", NO),
        (list[int], [1, 2], [1, 2]),
        (list[int], [], []),
        (list[int], [1, 2.5], NO),
        (list[int], [1, "2"], NO),
        (list[int], 1, NO),
        (list[str], "ab", NO),
        (Sequence[str], "ab", NO),
        (Sequence[float], [1, 2.5], [1.0, 2.5]),
        (Iterable[int], [1], [1]),
        (list[list[int]], [[1], [2]], [[1], [2]]),
        (tuple[float, float], [0.9, 1], (0.9, 1.0)),
        (tuple[float, float], [0.9], NO),
        (tuple[float, float], [0.9, "x"], NO),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (tuple[int, ...], [1.5], NO),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (dict[str, int], {"a": "1"}, NO),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (WIDTH, 3, 3),
        (WIDTH, 3.5, NO),
        (Annotated[int, "extra"], 3, 3),
        (Annotated[int, "extra"], "3", NO),
        (Any, "what you like", "what you like"),
        (Any, LINEAR, LINEAR),
        (object, LINEAR_PARTIAL, LINEAR_PARTIAL),
        (nn.Module, LINEAR, LINEAR),
        (nn.Linear, LINEAR, LINEAR),
        (nn.Conv2d, LINEAR, NO),
        (nn.Module, LINEAR_PARTIAL, NO),
        (nn.Module, "linear", NO),
        (nn.Module, 3, NO),
        (nn.Module, Child(linear, False), Child(linear, False)),
        (nn.Conv2d, Child(linear, False), NO),
        (nn.Module, Child(linear, True), NO),
        (nn.Module, Child(unannotated, False), NO),
        (Callable[[int], float], Child(halved, False), Child(halved, False)),
        (Callable[[int], float], Child(unannotated, False), NO),
        (nn.Module | None, None, None),
        (nn.Module | None, LINEAR, LINEAR),
        (list[nn.Module], [LINEAR, LINEAR], [LINEAR, LINEAR]),
        (list[nn.Module], [LINEAR, 3], NO),
        (dict[str, nn.Module], {"a": LINEAR}, {"a": LINEAR}),
        (Callable[[int], int], LINEAR_PARTIAL, LINEAR_PARTIAL),
        (Callable[[int], int], LINEAR, LINEAR),
        (Callable[[int], int], "linear", NO),
        (Callable[[int], int], Child(Drawing, False), NO),
        (Callsome, LINEAR, LINEAR),
        (Callsome, Child(Drawing, False), NO),
        (Callsome, 3, NO),
        (Draws, Child(Drawing, False), Child(Drawing, False)),
        (Draws, LINEAR, NO),
        (Draws, Child(Drawing, True), NO),
        (Draws, "text", NO),
        (int, LINEAR, NO),
    ],
)
def test_values_of_yaml_against_annotations(hint, given, accepted):
    if accepted is NO:
        with pytest.raises(UserError, match=r"^part\.key=.*expected"):
            convert("part.key", given, hint)
    else:
        converted = convert("part.key", given, hint)
        assert converted == accepted
        assert type(converted) is type(accepted)


def test_a_built_object_is_held_against_the_class():
    module = nn.Linear(1, 1)
    assert convert("network", module, nn.Module) is module
    with pytest.raises(UserError, match="expected a node whose _target_ is of class Module"):
        convert("network", Drawing(), nn.Module)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "a whole number"),
        (int | None, "a whole number or null"),
        (float | Tensor, "a number"),
        (Literal["a"], "'a'"),
        (Literal["a", "b", 3], "'a', 'b' or 3"),
        (list[int], "a list (each a whole number)"),
        (tuple[float | Tensor, float | Tensor], "a list of 2 (each a number)"),
        (tuple[int, ...], "a list (each a whole number)"),
        (dict[str, float], "a mapping (each value a number)"),
        (str | Path | None, "text, a path or null"),
        (nn.Module, "a node whose _target_ is of class Module"),
        (Callable[[], int], "a node with a _target_"),
        (list, "a list"),
        (Any, "a value"),
        (Supplied[int], "a whole number"),
    ],
)
def test_annotations_in_words(hint, words):
    assert expected(hint) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("abc", "abc"),
        ("0.1", "'0.1'"),
        ("true", "'true'"),
        ("", "''"),
        (1e-10, "1e-10"),
        ([1, "a", None], "[1, a, null]"),
        ({"a": [False]}, "{a: [false]}"),
        ("x" * 100, "x" * 77 + "..."),
        (LINEAR, "torch.nn.modules.linear.Linear"),
    ],
)
def test_values_as_one_would_type_them(value, text):
    assert show(value) == text


class Inner:
    def __init__(self, width: int) -> None:
        self.width = width


class Outer:
    def __init__(
        self,
        inner: Inner,
        rate: float,
        seed: Supplied[int],
        kind: Literal["one", "both"] = "one",
        scale: float | None = None,
        others: Sequence[Inner] = (),
    ) -> None:
        pass


class Bare(nn.Module):
    """No constructor of its own: `nn.Module.__init__` takes keywords only to complain about them."""


class Open:
    def __init__(self, width: int, **others: Any) -> None:
        pass


class Abstract(ABC):
    def __init__(self, width: int = None) -> None:  # noqa: RUF013  # older foreign code is written so
        self.width = width

    @abstractmethod
    def draw(self) -> int: ...


class Concrete(Abstract):
    def draw(self) -> int:
        return 1


class Forward:
    def __init__(self, known: "int", unknown: "NowhereDefined | None" = None) -> None:
        pass


@pytest.fixture(params=["paribus.for_test_schema", "ours_for_schema"])
def package(request, monkeypatch):
    """The classes above as a module that a config may name: as Paribus's own and as a user's."""
    module = types.ModuleType(request.param)
    module.__spec__ = types.SimpleNamespace(name=request.param)
    for each in (Inner, Outer, Bare, Open, Abstract, Concrete):
        monkeypatch.setattr(each, "__module__", request.param)
        setattr(module, each.__name__, each)
    monkeypatch.setitem(sys.modules, request.param, module)
    monkeypatch.setenv("PARIBUS_TARGETS", "ours_for_schema")
    schema_of.cache_clear()
    yield request.param
    schema_of.cache_clear()


def outer(package: str, **changes: Any) -> dict[str, Any]:
    node = {"_target_": f"{package}.Outer", "inner": {"_target_": f"{package}.Inner", "width": 2}, "rate": 0.1}
    node |= {"kind": "one", "scale": None, "others": []} | changes
    return {name: value for name, value in node.items() if value is not NO}


def test_a_right_node_passes_and_is_not_built(package):
    assert check_value("part", outer(package)) == Child(Outer, False)
    assert check_value("part", outer(package, others=[{"_target_": f"{package}.Inner", "width": 1}]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rat": 1}, "part.rat=1: {package}.Outer takes no 'rat'. Did you mean 'rate'?"),
        ({"qqq": 1}, "part.qqq=1: {package}.Outer takes no 'qqq'. It takes inner, rate, kind, scale, others."),
        ({"rate": NO}, "part.rate is missing: {package}.Outer needs it, expected a number"),
        ({"rate": "abc"}, "part.rate=abc: text, expected a number"),
        ({"rate": True}, "part.rate=true: expected a number"),
        ({"kind": "bth"}, "part.kind=bth: expected 'one' or 'both'. Did you mean 'both'?"),
        ({"scale": "x"}, "part.scale=x: text, expected a number or null"),
        ({"seed": 3}, "part.seed=3: seed is filled in by Paribus; remove it from the config"),
        ({"inner": 3}, "part.inner=3: expected a node whose _target_ is of class Inner"),
        ({"_partial_": 1}, "part._partial_=1: expected true or false"),
        ({"_recursive_": False}, "part._recursive_=false: {package}.Outer takes no '_recursive_'."),
    ],
)
def test_mistakes_in_a_node(package, changes, message):
    with pytest.raises(UserError) as caught:
        check_value("part", outer(package, **changes))
    assert str(caught.value).startswith(message.format(package=package))


@pytest.mark.parametrize("where", ["inner", "others.1"])
def test_mistakes_in_a_child_have_its_full_key(package, where):
    wrong = {"_target_": f"{package}.Inner", "width": "abc"}
    right = {"_target_": f"{package}.Inner", "width": 1}
    node = outer(package, inner=wrong) if where == "inner" else outer(package, others=[right, wrong])
    with pytest.raises(UserError) as caught:
        check_value("part", node)
    assert str(caught.value) == f"part.{where}.width=abc: text, expected a whole number"


def test_a_child_of_another_class_is_refused(package):
    with pytest.raises(UserError, match=r"^part\.inner=.*Open: expected a node whose _target_ is of class Inner"):
        check_value("part", outer(package, inner={"_target_": f"{package}.Open", "width": 1}))


def test_no_default_hides_but_those_of_foreign_libraries(package):
    with pytest.raises(UserError) as caught:
        check_value("part", outer(package, kind=NO))
    assert str(caught.value) == "part.kind is not in the config; write kind: one"
    assert check_value("part", {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.1})


def test_a_partial_node_may_lack_arguments(package):
    partial = outer(package, rate=NO, _partial_=True)
    assert check_value("part", partial) == Child(Outer, True)
    with pytest.raises(UserError, match=r"^part\.rate=abc"):
        check_value("part", partial | {"rate": "abc"})


def test_keywords_are_passed_on_where_they_are_meant_to_be(package):
    assert check_value("part", {"_target_": f"{package}.Open", "width": 1, "more": 2})
    with pytest.raises(UserError, match=r"Bare takes no 'more'\. It takes no arguments"):
        check_value("part", {"_target_": f"{package}.Bare", "more": 2})


def test_an_abstract_class_is_refused_and_a_default_of_null_allows_null(package):
    assert check_value("part", {"_target_": f"{package}.Concrete", "width": None})
    with pytest.raises(UserError, match=r"^part\._target_=.*Abstract: this is an abstract class"):
        check_value("part", {"_target_": f"{package}.Abstract", "width": None})


def test_types_that_only_a_type_checker_knows_count_as_any():
    arguments = schema_of("own.Forward", Forward).arguments
    assert arguments["known"].hint is int
    assert convert("key", "anything", arguments["unknown"].hint) == "anything"


def test_a_schema_is_made_once():
    assert schema_of("torch.optim.Adam", torch.optim.Adam) is schema_of("torch.optim.Adam", torch.optim.Adam)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "LBFGS"])
def test_optimizers_of_torch_are_checked_by_their_own_signatures(name):
    node = {"_target_": f"torch.optim.{name}", "_partial_": True, "lr": 0.1}
    assert check_value("optimizer", node) == Child(getattr(torch.optim, name), True)
    with pytest.raises(UserError) as caught:
        check_value("optimizer", node | {"lr": "abc"})
    assert str(caught.value) == "optimizer.lr=abc: text, expected a number"
