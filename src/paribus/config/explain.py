"""Hydra's and OmegaConf's exceptions, told as mistakes of the user. No torch: composing a config must stay fast."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from paribus.config.tree import choices_having, config_groups, placed_groups
from paribus.errors import UserError, nearest
from paribus.study.experiments import PACKAGE

EXPLAINED = (
    ConfigCompositionException,
    MissingConfigException,
    OverrideParseException,
    OmegaConfBaseException,
    YAMLError,
)
"""What composing and resolving raise for a mistake in a config or an override."""
MOST_CHOICES = 4
"""Of a group, that a message proposes."""


def resolved(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain values, with every interpolation resolved and nothing left to give.

    Args:
        config: as composed, or a mapping that is plain and resolved already.

    Raises:
        UserError: a mandatory value is missing, or an interpolation leads nowhere.
    """
    plain: Any = config
    if isinstance(config, DictConfig):
        try:
            plain = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            raise explain(error, known=all_keys(config)) from error
    missing = list(_missing(plain))
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        wanted = " ".join(f"{key}=<value>" for key in missing)
        raise UserError(f"{', '.join(missing)} {verb} required: {wanted}")
    return plain


def _missing(value: Any, key: str = "") -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _missing(each, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _missing(each, f"{key}.{index}")
    elif value == "???":
        yield key


def all_keys(tree: DictConfig) -> list[str]:
    """The dotted keys of a config, whether or not their values can be resolved."""

    def walk(value: Any, key: str) -> Iterable[str]:
        if key:
            yield key
        if isinstance(value, dict):
            for name, each in value.items():
                yield from walk(each, f"{key}.{name}" if key else str(name))

    return list(walk(OmegaConf.to_container(tree, resolve=False), ""))


def explain(error: Exception, overrides: Sequence[str] = (), known: Iterable[str] = ()) -> UserError:
    """The user's mistake behind an exception of Hydra or OmegaConf.

    Args:
        error: what composing or resolving raised.
        overrides: the overrides given, so that the message can show the one at fault as it was typed.
        known: names that exist besides the keys of the config at fault: config groups, dotted keys.

    Returns:
        The error to raise: the key, what was given, what is wrong with it and the nearest right name. An exception that
        is not understood keeps its own text.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, MissingConfigException):
        return UserError(_missing_choice(error, overrides))
    if isinstance(error, OverrideParseException):
        return UserError(_unreadable(error))
    if isinstance(error, OmegaConfBaseException):
        return UserError(_unresolved(error, list(known)))
    if isinstance(error, YAMLError):
        return UserError(f"a config file is not valid YAML: {' '.join(str(error).split())}")
    return UserError(_not_composed(str(error), error.__cause__, overrides, list(known)))


def _missing_choice(error: MissingConfigException, overrides: Sequence[str]) -> str:
    """`objective=hubr`, on the command line or in a defaults list."""
    missing = error.missing_cfg_file or ""
    listed = re.search(r"Available options in '([^']+)'", str(error))
    group = listed[1] if listed else missing.rpartition("/")[0]
    choice = missing.removeprefix(f"{group}/")
    if not group:
        return f"there is no config named {choice!r}"
    place = "" if not overrides or _typed(group, overrides) else " in a defaults list"
    message = f"{group}={choice}{place}: there is no {group} {choice!r}."
    options = error.options or []
    return f"{message}{nearest(choice, options)} Choices: {', '.join(options)}" if options else message


def _unreadable(error: OverrideParseException) -> str:
    """`a=[1`, `seed`."""
    key, equals, _ = error.override.partition("=")
    if not equals and not key.startswith("~"):
        return f"{error.override}: not an override, expected {key}=<value>"
    reason = error.message.splitlines()[0]
    return f"{error.override}: cannot be read ({reason}); quote a value with special characters: \"{key}='...'\""


def _unresolved(error: OmegaConfBaseException, known: list[str]) -> str:
    """Errors that resolving a composed config meets."""
    key = error.full_key
    reason = str(error.msg if error.msg else error).splitlines()[0]
    if isinstance(error, InterpolationToMissingValueError):
        wanted = reason.rpartition(": ")[2]
        return f"{wanted} is required: {wanted}=<value> ({key} refers to it)"
    if isinstance(error, MissingMandatoryValue):
        return f"{key} is required: {key}=<value>"
    if isinstance(error, InterpolationKeyError):
        wanted = (re.findall(r"'([^']*)'", reason) or [""])[0]
        return f"{key}=${{{wanted}}}: there is no key {wanted!r}.{nearest(wanted, known)}"
    return f"{key}: {reason}"


def _not_composed(text: str, cause: BaseException | None, overrides: Sequence[str], known: list[str]) -> str:
    """The many things that Hydra's ConfigCompositionException and ValueError stand for."""
    lines = text.splitlines()
    first = lines[0] if lines else ""
    quoted = (re.findall(r"'([^']*)'", first) or [""])[-1]
    if "Ambiguous value for argument" in first:
        listed = "" if quoted.partition("=")[0] in config_groups() else " or write a list as [a,b]"
        return f"{quoted}: several values, expected one; sweep over them with -m{listed}"
    if misplaced := re.match(r"In '(experiment/[^']*)': Could not override '[^']*@experiment\.", first):
        return f"{misplaced[1]}.yaml: its choices would go nowhere; the file's first line is to be:\n{PACKAGE}"
    if "No match in the defaults list" in first:
        source = (re.findall(r"In '([^']*)'", first) or ["a config"])[0]
        return f"{source}.yaml: there is no config group {quoted!r} to override.{nearest(quoted, known)}"
    if "appears more than once" in first:
        group = first.split()[0]
        return f"{_typed(group, overrides) or group}: {group} is chosen already; choose another with {group}=<choice>"
    if "An item is already at" in first:
        return f"{_typed(quoted, overrides) or quoted}: the key exists; set it with {quoted}=<value>, without +"
    if "Config group override must be a string or a list" in first:
        at_fault = next((each for each in overrides if re.match(r"[\w/@]*=(null|[-\d.]*)$", each)), "")
        if at_fault.startswith("="):
            return f"{at_fault}: expected <key>=<value>"
        without = f"; ~{at_fault.partition('=')[0]} leaves it out" if at_fault.endswith("=null") else ""
        return f"{at_fault + ': ' if at_fault else ''}a choice of a config group is expected to be a name{without}"
    if first.startswith(("Could not override", "Could not delete")):
        return _unknown_key(quoted, cause, overrides, known)
    reason = str(cause).splitlines()[0] if cause is not None and str(cause) else "it cannot be applied"
    merged = re.match(r"Error merging override (.*)", first)
    return f"{merged[1]}: {reason}" if merged else " ".join(text.split())


def _unknown_key(key: str, cause: BaseException | None, overrides: Sequence[str], known: list[str]) -> str:
    """An override of, or a deletion from, a key that is not there."""
    given = _typed(key, overrides) or key
    if isinstance(cause, OmegaConfBaseException):
        if _is_there(cause):
            return f"{given}: {str(cause).splitlines()[0]}"
        wanted, key = key, cause.full_key or key
        chosen = any(each.lstrip("+").startswith(f"{key}=") for each in overrides)  # and put elsewhere: an experiment
        if key != wanted and key in config_groups() and not chosen:
            return f"{given}: no option of the group {key} is chosen: {_options(key, wanted)}"
        if key != wanted and (group := placed_groups().get(key)):
            return f"{given}: nothing is chosen there: {_options(group, wanted.replace(key, group, 1), f'@{key}')}"
    above, _, last = key.rpartition(".")
    parent = getattr(cause, "parent_node", None)
    if isinstance(parent, DictConfig):
        siblings = [str(name) for name in parent if name != "hydra"]
    else:
        siblings = [name.removeprefix(f"{above}.") for name in known if name.rpartition(".")[0] == above]
    answer = nearest(last, siblings if above else [*siblings, *(name for name in known if name != key)])
    if answer and above:
        answer = answer.replace("'", f"'{above}.", 1)
    elif not answer and (choices := choices_having(key)):
        group = key.partition(".")[0]
        those = ", ".join(f"{group}={choice}" for choice in choices)
        answer = f" These have it: {those}. In a sweep over {group}, set it in the levels of a bundle (study.factors)."
    elif not answer and siblings:
        answer = f" There are {', '.join(f'{above}.{name}' if above else name for name in siblings)}."
    return f"{given}: there is no key {key!r}.{answer}"


def _options(group: str, key: str, place: str = "") -> str:
    """How to choose of a group, to stand at a place of its own: first of all what has `key`."""
    choices = choices_having(key) or list(config_groups()[group])
    proposed = " or ".join(f"{group}{place}={choice}" for choice in choices[:MOST_CHOICES])
    return f"{proposed} (all: paribus list {group})" if len(choices) > MOST_CHOICES else proposed


def _is_there(cause: OmegaConfBaseException) -> bool:
    """Whether the key exists and its value is at fault."""
    return isinstance(cause.parent_node, DictConfig) and cause.key in cause.parent_node


def _typed(key: str, overrides: Sequence[str]) -> str:
    """The override of a key as it was typed, or an empty text."""
    return next((each for each in overrides if each.lstrip("+~").partition("=")[0] in (key, f"{key}.")), "")
