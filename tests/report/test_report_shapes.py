"""Folders of every shape: without a study, with one run or none finished, with other kinds of factors."""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest

from paribus.errors import UserError
from paribus.report import report
from paribus.report.arrangement import arrange
from paribus.report.collect import collect
from paribus.study.parsing import parse_study
from paribus.study.records import Row, read_record, write_record


def study_of(**parts: Any) -> dict[str, Any]:
    return {
        "question": "Which?",
        "factors": {"objective": ["squared", "absolute"]},
        "replicate": {"seed": 3},
        "metrics": {"mae": {"direction": "minimise", "scale": "log"}},
        **parts,
    }


def test_a_folder_that_does_not_exist_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        report(tmp_path / "nowhere")


def test_an_unreadable_study_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"question": ')
    with pytest.raises(UserError, match="not complete JSON"):
        report(tmp_path)


def test_a_folder_without_a_run_makes_a_clear_page(tmp_path: Path) -> None:
    files = report(tmp_path)
    assert "No run has finished yet" in files.page.read_text()
    assert files.figures == ()
    assert len(files.results.read_text().splitlines()) == 1


def test_without_a_study_factors_are_what_differs(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.0, 0.2, 0.4), ("line", "sine"), 2, None)
    collected = collect(tmp_path)
    levels = {factor.name: factor.levels for factor in collected.study.factors}
    assert list(levels.items()) == [
        ("objective", ("absolute", "squared")),
        ("data.contamination.fraction", (0.0, 0.2, 0.4)),
        ("data", ("line", "sine")),
    ], "what leaves most of the pairing intact comes first"
    assert "network varies with data: these records do not tell the two apart." in collected.notes
    text = report(tmp_path).page.read_text()
    assert "network varies with data" in text
    assert "no claim was made" in text
    results = pandas.read_csv(tmp_path / "results.csv")
    assert len(results) == 24
    assert set(results["data"]) == {"line", "sine"}


def test_one_run_makes_a_page_without_comparisons(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared",), (0.2,), ("line",), 1, None)
    text = report(tmp_path).page.read_text()
    assert "1 of 1 run finished" in text
    assert 'id="comparisons"' not in text
    assert 'id="fits"' in text


def test_nothing_finished_is_said_first(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 3, study_of())
    for place in tmp_path.glob("*/run.json"):
        write_record(place.parent, replace(read_record(place.parent), rows=(), status="interrupted"))
    text = report(tmp_path).page.read_text()
    assert text.index("No run has finished yet") < text.index('id="verdicts"')
    assert "6 runs interrupted." in text


def test_within_run_factors_are_compared(tmp_path: Path, synthetic: ModuleType) -> None:
    claim = {"id": "helps", "kind": "better", "metric": "mae", "arm": {"calibrator": "halved"},
             "than": {"calibrator": "none"}, "by": 1.5}  # fmt: skip
    study = study_of(within={"calibrator": ["none", "halved"]}, claims=[claim])
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 4, study)
    study["replicate"] = {"seed": 4}
    (tmp_path / "study.json").write_text(json.dumps(study))
    for place in tmp_path.glob("*/run.json"):
        record = read_record(place.parent)
        mae = record.rows[0].metrics["mae"]
        rows = (Row({"mae": mae}, {"calibrator": "none"}), Row({"mae": mae / 2 + 0.001}, {"calibrator": "halved"}))
        write_record(place.parent, replace(record, rows=rows))
    files = report(tmp_path)
    assert [verdict.status for verdict in files.verdicts] == ["supported"]
    results = pandas.read_csv(files.results)
    assert len(results) == 16
    assert set(results["calibrator"]) == {"none", "halved"}
    comparisons = pandas.read_csv(files.comparisons)
    assert set(comparisons["arm"]) == {"calibrator=halved"}
    assert (comparisons["estimate"] < 0.6).all()


def test_a_lone_numeric_factor_runs_along_the_axis() -> None:
    study = parse_study(study_of(factors={"optimizer.lr": [0.001, 0.01, 0.1]}))
    arrangement = arrange(study)
    assert arrangement.across is not None
    assert (arrangement.across.name, arrangement.compared, arrangement.panels) == ("optimizer.lr", None, ())


def test_claims_decide_what_is_compared() -> None:
    claim = {"id": "a", "kind": "better", "metric": "mae", "arm": {"network": "mlp"}, "than": {"network": "linear"}}
    factors = {"objective": ["squared", "absolute"], "network": ["linear", "mlp"], "data.fraction": [0.1, 0.2]}
    arrangement = arrange(parse_study(study_of(factors=factors, claims=[claim])))
    assert arrangement.compared is not None
    assert arrangement.across is not None
    assert arrangement.compared.name == "network"
    assert arrangement.across.name == "data.fraction"
    assert [factor.name for factor in arrangement.panels] == ["objective"]


def test_categorical_factors_make_rows(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 3, study_of())
    text = report(tmp_path).page.read_text()
    assert "mae by objective" in text
    assert "mae of each arm." in text


def test_records_that_cannot_be_read_are_told(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 3, study_of())
    first = sorted(tmp_path.glob("*/run.json"))[0]
    first.write_text(first.read_text()[:200])
    text = report(tmp_path).page.read_text()
    assert "1 record could not be used" in text
    assert "is not complete JSON" in text


def test_records_of_several_versions_are_told(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 3, study_of())
    first = sorted(tmp_path.glob("*/run.json"))[0].parent
    record = read_record(first)
    write_record(first, replace(record, provenance={**record.provenance, "code": "0ther", "host": "elsewhere"}))
    text = report(tmp_path).page.read_text()
    assert "These records come from 2 versions of the code (c0dec0dec0dec0de: 5, 0ther: 1)." in text
    assert "These records come from 2 machines (bench: 5, elsewhere: 1)" in text


def test_records_that_differ_in_more_than_the_study_says_are_told(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute"), (0.2,), ("line",), 3, study_of())
    assert "Confounded" not in report(tmp_path).page.read_text()
    for place in tmp_path.glob("*/run.json"):
        record = read_record(place.parent)
        if record.choices["objective"] == "absolute":
            optimizer = {**record.config["optimizer"], "lr": 0.5}
            write_record(place.parent, replace(record, config={**record.config, "optimizer": optimizer}))
    text = report(tmp_path).page.read_text()
    assert "Confounded" in text
    assert "optimizer.lr" in text


def test_strangers_are_told(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path, ("squared", "absolute", "huber"), (0.2,), ("line",), 3, study_of())
    text = report(tmp_path).page.read_text()
    assert "In no cell of the study, and so left out: " in text
    assert len(pandas.read_csv(tmp_path / "results.csv")) == 6


def test_a_bare_record_makes_a_page(tmp_path: Path, synthetic: ModuleType) -> None:
    record = synthetic.make_record("squared", "line", 0.2, 0, {"mae": 1.0})
    bare = replace(
        record, pairing={}, provenance={}, sizes={}, started="", steps=0, peak_memory=0, config={}, choices={}
    )
    write_record(tmp_path / "one", bare)
    assert "1 of 1 run finished" in report(tmp_path).page.read_text()
