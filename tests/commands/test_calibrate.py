"""`paribus calibrate` on logits whose true temperature is known, and on what it must refuse."""

import csv
import math
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from scipy import stats

from paribus.cli import main
from paribus.commands.calibrate import changes
from paribus.metrics import brier_each, log_probabilities

CLASSES, SHARPENED = 5, 2.5


def planted(n, seed):
    """Labels drawn from softmax(z), and logits that are 2.5 times as sharp."""
    rng = np.random.default_rng(seed)
    z = rng.normal(scale=1.5, size=(n, CLASSES))
    label = (z + rng.gumbel(size=z.shape)).argmax(1)  # the largest of z plus Gumbel noise is a draw from softmax(z)
    return SHARPENED * z, label


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrate") / "planted.npz"
    (logits, labels), (val_logits, val_labels) = planted(4000, 0), planted(4000, 1)
    np.savez(path, logits=logits, labels=labels, val_logits=val_logits, val_labels=val_labels)
    return path


@pytest.fixture(scope="module")
def outcome(saved):
    """The rows of calibration.csv by calibrator."""
    assert main(["calibrate", str(saved), "--output", str(saved.parent / "out")]) == 0
    with (saved.parent / "out" / "calibration.csv").open() as file:
        return {row["calibrator"]: row for row in csv.DictReader(file)}


def test_every_calibrator_has_a_row(outcome):
    assert list(outcome) == ["none", "temperature", "vector", "matrix", "histogram", "isotonic", "bayesian"]


def test_sharpened_logits_are_off_and_the_temperature_mends_them(outcome):
    off, mended = outcome["none"], outcome["temperature"]
    assert float(off["ece"]) > 5 * float(off["ece_floor"])
    assert float(off["p_calibrated"]) < 0.01
    assert float(off["ece_low"]) > 0.05
    assert float(mended["ece"]) < 2 * float(mended["ece_floor"])
    assert float(mended["p_calibrated"]) > 0.05
    assert mended["accuracy"] == off["accuracy"]
    assert float(mended["brier_change_high"]) < 0
    assert float(mended["brier_change_p"]) < 0.001


def test_the_page_needs_nothing_else_and_has_a_diagram_each(saved, outcome):
    page = (saved.parent / "out" / "calibration.html").read_text()
    assert page.count('aria-label="Reliability diagram. ') == len(outcome)
    assert "http:" not in page
    assert "https:" not in page
    assert "<script" not in page
    ElementTree.fromstring((saved.parent / "out" / "reliability.svg").read_text())


def test_a_change_has_students_interval_where_it_is_not_skewed():
    rng = np.random.default_rng(2)
    first, second = (log_probabilities(torch.from_numpy(rng.normal(size=(2000, CLASSES)))) for _ in range(2))
    label = torch.from_numpy(rng.integers(CLASSES, size=2000))
    (found,) = changes([brier_each(p, label).numpy() for p in (first, second)])
    each = [((p.exp().numpy() - np.eye(CLASSES)[label.numpy()]) ** 2).sum(1) for p in (first, second)]
    expected = stats.ttest_rel(each[1], each[0])
    assert found.mean == pytest.approx(expected.statistic * stats.sem(each[1] - each[0]))
    assert found.p == pytest.approx(expected.pvalue, rel=0.1)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.1)


def test_without_a_validation_part_nothing_is_fitted(tmp_path, capsys):
    logits, labels = planted(300, 3)
    np.savez(tmp_path / "test_only.npz", logits=logits, labels=labels)
    assert main(["calibrate", str(tmp_path / "test_only.npz"), "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "no validation part" in printed
    assert "temperature" not in printed


def test_what_is_to_be_known_of_a_fit_is_told(tmp_path, capsys):
    logits, labels = planted(50, 4)
    right = np.eye(CLASSES)[labels[:1]] * 3.0
    np.savez(tmp_path / "tiny.npz", logits=logits, labels=labels, val_logits=right, val_labels=labels[:1])
    assert main(["calibrate", str(tmp_path / "tiny.npz"), "--output", str(tmp_path / "out")]) == 0
    told = "temperature: NLL has no minimum at a finite temperature"
    assert told in capsys.readouterr().out
    assert told in (tmp_path / "out" / "calibration.html").read_text()


def test_a_single_example_is_judged_without_a_comparison(tmp_path):
    logits, labels = planted(30, 5)
    np.savez(tmp_path / "one.npz", logits=logits[:1], labels=labels[:1], val_logits=logits[1:], val_labels=labels[1:])
    assert main(["calibrate", str(tmp_path / "one.npz"), "--output", str(tmp_path)]) == 0
    with (tmp_path / "calibration.csv").open() as file:
        assert {row["brier_change"] for row in csv.DictReader(file)} == {""}


def test_bins_are_a_setting(saved, tmp_path):
    assert main(["calibrate", str(saved), "evaluation.bins=7", "--output", str(tmp_path)]) == 0
    with (tmp_path / "calibration.csv").open() as file:
        row = next(csv.DictReader(file))
    logits, label = planted(4000, 0)
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    confidence, correct = p.max(1), p.argmax(1) == label
    index = np.ceil(confidence * 7)
    ece = math.fsum(abs((correct[index == k] - confidence[index == k]).sum()) for k in range(8)) / 4000
    assert float(row["ece"]) == pytest.approx(ece, rel=1e-9)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["absent.npz"], "there is no such file"),
        (["absent.npz", "evaluation=classification"], "has no calibrators"),
        (["absent.npz", "evaluation.bin=3"], "Did you mean 'evaluation.bins'?"),
        (["absent.npz", "evaluation.bins=0"], "expected a whole number from 1 to 1000"),
        (["absent.npz", "optimizer.lr=1"], "nothing is trained"),
        (["absent.npz", "--ouput", "x"], "Did you mean '--output'?"),
    ],
)
def test_mistakes_are_told_in_a_line(words, told, capsys):
    assert main(["calibrate", *words]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert "Traceback" not in printed
