"""The choices of the config tree, as their files describe them, and what docstrings say of their options."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from paribus.config.tree import config_groups
from paribus.nodes.targets import find_target


@dataclass(frozen=True)
class Option:
    """A key of a choice: its default as the file has it, and the comment beside it."""

    default: str
    comment: str
    owner: type | None


class Choice:
    """A choice of a config group, read from its file; `node` is the part of the file that describes it."""

    def __init__(self, group: str, name: str, text: str, node: yaml.MappingNode, siblings: dict[str, Path]) -> None:
        self.group, self.name, self.text, self.node, self.siblings = group, name, text, node, siblings

    @cached_property
    def values(self) -> dict[str, yaml.Node]:
        """The keys of the node."""
        return {key.value: value for key, value in self.node.value}

    @cached_property
    def head(self) -> list[str]:
        """The comment lines at the head of the file."""
        lines = takewhile(lambda line: line.startswith("#"), self.text.splitlines())
        return [line.removeprefix("#").removeprefix(" ") for line in lines]

    @cached_property
    def description(self) -> str:
        """The first comment of its file; where it has none of its own, the first sentence of its class."""
        if self.siblings:
            return next(iter(self.head), "")
        return " ".join((inspect.getdoc(self.target) or "").partition("\n\n")[0].split())

    @cached_property
    def brought(self) -> list[str]:
        """The entries of its defaults list."""
        entries = self.values["defaults"].value if "defaults" in self.values else []
        return [self.text[entry.start_mark.index : entry.end_mark.index].strip() for entry in entries]

    @cached_property
    def base(self) -> "Choice | None":
        """The choice that this one starts from, where its defaults list names one of the same group."""
        name = next((entry for entry in self.brought if entry in self.siblings), None)
        return choice_of(self.group, name, self.siblings) if name else None

    @cached_property
    def target(self) -> type | None:
        """The class that it names, by itself, below its one key, or by its base."""
        found = next((own for _, own in nodes(self.node) if own is not None), None)
        return found or (self.base.target if self.base else None)

    @cached_property
    def options(self) -> dict[str, Option]:
        """Every key with its default, those of nested parts by their dotted names."""
        own = dict(options(self.node, self.text))
        return (self.base.options if self.base else {}) | own


def choice_of(group: str, name: str, files: dict[str, Path]) -> Choice:
    """A choice from its file."""
    text = files[name].read_text()
    node = yaml.compose(text)
    assert isinstance(node, yaml.MappingNode), files[name]
    return Choice(group, name, text, node, files)


def choices() -> dict[str, list[Choice]]:
    """The choices of every group but `experiment`, whose pages are the studies'."""
    groups = {group: files for group, files in config_groups().items() if group != "experiment"}
    found = {group: [choice_of(group, name, files) for name in files] for group, files in groups.items()}
    calibration = next(choice for choice in found["evaluation"] if choice.name == "calibration")
    found["calibrator"] = [
        Choice("calibrator", key.value, calibration.text, value, {})
        for key, value in calibration.values["calibrators"].value
    ]
    return found


def nodes(node: yaml.MappingNode) -> Iterator[tuple[yaml.MappingNode, Any]]:
    """A mapping and those inside it, each with the class that it names."""
    names = {key.value: value.value for key, value in node.value}
    yield node, find_target("docs", names["_target_"]) if "_target_" in names else None
    for _, value in node.value:
        if isinstance(value, yaml.MappingNode):
            yield from nodes(value)


def options(node: yaml.MappingNode, text: str, prefix: str = "") -> Iterator[tuple[str, Option]]:
    """The keys of a mapping and of those inside it."""
    owner = next(nodes(node))[1]
    for key, value in node.value:
        if key.value in ("_target_", "_partial_", "defaults"):
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from options(value, text, f"{prefix}{key.value}.")
            continue
        end = value.end_mark.index
        comment = text[end:].partition("\n")[0].partition("#")[2].strip()
        yield f"{prefix}{key.value}", Option(text[value.start_mark.index : end].strip(), comment, owner)


def arguments(owner: type | None) -> dict[str, str]:
    """What docstrings say of each argument: a class's own, then its bases', to which `see` leads."""
    told: dict[str, str] = {}
    for each in owner.__mro__ if owner else ():
        section = re.search(r"\nArgs:\n(.*?)(?=\n\S|\Z)", inspect.cleandoc(each.__doc__ or ""), re.DOTALL)
        entry = r"^ {4}(\w[\w, \n]*?): (.*?)(?=^ {4}\w|\Z)"
        for names, text in re.findall(entry, section[1] if section else "", re.DOTALL | re.MULTILINE):
            if not re.fullmatch(r"see `\w+`\.?\s*", text):
                told = dict.fromkeys(re.split(r",\s+", names), " ".join(text.split())) | told
    return told
