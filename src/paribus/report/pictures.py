"""Pictures that runs left: the same kind of every arm side by side, of one replicate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from paribus.report.arrangement import Arrangement, Lookup, arm_words, short
from paribus.report.collect import Collected
from paribus.report.figures import MOST_SERIES, Figure, Image, panel_title
from paribus.report.latent import Latent, Words
from paribus.report.latent_panels import BarPanel, CodeMap
from paribus.report.palette import speck_swatch
from paribus.report.png import Png
from paribus.report.runs import arm_results, chosen_cells, folders
from paribus.report.summaries import count
from paribus.study.comparison import Result
from paribus.study.levels import Cell, canonical, label
from paribus.study.records import FIT_FILE

MOST_CELLS = 3
MOST_TEXT = 600_000
"""Letters of all pictures together, as a page holds them."""
READABLE = 330
"""Pixels across at which a sheet of small images can be read."""

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Arm:
    """What one arm's run left.

    Attributes:
        series: number of the arm.
        words: its level; empty where there is one arm.
        latent: its pieces.
    """

    series: int
    words: str
    latent: Latent


@dataclass(frozen=True)
class Row:
    """The arms of one cell.

    Attributes:
        title: the levels of its panel.
        runs: which runs these are, in words.
        ending: of the names of its files.
    """

    title: str
    runs: str
    ending: str
    arms: tuple[Arm, ...]


def picture_figures(collected: Collected, arrangement: Arrangement) -> list[Figure]:
    """For each cell that is shown a figure for each kind of picture, map of codes and bars, its arms side by side."""
    roles = arrangement
    if roles.compared is None and roles.across is not None:
        roles = replace(roles, compared=roles.across, across=None)
    rows, cells_left = picture_rows(collected, roles)
    figures: list[Figure] = []
    spent = pictures_left = 0
    for row in rows:
        for figure in picture_sheets(row):
            size = sum(len(image.png.uri()) for image in figure.images)
            fits = spent + size <= MOST_TEXT
            figures += [figure] if fits else []
            spent, pictures_left = spent + size * fits, pictures_left + (not fits)
        figures += [*code_maps(row), *bar_charts(row)]
    excess = len(roles.series()) - MOST_SERIES
    large = f"{count(pictures_left, 'more row')} of pictures left out, so that the page stays small."
    notes = [
        large if pictures_left else "",
        f"{count(cells_left, 'more cell')} left out." if cells_left else "",
        f"{count(excess, 'more arm')} left out." if excess > 0 else "",
    ]
    if figures:
        figures[-1] = replace(figures[-1], note=" ".join(note for note in notes if note))
    return figures


def picture_rows(collected: Collected, roles: Arrangement) -> tuple[list[Row], int]:
    """The first cells whose runs left pictures, each data set before another's turn, and the number of the others."""
    lookup = roles.lookup(collected.comparison.results)
    others = [factor for factor in roles.panels if not factor.covers("data")]
    cells = sorted(chosen_cells(roles), key=lambda cell: sum(cell[each.name] != each.levels[0] for each in others))
    rows: list[Row] = []
    for seen, cell in enumerate(cells, start=1):
        ending = f"-{len(rows) + 1}" if len(cells) > 1 else ""
        if row := picture_row(collected, roles, lookup, cell, ending):
            rows.append(row)
        if len(rows) == MOST_CELLS:
            return rows, len(cells) - seen
    return rows, 0


def picture_row(collected: Collected, roles: Arrangement, lookup: Lookup, cell: Cell, ending: str) -> Row | None:
    """What the arms left in `cell`, of the first replicate of which most of them left something."""
    study = collected.study
    names = [factor.name for factor in (*study.factors, *study.within)]
    by_replicate: dict[object, dict[int, Result]] = {canonical(level): {} for level in study.replicate.levels}
    for series, results in arm_results(lookup, roles, cell).items():
        for result in results:
            if any(folders(collected, [result], FIT_FILE)):
                by_replicate.get(canonical(result.replicate), {}).setdefault(series, result)
    found = max(by_replicate.values(), key=len, default={})
    arms = []
    for series, result in found.items():
        latent = Latent.read(next(iter(folders(collected, [result], FIT_FILE))))
        words = arm_words(roles.series()[series][1], roles, study)
        arms += [Arm(series, words, latent)] if latent else []
    if not arms:
        return None
    replicate = next(iter(found.values())).replicate
    at = f", at {short(roles.across.name, names)} = {label(cell[roles.across.name])}" if roles.across else ""
    title = panel_title({factor.name: cell[factor.name] for factor in roles.panels}, study)
    return Row(title, f"Of {study.replicate.key} {label(replicate)}{at}.", ending, tuple(arms))


def kinds(pieces: Mapping[Arm, Mapping[Words, Piece]]) -> list[tuple[Words, dict[Arm, Piece]]]:
    """The pieces of each name, by arm, with the words of the first."""
    words: dict[str, Words] = {}
    found: dict[str, dict[Arm, Piece]] = {}
    for arm, own in pieces.items():
        for each, piece in own.items():
            words.setdefault(each.name, each)
            found.setdefault(each.name, {})[arm] = piece
    return [(words[name], arms) for name, arms in found.items()]


def headed(row: Row, words: Words, kind: str) -> Figure:
    """A figure of one kind without its content."""
    title = ", ".join(part for part in (words.title, row.title) if part)
    return Figure(f"{kind}-{words.name}{row.ending}", title, f"{words.caption} {row.runs}".strip())


def described(row: Row, words: Words, arm: Arm) -> str:
    """What one picture or panel shows."""
    return ", ".join(part for part in (words.title, arm.words, row.title) if part)


def picture_sheets(row: Row) -> Iterator[Figure]:
    """A figure for each kind of picture."""
    for words, pieces in kinds({arm: arm.latent.pictures for arm in row.arms}):
        images = []
        for arm, png in pieces.items():
            name = f"pictures-{arm.words.replace(': ', '-') or 'all'}-{words.name}{row.ending}"
            images.append(Image(name, arm.words, described(row, words, arm), png, times(png)))
        yield replace(headed(row, words, "pictures"), images=tuple(images))


def times(png: Png) -> int:
    """How many times its size a picture has to be shown to be readable."""
    return max(2 if png.width <= READABLE else 1, min(4, READABLE // png.width))


def code_maps(row: Row) -> Iterator[Figure]:
    """A figure for each kind of map, a panel for each arm."""
    for words, pieces in kinds({arm: arm.latent.maps for arm in row.arms}):
        panels = tuple(
            CodeMap(codes.points, codes.classes, arm.words, described(row, words, arm)) for arm, codes in pieces.items()
        )
        classes = max((codes.classes for codes in pieces.values()), key=len)
        legend = tuple(enumerate(classes))
        yield replace(headed(row, words, "maps"), panels=panels, legend=legend, swatch=speck_swatch)


def bar_charts(row: Row) -> Iterator[Figure]:
    """A figure for each kind of bars, a panel for each arm, with one vertical axis for all."""
    for words, pieces in kinds({arm: arm.latent.bars for arm in row.arms}):
        every = [value for bars in pieces.values() for value in bars.values]
        panels = tuple(
            BarPanel(bars, min(every), max(every), arm.series, arm.words, described(row, words, arm))
            for arm, bars in pieces.items()
        )
        yield replace(headed(row, words, "bars"), panels=panels)
