"""What goes wrong with one of many runs is its own: the others end as they would, and no folder stays claimed."""

import time

import pytest

from paribus.job import run_job
from paribus.population.members import Population
from paribus.population.runner import Runner
from paribus.population.workers import run_jobs
from paribus.study.locks import holder
from paribus.study.records import read_record

STEPS = ("trainer.max_steps=60", "trainer.validate_every=20")


def statuses(jobs):
    return [read_record(each.folder).status for each in jobs]


def is_free(jobs):
    return all(holder(each.folder) is None for each in jobs) and not (jobs[0].folder.parent / ".population").exists()


@pytest.fixture
def clock(monkeypatch):
    """Time that passes with the steps of a population, 2 ms each, however busy the machine is."""
    now, advance = [0.0], Population.training_step

    def take(self, span, number):
        before = self.step
        advance(self, span, number)
        now[0] += 0.002 * (self.step - before)

    monkeypatch.setattr(Population, "training_step", take)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])


@pytest.mark.parametrize("saves", ["true", "false"])
def test_a_time_limit_is_told_as_it_was_set_and_not_to_those_that_had_ended(seeds, tmp_path, capsys, clock, saves):
    common = ("optimizer=sgd", "trainer.max_steps=1000000", "trainer.validate_every=20", "trainer.patience=3")
    settings = (*common, "trainer.max_minutes=0.002", f"trainer.save_checkpoint={saves}")
    falling, wild, resting = (
        seeds(tmp_path, count, *settings, f"optimizer.lr={rate}") for count, rate in ((6, 1e-5), (1, 1e30), (1, 0.0))
    )
    last = "finished" if saves == "false" else "failed"  # its weights went with those of the others
    assert run_jobs([*falling, *wild, *resting], processes=1) == [*["failed"] * 6, "diverged", last]
    assert "as one program" in capsys.readouterr().out
    for each in falling:
        record = read_record(each.folder)
        assert record.failure.kind == "TimeLimitReached"
        assert "trainer.max_minutes=0.002 for each of the 8 runs" in record.failure.message
        assert 0.12 <= record.seconds <= 0.12 + 20 * 0.002 / 8  # looked at after each stretch, of 20 steps at most
    assert read_record(wild[0].folder).failure.kind == "NonFiniteLoss"
    assert read_record(resting[0].folder).steps == 80
    assert is_free(falling)


def test_a_checkpoint_that_cannot_be_written_fails_one_run(seeds, tmp_path):
    jobs = seeds(tmp_path, 6, *STEPS, "trainer.save_checkpoint=true")
    (jobs[2].folder / "last.ckpt").mkdir(parents=True)
    assert run_jobs(jobs, processes=1) == [*["finished"] * 2, "failed", *["finished"] * 3]
    assert statuses(jobs)[2] == "failed"
    assert is_free(jobs)


def test_a_record_that_cannot_be_written_is_an_outcome(seeds, tmp_path):
    jobs = seeds(tmp_path, 6, *STEPS)
    (jobs[2].folder / "fit.json").mkdir(parents=True)
    (jobs[3].folder / "curves.csv").mkdir(parents=True)
    outcomes = run_jobs(jobs, processes=1)
    assert outcomes[:3] == ["finished", "finished", "failed"]
    assert isinstance(outcomes[3], OSError)
    assert outcomes[4:] == ["finished"] * 2
    assert is_free(jobs)


def test_a_logger_that_fails_is_told_and_stops_no_run(seeds, tmp_path, capsys):
    jobs = [*seeds(tmp_path, 6, *STEPS), *seeds(tmp_path, 1, *STEPS, "logger=tensorboard", "seed=6")]
    (jobs[0].folder.parent).mkdir(parents=True)
    (jobs[0].folder.parent / "tensorboard").write_text("a file where the logger wants a folder")
    assert run_jobs(jobs, processes=1) == ["finished"] * 7
    assert f"TensorBoard could not be concluded for run {jobs[6].key}" in capsys.readouterr().err
    assert is_free(jobs)


def test_a_failure_in_the_middle_leaves_runs_as_they_are_alone(seeds, tmp_path, monkeypatch, capsys):
    advance = Population.training_step

    def fail_later(self, span, number):
        advance(self, span, number)
        if self.step >= 40:
            raise RuntimeError("vmap met its limits")

    monkeypatch.setattr(Population, "training_step", fail_later)
    jobs, alone = (seeds(tmp_path / name, 6, *STEPS) for name in ("together", "alone"))
    assert run_jobs(jobs, processes=1) == ["finished"] * 6
    assert "RuntimeError: vmap met its limits; going on one by one" in capsys.readouterr().out
    for mine, other in zip(jobs, alone, strict=True):
        theirs = run_job(other, progress=False, fence=lambda: None)
        assert read_record(mine.folder).rows[0].metrics == theirs.rows[0].metrics
        assert (mine.folder / "curves.csv").read_text() == (other.folder / "curves.csv").read_text()
    assert is_free(jobs)


@pytest.mark.parametrize("error", [MemoryError("no more"), KeyboardInterrupt("stop"), SystemExit(3)], ids=repr)
def test_whatever_is_raised_closes_what_was_begun(seeds, tmp_path, error):
    jobs = seeds(tmp_path, 6, *STEPS)

    def ended(place, outcome):
        if outcome == "finished":
            raise error

    with pytest.raises(type(error)):
        Runner(jobs, 1 << 30, ended).run()
    expected = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    assert statuses(jobs) == ["finished", *[expected] * 5]
    assert is_free(jobs)
    assert run_jobs([*seeds(tmp_path, 6, *STEPS, "rerun=failed")], processes=1) == ["finished"] * 6


def test_an_interrupted_run_says_how_long_it_took(seeds, tmp_path, monkeypatch):
    advance = Population.training_step

    def stop_later(self, span, number):
        advance(self, span, number)
        if self.step >= 2000:
            raise KeyboardInterrupt

    monkeypatch.setattr(Population, "training_step", stop_later)
    jobs = seeds(tmp_path, 6, "trainer.max_steps=100000")
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, processes=1)
    for each in jobs:
        record = read_record(each.folder)
        assert record.status == "interrupted"
        assert record.seconds > 0.03
        assert record.cpu_seconds > 0.03
