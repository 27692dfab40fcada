"""The files of a report."""

import json
import webbrowser
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from paribus.report.arrangement import arrange
from paribus.report.chart import standalone
from paribus.report.collect import collect
from paribus.report.contrasts import all_findings
from paribus.report.curves import curve_figures
from paribus.report.diagrams import reliability_figures
from paribus.report.figures import Figure, metric_figures
from paribus.report.fits import fit_figures
from paribus.report.page import page
from paribus.report.pictures import picture_figures
from paribus.report.planes import plane_figures
from paribus.report.tables import as_csv, columns_of, comparison_rows, result_columns, result_rows
from paribus.study.records import write_atomically
from paribus.study.verdict_table import to_json
from paribus.study.verdicts import Verdict, judge


@dataclass(frozen=True)
class ReportFiles:
    """What was written, and the verdicts in it.

    Attributes:
        page: `report.html`, self-contained.
        results: `results.csv`, a row for each row of a record.
        comparisons: `comparisons.csv`, a row for each arm against the baseline in each cell, by metric.
        verdicts_file: `verdicts.json`.
        figures: SVG files of panels, PNG files of pictures.
        verdicts: the verdicts on the study's claims.
    """

    page: Path
    results: Path
    comparisons: Path
    verdicts_file: Path
    figures: tuple[Path, ...]
    verdicts: tuple[Verdict, ...]


def report(folder: Path, *, open_page: bool = False) -> ReportFiles:
    """Write tables, verdicts, figures and the page of the records below `folder` into it.

    Args:
        folder: usually `runs/<experiment>`: records, and `study.json` if the study was declared.
        open_page: show the page in the default browser.

    Raises:
        UserError: there is no such folder, or its study cannot be read.
    """
    collected = collect(folder)
    comparison = collected.comparison
    arrangement = arrange(collected.study)
    verdicts = judge(collected.study, comparison)
    findings = all_findings(comparison, arrangement)
    figures = {
        "figures": metric_figures(comparison, arrangement),
        "planes": plane_figures(collected),
        "reliability": reliability_figures(collected),
        "pictures": picture_figures(collected, arrangement),
        "fits": fit_figures(collected, arrangement),
        "curves": curve_figures(collected, arrangement),
    }
    compared = comparison_rows(findings)
    rows = result_rows(collected)
    files = ReportFiles(
        page=folder / "report.html",
        results=folder / "results.csv",
        comparisons=folder / "comparisons.csv",
        verdicts_file=folder / "verdicts.json",
        figures=write_figures(folder / "figures", [figure for each in figures.values() for figure in each]),
        verdicts=tuple(verdicts),
    )
    write_atomically(files.results, as_csv(rows, result_columns(collected.study)))
    write_atomically(files.comparisons, as_csv(compared, columns_of(compared, ["metric", "arm", "baseline"])))
    write_atomically(files.verdicts_file, json.dumps(to_json(verdicts), indent=1, allow_nan=False) + "\n")
    write_atomically(files.page, page(collected, arrangement, verdicts, findings, figures, rows))
    if open_page:
        webbrowser.open(files.page.resolve().as_uri())
    return files


def write_figures(folder: Path, figures: Iterable[Figure]) -> tuple[Path, ...]:
    """Figures as files of their own: one for the panels of each, one for each of its pictures."""
    written: dict[str, Path] = {}
    for figure in figures:
        contents: dict[tuple[str, str], str | bytes] = {
            (image.name, ".png"): image.png.enlarged(image.times) for image in figure.images
        }
        if figure.panels:
            contents[figure.name, ".svg"] = standalone(figure.panels, figure.legend, figure.swatch)
        for (name, suffix), content in contents.items():
            name = file_name(name, suffix, written)
            written[name] = folder / name
            write_atomically(written[name], content)
    return tuple(written.values())


def file_name(name: str, suffix: str, taken: Collection[str]) -> str:
    """`name` without what a file's name had better not have, and unlike those that are taken."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:80].strip(".")
    numbered = (f"{safe}{f'-{number}' if number > 1 else ''}{suffix}" for number in count(1))
    return next(each for each in numbered if each not in taken)
