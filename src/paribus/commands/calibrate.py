"""`paribus calibrate`: what saved logits are worth as probabilities, as they are and after each calibrator."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.build import build_evaluator
from paribus.commands.saved_logits import SavedLogits, read_logits
from paribus.config.compose import compose_evaluation
from paribus.errors import UserError
from paribus.evaluation.classification import AS_IT_IS, Calibrated
from paribus.evaluation.probabilities import diagram, scores
from paribus.metrics import brier_each, calibration_test, ece_interval, equal_width, log_probabilities, top_label
from paribus.report.calibration_page import (
    Change,
    JudgedLevel,
    calibration_figure,
    calibration_page,
    calibration_table,
    remarks,
)
from paribus.report.reliability import Reliability
from paribus.report.tables import as_csv
from paribus.streams import stream_seed
from paribus.study.numbers import plain
from paribus.study.records import write_atomically
from paribus.study.statistics import holm, interval, moments, p_value

DRAWS = 2000
"""Of the error of a calibrated predictor: a p value of .05 is known to within .01."""
LEVEL = 0.95
LARGE = 10**6
"""Numbers from which on it is told which calibrator is being fitted."""


def calibrate_command(path: Path, output: Path | None, overrides: Sequence[str], extra: Path | None = None) -> int:
    """Judge the logits in a file, print the table, write it, the page and the diagrams; the exit code.

    Args:
        path: .npz or .csv, see `saved_logits`.
        output: folder to write to; None for `runs/calibrate/<name of the file>`.
        overrides: `evaluation.bins=20`, or another `evaluation=` that has calibrators.
        extra: a further folder of configs, as `--config-dir` gives.

    Raises:
        UserError: the file or an override cannot be used.
    """
    evaluator = chosen_evaluator(overrides, extra)
    saved = read_logits(path)
    levels = judged(saved, evaluator)
    folder = output or Path("runs") / "calibrate" / path.stem
    about = summary(saved)
    print("\n".join([f"{path}: {about}", "", calibration_table(levels), "", *remarks(levels)]))
    write_atomically(folder / "calibration.csv", as_csv([level.row() for level in levels], list(levels[0].row())))
    write_atomically(folder / "calibration.html", calibration_page(path.name, about, levels))
    write_atomically(folder / "reliability.svg", calibration_figure(levels))
    print(folder / "calibration.html")
    return 0


def chosen_evaluator(overrides: Sequence[str], extra: Path | None) -> Calibrated:
    """The evaluator with its calibrators, from the config tree.

    Raises:
        UserError: an override is not of the evaluation, or chooses one without calibrators.
    """
    evaluation = compose_evaluation(overrides, extra, usual="calibration")
    evaluator = build_evaluator({"evaluation": evaluation, "seed": 0})
    if not isinstance(evaluator, Calibrated):
        raise UserError(f"{' '.join(overrides)}: that evaluation has no calibrators; expected evaluation=calibration")
    return evaluator


def judged(saved: SavedLogits, evaluator: Calibrated) -> list[JudgedLevel]:
    """What the logits are worth as they are, then after each calibrator if there is a validation part to fit it on."""
    generator = torch.Generator().manual_seed(stream_seed(0, "evaluation"))
    found = [Judged.of(AS_IT_IS, log_probabilities(saved.logits), "", saved.label, evaluator.bins, generator)]
    validation = saved.validation
    others = {name: each for name, each in evaluator.calibrators.items() if validation and name != AS_IT_IS}
    for name, calibrator in others.items():
        assert validation is not None
        if validation.logits.numel() > LARGE:
            print(f"fitting {name}", file=sys.stderr, flush=True)
        recalibrate = calibrator.fit(validation)
        predicted = recalibrate(saved.logits)
        found.append(Judged.of(name, predicted, recalibrate.remark, saved.label, evaluator.bins, generator))
    off = holm([each.p_value for each in found]).adjusted
    changed = [None, *changes([each.brier for each in found])]
    return [
        JudgedLevel(each.name, each.scores, each.reliability, p, change, each.remark)
        for each, p, change in zip(found, off, changed, strict=True)
    ]


class Judged(NamedTuple):
    """One prediction's own numbers; of the log-probabilities, which may be large, nothing is kept.

    Attributes:
        p_value: that a calibrated predictor shows such an ECE.
        brier: the score of each example.
    """

    name: str
    scores: dict[str, float]
    reliability: Reliability
    p_value: float
    brier: NDArray[np.float64]
    remark: str

    @classmethod
    def of(
        cls, name: str, log_probability: Tensor, remark: str, label: Tensor, bins: int, generator: torch.Generator
    ) -> "Judged":
        """The numbers of a prediction."""
        top = top_label(log_probability, label)
        test = calibration_test(*top, bins, equal_width, DRAWS, generator)
        ends = ece_interval(*top, bins, equal_width, LEVEL, DRAWS, generator)
        reliability = Reliability.of(diagram(log_probability, label, bins), (ends.lower, ends.upper))
        each = brier_each(log_probability, label).numpy()
        return cls(name, scores(log_probability, label, bins), reliability, test.p_value, each, remark)


def changes(scores: Sequence[NDArray[np.float64]]) -> list[Change | None]:
    """Each prediction's Brier score but the first's against the first's, on the same examples, `[n]` each.

    None for a single example. That score and not NLL, because it is proper too and finite for every method: binning
    gives probabilities of 0.
    """
    first, *others = scores
    if len(first) < 2:
        return [None] * len(others)
    samples = [moments(other - first) for other in others]
    p_values = [float(p_value(sample, 0.0)) if sample.deviation > 0 else 1.0 for sample in samples]
    tests = holm(p_values)
    ends = [interval(sample, level) for sample, level in zip(samples, tests.levels, strict=True)]
    return [
        Change(float(sample.mean), float(low), float(high), p)
        for sample, (low, high), p in zip(samples, ends, tests.adjusted, strict=True)
    ]


def summary(saved: SavedLogits) -> str:
    """How many examples of what there are."""
    fitted = (
        f"calibrators fitted on {plain(len(saved.validation.label), 0)} validation examples"
        if saved.validation is not None
        else "no validation part (val_logits, val_labels), so no calibrator could be fitted: none is on the test part"
    )
    return f"{plain(len(saved.label), 0)} test examples, {len(saved.classes)} classes; {fitted}"
