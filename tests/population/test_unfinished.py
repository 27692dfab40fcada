"""Populations that were stopped go on from where they were, or start over, and end as if nothing had happened."""

import json
import multiprocessing
import time

import pytest

from paribus.population import workers
from paribus.population.members import Population
from paribus.population.unfinished import MEMBERS_FILE, FolderHeld, find_unfinished, opened
from paribus.population.workers import run_jobs, shared_out
from paribus.study.locks import claim
from paribus.study.records import read_record

LONG = ("trainer.max_steps=300", "trainer.validate_every=50", "trainer.resume_seconds=0.0")
OBJECTIVES = ("squared", "huber")


@pytest.fixture
def stopped_at(monkeypatch):
    """Interrupts populations in the validation with this number, counting all of them."""

    def arrange(number):
        validate, count = Population.on_validation_epoch_end, [0]

        def stop(self):
            validate(self)
            count[0] += 1
            if count[0] == number:
                monkeypatch.setattr(Population, "on_validation_epoch_end", validate)
                raise KeyboardInterrupt

        monkeypatch.setattr(Population, "on_validation_epoch_end", stop)

    return arrange


def jobs_of(seeds, folder, count):
    arms = [seeds(folder, count, *LONG, f"objective={objective}") for objective in OBJECTIVES]
    return [job for pair in zip(*arms, strict=True) for job in pair]


def metrics(jobs):
    return [read_record(each.folder).rows[0].metrics for each in jobs]


def curves(jobs):
    return [(each.folder / "curves.csv").read_text() for each in jobs]


def is_finished(job):
    return (job.folder / "run.json").exists() and read_record(job.folder).status == "finished"


def stop(jobs):
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, processes=1)


def test_groups_are_formed_again_whatever_else_is_due(seeds, tmp_path, stopped_at, monkeypatch, capsys):
    """Stopped in the second of two groups of the first part; the part that was not begun comes in between."""
    monkeypatch.setattr(workers, "MOST_AT_ONCE", 8)
    whole, cut = (jobs_of(seeds, tmp_path / name, 8) for name in ("whole", "cut"))
    assert run_jobs(whole, processes=1) == ["finished"] * 16
    stopped_at(6 + 4)
    stop(cut)
    left = [each for each in cut if not is_finished(each)]
    assert [read_record(each.folder).steps for each in left if (each.folder / "run.json").exists()] == [200] * 4
    assert len(left) == 12
    capsys.readouterr()
    due = [*left[4:], *left[:4]]
    assert run_jobs(due, processes=1) == ["finished"] * 12
    assert capsys.readouterr().err.count("goes on from step 150") == 1
    assert metrics(cut) == metrics(whole)
    assert curves(cut) == curves(whole)
    assert not (cut[0].folder.parent / ".population").exists()


def test_whoever_cannot_go_on_starts_over_and_says_so(seeds, tmp_path, stopped_at, capsys):
    whole, cut = (seeds(tmp_path / name, 8, *LONG) for name in ("whole", "cut"))
    stopped_at(5)
    stop(cut)
    assert run_jobs(cut[:1], processes=1) == ["finished"]
    assert "1 of 8 runs that were trained together are left to run here: they start over" in capsys.readouterr().out
    assert not (cut[0].folder.parent / ".population").exists()
    assert run_jobs(cut[1:], processes=1) == ["finished"] * 7
    assert "goes on" not in capsys.readouterr().err
    run_jobs(whole[:1], processes=1)
    run_jobs(whole[1:], processes=1)
    assert metrics(cut) == metrics(whole)


def test_a_member_that_another_process_has_lets_the_others_start_over(seeds, tmp_path, stopped_at, capsys):
    jobs = seeds(tmp_path, 8, *LONG)
    stopped_at(5)
    stop(jobs)
    with claim(jobs[3].folder, host="elsewhere"):
        assert run_jobs(jobs, processes=1) == [*["finished"] * 3, "skipped", *["finished"] * 4]
    assert "7 of 8 runs that were trained together are left" in capsys.readouterr().out
    assert not (jobs[0].folder.parent / ".population").exists()


def test_what_another_process_goes_on_with_is_left_to_it(seeds, tmp_path, stopped_at):
    jobs = seeds(tmp_path, 8, *LONG)
    stopped_at(5)
    stop(jobs)
    (folder,) = (jobs[0].folder.parent / ".population").iterdir()
    others = seeds(tmp_path, 2, *LONG, "objective=huber")
    with claim(folder, host="elsewhere"):
        assert run_jobs([*others, *jobs], processes=1) == [*["finished"] * 2, *["skipped"] * 8]
    assert run_jobs(jobs, processes=1) == ["finished"] * 8


def test_what_is_run_again_in_full_starts_at_the_beginning(seeds, tmp_path, stopped_at, capsys):
    stopped_at(5)
    stop(seeds(tmp_path, 8, *LONG))
    assert run_jobs(seeds(tmp_path, 8, *LONG, "rerun=all"), processes=1) == ["finished"] * 8
    assert "goes on" not in capsys.readouterr().err
    assert not (tmp_path / "scratch" / ".population").exists()


def test_a_folder_that_cannot_be_read_is_removed_and_one_of_other_runs_is_not(seeds, tmp_path):
    jobs = seeds(tmp_path, 8, *LONG)
    parent = jobs[0].folder.parent / ".population"
    for name, content in {"broken": "{", "none": None, "others": json.dumps({"members": ["abc"], "tile": 2})}.items():
        (parent / name).mkdir(parents=True)
        (parent / name / "resume.ckpt").write_text("")
        if content is not None:
            (parent / name / MEMBERS_FILE).write_text(content)
    assert find_unfinished(jobs) == ([], set())
    assert [path.name for path in parent.iterdir()] == ["others"]
    assert sorted(path.name for path in (parent / "others").iterdir()) == [MEMBERS_FILE, "resume.ckpt"]


def test_a_group_is_not_shared_out(seeds, tmp_path):
    configs = [job.config for job in seeds(tmp_path, 40)]
    shares = shared_out(configs, 2, whole=[range(10, 30)])
    assert sorted(place for share in shares for place in share) == list(range(40))
    assert any(set(range(10, 30)) <= set(share) for share in shares)
    assert min(map(len, shares)) >= 10


def open_and_close(root, name, failures):
    for _ in range(300):
        try:
            with opened(root / ".population" / name):
                pass
        except OSError as error:
            failures.put(repr(error))


def test_processes_do_not_trip_over_each_others_folders(tmp_path):
    context = multiprocessing.get_context("fork")
    failures = context.Queue()
    processes = [context.Process(target=open_and_close, args=(tmp_path, name, failures)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    time.sleep(0.05)
    assert failures.empty(), failures.get()
    assert not (tmp_path / ".population").exists()


def test_a_folder_is_held_by_one(tmp_path):
    with opened(tmp_path / "a" / "b"):
        with pytest.raises(FolderHeld), opened(tmp_path / "a" / "b"):
            pass
        assert (tmp_path / "a" / "b").exists()
