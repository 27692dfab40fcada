"""Reliability diagrams: how often predictions are right against how sure they were, with what chance alone would do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from paribus.report.axes import Axis
from paribus.report.chart import Panel
from paribus.report.lettering import titled
from paribus.report.palette import marker
from paribus.report.summaries import count
from paribus.study.numbers import interval, number

Z95 = 1.959963984540054
STRIP = 40
"""Height of the strip that shows how many examples there are at each confidence."""


@dataclass(frozen=True)
class Bin:
    """Examples of similar confidence.

    Attributes:
        low, high: edges of the bin.
        count: examples in it.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float

    def hint(self) -> str:
        """What the pointer shows."""
        return f"{count(self.count, 'example')}: on average {self.confidence:.3f} sure, {self.accuracy:.3f} right"


@dataclass(frozen=True)
class Reliability:
    """What one diagram draws.

    Attributes:
        bins: those that are not empty, in order.
        ece: the expected calibration error.
        floor: what it would be on average if every confidence were right: chance in so many examples.
        interval: 95 % interval of the calibration error, where there is one.
        runs: of how many runs it is; of several, `ece` and `floor` are means.
    """

    bins: tuple[Bin, ...]
    ece: float
    floor: float
    interval: tuple[float, float] | None = None
    runs: int = 1

    @classmethod
    def of(cls, drawing: Mapping[str, Any], interval: tuple[float, float] | None = None) -> "Reliability":
        """A drawing as `evaluation.probabilities.diagram` makes it."""
        bins = tuple(
            Bin(float(low), float(high), int(examples), float(confidence), float(accuracy))
            for low, high, examples, confidence, accuracy in drawing["bins"]
        )
        return cls(bins, float(drawing["ece"]), float(drawing["floor"]), interval)

    @classmethod
    def read(cls, drawing: Any) -> "Reliability | None":
        """The same from a file; None if it is not one."""
        try:
            return cls.of(drawing)
        except (TypeError, KeyError, ValueError):
            return None

    def notes(self) -> tuple[str, str]:
        """The lines under the title."""
        examples = count(sum(each.count for each in self.bins), "example")
        if self.runs > 1:
            told = f"mean ECE {number(self.ece)}, chance alone {number(self.floor)}"
            return told, f"{count(self.runs, 'run')}, {examples}"
        ends = f" {interval(*self.interval)}" if self.interval else ""
        return f"ECE {number(self.ece)}{ends}", f"chance alone {number(self.floor)}; {examples}"


def pooled(runs: Sequence[Reliability]) -> Reliability:
    """Runs of one arm as one diagram: their examples together, and the means of their errors and floors."""
    together: dict[tuple[float, float], list[Bin]] = {}
    for run in runs:
        for each in run.bins:
            together.setdefault((each.low, each.high), []).append(each)
    bins = []
    for (low, high), parts in sorted(together.items()):
        total = sum(part.count for part in parts)
        confidence, accuracy = (
            sum(part.count * getattr(part, name) for part in parts) / total for name in ("confidence", "accuracy")
        )
        bins.append(Bin(low, high, total, confidence, accuracy))
    ece, floor = (math.fsum(getattr(run, name) for run in runs) / len(runs) for name in ("ece", "floor"))
    return Reliability(tuple(bins), ece, floor, runs=len(runs))


def wilson(share: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a probability of which `n` trials showed `share`."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


class ReliabilityPanel(Panel):
    """Share right against confidence, above a strip of how many examples there are.

    A dot and its 95 % interval for each bin, joined to the diagonal, on which confidence is what it says; the grey band
    is where nineteen of twenty dots of a predictor whose confidences are right would lie.
    """

    def __init__(self, reliability: Reliability, title: str, width: int = 300) -> None:
        x = Axis(
            -0.02,
            1.02,
            "how sure: confidence in the answer",
            marks=[(value / 4, f"{value / 4:g}") for value in range(5)],
        )
        y = Axis(-0.02, 1.02, "how often right", marks=[(value / 4, f"{value / 4:g}") for value in range(5)])
        spoken = f"Reliability diagram. {title}. {', '.join(reliability.notes())}"
        super().__init__(x, y, title, spoken, width, width + 54 + STRIP)
        self.notes, self.bins = reliability.notes(), reliability.bins
        self.top += 34
        self.inner_height -= 34 + STRIP
        self._draw()

    def _draw(self) -> None:
        ranges = [expected_range(each) for each in self.bins]
        lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
        self.band([each.confidence for each in self.bins], lows, highs, series=7)
        (x0, y0), (x1, y1) = self.at(0, 0), self.at(1, 1)
        self.add(None, f'<path class="zero" d="M{x0:.1f},{y0:.1f}L{x1:.1f},{y1:.1f}"/>')
        self._word(0.02, 0.93, "start", "under-confident")
        self._word(0.98, 0.04, "end", "over-confident")
        largest = max((each.count for each in self.bins), default=1)
        for each in self.bins:
            (across, down), (_, even) = self.at(each.confidence, each.accuracy), self.at(0, each.confidence)
            series = 1 if each.accuracy < each.confidence else 0
            self.add(None, f'<path class="gap stroke{series}" d="M{across:.1f},{even:.1f}V{down:.1f}"/>')
            low, high = wilson(each.accuracy, each.count)
            self.whisker(each.confidence, low, high, series)
            radius = 2.2 + 2.8 * math.sqrt(each.count / largest)
            self._dot(each, series, radius)

    def _dot(self, each: Bin, series: int, radius: float) -> None:
        """A full square for a bin that is over-confident, a hollow circle for one that is not: told apart in grey."""
        across, down = self.at(each.confidence, each.accuracy)
        style = f"mark fill{series}" if series else f"hollow stroke{series}"
        place = f'transform="translate({across:.1f},{down:.1f})" d="{marker(series, radius)}"'
        self.add(None, f'<path class="{style}" {place}>{titled(each.hint())}</path>')

    def _word(self, x: float, y: float, anchor: str, text: str) -> None:
        across, down = self.at(x, y)
        self.add(None, f'<text class="tick" x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">{text}</text>')

    def group(self) -> str:
        """The panel with its notes and the strip of counts."""
        notes = (
            f'<text class="tick" x="{self.left:.1f}" y="{34 + 16 * line}">{escape(note)}</text>'
            for line, note in enumerate(self.notes)
        )
        return super().group() + self._strip() + "".join(notes)

    def _strip(self) -> str:
        """Bars of how many examples each bin has."""
        largest = max((each.count for each in self.bins), default=1)
        base, parts = self.top + self.inner_height + 24 + STRIP - 14, []
        for each in self.bins:
            tall = max(1.0, (STRIP - 20) * each.count / largest)
            first, last = (self.left + self.x.place(edge) * self.inner_width for edge in (each.low, each.high))
            parts.append(
                f'<rect class="fill7" x="{first + 0.5:.1f}" y="{base - tall:.1f}" height="{tall:.1f}" '
                f'width="{max(last - first - 1, 1):.1f}">{titled(each.hint())}</rect>'
            )
        parts.append(f'<text class="tick" x="{self.left - 6:.1f}" y="{base:.1f}" text-anchor="end">count</text>')
        return "".join(parts)


def expected_range(each: Bin) -> tuple[float, float]:
    """Where 95 % of shares right lie when the confidence of a bin is right; normal, which a picture can bear."""
    half = Z95 * math.sqrt(max(each.confidence * (1 - each.confidence), 0.0) / each.count)
    return max(0.0, each.confidence - half), min(1.0, each.confidence + half)
