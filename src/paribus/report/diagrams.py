"""Reliability diagrams of a study: which runs are drawn together, and where."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from paribus.report.collect import Collected
from paribus.report.drawings import read_drawing
from paribus.report.figures import Figure, left_out_note, panel_title
from paribus.report.reliability import Reliability, ReliabilityPanel, pooled
from paribus.report.runs import folders
from paribus.study.levels import Cell
from paribus.study.records import FIT_FILE

KIND = "reliability"
"""Of the drawings that an evaluator leaves for these diagrams."""
MOST_CELLS = 6
CAPTION = (
    "How often answers are right against how sure they are, all replicates pooled. A dot off the grey band is off by "
    "more than chance would explain; whiskers are 95 % intervals of the share that is right; below, how many examples "
    "each bin has."
)


def reliability_figures(collected: Collected) -> list[Figure]:
    """For each cell of the study a row of diagrams, one for each level of its within-run factor, replicates pooled."""
    cells = [(cell, levels) for cell in collected.study.cells() if (levels := cell_diagrams(collected, cell))]
    figures = []
    for index, (cell, levels) in enumerate(spread_out(cells)):
        panels = tuple(ReliabilityPanel(pooled(runs), level) for level, runs in levels.items())
        title = panel_title(cell, collected.study) or "All runs"
        note = left_out_note(len(cells) - MOST_CELLS, "cell") if index == MOST_CELLS - 1 else ""
        figures.append(Figure(f"{KIND}-{index + 1}", title, CAPTION, panels, note=note))
    return figures


def spread_out(cells: Sequence[tuple[Cell, Any]]) -> Iterable[tuple[Cell, Any]]:
    """At most `MOST_CELLS` of them, evenly spaced."""
    shown = min(len(cells), MOST_CELLS)
    return (cells[round(index * (len(cells) - 1) / max(shown - 1, 1))] for index in range(shown))


def cell_diagrams(collected: Collected, cell: Cell) -> dict[str, list[Reliability]]:
    """What the runs of a cell left to be drawn, by level of the within-run factor."""
    of_cell = [
        result for result in collected.comparison.results if all(result.levels.get(name) == cell[name] for name in cell)
    ]
    found: dict[str, list[Reliability]] = {}
    for path in folders(collected, of_cell, FIT_FILE):
        for level, reliability in run_diagrams(path).items():
            found.setdefault(level, []).append(reliability)
    return found


def run_diagrams(path: Path) -> dict[str, Reliability]:
    """The diagrams of one run by level of the within-run factor; empty if it drew none."""
    levels = read_drawing(path, KIND).get("levels")
    read = {str(level): Reliability.read(each) for level, each in levels.items()} if isinstance(levels, dict) else {}
    return {level: each for level, each in read.items() if each is not None and each.bins}
