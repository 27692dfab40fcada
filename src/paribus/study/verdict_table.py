"""Verdicts as a table for a terminal and as plain data for programs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite
from textwrap import wrap
from typing import Any

from paribus.study.comparison import Pairs
from paribus.study.findings import Finding
from paribus.study.levels import label
from paribus.study.numbers import p_text
from paribus.study.statistics import FAMILY_ERROR
from paribus.study.telling import estimate_text, shared_limits
from paribus.study.verdicts import Verdict

WIDTH = 120
ANSWERS = ("supported", "refuted", "undecided", "not evaluated")
LONGEST_NAME = 28
LONGEST_ESTIMATE = 56


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts for a terminal, at most 120 columns wide: a line each, then the claim and the reason in words.

    A limit that all of them share is told once, at the end.
    """
    if not verdicts:
        return "The study makes no claims."
    rows = [_cells(verdict) for verdict in verdicts]
    longest = (max(map(len, ANSWERS)), LONGEST_NAME, LONGEST_ESTIMATE, 12)
    header = ("verdict", "claim", "estimate [interval]", "adjusted p", "n")
    widths = [min(limit, max(len(row[at]) for row in [header, *rows])) for at, limit in enumerate(longest)]
    lines = [_line(header, widths), _line(["-" * width for width in widths] + ["-"], widths)]
    indent = " " * (widths[0] + 2)
    shared = shared_limits([verdict.limits for verdict in verdicts if verdict.findings])
    for verdict, row in zip(verdicts, rows, strict=True):
        lines.append(_line(row, widths))
        for finding in verdict.findings if len(verdict.findings) > 1 else ():
            lines += wrap(f"{estimate_text(finding)}", WIDTH, initial_indent=indent, subsequent_indent=indent)
        own = "" if shared else _sentence(verdict.limits)
        texts = (f"Claim: {verdict.sentence}.", f"Why: {verdict.reason}.", own)
        for text in filter(None, texts):
            lines += wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return "\n".join([*lines, "", *wrap(_summary(verdicts), WIDTH), *wrap(_sentence(shared), WIDTH)])


def to_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Plain lists and dicts of every field but the raw values; infinities and NaN as None."""
    return [
        {
            **{each.name: _plain(getattr(verdict, each.name)) for each in fields(verdict) if each.name != "findings"},
            "findings": [_finding(finding) for finding in verdict.findings],
        }
        for verdict in verdicts
    ]


def _cells(verdict: Verdict) -> list[str]:
    findings = verdict.findings
    estimate = estimate_text(findings[0]) if len(findings) == 1 else f"{len(findings)} steps" if findings else ""
    if len(estimate) > LONGEST_ESTIMATE:  # the claim below says of what
        estimate = estimate.removeprefix(f"{findings[0].name} = ")
    adjusted = "" if verdict.p_adjusted is None else p_text(verdict.p_adjusted).removeprefix("p ").removeprefix("= ")
    count = str(min(finding.n for finding in findings)) if findings else "0"
    return [verdict.status, verdict.id, estimate, adjusted, count]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    short = (
        cell if len(cell) <= width else cell[: width - 3] + "..." for cell, width in zip(cells, widths, strict=False)
    )
    padded = [cell.ljust(width) for cell, width in zip(short, widths, strict=True)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _summary(verdicts: Sequence[Verdict]) -> str:
    ends = Counter(str(verdict.status) for verdict in verdicts)
    told = ", ".join(f"{ends[answer]} {answer}" for answer in ANSWERS if ends[answer])
    return f"{told}. Family-wise error {FAMILY_ERROR:g} (Holm); intervals are at the level of their claim's test."


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        each.name: _pairs(finding.pairs) if each.name == "pairs" else _plain(getattr(finding, each.name))
        for each in fields(finding)
    }


def _pairs(pairs: Pairs) -> dict[str, Any]:
    raw = ("metric", "first_values", "second_values", "differences")
    plain = {each.name: _plain(getattr(pairs, each.name)) for each in fields(pairs) if each.name not in raw}
    return {"metric": pairs.metric.name, "unit": pairs.metric.unit, **plain}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else label(key): _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value
