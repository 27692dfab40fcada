"""The page: every section's content put into one HTML file that needs nothing else."""

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from paribus.report.arrangement import Arrangement
from paribus.report.claims import Card, badges, card
from paribus.report.collect import Collected
from paribus.report.contrasts import ContrastTable, contrast_table
from paribus.report.figures import Figure, Image
from paribus.report.health import failures, warnings
from paribus.report.methods import methods
from paribus.report.pairing import PlainTable, pairing
from paribus.report.palette import page_style
from paribus.report.summaries import count
from paribus.report.tables import Row, result_columns
from paribus.study.comparison import Comparison
from paribus.study.declaration import COMMAND, earlier_declaration
from paribus.study.findings import Finding
from paribus.study.narrowing import narrowings
from paribus.study.telling import shared_limits
from paribus.study.verdicts import Verdict

SECTIONS = (
    ("verdicts", "Verdicts"),
    ("figures", "Results"),
    ("planes", "Planes"),
    ("comparisons", "Comparisons"),
    ("reliability", "Reliability"),
    ("pictures", "Pictures"),
    ("fits", "Fits"),
    ("curves", "Learning curves"),
    ("failures", "Failures"),
    ("pairing", "Pairing and provenance"),
    ("methods", "Methods"),
    ("runs", "All runs"),
    ("reproduce", "Reproduce"),
)
VERDICT_NOTE = (
    "Dots are replicates, the bar is the interval, the shaded side is what the claim says, with a dashed line at its "
    "margin and a solid one at no difference. A claim is supported when its test, adjusted for all claims of the study "
    "(Holm), is clear at 0.05; refuted when its opposite is; else undecided. Intervals are at the adjusted level too."
)
FIGURES = ("figures", "planes", "reliability", "pictures", "fits", "curves")
"""The sections that show figures alone."""
LEAST = 230
"""Pixels that a column of pictures has, if they are as wide."""
TURNING = {code: f"[U+{code:04X}]" for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Marks that turn the direction of the text after them, and what is shown in their place."""

FEW_CHOICES = 12
"""A column of the runs table gets a menu if it has at most so many values."""


def page(
    collected: Collected,
    arrangement: Arrangement,
    verdicts: Sequence[Verdict],
    findings: Mapping[str, Sequence[Finding]],
    figures: Mapping[str, Sequence[Figure]],
    rows: Sequence[Row],
) -> str:
    """The HTML of a report.

    Args:
        collected: what was read.
        arrangement: roles of the factors.
        verdicts: on the study's claims.
        findings: paired comparisons by metric.
        figures: by section, see `FIGURES`.
        rows: of `results.csv`.
    """
    tables = contrast_tables(collected.comparison, arrangement, findings)
    limits = shared_limits([verdict.limits for verdict in verdicts if verdict.findings])
    content: dict[str, Any] = {
        "name": collected.name,
        "title": collected.study.question or f"Runs of {collected.name}",
        "summary": summary(collected),
        "tally": badges(Counter(verdict.status for verdict in verdicts)),
        "warnings": warnings(collected),
        "verdicts": [shown_card(card(verdict, collected.study.replicate.key, not limits)) for verdict in verdicts],
        "limits": f"Each verdict {limits}." if limits else "",
        "no_verdicts": no_verdicts(collected),
        "verdict_note": VERDICT_NOTE,
        **{name: shown_figures(figures.get(name, ())) for name in FIGURES},
        "comparisons": tables,
        "failures": failures(collected),
        "pairing": pairing(collected, findings),
        "methods": methods(collected, verdicts, findings),
        "runs_json": runs_json(collected, rows),
        "reproduce": {"text": reproduce_text(collected), "commands": reproduce_commands(collected)},
        "footer": f"Made by Paribus from the records in {collected.name}/ alone. Beside it: results.csv, "
        "comparisons.csv, verdicts.json and figures/.",
    }
    content["sections"] = [
        {"anchor": anchor, "text": text}
        for anchor, text in SECTIONS
        if anchor not in content or content[anchor] or anchor == "verdicts"
    ]
    return rendered("page.html.j2", content | {"script": Markup(asset("page.js"))})


def rendered(template: str, content: Mapping[str, Any]) -> str:
    """A template of this package with its content; everything but marked-up drawings is escaped.

    Marks that turn the direction of text are shown as their code: left alone, a name could turn the number after it.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = Markup(page_style() + asset("page.css"))
    return environment.from_string(asset(template)).render(style=style, **content).translate(TURNING)


@cache
def asset(name: str) -> str:
    """A file of the template folder."""
    return (files("paribus.report") / "template" / name).read_text(encoding="utf-8")


def summary(collected: Collected) -> str:
    """How many runs of what there are."""
    study, records = collected.study, collected.records.values()
    finished = sum(record.status == "finished" for record in records)
    parts = [f"{finished} of {count(len(records), 'run')} finished"]
    parts += (
        [f"{count(len(study.cells()), 'cell')} of {', '.join(factor.name for factor in study.factors)}"]
        if study.factors
        else []
    )
    replicates = len({str(result.replicate) for result in collected.comparison.results})
    parts.append(f"{count(replicates, 'replicate')} ({study.replicate.key})")
    return " · ".join(parts)


def no_verdicts(collected: Collected) -> str:
    """What stands where no claim was made."""
    if not collected.declared:
        return "No study.json: the factors below are what the records' configs differ in, and no claim was made."
    return "The study makes no claim. Add some under claims: to get verdicts."


def shown_card(card: Card) -> dict[str, Any]:
    """A card with its plot as markup."""
    return {**card.__dict__, "chart": Markup(card.chart.svg()) if card.chart else ""}


def shown_figures(figures: Sequence[Figure]) -> dict[str, Any]:
    """The figures of a section, empty if there are none; how to read them is said once if it is the same for all."""
    captions = {figure.caption for figure in figures}
    lead = captions.pop() if len(figures) > 1 and len(captions) == 1 else ""
    shown = [shown_figure(replace(figure, caption="") if lead else figure) for figure in figures]
    return {"lead": lead, "figures": shown} if shown else {}


def shown_figure(figure: Figure) -> dict[str, Any]:
    """A figure with its panels and legend as markup."""
    return {
        "title": figure.title,
        "caption": figure.caption,
        "note": figure.note,
        "panels": [Markup(panel.svg()) for panel in figure.panels],
        "images": [shown_image(image) for image in figure.images],
        "legend": [{"series": n, "label": text, "swatch": Markup(figure.swatch(n))} for n, text in figure.legend],
        "numbers": PlainTable(figure.columns, figure.rows) if figure.rows else None,
    }


def shown_image(image: Image) -> dict[str, Any]:
    """A picture with the size at which it is shown, and the width below which it is not squeezed for others' sake."""
    width, height = image.times * image.png.width, image.times * image.png.height
    return {
        "label": image.label,
        "alt": image.description,
        "uri": image.png.uri(),
        "width": width,
        "height": height,
        "least": min(width, max(LEAST, round(1.2 * image.png.width))),
    }


def contrast_tables(
    comparison: Comparison, arrangement: Arrangement, findings: Mapping[str, Sequence[Finding]]
) -> list[ContrastTable]:
    """The tables of paired comparisons."""
    factor = arrangement.compared or arrangement.across
    if factor is None:
        return []
    names = [each.name for each in (*comparison.study.factors, *comparison.study.within)]
    return [
        contrast_table(metric, findings[metric.name], factor, names)
        for metric in comparison.study.metrics
        if metric.name in findings
    ]


def runs_json(collected: Collected, rows: Sequence[Row]) -> Markup | str:
    """The rows of the runs table for its script: safe inside a script element."""
    if not rows:
        return ""
    columns = [name for name in result_columns(collected.study) if any(row.get(name, "") != "" for row in rows)]
    numeric = [all(is_number(row.get(name, "")) for row in rows) for name in columns]
    table = [[cell(row.get(name, ""), number) for name, number in zip(columns, numeric, strict=True)] for row in rows]
    groups = {factor.name for factor in (*collected.study.factors, *collected.study.within)} | {"status"}
    choices = [
        index for index, name in enumerate(columns)
        if name in groups and 1 < len({str(row[index]) for row in table}) <= FEW_CHOICES
    ]  # fmt: skip
    data = {"columns": columns, "numeric": numeric, "choices": choices, "rows": table}
    return script_json(data)


def script_json(data: Any) -> Markup:
    """JSON that no text in it can turn into markup."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(
        text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")
    )


def is_number(value: Any) -> bool:
    """Whether a cell is a number or missing."""
    if value == "" or isinstance(value, int | float):
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


def cell(value: Any, numeric: bool) -> Any:
    """A cell as JSON knows it: numbers of a numeric column to seven digits, NaN and infinities as texts."""
    if value == "" or not numeric:
        return value if isinstance(value, str) else str(value)
    number = float(value)
    if not math.isfinite(number):
        return str(number)
    return int(number) if number.is_integer() and abs(number) < 1e15 else float(f"{number:.7g}")


def reproduce_text(collected: Collected) -> str:
    """What the commands do."""
    text = (
        "The first command continues the study: runs that are finished are not run again. "
        if collected.declared
        else "These records have no declared study; each can be run again by its key. "
    ) + "Then check the claims, or make this page again."
    if narrowed := narrowings(collected.study):
        text = f"This is a part of the study as it was declared: {', '.join(narrowed)}. {text}"
    return text


def reproduce_commands(collected: Collected) -> str:
    """Commands that make the records and the page."""
    commits = {str(record.provenance.get("git", {}).get("commit", ""))[:12] for record in collected.records.values()
               if isinstance(record.provenance.get("git", {}), Mapping)} - {""}  # fmt: skip
    lines = [f"git checkout {next(iter(commits))}"] if len(commits) == 1 else []
    made = next(iter(collected.records.values()), None)
    folder = Path(made.config.get("output", "runs")) / made.experiment if made else collected.folder
    words = (earlier_declaration(collected.folder) or {}).get(COMMAND)
    if collected.declared and made:
        words = words or [f"experiment={made.choices.get('experiment', made.experiment)}"]
        lines += [f"paribus run {shlex.join(words)}", f"paribus verify {shlex.quote(str(folder))}"]
    else:
        lines += [f"paribus run --key {key}" for key in list(collected.records)[:3]]
    return "\n".join([*lines, f"paribus report {shlex.quote(str(folder))}"])
