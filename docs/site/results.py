"""What published studies found of a choice: verdicts on claims about it, and comparisons in which it is an arm."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from paribus.study.levels import label
from paribus.study.numbers import estimate, interval, number
from paribus.study.statistics import FAMILY_ERROR

ROOT = Path(__file__).parents[2]
MOST_METRICS = 3
HELD = f"That any verdict of one study is wrong has probability {FAMILY_ERROR} at most, nominally."
CLEAR = (
    "Better or worse: the interval, adjusted for all of the study's comparisons by that metric, excludes no difference."
)
WAYS = {"minimise": ("better", "worse"), "maximise": ("worse", "better"), "neither": ("lower", "higher")}


@cache
def studies() -> dict[str, dict[str, Any]]:
    """The configs of studies that have a folder of results."""
    files = sorted((ROOT / "conf" / "experiment").glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text()) for path in files if result_file(path.stem).exists()}


def result_file(slug: str, name: str = "verdicts.json") -> Path:
    """Where a file of a study's results stands."""
    return ROOT / "experiments" / slug / name


@cache
def comparisons(slug: str) -> list[dict[str, str]]:
    """The comparisons of a study: each arm against the baseline, by metric and cell."""
    with result_file(slug, "comparisons.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def found(group: str, name: str) -> list[str]:
    """Claims about a choice, comparisons of arms that have it, and the studies that have it besides."""
    verdicts, compared, levels, throughout = [], [], [], []
    for slug, config in studies().items():
        link, study = f"[{slug}](../../experiments/{slug}/index.md)", config["study"]
        claims = {claim["id"]: claim for claim in study["claims"]}
        judged = json.loads(result_file(slug).read_text())
        about = [each for each in judged if (group, name) in settings(claims[each["id"]], study)]
        verdicts += [f"| {each['status']} | {plain(each['sentence'])} ({link}) | {told(each)} |" for each in about]
        own = list(having(group, name, study))
        rows = [row for row in comparisons(slug) if row["arm"] in own]
        compared += [f"| {who} ({link}) | {text} |" for who, text in against(rows, study["metrics"])]
        if own and not rows:
            baseline = any(row["baseline"] in own for row in comparisons(slug))
            levels.append(f"{link} (`{'`, `'.join(own)}`{', the baseline' if baseline else ''})")
        if any(entry.get(f"override /{group}") == name for entry in config["defaults"] if isinstance(entry, dict)):
            throughout.append(link)
    lines = []
    if verdicts:
        lines += ["| verdict | claim (study) | estimate [interval], n |\n|---|---|---|\n" + "\n".join(verdicts), HELD]
    if compared:
        lines += ["| arm (study) | by | found |\n|---|---|---|\n" + "\n".join(compared), CLEAR]
    if levels:
        lines.append(f"{'Also a' if compared else 'A'} level of a factor of {', '.join(levels)}.")
    if throughout:
        lines.append(f"Studies that have it throughout, or start from it: {', '.join(throughout)}.")
    return ["## What studies found", *(lines or ["No published study compares it, or chooses it by name."])]


def having(group: str, name: str, study: Mapping[str, Any]) -> Iterator[str]:
    """The levels of a study's factors that have a choice, as comparisons name them."""
    for factor, values in {**study["factors"], **study.get("within", {})}.items():
        for level in values:
            if (group, name) in taken(factor, level, study):
                yield f"{factor}={label(level)}"


def taken(factor: str, level: Any, study: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The settings of a factor's level, a bundle taken apart."""
    bundle = study["factors"].get(factor)
    return list(bundle[level].items()) if isinstance(bundle, dict) else [(factor, level)]


def settings(claim: Mapping[str, Any], study: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings that a claim speaks of: of its arms, its levels, and where it holds."""
    named = [(claim["factor"], level) for level in claim.get("levels", ())]
    for factor, level in [*named, *(pair for key in ("arm", "than", "where") for pair in claim.get(key, {}).items())]:
        for each in level if isinstance(level, list) else [level]:
            yield from taken(factor, each, study)


def against(rows: Sequence[Mapping[str, str]], metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """An arm's comparisons by each of the study's first metrics: one in numbers, more by how many are clear."""
    for metric in list(metrics)[:MOST_METRICS]:
        own = [row for row in rows if row["metric"] == metric and row["low"]]
        if not own:
            continue
        arm, baseline, scale = own[0]["arm"], own[0]["baseline"], own[0]["scale"]
        nothing = 1.0 if scale == "ratio" else 0.0
        numbers = [(float(row["estimate"]), float(row["low"]), float(row["high"])) for row in own]
        below, above = sum(high < nothing for _, _, high in numbers), sum(low > nothing for _, low, _ in numbers)
        lower, higher = WAYS[metrics[metric].get("direction", "neither")]
        if len(own) == 1:
            clear = lower if below else higher if above else "not clear"
            text = f"{clear}: {scale} {estimate(*numbers[0])} {interval(*numbers[0][1:])}, n = {own[0]['n']}"
        else:
            counts = [f"{lower} in {below}"] * (below > 0) + [f"{higher} in {above}"] * (above > 0)
            ends = [number(end([each for each, _, _ in numbers])) for end in (min, max)]
            text = f"{', '.join(counts) or 'clear in none'} of {len(own)} cells; {scale}s {ends[0]} to {ends[1]}"
        yield f"`{arm}` against `{baseline}`", f"`{metric}` | {text}"


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
