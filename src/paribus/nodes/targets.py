"""Names to classes: which targets a config may name, and importing them. A boundary: a config runs no other code."""

import os
import pkgutil
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any

from paribus.errors import UserError, nearest
from paribus.provenance import USERS_OWN

ALLOWED = ("paribus", "torch.optim", "torch.nn", "pytorch_lightning.loggers", "pytorch_lightning.callbacks")

Target = Callable[..., Any]


def find_target(key: str, name: object) -> Target:
    """The class or function that `_target_` names.

    Args:
        key: where the node stands in the config, e.g. `objective`; for messages.
        name: what the config gives as its `_target_`.

    Raises:
        UserError: it is not allowed, does not exist, or is borrowed from a module that is not allowed.
    """
    given = f"{key}._target_={name}"
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"{given}: expected the dotted name of a class, e.g. paribus.objectives.Huber")
    return _find(given, name, os.environ.get(USERS_OWN, ""))


@lru_cache(maxsize=1024)
def _find(given: str, name: str, users_own: str) -> Target:
    allowed = (*ALLOWED, *(package.strip() for package in users_own.split(",") if package.strip()))
    # Private names are refused because importing one can already run code, e.g. a package's `__main__`.
    if not _within(name, allowed) or any(part.startswith("_") for part in name.split(".")):
        raise UserError(_refusal(given, allowed))
    module_name, _, attribute = name.rpartition(".")
    module = _import(given, module_name)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        known = [
            each for each, value in vars(module).items() if not each.startswith("_") and _is_target(value, allowed)
        ]
        raise UserError(f"{given}: {module_name} has no {attribute!r}.{nearest(attribute, known)}") from None
    if not _is_target(found, allowed):
        raise UserError(_refusal(given, allowed))
    return found


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _is_target(value: object, allowed: tuple[str, ...]) -> bool:
    """Whether a value is a class or function that an allowed module defines; not one that such a module imported."""
    if not isinstance(value, type | FunctionType) or not _within(value.__module__, allowed):
        return False
    return getattr(import_module(value.__module__), value.__name__, None) is value


def _refusal(given: str, allowed: tuple[str, ...]) -> str:
    return (
        f"{given}: not a target that a config may name, expected a class or function defined under "
        f"{', '.join(allowed)}. Name a package of your own in the environment variable {USERS_OWN}."
    )


def _import(given: str, name: str) -> ModuleType:
    """Import a module.

    Raises:
        UserError: there is no such module, or a package that it needs is not installed.
    """
    package, _, last = name.rpartition(".")
    parent = _import(given, package) if package else None
    try:
        exists = find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # the parent is no package; a module in the making has no spec
        exists = False
    if not exists:
        siblings = [each.name for each in pkgutil.iter_modules(getattr(parent, "__path__", []))] if parent else []
        raise UserError(f"{given}: there is no module {name!r}.{nearest(last, siblings)}")
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(f"{given}: cannot import {name}: {error}") from error
