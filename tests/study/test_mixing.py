"""What a folder of another config would make of a study is refused before anything runs, and says how to go on."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.study.declaration import declaration
from paribus.study.keys import evaluation_key
from paribus.study.records import RECORD_FILE, STUDY_FILE, Row, RunRecord, read_records
from paribus.study.results import placed
from paribus.sweep import plan_sweep

TREE = Path(__file__).parents[1] / "small_conf"
WORDS = ["experiment=robust", "objective=squared,huber", "+problem=line", "data.contamination.fraction=0.0"]


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(*words):
    return plan_sweep(Composer(open_tree(TREE)), words)


def record(plan):
    """Leave the records and the declaration that the jobs of a plan would."""
    for job in plan.jobs:
        config = job.config
        row = Row({"mae": 1.0}, evaluation=evaluation_key(job.key, config.resolved["evaluation"]))
        made = RunRecord(
            job.key, "robust", "finished", config.resolved, config.choices, config.resolved["seed"], (row,)
        )
        job.folder.mkdir(parents=True)
        (job.folder / RECORD_FILE).write_text(json.dumps(asdict(made)))
    if plan.declared is not None:
        (plan.folder / STUDY_FILE).write_text(json.dumps(declaration(plan.declared, plan.study)))


def refusal(*words):
    with pytest.raises(UserError) as raised:
        plan(*words)
    return str(raised.value)


def test_another_config_for_recorded_cells_is_refused():
    first = plan(*WORDS, "seed=0,1")
    record(first)
    told = refusal(*WORDS, "optimizer.lr=0.5", "seed=0,1,2")
    assert "runs/robust has runs" in told
    assert "optimizer.lr=0.5 in 4, such as job " in told
    assert "optimizer.lr=0.1 in 4, such as run " in told
    assert any(job.key in told for job in first.jobs)
    assert "name=robust_2" in told
    assert "optimizer.lr=0.5,0.1, or the same under study.factors" in told
    assert "move those of one kind out of runs/robust: " in told


def test_the_ways_out_that_are_named_lead_out():
    record(plan(*WORDS, "seed=0,1"))
    assert plan(*WORDS, "optimizer.lr=0.5", "seed=0,1,2", "name=robust_2").states == {"new": 6}
    assert plan(*WORDS, "optimizer.lr=0.5,0.1", "seed=0,1").states == {"new": 4, "finished": 4}
    assert plan(*WORDS, "seed=0,1,2").states == {"new": 2, "finished": 4}


def test_a_folder_that_is_mixed_already_is_refused_whichever_command_made_it():
    first, other = plan(*WORDS, "seed=0,1"), plan(*WORDS, "optimizer.lr=0.5", "seed=0,1")
    record(first), record(other)
    told = refusal(*WORDS, "seed=0,1")
    assert all(job.key in told for job in other.jobs)
    assert "move those of one kind out of runs/robust: " in told


def test_records_that_would_be_a_confound_are_refused():
    record(plan(*WORDS, "seed=0,1"))
    told = refusal(*WORDS, "seed=2,3", "optimizer.lr=0.5")
    assert "optimizer.lr=0.5 in 4, such as job " in told
    assert "optimizer.lr=0.1 in 4, such as run " in told


def test_a_key_that_a_factor_covers_is_told_apart_by_a_bundle():
    words = [*WORDS, "objective=huber", "seed=0"]
    record(plan(*words))
    assert "as two levels of a bundle under study.factors that set objective.delta" in refusal(
        *words, "objective.delta=2.0"
    )


def test_what_a_factor_derives_is_no_difference():
    words = ["experiment=robust", "data.contamination.fraction=0.0", "objective=squared"]
    record(plan(*words, "+problem=line"))
    assert plan(*words).states == {"finished": 3, "new": 3}


def test_a_sweep_without_a_study_is_held_to_the_one_of_its_folder():
    record(plan(*WORDS, "seed=0,1"))
    assert "such as job" in refusal("name=robust", "objective=squared,huber", "trainer.max_steps=7", "seed=0,1")
    assert plan("name=other", "objective=squared,huber", "seed=0").states == {"new": 2}


def test_a_study_file_that_cannot_be_read_stops_no_plan():
    record(plan(*WORDS, "seed=0,1"))
    Path("runs/robust", STUDY_FILE).write_text('{"question": "tru')
    assert plan(*WORDS, "seed=0,1,2").states == {"new": 2, "finished": 4}


def test_a_folder_that_is_mixed_says_how_it_is_mended():
    first, other = plan(*WORDS, "seed=0,1"), plan(*WORDS, "optimizer.lr=0.5", "seed=0,1")
    record(first), record(other)
    with pytest.raises(UserError, match="answer for one cell") as raised:
        placed(other.study, [each for each in read_records(Path("runs/robust")) if isinstance(each, RunRecord)])
    told = str(raised.value)
    assert "optimizer.lr (0.1 and 0.5)" in told or "optimizer.lr (0.5 and 0.1)" in told
    assert "move those of one kind out of the folder: " in told
    assert "or compare them on purpose: optimizer.lr=0." in told
