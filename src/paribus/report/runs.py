"""The runs that figures of single trainings draw: which cells, which arms, which files."""

from collections.abc import Iterable
from pathlib import Path

from paribus.report.arrangement import Arrangement, Lookup
from paribus.report.collect import Collected
from paribus.report.figures import MOST_SERIES
from paribus.study.comparison import Result
from paribus.study.levels import Cell, label


def chosen_cells(arrangement: Arrangement) -> list[Cell]:
    """A cell for each panel: of the numeric factor the level in the middle of those that were run."""
    across = arrangement.across
    if across is None:
        return arrangement.panel_cells()
    level = across.levels[len(across.levels) // 2]
    return [{**cell, across.name: level} for cell in arrangement.panel_cells()]


def chosen_note(arrangement: Arrangement) -> str:
    """Says which level of the numeric factor is drawn; empty where there is none."""
    across = arrangement.across
    return f" At {across.name} = {label(across.levels[len(across.levels) // 2])}, one of its levels." if across else ""


def arm_results(lookup: Lookup, arrangement: Arrangement, cell: Cell) -> dict[int, list[Result]]:
    """The results of the first arms in `cell`, by number of the arm."""
    compared = arrangement.compared
    return {
        series: lookup.at({**cell, compared.name: arm} if compared else cell)
        for series, arm in arrangement.series()[:MOST_SERIES]
    }


def folders(collected: Collected, results: Iterable[Result], name: str) -> Iterable[Path]:
    """The files called `name` beside the records of `results`, each once."""
    for key in dict.fromkeys(result.key for result in results):
        path = collected.places[key] / name
        if path.exists():
            yield path
