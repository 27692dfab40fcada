"""What evaluators of latent-variable models leave to be drawn: pictures, maps of codes, bars; each is checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paribus.report.drawings import read_drawing
from paribus.report.png import Png, checked_png

KIND = "latent"
MOST_PIECES = 12
"""Pictures, maps or bars that are read of one run."""
MOST_CLASSES, MOST_BARS, LARGE = 50, 1000, 1e100
LONGEST_LABEL = 16
"""Letters of what stands under a bar."""


@dataclass(frozen=True)
class Words:
    """What is said of a piece: `name` tells its kind from the others of a run."""

    name: str
    title: str
    caption: str

    @classmethod
    def of(cls, piece: Mapping[str, Any]) -> "Words | None":
        """The words of a piece; None if it has no name. What is no text is left out."""
        name, title, caption = (
            each.strip() if isinstance(each := piece.get(key), str) else "" for key in ("name", "title", "caption")
        )
        return cls(name, title or name, caption) if name else None


@dataclass(frozen=True)
class Codes:
    """Codes of examples in two dimensions: x, y and number of the class of each."""

    points: tuple[tuple[float, float, int], ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Bars:
    """Values from left to right, and what stands under each; no labels for bars that are numbered from 1."""

    values: tuple[float, ...]
    labels: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """What each bar is called."""
        return self.labels or tuple(str(place) for place in range(1, len(self.values) + 1))


class Latent:
    """The pieces of one run, by their words.

    Args:
        drawing: as the evaluator left it.
    """

    def __init__(self, drawing: Mapping[str, Any]) -> None:
        self.drawing = drawing

    @classmethod
    def read(cls, path: Path) -> "Latent | None":
        """The pieces in `path`; None if it has none."""
        latent = cls(read_drawing(path, KIND))
        return latent if latent.pictures or latent.maps or latent.bars else None

    @cached_property
    def pictures(self) -> dict[Words, Png]:
        """What is a PNG."""
        read = ((words, checked_png(piece.get("png"))) for words, piece in self._pieces("pictures"))
        return {words: png for words, png in read if png is not None}

    @cached_property
    def maps(self) -> dict[Words, Codes]:
        """Maps whose every point has a place and a class."""
        read = ((words, codes_of(piece)) for words, piece in self._pieces("maps"))
        return {words: codes for words, codes in read if codes is not None}

    @cached_property
    def bars(self) -> dict[Words, Bars]:
        """Bars whose every value is finite."""
        read = ((words, bars_of(piece)) for words, piece in self._pieces("bars"))
        return {words: bars for words, bars in read if bars is not None}

    def _pieces(self, key: str) -> Iterable[tuple[Words, Mapping[str, Any]]]:
        pieces = self.drawing.get(key)
        for piece in pieces[:MOST_PIECES] if isinstance(pieces, list) else ():
            words = Words.of(piece) if isinstance(piece, Mapping) else None
            if words:
                yield words, piece


def codes_of(piece: Mapping[str, Any]) -> Codes | None:
    """The codes of a map; None if they are not such."""
    points, classes = piece.get("points"), piece.get("classes")
    if not isinstance(points, list) or not points or not isinstance(classes, list) or len(classes) > MOST_CLASSES:
        return None
    if not all(isinstance(point, list) and len(point) == 3 and all(map(is_number, point)) for point in points):
        return None
    if not all(isinstance(label, int) and 0 <= label < len(classes) for *_, label in points):
        return None
    return Codes(tuple((float(x), float(y), label) for x, y, label in points), tuple(map(str, classes)))


def bars_of(piece: Mapping[str, Any]) -> Bars | None:
    """The bars of a piece, without labels unless it has a fit one for each; None if its values are none."""
    values, labels = piece.get("values"), piece.get("labels")
    if not isinstance(values, list) or not 0 < len(values) <= MOST_BARS or not all(map(is_number, values)):
        return None
    if not isinstance(labels, list) or len(labels) != len(values) or not all(map(is_label, labels)):
        labels = []
    return Bars(tuple(map(float, values)), tuple(labels))


def is_label(value: object) -> bool:
    """Whether `value` is a short plain text."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= LONGEST_LABEL


def is_number(value: object) -> bool:
    """Whether `value` is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGE
