"""The tables of a report against what the records hold."""

import json
import math
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy import stats

from paribus.report import ReportFiles, report
from paribus.study import statistics
from paribus.study.records import read_record


@pytest.fixture(scope="module")
def files(robust_folder: Path) -> ReportFiles:
    return report(robust_folder)


@pytest.fixture(scope="module")
def results(files: ReportFiles) -> pandas.DataFrame:
    return pandas.read_csv(files.results, dtype={"key": str})


def test_results_have_a_row_for_each_row_of_a_record(results: pandas.DataFrame, robust_folder: Path) -> None:
    assert len(results) == 600
    assert results["key"].is_unique
    for row in results.to_dict("records"):
        record = read_record(robust_folder / str(row["key"]))
        assert row["objective"] == record.choices["objective"]
        assert row["problem"] == record.choices["data"]
        assert row["data.contamination.fraction"] == record.config["data"]["contamination"]["fraction"]
        assert row["seed"] == record.seed
        assert row["status"] == record.status
        assert row["seconds"] == record.seconds
        measured = record.rows[0].metrics["mae"] if record.rows else math.nan
        assert row["mae"] == measured or (math.isnan(row["mae"]) and math.isnan(measured))


def test_results_come_in_the_order_of_the_levels(results: pandas.DataFrame) -> None:
    assert list(results["objective"][:2]) == ["squared", "squared"]
    assert list(results["objective"][-2:]) == ["tukey", "tukey"]
    assert list(results["seed"][:10]) == list(range(10))


def test_comparisons_are_paired_by_seed(files: ReportFiles, results: pandas.DataFrame) -> None:
    table = pandas.read_csv(files.comparisons)
    assert len(table) == 2 * 5 * 10, "metrics x arms but the baseline x cells"
    clean = results[results["status"] == "finished"]
    checked = 0
    for row in table[(table["metric"] == "mae") & (table["diverged"] == 0)].to_dict("records"):
        cell = clean[
            (clean["problem"] == row["problem"])
            & (clean["data.contamination.fraction"] == row["data.contamination.fraction"])
        ].pivot(index="seed", columns="objective", values="mae")
        arm = row["arm"].removeprefix("objective=")
        difference = np.log(cell[arm] / cell["squared"]).dropna()
        low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
        assert row["n"] == len(difference)
        assert row["estimate"] == pytest.approx(np.exp(difference.mean()), rel=1e-9)
        # corrected for skewness, so never narrower than Student's
        assert row["low_95"] <= np.exp(low) * (1 + 1e-9)
        assert row["high_95"] >= np.exp(high) * (1 - 1e-9)
        corrected = statistics.interval(statistics.moments(difference), 0.05)
        assert (row["low_95"], row["high_95"]) == pytest.approx(tuple(map(np.exp, corrected)), rel=1e-9)
        assert row["low"] <= row["low_95"] * (1 + 1e-9)
        assert row["high"] >= row["high_95"] * (1 - 1e-9)
        checked += 1
    assert checked >= 45


def test_verdicts_file_holds_the_verdicts(files: ReportFiles) -> None:
    data = json.loads(files.verdicts_file.read_text())
    told = [(each["id"], each["status"]) for each in data]
    assert told == [(verdict.id, verdict.status) for verdict in files.verdicts]
    estimates = [finding["estimate"] for each in data for finding in each["findings"]]
    assert estimates == [finding.estimate for verdict in files.verdicts for finding in verdict.findings]


def test_the_same_records_make_the_same_files(files: ReportFiles, robust_folder: Path) -> None:
    paths = (files.page, files.results, files.comparisons, files.verdicts_file, *files.figures)
    before = [path.read_bytes() for path in paths]
    report(robust_folder)
    assert [path.read_bytes() for path in paths] == before
