"""What `paribus calibrate` shows: a table for the terminal, and a page with a diagram for each calibrator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from paribus.report.chart import standalone
from paribus.report.page import rendered
from paribus.report.reliability import Reliability, ReliabilityPanel
from paribus.study.columns import table
from paribus.study.numbers import interval, number, p_text
from paribus.study.statistics import FAMILY_ERROR

SHOWN = {"accuracy": "accuracy", "nll": "NLL", "brier": "Brier", "ece": "ECE"}
COLUMNS = ("calibrator", *SHOWN.values(), "95 % interval", "chance alone", "is it off?", "Brier score against none")
NOTES = (
    "ECE: how far confidence is from the share that is right, on average; its interval is of what the test part stands "
    "for. Chance alone: the ECE that so many examples would show if every confidence were right.",
    "Is it off: whether the ECE is larger than chance explains, at 0.05 over all rows (Holm).",
    "Brier score against none: the mean difference on the same examples, lower is better; its interval is at the "
    "level at which it was tested (Holm over the rows).",
)


@dataclass(frozen=True)
class Change:
    """A mean difference from no calibration, example by example, with its interval and its adjusted p value."""

    mean: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        answer = "no clear difference" if self.p > FAMILY_ERROR else "better" if self.mean < 0 else "worse"
        return f"{number(self.mean)} {interval(self.low, self.high)}: {answer}"


@dataclass(frozen=True)
class JudgedLevel:
    """One calibrator's probabilities.

    Attributes:
        name: of the calibrator.
        scores: its metrics by name.
        reliability: what its diagram draws; the interval of the ECE with it.
        p_calibrated: how often chance alone gives such an ECE, adjusted for the number of rows.
        change: of the Brier score against no calibration; None for no calibration itself.
        remark: on the fit, if there is something to say.
    """

    name: str
    scores: Mapping[str, float]
    reliability: Reliability
    p_calibrated: float
    change: Change | None
    remark: str

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        low, high = self.reliability.interval or (float("nan"), float("nan"))
        off = "yes" if self.p_calibrated <= FAMILY_ERROR else "no sign of it"
        return (
            self.name,
            *(number(self.scores[name], 4) for name in SHOWN),
            interval(low, high),
            number(self.reliability.floor),
            f"{off} ({p_text(self.p_calibrated)})",
            str(self.change) if self.change else "",
        )

    def row(self) -> dict[str, Any]:
        """The row of the CSV."""
        low, high = self.reliability.interval or ("", "")
        change = self.change
        return {
            "calibrator": self.name,
            **self.scores,
            "ece_low": low,
            "ece_high": high,
            "p_calibrated": self.p_calibrated,
            "brier_change": change.mean if change else "",
            "brier_change_low": change.low if change else "",
            "brier_change_high": change.high if change else "",
            "brier_change_p": change.p if change else "",
        }


def calibration_table(levels: Sequence[JudgedLevel]) -> str:
    """The table for a terminal."""
    return table(COLUMNS, [level.cells() for level in levels], left=len(COLUMNS))


def remarks(levels: Sequence[JudgedLevel]) -> list[str]:
    """What is to be known of the fits, a line each."""
    return [f"{level.name}: {level.remark}." for level in levels if level.remark]


def calibration_page(name: str, summary: str, levels: Sequence[JudgedLevel]) -> str:
    """The page: self-contained, without a script."""
    panels = [Markup(panel.svg()) for panel in reliability_panels(levels)]
    content = {
        "name": name,
        "title": "Is the confidence worth what it says?",
        "summary": summary,
        "columns": COLUMNS,
        "rows": [level.cells() for level in levels],
        "notes": [*remarks(levels), *NOTES],
        "panels": panels,
    }
    return rendered("calibration.html.j2", content)


def calibration_figure(levels: Sequence[JudgedLevel]) -> str:
    """The diagrams as a file of their own."""
    return standalone(reliability_panels(levels), ())


def reliability_panels(levels: Sequence[JudgedLevel]) -> list[ReliabilityPanel]:
    """A diagram for each level."""
    return [ReliabilityPanel(level.reliability, level.name, width=320) for level in levels]
