"""An audit finds nothing in honest records, and what was changed in others."""

import json
import math

import pytest

from paribus.commands.audit import Together, audit, audit_command, relative_difference
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.job import Job, run_job
from paribus.population import Population, optimizers
from paribus.population.workers import run_jobs
from paribus.study.keys import train_key
from paribus.study.records import read_record

SMALL = [
    "data=sine",
    "data.n_train=200",
    "data.batch_size=32",
    "network=mlp",
    "network.hidden=[8]",
    "trainer.max_steps=60",
]


@pytest.fixture
def runs(tmp_path):
    composer, jobs = Composer(open_tree()), []
    for arm in (
        ["objective=gaussian"],
        ["objective=huber"],
        ["objective=huber", "optimizer.lr=0.03", "objective.delta=0.5"],
        ["optimizer=sgd", "optimizer.lr=1e30"],
        ["trainer.patience=1", "trainer.validate_every=5", "optimizer.lr=0.5"],
    ):
        for seed in range(2):
            read = composer.read([*SMALL, *arm, f"seed={seed}", f"output={tmp_path}"])
            key = train_key(read.resolved)
            jobs.append(Job(key, read.resolved, read.choices, tmp_path / "scratch" / key))
    run_jobs(jobs, processes=1)
    return tmp_path / "scratch"


def test_honest_records_pass(runs, capsys):
    before = {path: path.read_text() for path in runs.glob("*/*")}
    differences = audit(runs, 10, exact=True)
    assert len({each.key for each in differences}) == 10
    assert all(each.is_fine for each in differences)
    assert all(each.parameters is not None and each.parameters <= 1e-10 for each in differences)
    assert min(read_record(path.parent).steps for path in runs.glob("*/run.json")) < 60, "none has stopped early"
    assert audit_command(runs, 1, exact=False) == 0
    assert "1 of 1 runs are as they are alone" in capsys.readouterr().out
    assert {path: path.read_text() for path in runs.glob("*/*")} == before


def test_a_changed_metric_is_found(runs, capsys):
    folder = next(path.parent for path in runs.glob("*/run.json") if read_record(path.parent).status == "finished")
    record = json.loads((folder / "run.json").read_text())
    record["rows"][0]["metrics"]["mae"] *= 1.01
    (folder / "run.json").write_text(json.dumps(record))
    found = [each for each in audit(runs, 10, exact=False) if not each.is_fine]
    assert [(each.key, each.metric) for each in found] == [(record["key"], "mae")]
    assert found[0].relative == pytest.approx(0.01, rel=0.05)  # of the value alone, which is 1 / 1.01 of the new one
    assert audit_command(runs, 10, exact=False) == 1
    assert "--float64 tells a fault from rounding" in capsys.readouterr().out


def test_nothing_to_audit_is_a_mistake(tmp_path, runs):
    with pytest.raises(UserError, match="nothing to audit"):
        audit(tmp_path / "empty", 3, exact=False)
    with pytest.raises(UserError, match="at least 1"):
        audit(runs, 0, exact=False)


@pytest.fixture
def recentred(tmp_path):
    """A run with a row for each level of a within-run factor."""
    read = Composer(open_tree()).read([*SMALL, "evaluation=recentred", f"output={tmp_path}"])
    key = train_key(read.resolved)
    folder = tmp_path / "scratch" / key
    run_job(Job(key, read.resolved, read.choices, folder), progress=False, fence=lambda: None)
    return folder


def test_rows_of_within_run_factors_are_compared_level_by_level(recentred, capsys):
    assert audit_command(recentred, 1, exact=False) == 0
    record = json.loads((recentred / "run.json").read_text())
    row = next(each for each in record["rows"] if each["levels"]["correction"] == "median")
    row["metrics"]["mae"] *= 1.1
    (recentred / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert audit_command(recentred, 1, exact=False) == 1
    assert "mae correction=median 1.0e-01" in capsys.readouterr().out


def test_a_metric_that_is_missing_is_told(recentred):
    record = json.loads((recentred / "run.json").read_text())
    record["rows"] = record["rows"][1:]
    (recentred / "run.json").write_text(json.dumps(record))
    (found,) = audit(recentred, 1, exact=False)
    assert not found.is_fine
    assert "correction=none is not in the record" in found.metric


@pytest.mark.parametrize(("recorded", "alone", "usual", "expected"), [
    (1.01, 1.0, 1.0, 0.01),
    (0.0101, 0.01, 1.0, 0.001),  # relative to a tenth of 1
    (3e-9, 1e-9, 1.0, 2e-8),
    (3e-9, 1e-9, 0.0, 2.0),
    (1.0, 0.0, 0.0, math.inf),
    (0.0, 0.0, 0.0, 0.0),
    (math.nan, math.nan, 1.0, 0.0),
    (math.nan, 1.0, 1.0, math.inf),
    (math.inf, 1.0, 1.0, math.inf),
])  # fmt: skip
def test_differences_are_relative_to_the_value_or_to_what_is_usual(recorded, alone, usual, expected):
    assert relative_difference(recorded, alone, usual) == pytest.approx(expected)


def test_what_could_not_be_compared_is_told(tmp_path, capsys):
    read = Composer(open_tree()).read([*SMALL, "optimizer=lbfgs", "trainer.max_steps=3", f"output={tmp_path}"])
    key = train_key(read.resolved)
    run_job(Job(key, read.resolved, read.choices, tmp_path / "scratch" / key), progress=False, fence=lambda: None)
    assert audit_command(tmp_path, 1, exact=True) == 0
    told = capsys.readouterr().out
    assert "parameters not compared: LBFGS has no stacked form" in told
    assert "compared for 0 of 1" in told


def test_a_program_that_fails_fails_the_audit(runs, monkeypatch, capsys):
    def fails(population, span, batch_idx):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(Population, "training_step", fails)
    assert audit_command(runs, 1, exact=True) == 1
    assert "a fault of the program" in capsys.readouterr().out


def test_a_program_that_mixes_members_up_fails_the_audit(runs, monkeypatch):
    """Numbers that are taken from another member tell only beside the recorded runs whose numbers differ."""
    finished = [read_record(path.parent) for path in runs.glob("*/run.json")]
    key = next(each.key for each in finished if each.config["optimizer"]["lr"] == 0.03)
    together = Together(finished)
    record = next(each for each in finished if each.key == key)
    assert together.against_alone(record)[0] <= 1e-10
    monkeypatch.setattr(optimizers, "column", lambda values, device: min(values))
    monkeypatch.setattr("paribus.commands.audit.why_apart", lambda members, training: "")
    assert together.against_alone(record)[0] > 1e-3
