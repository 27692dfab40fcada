"""Jobs run together against the same jobs run alone: what each leaves on the disk, and what happens when it fails."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.job import Job, run_job
from paribus.population.runner import Runner
from paribus.population.workers import run_jobs, shared_out
from paribus.study.keys import train_key
from paribus.study.locks import claim, holder
from paribus.study.records import CONFIG_FILE, read_record
from paribus.trained import evaluate, load_family

COMMON = ["data=sine", "network=mlp", "network.hidden=[16,16]", "data.n_train=300", "data.batch_size=64"]
FAST = [*COMMON, "trainer.max_steps=120", "trainer.validate_every=50", "trainer.save_checkpoint=true"]
ARMS = [
    *([f"objective={objective}", f"seed={seed}"] for objective in ("squared", "gaussian") for seed in range(4)),
    ["optimizer=lbfgs", "trainer.max_steps=3"],
    ["optimizer=sgd", "optimizer.lr=1e30", "seed=0"],
    ["optimizer=sgd", "optimizer.lr=0.01", "seed=0"],
]


@pytest.fixture(scope="module")
def composer():
    return Composer(open_tree())


def job(composer, output, *overrides):
    read = composer.read([*overrides, f"output={output}"])
    key = train_key(read.resolved)
    return Job(key, read.resolved, read.choices, output / read.resolved["name"] / key)


@pytest.fixture(scope="module")
def both(composer, tmp_path_factory):
    """The same jobs run together and one by one, and how those that were run together ended."""
    fused, looped = tmp_path_factory.mktemp("fused"), tmp_path_factory.mktemp("looped")
    together = [job(composer, fused, *FAST, *arm) for arm in ARMS]
    alone = [job(composer, looped, *FAST, *arm) for arm in ARMS]
    outcomes = run_jobs(together, processes=1)
    for each in alone:
        run_job(each, progress=False, fence=lambda: None)
    return together, alone, outcomes


def test_jobs_leave_what_they_leave_alone(both):
    together, alone, outcomes = both
    assert outcomes == [*["finished"] * 9, "diverged", "finished"]
    for mine, yours in zip(together, alone, strict=True):
        ours, theirs = read_record(mine.folder), read_record(yours.folder)
        for field in ("key", "experiment", "status", "choices", "seed", "pairing", "replication", "sizes", "steps"):
            assert getattr(ours, field) == getattr(theirs, field), field
        assert ours.seconds > 0
        assert ours.cpu_seconds > 0
        assert sorted(path.name for path in mine.folder.iterdir()) == sorted(
            path.name for path in yours.folder.iterdir()
        )
        assert [row.evaluation for row in ours.rows] == [row.evaluation for row in theirs.rows]
        for row, other in zip(ours.rows, theirs.rows, strict=True):
            assert row.metrics == pytest.approx(other.metrics, rel=1e-3)
        if theirs.failure:
            assert ours.failure.kind == theirs.failure.kind
            assert ours.failure.step == theirs.failure.step
            assert ours.failure.message == theirs.failure.message
        curves, others = (folder / "curves.csv" for folder in (mine.folder, yours.folder))
        assert [line.split(",")[0] for line in curves.read_text().splitlines()] == [
            line.split(",")[0] for line in others.read_text().splitlines()
        ]
        assert curves.read_text().splitlines()[0] == others.read_text().splitlines()[0]
        config = (mine.folder / CONFIG_FILE).read_text()
        assert (
            config.replace(str(mine.folder.parents[1]), str(yours.folder.parents[1]))
            == (yours.folder / CONFIG_FILE).read_text()
        )
    assert not (together[0].folder.parent / ".population").exists()


def test_a_members_checkpoint_is_that_of_a_lone_run(both):
    together, alone, _ = both
    for mine, yours in zip(together[:8], alone[:8], strict=True):
        rows = evaluate(mine.config, mine.key, *load_family(mine.config, mine.folder))[0]
        assert rows[0].metrics == pytest.approx(read_record(mine.folder).rows[0].metrics, rel=1e-6)
        ours, theirs = (torch.load(each.folder / "last.ckpt", weights_only=True) for each in (mine, yours))
        assert ours.keys() == theirs.keys()
        assert ours["state_dict"].keys() == theirs["state_dict"].keys()
        assert {key: value for key, value in ours.items() if key != "state_dict"} == {
            key: value for key, value in theirs.items() if key != "state_dict"
        }


def test_what_is_finished_or_claimed_is_left_alone(both, composer, capsys):
    together, _, _ = both
    before = (together[0].folder / "run.json").stat().st_mtime_ns
    with claim(together[1].folder):
        assert run_jobs(together[:2], processes=1) == ["finished", "skipped"]
    assert (together[0].folder / "run.json").stat().st_mtime_ns == before


def test_the_choice_is_said_with_its_reason(composer, tmp_path, capsys):
    arms = [*(["objective=huber", f"seed={seed}"] for seed in range(12)), ["optimizer=lbfgs"]]
    run_jobs([job(composer, tmp_path, *FAST, *arm, "trainer.max_steps=3") for arm in arms], processes=1)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("12 runs of sine, mlp, huber, adam as one program: ")
    assert said[0].count(" ms ") == 2
    assert said[1] == "1 runs of sine, mlp, squared, lbfgs one after the other: there is one of its kind"


def test_a_mistake_leaves_no_record(composer, tmp_path):
    bad = job(composer, tmp_path, "data=table", "data.path=missing.csv", "data.target=y")
    good = job(composer, tmp_path, *FAST, "trainer.max_steps=3")
    outcomes = run_jobs([bad, good], processes=1)
    assert isinstance(outcomes[0], UserError)
    assert outcomes[1] == "finished"
    assert not (bad.folder / "run.json").exists()


def test_little_memory_means_several_parts(composer, tmp_path, capsys):
    jobs = [job(composer, tmp_path, *FAST, f"seed={seed}", "trainer.max_steps=3") for seed in range(6)]
    outcomes = {}
    Runner(jobs[:3], 1, lambda place, outcome: outcomes.update({place: outcome})).run()
    Runner(jobs[3:], 1 << 30, lambda place, outcome: outcomes.update({place + 3: outcome})).run()
    assert outcomes == dict.fromkeys(range(6), "finished")
    assert [line.split(" of ")[0] for line in capsys.readouterr().out.splitlines()] == [*["1 runs"] * 3, "3 runs"]


@contextmanager
def interrupted_after(seconds):
    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_is_recorded(composer, tmp_path):
    settings = (*FAST, "trainer.max_steps=10000000")
    jobs = [job(composer, tmp_path, *settings, f"seed={seed}") for seed in range(8)]
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupted_after(2.0):
        run_jobs(jobs, processes=1)
    assert signal.getsignal(signal.SIGINT) is handler
    for each in jobs:
        record = read_record(each.folder)
        assert record.status == "interrupted"
        assert record.steps > 0
        assert record.seconds > 0.02
        assert holder(each.folder) is None


def test_every_process_gets_a_part_of_each_kind(composer):
    configs = [
        composer.read([f"objective={objective}", f"seed={seed}", f"data.contamination.fraction={fraction}"]).resolved
        for objective in ("squared", "huber")
        for seed in range(10)
        for fraction in (0.0, 0.1)
    ]
    shares = shared_out(configs, 2)
    assert sorted(place for share in shares for place in share) == list(range(40))
    for share in shares:
        objectives = [configs[place]["objective"]["_target_"] for place in share]
        assert [objectives.count(each) for each in sorted(set(objectives))] == [10, 10]
    assert len(shared_out(configs[:3], 2)) == 1


def sweep(output, *overrides):
    command = [sys.executable, "-m", "paribus", "run", "-m", "hydra/launcher=fused", "hydra.launcher.processes=2"]
    return subprocess.Popen(
        [
            *command,
            *COMMON,
            f"seed={','.join(map(str, range(18)))}",
            f"output={output}",
            *overrides,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def statuses(output):
    return [json.loads(path.read_text())["status"] for path in output.glob("*/*/run.json")]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("blow", ["kill the parent", "kill all", "terminate", "press Ctrl-C twice", "kill a worker"])
def test_a_sweep_that_was_stopped_goes_on(tmp_path, blow):
    """Whatever process dies, and however, the records say so and the same command ends the sweep."""
    process = sweep(tmp_path, "trainer.max_steps=10000", "trainer.resume_seconds=0.5")
    wait_until(lambda: len(statuses(tmp_path)) == 18)
    wait_until(lambda: len(list(tmp_path.glob("*/.population/*/resume.ckpt"))) == 2)  # each worker has saved
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    if blow == "kill the parent":
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: set(statuses(tmp_path)) == {"interrupted"})
    elif blow == "kill all":
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert set(statuses(tmp_path)) == {"running"}
    elif blow == "terminate":
        os.kill(process.pid, signal.SIGTERM)
        process.wait(20)
        assert process.returncode == 130
        assert set(statuses(tmp_path)) == {"interrupted"}
    elif blow == "press Ctrl-C twice":
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.15)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in out
        assert set(statuses(tmp_path)) == {"interrupted"}
    else:
        os.kill(int(children[0]), signal.SIGKILL)
        process.communicate(timeout=120)
        assert process.returncode == 1
        assert sorted(set(statuses(tmp_path))) == ["finished", "running"]
    process = sweep(tmp_path, "trainer.max_steps=10000", "trainer.resume_seconds=0.5")
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    assert "goes on from step" in out
    assert statuses(tmp_path) == ["finished"] * 18
    assert {json.loads(path.read_text())["steps"] for path in tmp_path.glob("*/*/run.json")} == {10000}
