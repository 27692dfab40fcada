"""Planes of two metrics: where points, intervals, lines and diagonals lie, and that labels stay readable."""

import json
import math
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from paribus.report import report
from paribus.report.arrangement import arrange_plane
from paribus.report.collect import Collected, collect
from paribus.report.labels import Box, place_labels
from paribus.report.plane_points import plane_points
from paribus.report.planes import plane_figures
from paribus.study.numbers import interval, number
from paribus.study.parsing import parse_study


@pytest.fixture(scope="module")
def collected(terms_folder: Path) -> Collected:
    return collect(terms_folder)


def roles(study):
    arrangement = arrange_plane(study, [])
    return (
        arrangement.across and arrangement.across.name,
        arrangement.compared and arrangement.compared.name,
        [factor.name for factor in arrangement.panels],
    )


def declared(latent: ModuleType, **parts):
    return parse_study({**latent.STUDY, **parts})


BETTER = {"kind": "better", "metric": "distortion"}


def test_lines_run_along_the_numeric_factor_with_most_levels(latent: ModuleType) -> None:
    assert roles(declared(latent)) == (
        "objective.beta", "objective.free_nats", ["objective.ramp", "problem"],
    )  # fmt: skip
    order = {"ramp": [0.0, 0.5], "free_nats": [0.0, 1.0], "beta": [1, 2, 4]}
    assert roles(declared(latent, factors=order)) == ("beta", "ramp", ["free_nats"])


def test_claims_decide_what_else_is_compared(latent: ModuleType) -> None:
    claims = [
        {"id": "ramp", **BETTER, "arm": {"objective.ramp": 0.5}, "than": {"objective.ramp": 0.0}},
        *({"id": f"beta{beta}", **BETTER, "arm": {"objective.beta": 0.25}, "than": {"objective.beta": beta}}
          for beta in (1.0, 2.0)),
    ]  # fmt: skip
    assert roles(declared(latent, claims=claims))[:2] == ("objective.beta", "objective.ramp")


def test_data_sets_stand_in_panels_of_their_own(latent: ModuleType) -> None:
    problem = latent.STUDY["factors"]["problem"]
    beta = {"objective.beta": [1.0, 4.0]}
    assert roles(declared(latent, factors={"problem": problem, **beta})) == ("objective.beta", None, ["problem"])
    assert roles(declared(latent, factors={"data": ["a", "b"], "family": ["vae", "wae"]})) == (None, "family", ["data"])
    assert roles(declared(latent, factors={"family": ["vae", "wae"], **beta})) == ("objective.beta", "family", [])


def test_points_are_means_with_students_intervals_both_ways(collected: Collected, latent: ModuleType) -> None:
    plane = collected.study.planes[0]
    arrangement = arrange_plane(collected.study, collected.comparison.results)
    points = plane_points(collected.comparison, arrangement, plane)
    assert len(points) == 6 * 3 * 2 * 2
    for point in points[::5]:
        levels = {**point.panel, "objective.free_nats": point.arm, "objective.beta": point.across}
        runs = [
            latent.measured(
                levels["problem"], point.across, point.arm, levels["objective.ramp"], seed
            )
            for seed in range(4)
        ]  # fmt: skip
        for name, found in (("rate", point.x), ("distortion", point.y)):
            values = [run[name] for run in runs]
            low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
            assert (found.mean, found.low, found.high, found.n) == (
                *map(pytest.approx, (np.mean(values), low, high)),
                4,
            )


def test_a_run_counts_only_with_both_metrics(tmp_path: Path, latent: ModuleType) -> None:
    folder = latent.write_latent_study(tmp_path, {"objective.beta": [1.0, 4.0]}, ("digits",), 3, pictures=False)
    spoilt = sorted(folder.glob("*/run.json"))[0]
    record = json.loads(spoilt.read_text())
    record["rows"][0]["metrics"]["rate"] = math.inf
    spoilt.write_text(json.dumps(record))
    collected = collect(folder)
    figure, *_ = plane_figures(collected)
    points = plane_points(
        collected.comparison, arrange_plane(collected.study, collected.comparison.results), collected.study.planes[0]
    )
    assert sorted(point.y.n for point in points) == [2, 3]
    assert "1 value not drawn" in figure.note


def test_one_figure_a_data_set_with_axes_in_common(collected: Collected) -> None:
    figures = plane_figures(collected)
    assert [figure.name for figure in figures] == ["plane-rate-distortion-1", "plane-rate-distortion-2"]
    assert [figure.title for figure in figures] == [
        "The rate-distortion plane, problem: digits", "The rate-distortion plane, problem: mnist5k",
    ]  # fmt: skip
    for figure in figures:
        first, second = figure.panels
        assert (first.title, second.title) == ("ramp: 0", "ramp: 0.5")
        assert (first.x, first.y) == (second.x, second.y)
        assert (first.x.label, first.y.label) == ("rate (nats)", "distortion (nats)")
        assert [text for _, text in figure.legend] == ["free_nats: 0", "free_nats: 0.5", "free_nats: 1"]


def inner(panel) -> ElementTree.Element:
    found = ElementTree.fromstring(panel.svg()).find("svg")
    assert found is not None
    return found


def marks_of(panel) -> list[tuple[float, float]]:
    text = ElementTree.tostring(inner(panel), encoding="unicode")
    found = re.findall(r'class="mark [^>]*translate\(([-\d.]+),([-\d.]+)\)', text)
    return [(float(x), float(y)) for x, y in found]


def test_points_stand_where_the_axes_say_and_lines_join_them_in_order(collected: Collected) -> None:
    panel = plane_figures(collected)[0].panels[0]
    points = [
        point
        for point in plane_points(
            collected.comparison,
            arrange_plane(collected.study, collected.comparison.results),
            collected.study.planes[0],
        )
        if point.panel == {"objective.ramp": 0.0, "problem": "digits"}
    ]
    expected = [panel.at(point.x.mean, point.y.mean) for point in points]
    assert marks_of(panel) == [pytest.approx(place, abs=0.06) for place in expected]
    assert "ghost" not in panel.svg()
    repeated = re.findall(r'class="ghost" d="M([-\d.]+),([-\d.]+)L', plane_figures(collected)[0].panels[1].svg())
    starts = [pytest.approx(place, abs=0.06) for place in expected[::6]]
    assert [(float(x), float(y)) for x, y in repeated] == starts, "what the first panel shows, in the second"
    lines = [
        element.attrib["d"] for element in inner(panel).iter("path") if "line stroke" in element.attrib.get("class", "")
    ]
    assert len(lines) == 3
    for line, start in zip(lines, range(0, 18, 6), strict=True):
        joined = [tuple(map(float, pair)) for pair in re.findall(r"([-\d.]+),([-\d.]+)", line)]
        assert joined == [pytest.approx(place, abs=0.06) for place in expected[start : start + 6]]


def test_every_point_says_its_level_without_covering_another(collected: Collected) -> None:
    for panel in plane_figures(collected)[0].panels:
        labels = [element for element in inner(panel).iter("text") if "said" in element.attrib["class"]]
        texts = [element.text for element in labels]
        assert len(texts) == 18
        assert texts[0] == "beta = 0.25"
        assert texts[5] == "beta = 8"
        assert texts[6:12] == ["0.25", "0.5", "1", "2", "4", "8"]
        boxes = [box_of(element) for element in labels]
        for index, box in enumerate(boxes):
            assert all(box.overlap(other) == 0 for other in boxes[:index])
            assert all(box.overlap(Box(x - 3, y - 3, x + 3, y + 3)) == 0 for x, y in marks_of(panel))


def box_of(element: ElementTree.Element) -> Box:
    """Digits of 11.5 px are at least 6 px wide in any font."""
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    half = 3 * len(element.text or "")
    return Box(x - half, y - 9, x + half, y)


def test_diagonals_join_equal_sums_where_the_records_measure_the_sum(collected: Collected) -> None:
    figure = plane_figures(collected)[0]
    panel = figure.panels[0]
    found = re.findall(r'class="iso" d="M([-\d.]+),([-\d.]+)L([-\d.]+),([-\d.]+)"', panel.svg())
    assert len(found) >= 3

    def value(across: float, down: float) -> float:
        x = panel.x.low + across / panel.inner_width * (panel.x.high - panel.x.low)
        return x + panel.y.low + (1 - down / panel.inner_height) * (panel.y.high - panel.y.low)

    sums = [(value(*map(float, each[:2])), value(*map(float, each[2:]))) for each in found]
    assert all(one == pytest.approx(other, abs=0.1) for one, other in sums)
    told = [element.text for element in inner(panel).iter("text") if "isolabel" in element.attrib["class"]]
    assert told == [f"elbo {number(-round(one), 2)}" for one, _ in sums]
    assert "equal elbo" in figure.caption


@pytest.mark.parametrize("how", ["no sum", "other unit", "log"])
def test_no_diagonals_where_a_sum_means_nothing(tmp_path: Path, latent: ModuleType, how: str) -> None:
    metrics = json.loads(json.dumps(latent.STUDY["metrics"]))
    if how == "other unit":
        metrics["rate"]["unit"] = "bits"
    if how == "log":
        metrics["rate"]["scale"] = "log"
    folder = latent.write_latent_study(
        tmp_path, {"objective.beta": [1.0, 4.0]}, ("digits",), 2, {"metrics": metrics}, pictures=False
    )
    if how == "no sum":
        for path in folder.glob("*/run.json"):
            record = json.loads(path.read_text())
            record["rows"][0]["metrics"]["elbo"] *= 1.01
            path.write_text(json.dumps(record))
    figure, *_ = plane_figures(collect(folder))
    assert 'class="iso"' not in figure.panels[0].svg()
    assert "equal" not in figure.caption
    assert figure.panels[0].x.log == (how == "log")


def test_the_numbers_of_a_plane_are_in_its_table(collected: Collected) -> None:
    figure = plane_figures(collected)[0]
    point = plane_points(
        collected.comparison, arrange_plane(collected.study, collected.comparison.results), collected.study.planes[0]
    )[0]
    factors = ("objective.ramp", "problem", "objective.free_nats", "objective.beta")
    assert figure.columns == (*factors, "rate", "95 % interval", "distortion", "95 % interval", "n")
    assert figure.rows[0] == (
        "0", "digits", "0", "0.25", number(point.x.mean, 4), interval(point.x.low, point.x.high),
        number(point.y.mean, 4), interval(point.y.low, point.y.high), "4",
    )  # fmt: skip


def test_arms_without_a_numeric_factor_are_named_at_their_points(tmp_path: Path, latent: ModuleType) -> None:
    bundle = {"term": {f"b{beta:g}": {"objective.beta": beta} for beta in (0.5, 1.0, 4.0)}}
    folder = latent.write_latent_study(
        tmp_path, {"objective.beta": [0.5, 1.0, 4.0]}, ("digits",), 2, {"factors": bundle}, pictures=False
    )
    (figure,) = plane_figures(collect(folder))
    texts = [each.text for each in inner(figure.panels[0]).iter("text") if "said" in each.attrib["class"]]
    assert texts == ["b0.5", "b1", "b4"]
    assert figure.title == "The rate-distortion plane"


def test_the_section_stands_between_results_and_comparisons(terms_folder: Path) -> None:
    files = report(terms_folder)
    text = files.page.read_text()
    places = [text.index(f'<section id="{name}"') for name in ("figures", "planes", "comparisons")]
    assert places == sorted(places)
    assert text.count("Each point is the mean") == 1, "said once for all figures of the section"
    assert {path.name for path in files.figures} >= {f"plane-rate-distortion-{n}.svg" for n in (1, 2)}
    for path in files.figures:
        ElementTree.fromstring(path.read_text())


def test_a_study_without_planes_has_no_such_section(tmp_path: Path, latent: ModuleType) -> None:
    latent.write_latent_study(tmp_path, {"objective.beta": [1.0, 4.0]}, ("digits",), 2, {"planes": []}, pictures=False)
    assert 'id="planes"' not in report(tmp_path).page.read_text()


def test_metrics_that_no_run_has_make_no_plane(tmp_path: Path, latent: ModuleType) -> None:
    metrics = {**latent.STUDY["metrics"], "fid": {"direction": "minimise"}}
    parts = {"metrics": metrics, "planes": [{"x": "rate", "y": "fid"}]}
    latent.write_latent_study(tmp_path, {"objective.beta": [1.0, 4.0]}, ("digits",), 2, parts, pictures=False)
    assert plane_figures(collect(tmp_path)) == []


def test_labels_keep_clear_of_marks_lines_and_each_other() -> None:
    generator = np.random.default_rng(3)
    anchors = [(float(x), float(y)) for x, y in generator.uniform(40, 260, (20, 2))]
    marks = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in anchors]
    placed = place_labels(anchors, [(20.0, 11.0)] * 20, 300, 300, marks, [])
    assert None not in placed
    for index, box in enumerate(placed):
        assert box is not None
        assert min(box.left, box.top) >= 0
        assert max(box.right, box.bottom) <= 300
        others = [other for other in placed[:index] if other is not None]
        assert all(box.overlap(other) == 0 for other in (*marks, *others))


def test_a_label_without_room_is_left_out() -> None:
    placed = place_labels([(10.0, 10.0)] * 4, [(16.0, 11.0)] * 4, 40, 30, [], [])
    assert placed[0] is not None
    assert placed.count(None) >= 1
