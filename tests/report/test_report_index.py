"""The index over all studies."""

import os
from html import escape
from pathlib import Path
from types import ModuleType

import pytest

from paribus.cli import main
from paribus.errors import UserError
from paribus.report import report, write_index


def test_index_lists_studies_with_the_verdicts_of_their_reports(tmp_path: Path, synthetic: ModuleType) -> None:
    study = synthetic.STUDY
    synthetic.write_study(tmp_path / "judged", ("squared", "absolute"), (0.2,), ("line",), 3, study)
    synthetic.write_study(tmp_path / "a <b>", ("squared",), (0.2,), ("line",), 1, None)
    (tmp_path / "empty").mkdir()
    files = report(tmp_path / "judged")
    text = write_index(tmp_path).read_text()
    assert 'href="judged/report.html"' in text
    assert escape(study["question"]) in text
    assert "2 folders with records" in text
    assert text.index("</header>") > text.index("supported")  # how all claims ended, above the studies
    supported = sum(verdict.status == "supported" for verdict in files.verdicts)
    assert supported
    assert f"✓ {supported} supported" in text
    assert "a &lt;b&gt;" in text
    assert "no report yet" in text
    assert text.count("no claims") == 1  # of the one that declares no study
    assert "empty" not in text
    assert "://" not in text
    assert len(text) < 30_000


def test_index_says_when_a_report_is_behind_its_records(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path / "one", ("squared",), (0.2,), ("line",), 1, None)
    files = report(tmp_path / "one")
    assert "newer" not in write_index(tmp_path).read_text()
    os.utime(files.page, (0, 0))
    assert "records are newer than the report" in write_index(tmp_path).read_text()


def test_report_on_a_folder_of_studies_is_the_index(tmp_path: Path, synthetic: ModuleType) -> None:
    synthetic.write_study(tmp_path / "runs" / "one", ("squared", "absolute"), (0.2,), ("line",), 2, None)
    synthetic.write_study(tmp_path / "runs" / "two", ("squared",), (0.2,), ("line",), 1, None)
    assert main(["report", str(tmp_path / "runs" / "one")]) == 0
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"index.html", "one", "two"}
    text = (tmp_path / "runs" / "index.html").read_text()
    assert 'href="one/report.html"' in text
    assert f"paribus report {tmp_path / 'runs' / 'two'}" in text


def test_index_of_no_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        write_index(tmp_path / "nowhere")
