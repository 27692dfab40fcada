"""What figures draw against independent computations."""

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from paribus.report import report
from paribus.report.arrangement import arrange
from paribus.report.axes import Axis, covering, linear_ticks, log_ticks
from paribus.report.chart import Panel
from paribus.report.collect import Collected, collect
from paribus.report.contrasts import all_findings, contrast_table
from paribus.report.curves import read_curves
from paribus.report.figures import cut_note, means, metric_axis, metric_figures
from paribus.report.fits import read_fit
from paribus.report.lettering import text_width
from paribus.report.palette import DARK, DASHES, LIGHT, MARKERS, page_style
from paribus.report.summaries import Summary, mean_interval, quantile
from paribus.study.factors import Metric, Scale
from paribus.study.numbers import estimate, interval, number, percent


@pytest.fixture(scope="module")
def collected(robust_folder: Path) -> Collected:
    return collect(robust_folder)


def test_means_have_students_interval(collected: Collected) -> None:
    metric = collected.study.metric("r2")
    for point in means(collected.comparison, arrange(collected.study), metric):
        values = [
            result.metrics["r2"]
            for result in collected.comparison.results
            if result.levels["objective"] == point.arm
            and result.levels["data.contamination.fraction"] == point.across
            and result.levels["problem"] == point.panel["problem"]
            and math.isfinite(result.metrics.get("r2", math.nan))
        ]
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        found = point.summary
        assert found.n == len(values)
        assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), rel=1e-9)


def test_log_metrics_have_the_geometric_mean() -> None:
    values = [0.5, 2.0, 8.0, 1.5]
    found = mean_interval(values, "log")
    low, high = stats.t.interval(0.95, 3, np.mean(np.log(values)), stats.sem(np.log(values)))
    assert (found.mean, found.low, found.high) == pytest.approx((stats.gmean(values), np.exp(low), np.exp(high)))


def test_values_that_cannot_be_averaged_are_counted() -> None:
    found = mean_interval([1.0, math.nan, math.inf, 3.0, -1.0], "log")
    assert (found.n, found.left_out) == (2, 3)
    assert math.isnan(mean_interval([], "linear").mean)
    assert math.isnan(mean_interval([2.0], "linear").low)
    assert mean_interval([1e-300, 1e300], "log").high == math.inf


def test_quantiles_are_numpys() -> None:
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert quantile(values, share) == pytest.approx(np.quantile(values, share))


def test_numbers_of_a_figure_are_those_of_its_means(collected: Collected) -> None:
    arrangement = arrange(collected.study)
    figure = metric_figures(collected.comparison, arrangement)[0]
    points = list(means(collected.comparison, arrangement, collected.study.metric("mae")))
    told = [(number(p.summary.mean, 4), interval(p.summary.low, p.summary.high), str(p.summary.n)) for p in points]
    assert [row[-3:] for row in figure.rows] == told
    assert len(figure.panels) == 2
    assert [label for _, label in figure.legend] == ["squared", "absolute", "huber", "log_cosh", "cauchy", "tukey"]


def test_panels_draw_values_where_their_axes_say(collected: Collected) -> None:
    figure = metric_figures(collected.comparison, arrange(collected.study))[0]
    panel = figure.panels[0]
    root = ElementTree.fromstring(panel.svg())
    inner = root.find("svg")
    assert inner is not None
    marks = [mark for group in inner.iter("g") for mark in group.findall("path") if "mark" in mark.attrib["class"]]
    assert len(marks) == 30
    assert float(marks[0].attrib["transform"].split(",")[1].rstrip(")")) > 0.5 * float(inner.attrib["height"])
    assert "squared, data.contamination.fraction=0" in marks[0].findtext("title", "")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_an_interval_is_cut_only_where_it_dwarfs_the_others_and_an_arrow_says_so(scale: Scale) -> None:
    similar = [Summary(63.0, 56.2, 70.1, 10), Summary(60.3, 52.1, 69.9, 10), Summary(60.1, 52.5, 68.7, 10)]
    far = [*similar[:2], Summary(60.1, 0.01, 361_201.0, 2)]
    metric = Metric("rmse", "minimise", scale=scale)
    for summaries, cut in ((similar, 0), (similar[:1], 0), (far, 2)):
        axis = metric_axis(summaries, metric)
        across, upright = Panel(axis, Axis(0.0, 4.0)), Panel(Axis(0.0, 4.0), axis)
        for place, each in enumerate(summaries, start=1):
            across.bar(each.low, each.high, place, "whisker")
            upright.whisker(place, each.low, each.high, 0)
        assert all(axis.low < end < axis.high for each in summaries[:2] for end in (each.low, each.high))
        assert across.cut == upright.cut == (cut > 0)
        assert bool(cut_note([across])) == (cut > 0)
        arrows = sum(mark.count("l8,8l-8,8") + mark.count("l-8,8l8,8") for mark in across.marks)
        upward = sum(mark.count("l3,-5l3,5") + mark.count("l3,5l3,-5") for mark in upright.marks)
        assert (arrows, upward) == (cut, cut)


def test_titles_and_names_of_axes_stand_inside_the_panel() -> None:
    title = "discriminator: spectral_norm, objective: relativistic_average, problem: ring_of_gaussians"
    name = "ratio of median_absolute_error: relativistic_average / least_squares_gan (nats per example)"
    beside = "median_absolute_error (minutes of delivery)"
    panel = Panel(Axis(0.0, 1.0, name), Axis(0.0, 1.0, beside), title, width=300, height=200)
    texts = [each for each in ElementTree.fromstring(panel.svg()).iter("text") if each.get("class") != "tick"]
    assert " ".join(each.text or "" for each in texts) == f"{title} {name} {beside}"
    for each in texts:
        wide = text_width(each.text or "")
        if each.get("class") == "title":
            assert 0 <= float(each.attrib["x"]) <= panel.width - wide
        elif each.get("x"):
            assert wide / 2 <= float(each.attrib["x"]) <= panel.width - wide / 2
        else:
            down = float(each.attrib["transform"].split(",")[1].split(")")[0])
            assert wide / 2 <= down <= panel.height - wide / 2


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-3.2, 7.9), (1e-8, 3e-8), (-4e6, 1e7), (0.97, 1.03)])
def test_linear_ticks_are_round_and_inside(bounds: tuple[float, float]) -> None:
    low, high = bounds
    ticks = linear_ticks(low, high)
    assert 3 <= len(ticks) <= 11
    assert all(low - 1e-12 * abs(low) <= tick <= high + 1e-12 * abs(high) for tick in ticks)
    assert np.allclose(np.diff(ticks), np.diff(ticks)[0])


@pytest.mark.parametrize("bounds", [(0.4, 8.0), (1e-9, 1e9), (0.97, 1.03), (90.0, 2000.0), (2.1, 4.9)])
def test_log_ticks_are_few_and_inside(bounds: tuple[float, float]) -> None:
    ticks = log_ticks(*bounds)
    assert 3 <= len(ticks) <= 9
    assert all(bounds[0] * (1 - 1e-9) <= tick <= bounds[1] * (1 + 1e-9) for tick in ticks)


def test_axes_place_ends_at_the_borders() -> None:
    for axis in (Axis(2.0, 8.0), Axis(2.0, 8.0, log=True)):
        assert (axis.place(2.0), axis.place(8.0)) == pytest.approx((0, 1))
    assert Axis(2.0, 8.0, log=True).place(4.0) == pytest.approx(0.5)
    assert not Axis(1.0, 2.0, log=True).has(0.0)
    assert covering([math.nan, 5.0]).place(5.0) == pytest.approx(0.5)
    assert covering([]).high > covering([]).low


def test_numbers_are_written_for_readers() -> None:
    texts = [number(value) for value in (0.0, 1234567.0, -0.00001234, 0.1234, 99.96, math.inf, math.nan, None)]
    assert texts == ["0.00", "1.23e6", "\N{MINUS SIGN}1.23e\N{MINUS SIGN}5", "0.123", "100.0", "∞",
                     "\N{EN DASH}", "\N{EN DASH}"]  # fmt: skip
    assert interval(0.1234, 0.4321) == "[0.12, 0.43]"
    assert interval(-1.0, 2.0) == "[\N{MINUS SIGN}1.0, 2.0]"
    assert interval(3.0, 3.0) == "[3.00, 3.00]"
    assert interval(0.5, math.inf) == "[0.500, ∞]"


def test_series_differ_without_colour() -> None:
    assert len(set(zip(DASHES, MARKERS, strict=True))) == 8
    assert len(set(DASHES)) == len(set(MARKERS)) == 8


def test_colours_stand_out_from_both_backgrounds() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    for colours in (LIGHT, DARK):
        paper = luminance(colours["paper"])
        for name in ("ink", "soft", *(f"s{n}" for n in range(8))):
            bright, dark = sorted((luminance(colours[name]), paper), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, colours[name])
    assert page_style().count("--s0:") == 2


def test_figures_stand_alone(robust_folder: Path) -> None:
    for path in report(robust_folder).figures:
        text = path.read_text()
        ElementTree.fromstring(text)
        assert "var(" not in text
        assert path.stat().st_size < 200_000


def test_curves_skip_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_text("step,train/loss,val/loss\n0,1.5,\n1,inf,2\n2,nonsense\n,3,4\n")
    curves = read_curves(path)
    assert curves["val/loss"] == {1.0: 2.0}
    assert curves["train/loss"][0.0] == 1.5
    assert curves["train/loss"][1.0] == math.inf
    assert math.isnan(curves["train/loss"][2.0])


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "curve", "x": []}', '{"kind": ["curve"]}', '{"kind": "pie"}']
)
def test_files_that_are_no_fit_are_not_drawn(tmp_path: Path, text: str) -> None:
    (tmp_path / "fit.json").write_text(text)
    assert read_fit(tmp_path / "fit.json") == {}


def test_tables_of_comparisons_state_the_widest_level_and_the_findings(collected: Collected) -> None:
    arrangement = arrange(collected.study)
    findings = all_findings(collected.comparison, arrangement)["mae"]
    metric = collected.study.metric("mae")
    factor = collected.study.factor("objective")
    table = contrast_table(metric, findings, factor, ["objective", "data.contamination.fraction", "problem"])
    assert f"up to {percent(max(finding.level for finding in findings))} each" in table.caption
    assert table.columns == ("fraction", "problem", "absolute", "huber", "log_cosh", "cauchy", "tukey")
    cell = {"data.contamination.fraction": 0.2, "problem": "sine"}
    expected = next(
        finding
        for finding in findings
        if {name: finding.pairs.first[name][0] for name in cell} == cell
        and finding.pairs.first["objective"] == ("huber",)
    )
    row = next(row for row in table.rows if row.labels == ("0.2", "sine"))
    assert row.entries[1].text == f"▲ {number(expected.estimate)}"
    assert row.entries[1].detail == interval(expected.low, expected.high)
    assert row.entries[1].tone == "better"


def test_an_estimate_has_the_decimals_of_its_interval() -> None:
    assert estimate(1.00021, 0.9978, 1.0062) == "1.0002"
    assert estimate(2.641, 2.08, 3.64) == "2.64"
    assert estimate(0.47718, 0.000261, 4.01) == "0.477"  # the wide end says what is known
    assert estimate(math.inf, 1.0, math.inf) == "∞"
    assert estimate(None, None, None) == "\N{EN DASH}"
    assert estimate(0.066397, 0.06639700001, 0.06639700002) == "0.0664"
