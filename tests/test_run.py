"""What a run command does with what is recorded already: kept, run again, said, and never mixed."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from paribus.claimed import SWEEP_BEGAN, run_claimed
from paribus.cli import main
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.study.keys import evaluation_key
from paribus.study.locks import claim
from paribus.study.plan import PlannedJob
from paribus.study.records import RECORD_FILE, Failure, Row, RunRecord, UnreadableRecord, read_records, write_record
from paribus.sweep import _Running, plan_sweep

SMALL = Path(__file__).parent / "small_conf"
TABLE = ["data=table", "data.path=table.csv", "data.target=y"]


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(2.0)


def table(slope):
    Path("table.csv").write_text("x,y\n" + "".join(f"{i},{slope * i + i % 3}\n" for i in range(60)))


def run(*words):
    return main(["run", "trainer.max_steps=5", "trainer.validate_every=5", *TABLE, *words])


def records(folder="runs"):
    return {record.key: record for record in read_records(Path(folder))}


def the_record():
    (path,) = Path("runs").glob(f"*/*/{RECORD_FILE}")
    return path


def test_a_changed_data_file_is_said_and_runs_again_when_asked(capsys):
    run()
    before = the_record().read_text()
    table(3.0)
    capsys.readouterr()
    assert run() == 0
    told = capsys.readouterr().err
    assert "made by other data" in told
    assert "before table.csv changed" in told
    assert "rerun=changed" in told
    assert the_record().read_text() == before
    assert run("rerun=changed") == 0
    assert the_record().read_text() != before
    capsys.readouterr()
    assert run() == 0
    assert "rerun=all" in capsys.readouterr().out


def test_a_sweep_says_what_it_keeps_of_other_code_and_data(capsys, monkeypatch):
    words = ["-m", "objective=squared,absolute", "seed=0,1", "hydra/launcher=basic"]
    assert run(*words) == 0
    old = next(iter(records()))
    path = Path("runs/scratch") / old / RECORD_FILE
    path.write_text(path.read_text().replace(f'"code": "{records()[old].provenance["code"]}"', '"code": "older"'))
    capsys.readouterr()
    assert run(*words) == 0
    assert "1 made by other code are kept; rerun=changed runs them again" in capsys.readouterr().err
    table(3.0)
    assert run(*words) == 0
    assert "1 made by other code and 3 made from other data are kept" in capsys.readouterr().err
    before = records()
    assert run(*words, "rerun=changed") == 0
    assert {key for key, record in records().items() if record.pairing == before[key].pairing} == set()
    assert "are kept" not in capsys.readouterr().err


def test_a_sweep_leaves_no_trace_in_the_environment():
    run("-m", "seed=0,1", "hydra/launcher=basic")
    assert SWEEP_BEGAN not in os.environ


@pytest.fixture
def composed():
    read = Composer(open_tree()).read([*TABLE, "trainer.max_steps=5", "rerun=all"])
    return read.resolved, read.choices


def test_what_ended_in_this_sweep_is_not_run_again(composed, monkeypatch):
    monkeypatch.setenv(SWEEP_BEGAN, "0")
    run_claimed(*composed, single=False)
    before = the_record().read_text()
    run_claimed(*composed, single=False)
    assert the_record().read_text() == before
    monkeypatch.delenv(SWEEP_BEGAN)
    run_claimed(*composed, single=False)
    assert the_record().read_text() != before


def test_what_ended_in_this_sweep_still_gains_rows_and_weights(composed, monkeypatch):
    monkeypatch.setenv(SWEEP_BEGAN, "0")
    config, choices = composed
    run_claimed(config, choices, single=False)
    recentred = Composer(open_tree()).read([*TABLE, "trainer.max_steps=5", "rerun=all", "evaluation=recentred"])
    assert len(run_claimed(recentred.resolved, choices, single=False).rows) == 4
    run_claimed({**config, "trainer": {**config["trainer"], "save_checkpoint": True}}, choices, single=False)
    assert (the_record().parent / "last.ckpt").exists()


def test_a_recorded_run_runs_again_where_it_lies():
    run("rerun=none")
    (key,) = records()
    before = the_record().read_text()
    shutil.copytree("runs", "elsewhere")
    shutil.move("elsewhere/scratch", "elsewhere/renamed")
    assert main(["run", "--key", key, "--output", "elsewhere"]) == 0
    assert the_record().read_text() == before
    again = records("elsewhere")[key]
    assert again.config["output"] == "elsewhere"
    assert (Path("elsewhere/renamed") / key / RECORD_FILE).read_text() != before
    assert not Path("elsewhere/scratch").exists()


def test_a_record_whose_config_is_that_of_another_run_is_refused(capsys):
    run()
    (key,) = records()
    the_record().write_text(the_record().read_text().replace('"max_steps": 5', '"max_steps": 6'))
    before = the_record().read_text()
    assert main(["run", "--key", key]) == 2
    assert "it would be another run" in capsys.readouterr().err
    assert the_record().read_text() == before


@pytest.mark.parametrize("content", [b'{"key": "tru', b"\xff\xfe\x00", b"[]"])
def test_an_unreadable_record_is_a_message(content, capsys):
    run("trainer.save_checkpoint=true")
    (key,) = records()
    the_record().write_bytes(content)
    assert all(isinstance(each, UnreadableRecord) for each in read_records(Path("runs")))
    assert main(["run", "--key", key]) == 2
    assert RECORD_FILE in capsys.readouterr().err
    assert main(["evaluate", "runs", "evaluation=regression"]) == 1
    said = capsys.readouterr()
    assert RECORD_FILE in said.err
    assert "0 of 1 runs evaluated" in said.out
    assert run("trainer.save_checkpoint=true") == 0


def test_evaluate_lets_go_of_runs_that_are_not_finished():
    run("trainer.save_checkpoint=true")
    record = json.loads(the_record().read_text())
    the_record().write_text(json.dumps({**record, "status": "interrupted"}))
    assert main(["evaluate", "runs", "evaluation=regression"]) == 1
    mine = claim(the_record().parent)
    assert mine is not None
    mine.release()


def test_evaluate_leaves_runs_of_other_data(capsys):
    run("trainer.save_checkpoint=true")
    before = the_record().read_text()
    table(3.0)
    assert main(["evaluate", "runs", "evaluation=recentred"]) == 1
    assert "table.csv changed" in capsys.readouterr().err
    assert the_record().read_text() == before


def recorded(job: PlannedJob, status="finished"):
    config = job.config.resolved
    failure = Failure("OSError", "no space") if status == "failed" else None
    row = Row({"mae": 1.0}, evaluation=evaluation_key(job.key, config["evaluation"]))
    write_record(job.folder, RunRecord(job.key, "robust", status, config, {}, 0, (row,), failure=failure))


@pytest.mark.parametrize(("policy", "status"), [("all", "finished"), ("failed", "failed")])
def test_a_launcher_that_stops_is_given_what_it_had_not_begun(policy, status):
    words = ["experiment=robust", "objective=squared,huber", "+problem=line", "data.contamination.fraction=0.0"]
    composer = Composer(open_tree(SMALL))
    for job in plan_sweep(composer, [*words, "seed=0,1"]).jobs:
        recorded(job, status)
    plan = plan_sweep(composer, [*words, "seed=0,1", f"rerun={policy}"])
    began = max(path.stat().st_mtime_ns for path in Path("runs").rglob(RECORD_FILE))
    given = []

    def launch(jobs):
        given.append([job.key for job in jobs])
        if len(given) == 1:
            recorded(jobs[0], "running")
            raise RuntimeError("a process died")
        return [JobReturn(status=JobStatus.COMPLETED, _return_value="finished")] * len(jobs)

    _Running(launch, began).finish(plan)
    assert given == [[job.key for job in plan.jobs], [job.key for job in plan.jobs[1:]]]


@pytest.fixture
def experiment():
    """Writes an experiment of the user's own."""

    def write(text, first="# @package _global_"):
        folder = Path("conf/experiment")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mine.yaml").write_text(f"{first}\n{text}")

    return write


MINE = """
name: mine
trainer: {max_steps: 5, validate_every: 5}
study:
  question: Which?
  factors: {objective: [squared, absolute]}
  replicate: {seed: 2}
  metrics: {mae: {direction: minimise}}
"""


def test_an_experiment_with_a_study_is_a_sweep(experiment):
    experiment(MINE)
    assert main(["run", "experiment=mine", "hydra/launcher=basic"]) == 0
    assert len(records("runs/mine")) == 4
    assert Path("runs/mine/study.json").exists()


def test_an_experiment_without_a_study_is_one_run(experiment):
    experiment("name: mine\ntrainer: {max_steps: 5, validate_every: 5}\n")
    assert main(["run", "experiment=mine"]) == 0
    assert len(records("runs/mine")) == 1


@pytest.mark.parametrize("command", [["plan"], ["run"], ["run", "-m"]])
@pytest.mark.parametrize("first", ["", "# What it asks\n# @package _global_"])
def test_an_experiment_that_nothing_would_read_is_refused(experiment, capsys, first, command):
    experiment(MINE, first)
    assert main([*command, "experiment=mine"]) == 2
    told = capsys.readouterr().err
    assert "experiment/mine.yaml" in told
    assert "# @package _global_" in told
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", [["plan", "--check"], ["run"]])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (MINE.replace("mae:", "mea:"), "Did you mean 'mae'"),
        (MINE + "  within: {correction: [none]}\n", "study.within.correction: the evaluation has no such factor"),
        (MINE.replace("study:", "evaluation: {corrections: [none]}\nstudy:"), "study.within: {correction: [none]}"),
    ],
)
def test_a_study_of_what_is_not_measured_is_refused(experiment, capsys, command, wrong, told):
    first = "# @package _global_\ndefaults: [override /evaluation: recentred]" if "corrections" in wrong else None
    experiment(wrong, *([first] if first else []))
    assert main([*command, "experiment=mine"]) == 2
    assert told in capsys.readouterr().err
    assert not list(Path().glob("runs/*/*/run.json"))


def test_claims_that_a_sweep_cannot_answer_are_told_before_it_runs(experiment, capsys):
    claim = "{id: wins, kind: better, metric: mae, arm: {objective: absolute}, than: {objective: squared}}"
    experiment(f"{MINE}  claims: [{claim}]\n")
    assert main(["plan", "experiment=mine"]) == 0
    assert "note:" not in capsys.readouterr().err
    assert main(["plan", "experiment=mine", "objective=squared", "seed=0"]) == 0
    told = capsys.readouterr().err
    assert "claim wins cannot be evaluated: nothing that runs has objective=absolute" in told
    assert "1 of the 2 declared levels of seed" in told
    assert "1 of the 2 declared levels of objective" in told
    assert main(["plan", "experiment=mine", "objective=squared", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["notes"]) == 2


def test_the_report_says_what_was_narrowed_and_the_command_that_made_it(experiment):
    experiment(MINE.replace("seed: 2", "seed: 3"))
    words = ["experiment=mine", "name=narrow", "seed=0,1", "optimizer.lr=0.02,0.1"]
    assert main(["run", *words, "hydra/launcher=basic"]) == 0
    page = Path("runs/narrow/report.html").read_text()
    assert "paribus run experiment=mine name=narrow optimizer.lr=0.02,0.1 seed=0,1\n" in page
    assert "paribus verify runs/narrow\n" in page
    assert "2 of the 3 declared levels of seed" in page
    assert main(["plan", "experiment=mine", "name=narrow", "optimizer.lr=0.02,0.1", "seed=0,1"]) == 0


def test_a_run_that_studies_share_is_named_by_one_of_them(capsys):
    run("name=one"), run("name=two")
    one, two = sorted(Path("runs").glob(f"*/*/{RECORD_FILE}"))
    key = one.parent.name
    capsys.readouterr()
    assert main(["run", "--key", key]) == 2
    told = capsys.readouterr().err
    assert f"paribus run --key one/{key}\n" in told
    assert f"paribus run --key two/{key}" in told
    for way in (
        f"two/{key}",
        f"two/{key[:6]}",
        f"runs/two/{key}",
        f"./runs/two/{key}/",
        f"runs/two/{key}/{RECORD_FILE}",
    ):
        before, other = two.read_text(), one.read_text()
        assert main(["run", "--key", way]) == 0
        assert two.read_text() != before
        assert one.read_text() == other


def test_the_runs_of_another_folder_are_named_with_it(capsys):
    run("name=one", "output=else where"), run("name=two", "output=else where")
    key = next(Path("else where").glob(f"one/*/{RECORD_FILE}")).parent.name
    capsys.readouterr()
    assert main(["run", "--key", key, "--output", "else where"]) == 2
    told = capsys.readouterr().err
    assert told.count(f"/{key} --output 'else where'") == 2
    assert main(["run", "--key", f"one/{key}", "--output", "else where"]) == 0
    assert main(["run", "--key", key, "--output", "else where/one"]) == 0
    assert main(["run", "--key", "", "--output", "else where"]) == 2


def test_new_jobs_are_not_run_on_other_data_than_those_that_are_kept(capsys):
    words = ["-m", "objective=squared,absolute", "hydra/launcher=basic"]
    assert run(*words, "seed=0,1") == 0
    table(3.0)
    before = records()
    capsys.readouterr()
    assert run(*words, "seed=0,1,2") == 2
    told = capsys.readouterr().err
    assert "table.csv has changed since 4 of these jobs were run" in told
    assert "rerun=changed" in told
    assert "name=scratch_2" in told
    assert records() == before
    assert run(*words, "seed=0,1,2", "rerun=changed") == 0
    assert len(records()) == 6
    table(4.0)
    assert run(*words, "seed=3") == 0
    assert main(["plan", "trainer.max_steps=5", "trainer.validate_every=5", *TABLE, *words[1:], "seed=0,3,4"]) == 2
