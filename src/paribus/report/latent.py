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
    def bars(self) -> dict[Words, tuple[float, ...]]:
        """Finite values."""
        read = ((words, bars_of(piece)) for words, piece in self._pieces("bars"))
        return {words: values for words, values in read if values}

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


def bars_of(piece: Mapping[str, Any]) -> tuple[float, ...]:
    """The values of bars; empty if they are not such."""
    values = piece.get("values")
    if not isinstance(values, list) or len(values) > MOST_BARS or not all(map(is_number, values)):
        return ()
    return tuple(map(float, values))


def is_number(value: object) -> bool:
    """Whether `value` is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGE
