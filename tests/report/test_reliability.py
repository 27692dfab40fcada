"""Reliability diagrams against counts made by hand, scipy's intervals and what is drawn."""

import json
import math
import re
from xml.etree import ElementTree

import pytest
from scipy import stats

from paribus.report.chart import standalone
from paribus.report.diagrams import run_diagrams
from paribus.report.reliability import Bin, Reliability, ReliabilityPanel, expected_range, pooled, wilson

DRAWING = {"bins": [[0.4, 0.6, 10, 0.5, 0.7], [0.8, 1.0, 30, 0.95, 0.8]], "ece": 0.1625, "floor": 0.08}
ONE = Reliability.read(DRAWING)


@pytest.mark.parametrize(("right", "n"), [(0, 5), (3, 10), (80, 100), (7, 7)])
def test_wilsons_interval_is_scipys(right, n):
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_expected_range_is_that_of_a_binomial():
    low, high = expected_range(Bin(0.7, 0.8, 400, 0.75, 0.5))
    exact = stats.binom.interval(0.95, 400, 0.75)
    assert (400 * low, 400 * high) == pytest.approx(exact, abs=1)  # a count is a whole number
    assert expected_range(Bin(0.9, 1.0, 50, 1.0, 0.98)) == (1.0, 1.0)


def test_pooling_adds_examples_and_averages_errors():
    other = Reliability.read({"bins": [[0.8, 1.0, 10, 0.85, 1.0]], "ece": 0.15, "floor": 0.1})
    both = pooled([ONE, other])
    assert both.notes() == ("mean ECE 0.156, chance alone 0.0900", "2 runs, 50 examples")
    assert [(each.low, each.count) for each in both.bins] == [(0.4, 10), (0.8, 40)]
    assert both.bins[1].confidence == pytest.approx((30 * 0.95 + 10 * 0.85) / 40)
    assert both.bins[1].accuracy == pytest.approx((30 * 0.8 + 10 * 1.0) / 40)
    assert (both.ece, both.floor) == (pytest.approx((0.1625 + 0.15) / 2), pytest.approx(0.09))


def test_dots_stand_where_confidence_and_accuracy_are():
    panel = ReliabilityPanel(ONE, "temperature & more")
    drawing = standalone([panel], [])
    root = ElementTree.fromstring(drawing)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {
        "temperature & more",
        "ECE 0.163",
        "chance alone 0.0800; 40 examples",
        "over-confident",
        "under-confident",
    } <= set(texts)
    places = [
        tuple(map(float, each))
        for each in re.findall(r'class="(?:mark|hollow)[^>]*translate\(([\d.]+),([\d.]+)\)', drawing)
    ]
    assert places == [pytest.approx(panel.at(each.confidence, each.accuracy), abs=0.1) for each in ONE.bins]
    hints = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert "30 examples: on average 0.950 sure, 0.800 right" in hints


def test_over_and_under_confidence_differ_in_colour_and_in_shape():
    drawing = standalone([ReliabilityPanel(ONE, "")], [])
    marks = re.findall(r'class="(mark fill1|hollow stroke0)"[^>]* d="([^"]+)"', drawing)
    assert len({style for style, _ in marks}) == len({path[:6] for _, path in marks}) == 2


def test_the_strip_is_as_high_as_the_counts():
    drawing = standalone([ReliabilityPanel(ONE, "")], [])
    heights = [float(each) for each in re.findall(r'<rect class="fill7"[^>]*height="([\d.]+)"', drawing)]
    assert heights[0] / heights[1] == pytest.approx(10 / 30, abs=0.01)


@pytest.mark.parametrize("bins", [[[0.9, 1.0, 1, 1.0, 1.0]], [[0.0, 0.1, 1, 0.0, 1.0]], [[0.0, 1.0, 10**7, 0.3, 0.3]]])
def test_extremes_are_drawn_within_the_panel(bins):
    panel = ReliabilityPanel(Reliability.read({"bins": bins, "ece": 0.0, "floor": 0.0}), "")
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", "".join(panel.marks))]
    assert all(math.isfinite(each) for each in numbers)
    ElementTree.fromstring(standalone([panel], []))


BROKEN = [
    "", "[]", '{"kind": "curve"}', '{"kind": "reliability", "levels": []}',
    '{"kind": "reliability", "levels": {"none": {"bins": [[1, 2]], "ece": 0, "floor": 0}}}',
    '{"kind": "reliability", "levels": {"none": {"bins": [], "ece": 0, "floor": 0}}}',
    '{"kind": "reliability", "levels": {"none": null}}',
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_drawing_is_not_drawn(tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    assert run_diagrams(tmp_path / "fit.json") == {}


def test_a_drawing_is_read_by_level(tmp_path):
    (tmp_path / "fit.json").write_text(json.dumps({"kind": "reliability", "levels": {"none": DRAWING}}))
    assert run_diagrams(tmp_path / "fit.json") == {"none": ONE}
