"""What published studies found of a choice: their claims' verdicts, as `paribus verify` judged them."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from paribus.study.numbers import estimate, interval
from paribus.study.statistics import FAMILY_ERROR

ROOT = Path(__file__).parents[2]


@cache
def studies() -> dict[str, dict[str, Any]]:
    """The configs of studies that have a folder of results."""
    files = sorted((ROOT / "conf" / "experiment").glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text()) for path in files if verdict_file(path.stem).exists()}


def verdict_file(slug: str) -> Path:
    """Where the verdicts of a study stand."""
    return ROOT / "experiments" / slug / "verdicts.json"


def found(group: str, name: str) -> list[str]:
    """The claims that are about a choice, and the studies that have it throughout; empty if there are none."""
    rows, throughout = [], []
    for slug, config in studies().items():
        link = f"[{slug}](../../experiments/{slug}/index.md)"
        judged = json.loads(verdict_file(slug).read_text())
        claims = {claim["id"]: claim for claim in config["study"]["claims"]}
        about = [each for each in judged if (group, name) in settings(claims[each["id"]], config["study"])]
        rows += [f"| {each['status']} | {plain(each['sentence'])} ({link}) | {told(each)} |" for each in about]
        if any(entry.get(f"override /{group}") == name for entry in config["defaults"] if isinstance(entry, dict)):
            throughout.append(link)
    lines = ["| verdict | claim (study) | estimate [interval], n |\n|---|---|---|\n" + "\n".join(rows)] if rows else []
    if throughout:
        lines.append(f"Studies that have it throughout, or start from it: {', '.join(throughout)}.")
    rule = f"All verdicts of one study together are wrong with probability {FAMILY_ERROR} at most."
    return ["## What studies found", *lines, *([rule] if rows else [])] if lines else []


def settings(claim: Mapping[str, Any], study: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings that a claim speaks of: of its arms, its levels, and where it holds; bundles taken apart."""
    levels = [(claim["factor"], level) for level in claim.get("levels", ())]
    for factor, level in [*levels, *(pair for key in ("arm", "than", "where") for pair in claim.get(key, {}).items())]:
        for each in level if isinstance(level, list) else [level]:
            bundle = study["factors"].get(factor)
            yield from bundle[each].items() if isinstance(bundle, dict) else [(factor, each)]


def told(verdict: Mapping[str, Any]) -> str:
    """The estimates of a verdict, each with its interval."""
    lines = []
    for each in verdict["findings"]:
        numbers = (each["estimate"], each["low"], each["high"])
        ends = interval(each["low"], each["high"]) if each["low"] is not None else "no interval"
        lines.append(f"{plain(each['name'])} = {estimate(*numbers)} {ends}, {each['n']}")
    return "<br>".join(lines)


def plain(text: str) -> str:
    """Text in a cell of a table."""
    return "".join(f"\\{letter}" if letter in "\\*_<>[]#|$~`" else letter for letter in text)
