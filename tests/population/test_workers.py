"""Jobs over several processes: what happens when one of them dies, cannot start, or cannot say what went wrong."""

import json
import os

import pytest

from paribus.errors import NonFiniteLoss, UserError
from paribus.population.runner import Runner
from paribus.population.workers import _portable, run_jobs
from paribus.study.locks import holder
from paribus.study.records import read_record

SHORT = ("trainer.max_steps=20",)


@pytest.fixture
def dying(monkeypatch):
    """Lets the first worker that begins a third job die of it, `often` times in all; tells it by files in a folder."""

    def arrange(folder, often=1):
        begin = Runner._begin

        def die(self, place):
            deaths = len(list(folder.glob("death*")))
            if place == 2 and deaths < often:
                try:
                    (folder / f"death{deaths}").touch(exist_ok=False)
                    os._exit(9)
                except FileExistsError:
                    pass
            return begin(self, place)

        monkeypatch.setattr(Runner, "_begin", die)

    return arrange


def test_what_a_dead_worker_had_not_begun_is_run_by_another(seeds, tmp_path, dying, capsys):
    jobs = seeds(tmp_path, 20, *SHORT)
    assert run_jobs(jobs, processes=2) == ["finished"] * 20
    before = {job.key: (job.folder / "run.json").stat().st_mtime_ns for job in jobs}
    dying(tmp_path)
    outcomes = run_jobs(seeds(tmp_path, 20, *SHORT, "rerun=all"), processes=2)
    lost = [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, str)]
    assert len(lost) == 2
    assert "the process that ran it has died" in str(outcomes[lost[0]])
    for place, job in enumerate(jobs):
        assert (job.folder / "run.json").stat().st_mtime_ns > before[job.key]
        assert read_record(job.folder).status == ("running" if place in lost else "finished")
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["finished"] * 18
    assert "8 jobs whose process died first, or could not start, are run by another" in capsys.readouterr().out


def test_jobs_that_no_process_can_begin_are_given_up(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, "_begin", lambda self, place: os._exit(9))
    outcomes = run_jobs(seeds(tmp_path, 16, *SHORT), processes=2)
    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 16


def test_an_error_that_cannot_be_sent_is_told_in_words(seeds, tmp_path):
    jobs = seeds(tmp_path, 16, *SHORT)
    jobs[1].folder.mkdir(parents=True)
    (jobs[1].folder / "config.yaml").write_bytes(b"\xff\xfe")
    outcomes = run_jobs(jobs, processes=2)
    assert [*outcomes[:1], *outcomes[2:]] == ["finished"] * 15
    assert "can't decode byte 0xff" in str(outcomes[1])


@pytest.mark.parametrize(
    "error",
    [
        json.JSONDecodeError("Expecting value", "{", 1),
        NonFiniteLoss(3, float("inf")),
        UserError("a mistake"),
        OSError(28, "No space left on device"),
    ],
)
def test_errors_survive_the_way_to_the_parent(error):
    sent = _portable(error)
    assert str(error) in str(sent)
    assert isinstance(sent, UserError) == isinstance(error, UserError)


def test_a_process_that_cannot_start_leaves_its_jobs_to_the_others(seeds, tmp_path, monkeypatch):
    fork, calls = os.fork, []

    def scarce():
        calls.append(1)
        if len(calls) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    monkeypatch.setattr(os, "fork", scarce)
    jobs = seeds(tmp_path, 16, *SHORT)
    assert run_jobs(jobs, processes=2) == ["finished"] * 16
    assert len(calls) == 2
    assert not any(holder(job.folder) for job in jobs)


def test_rows_of_another_evaluation_are_gained_together(seeds, tmp_path, capsys):
    """Runs that kept no weights are trained again, as one program, and keep the rows that they had."""
    first = seeds(tmp_path, 8, *SHORT)
    run_jobs(first, processes=1)
    before = [read_record(job.folder) for job in first]
    capsys.readouterr()
    again = seeds(tmp_path, 8, *SHORT, "evaluation=recentred")
    assert [job.key for job in again] == [job.key for job in first]
    assert run_jobs(again, processes=1) == ["finished"] * 8
    assert "8 runs of sine, mlp, squared, adam as one program" in capsys.readouterr().out
    for job, old in zip(again, before, strict=True):
        rows = read_record(job.folder).rows
        assert rows[: len(old.rows)] == old.rows
        assert len({row.evaluation for row in rows}) == 2


def test_a_finished_record_survives_that_gaining_rows_fails(seeds, tmp_path, capsys):
    first = seeds(tmp_path, 4, *SHORT)
    run_jobs(first, processes=1)
    (first[1].folder / "fit.json").unlink()
    (first[1].folder / "fit.json").mkdir()
    outcomes = run_jobs(seeds(tmp_path, 4, *SHORT, "evaluation=recentred"), processes=1)
    assert outcomes == ["finished", "failed", "finished", "finished"]
    assert "gains no rows, training it again ended with" in capsys.readouterr().err
    assert read_record(first[1].folder).status == "finished"
    assert len(read_record(first[1].folder).rows) == 1
