"""Runs of several processes: what they compute is what one does, and nothing of them is left when one dies."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from paribus.build import build_data, build_family, build_training
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.ranks import ALONE, Rank, launched, refuse_sweep
from paribus.run import main
from paribus.study.records import read_record
from paribus.training.curves import Curves

TWO = ("trainer=ddp", "trainer.precision=64-true")
SINE = ("data=sine", "data.n_train=90", "data.batch_size=16", "network=mlp", "trainer.max_steps=30")
GAN = ("family=gan", "data=ring_of_gaussians", "data.n_train=90", "data.batch_size=16", "trainer.max_steps=15")
CLASSES = ("family=classification", "data=gaussian_classes", "data.n_train=33", "data.batch_size=16")


@pytest.fixture(scope="module")
def read():
    composer = Composer(open_tree())
    return lambda *words: composer.read(words).resolved


def train(config, folder, rank=ALONE, until=None):
    """The weights and curves of a run as a process of it has them."""
    torch.set_num_threads(1)
    data = build_data(config)
    data.setup()
    family, training, curves = build_family(config, data), build_training(config), Curves()
    training.rank = rank
    if until is not None:
        family.on_validation_end = lambda: _die(family, until)
    training.fit(family, data, folder, curves, [], progress=False)
    return family.state_dict(), curves.rows


def _die(family, until):
    if family.step == until:
        raise RuntimeError("power cut")


def together(config, folder, tmp_path, until=None):
    """What the first of the processes has, and how the others ended; they are copies of this one."""
    context, world = multiprocessing.get_context("fork"), config["trainer"]["devices"]
    meeting = f"file://{tmp_path}/ranks-{time.monotonic_ns()}"
    ranks = [Rank(number, world, meeting) for number in range(world)]
    others = [context.Process(target=train, args=(config, folder, rank, until)) for rank in ranks[1:]]
    for process in others:
        process.start()
    try:
        return train(config, folder, ranks[0], until)
    finally:
        for process in others:
            process.join(30)
            process.kill()
        assert [process.exitcode for process in others] == [0 if until is None else 1] * len(others)


@pytest.mark.parametrize("words", [
    pytest.param((*SINE, "family.input_noise=0.3", "trainer.clip_norm=0.1"), marks=pytest.mark.slow),
    (*SINE, "optimizer=lbfgs", "optimizer.max_iter=4", "trainer.max_steps=2", "trainer.accumulate=2"),
    (*GAN, "penalty=gradient_penalty", "family.averaging=0.9", "family.critic_steps=2", "trainer.validate_every=15"),
    (*CLASSES, "network=mlp", "network.dropout=0.2", "trainer.devices=3", "trainer.max_steps=9"),
])  # fmt: skip
def test_processes_compute_what_one_does(read, tmp_path, words):
    """Sums in another order round by 1e-16 a step, and Adam's division by small moments amplifies that.

    33 examples in minibatches of 16 leave one over, of which the second of two processes and more have no row.
    """
    config = read(*TWO, *words)
    alone = {**config, "trainer": {**config["trainer"], "devices": 1}}
    weights, rows = train(alone, tmp_path)
    its, its_rows = together(config, tmp_path, tmp_path)
    for name, value in weights.items():
        torch.testing.assert_close(its[name], value, rtol=0, atol=1e-10, msg=name)
    assert its_rows.keys() == rows.keys()
    for step, row in rows.items():
        assert its_rows[step] == pytest.approx(row, rel=1e-8, abs=1e-10)


@pytest.mark.slow
def test_a_resumed_run_of_two_processes_ends_as_an_uninterrupted_one(read, tmp_path):
    config = read(*TWO, *SINE, "trainer.validate_every=10", "trainer.resume_seconds=0", "family.input_noise=0.3")
    whole, rows = together(config, tmp_path / "whole", tmp_path)
    (tmp_path / "cut").mkdir()
    with pytest.raises(RuntimeError, match="power cut"):
        together(config, tmp_path / "cut", tmp_path, until=20)
    assert (tmp_path / "cut" / "resume.ckpt").exists()
    resumed, its_rows = together(config, tmp_path / "cut", tmp_path)
    assert all(map(torch.equal, whole.values(), resumed.values()))
    assert its_rows == rows
    assert not (tmp_path / "cut" / "resume.ckpt").exists()


SRUN = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_JOB_ID": "1234567", "SLURM_STEP_NUM_NODES": "1"}


@pytest.mark.parametrize(("environment", "rank"), [
    ({}, ALONE),
    ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, Rank(1, 2, "env://")),
    ({"RANK": "0", "WORLD_SIZE": "1"}, ALONE),
    (SRUN, Rank(1, 2, "tcp://127.0.0.1:19567")),
    ({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, ALONE),  # a batch script: one process, whatever is asked for
])  # fmt: skip
def test_a_process_knows_its_place(monkeypatch, environment, rank):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched() == rank
    if rank is ALONE:
        refuse_sweep()
    else:
        with pytest.raises(UserError, match=r"process 1 of 2 .* start it once"):
            refuse_sweep()


@pytest.mark.parametrize("environment", [
    {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}, SRUN | {"SLURM_STEP_NUM_NODES": "2"},
])  # fmt: skip
def test_several_machines_are_refused(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="of one machine"):
        launched()


def test_a_run_of_one_process_is_not_trained_by_two(monkeypatch, tmp_path):
    """Each of them would train on all of the data, and one of the records would be lost."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"started 2 processes, .* trainer=ddp trainer\.devices=2"):
        main(["trainer.max_steps=1", f"output={tmp_path}"])
    assert not list(tmp_path.glob("**/run.json"))
    with pytest.raises(UserError, match="start it once"):
        main(["-m", "seed=0,1", "trainer.max_steps=1", f"output={tmp_path}"])


def command(tmp_path, *words, environment=None):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.Popen(
        [sys.executable, "-m", "paribus", "run", *words, f"output={tmp_path}", "name=a"],
        env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def children(process):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def trainers(process):
    """The processes that it has started to train with it."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children(process)}
    return [pid for pid, line in commands.items() if "paribus.followers" in line]


def wait_for(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.mark.slow
def test_a_run_whose_process_is_killed_fails_and_goes_on(tmp_path):
    words = (*SINE, *TWO, "trainer.max_steps=2000", "trainer.validate_every=20", "trainer.resume_seconds=0")
    run = command(tmp_path, *words)
    resume = lambda: list(tmp_path.glob("a/*/resume.ckpt"))  # noqa: E731
    wait_for(resume)
    (other,) = trainers(run.pid)
    os.kill(other, signal.SIGKILL)
    said, _ = run.communicate(timeout=200)
    assert run.returncode == 1, said
    (folder,) = {path.parent for path in tmp_path.glob("a/*/run.json")}
    record = read_record(folder)
    assert record.steps < 2000
    assert record.status == "failed"
    assert record.failure.kind == "RankFailed"
    assert "process 1 of 2 was ended by signal 9" in record.failure.message
    assert not Path(f"/proc/{other}").exists()
    again = command(tmp_path, *words)
    said, _ = again.communicate(timeout=500)
    assert again.returncode == 0, said
    assert re.search(r"goes on from step [\d,]+", said)
    resumed = read_record(folder)
    assert resumed.steps == 2000
    assert command(tmp_path, *words, "rerun=all").wait(500) == 0
    assert read_record(folder).rows == resumed.rows


@pytest.mark.slow
def test_a_run_that_is_told_to_end_is_interrupted_at_once_and_leaves_nothing(tmp_path):
    """With Lightning's handler of SIGTERM the processes waited for one another for ten minutes."""
    run = command(tmp_path, *SINE, *TWO, "trainer.max_steps=100000", "trainer.resume_seconds=0")
    wait_for(lambda: list(tmp_path.glob("a/*/resume.ckpt")))
    (other,) = trainers(run.pid)
    run.terminate()
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    (path,) = tmp_path.glob("a/*/run.json")
    assert read_record(path.parent).status == "interrupted"
    assert not Path(f"/proc/{other}").exists()


@pytest.mark.slow
def test_nothing_is_left_of_a_run_that_is_killed(tmp_path):
    run = command(
        tmp_path, *SINE, *TWO, "trainer.max_steps=100000", "trainer.validate_every=20", "trainer.resume_seconds=0"
    )
    wait_for(lambda: list(tmp_path.glob("a/*/resume.ckpt")))
    (other,) = trainers(run.pid)
    run.kill()
    run.wait()
    wait_for(lambda: not Path(f"/proc/{other}").exists(), 60)


@pytest.mark.slow
def test_torchrun_starts_the_processes_of_a_run(tmp_path):
    words = (*SINE, *TWO)
    for folder in ("ours", "torchrun"):
        (tmp_path / folder).mkdir()
    assert command(tmp_path / "ours", *words).wait(400) == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "paribus"]
    subprocess.run(
        [*launcher, "run", *words, "name=a", f"output={tmp_path / 'torchrun'}"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, timeout=400, capture_output=True,
    )  # fmt: skip
    records = [read_record(path.parent) for path in sorted(tmp_path.glob("*/a/*/run.json"))]
    assert [record.status for record in records] == ["finished"] * 2
    assert records[0].rows == records[1].rows


def as_srun_does(tmp_path, *words):
    """Starts the two processes of a run; a batch of such a number is of no other process of this machine."""
    job = str(os.getpid() % 10_000)
    places = [{**SRUN, "SLURM_PROCID": str(number), "SLURM_JOB_ID": job, "SLURM_NTASKS": "2"} for number in range(2)]
    return [command(tmp_path, *SINE, *TWO, *words, environment=place) for place in places]


@pytest.mark.slow
def test_the_others_that_a_launcher_started_train_only_when_the_first_does(tmp_path):
    """They cannot tell from the record, which says `running` whoever runs it."""
    words = ("trainer.max_steps=100000", "trainer.resume_seconds=0")
    run = command(tmp_path, *SINE, *TWO, *words)
    wait_for(lambda: list(tmp_path.glob("a/*/resume.ckpt")))
    said = [process.communicate(timeout=60)[0] for process in as_srun_does(tmp_path, *words)]
    assert f"is being run by {os.uname().nodename}, process {run.pid}" in said[0]
    assert "being run" not in said[1]
    run.terminate()
    run.communicate(timeout=60)
    started = as_srun_does(tmp_path)
    assert [process.wait(200) for process in started] == [0, 0]
    kept = as_srun_does(tmp_path)
    said = [process.communicate(timeout=60)[0] for process in kept]
    assert [process.returncode for process in kept] == [0, 0], said
    assert "has this run already" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["fused", "basic", "joblib"])
def test_a_sweep_of_runs_of_two_processes(tmp_path, launcher):
    words = ("-m", "seed=0,1", *SINE, *TWO, f"hydra/launcher={launcher}")
    sweep = command(tmp_path, *words)
    said, _ = sweep.communicate(timeout=500)
    assert sweep.returncode == 0, said
    records = [read_record(path.parent) for path in tmp_path.glob("a/*/run.json")]
    assert [record.status for record in records] == ["finished"] * 2
    if launcher == "fused":
        assert "trainer.devices=2" in said
