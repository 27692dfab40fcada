"""Sweeps on several workers and hosts: what Slurm is told, and what happens when a worker is warned or killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from paribus.cli import main
from paribus.preemption import warned
from paribus.study.records import read_records

SEEDS = 16
SWEEP = ["-m", "network=mlp", "network.hidden=[16]", f"seed={','.join(map(str, range(SEEDS)))}", "name=sweep"]
LONG = [*SWEEP, "trainer.max_steps=6000", "trainer.resume_seconds=0.5"]
HOST = (
    "import platform, socket, sys; name = sys.argv.pop(1); socket.gethostname = platform.node = lambda: name;"
    "from paribus.cli import main; sys.exit(main(sys.argv[1:]))"
)
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
SUBMITIT = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]
RAY = ["hydra/launcher=ray"]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an extra of its own: paribus[ray]")


@pytest.fixture
def start(tmp_path):
    """Starts a program in a folder of its own; whatever it has started is killed at the end."""
    processes = []

    def begin(*words):
        processes.append(
            subprocess.Popen(
                [sys.executable, *words],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def statuses(folder):
    return Counter(record.status for record in read_records(folder / "runs"))


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def is_under_way(folder, populations):
    """Whether every run has begun, and as many populations have a checkpoint to go on from."""
    kept = [*folder.glob("runs/sweep/.population/*/resume.ckpt")]
    return statuses(folder) == {"running": SEEDS} and len(kept) == populations


def workers(folder):
    """The processes that hold runs."""
    return {json.loads(path.read_text())["pid"] for path in folder.glob("runs/sweep/*/claim.*")}


def fake_slurm(folder, monkeypatch):
    """Commands of Slurm that keep the script and refuse it."""
    folder.mkdir()
    for name in ("sbatch", "srun"):
        program = f'#!/bin/sh\ncp "$1" "{folder}/script"\necho "sbatch: error: no such partition" >&2\nexit 1\n'
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_slurm_is_told_what_was_asked_for(tmp_path, monkeypatch, capsys):
    fake_slurm(tmp_path / "slurm", monkeypatch)
    monkeypatch.chdir(tmp_path)
    resources = ["partition=gpu", "timeout_min=90", "cpus_per_task=2", "gpus_per_node=1", "array_parallelism=3"]
    words = [f"hydra.launcher.{each}" for each in resources]
    asked = ["run", *SWEEP, "hydra/launcher=submitit_slurm", "hydra.sweeper.workers=4", *words]
    assert main(asked) == 2
    assert "paribus: the launcher started nothing: sbatch: error: no such partition" in capsys.readouterr().err
    script = (tmp_path / "slurm" / "script").read_text()
    told = dict(line.removeprefix("#SBATCH --").split("=", 1) for line in script.splitlines() if "#SBATCH" in line)
    assert told["array"] == "0-3%3"  # as many tasks as workers, and not a task a run
    expected = {"partition": "gpu", "time": "90", "cpus-per-task": "2", "gpus-per-node": "1", "nodes": "1"}
    assert {name: told[name] for name in expected} == expected
    assert told["signal"] == "USR2@120"  # on which what is under way is recorded, see paribus.preemption
    assert told["output"].startswith(str(tmp_path / "runs" / "sweep" / ".submitit"))
    assert f"{sys.executable} -u -m submitit.core._submit" in script.splitlines()[-1]
    assert not statuses(tmp_path)


def test_without_slurm_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["run", *SWEEP, "hydra/launcher=submitit_slurm"]) == 2
    assert "the launcher started nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hydra.sweeper.workers=2"], "hydra.launcher.processes=2"),
        (["hydra/launcher=basic", "hydra.sweeper.workers=0"], "hydra.sweeper.workers=0: expected at least 1"),
        (["hydra.launcher.processes=0"], "hydra.launcher.processes=0: expected at least 1"),
        (["hydra.launcher.hosts=-1"], "hydra.launcher.hosts=-1: expected at least 1"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "the launcher started nothing: n_jobs == 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["run", *SWEEP, *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("meant", [SystemExit(144), RuntimeError("not to be queued again")])
def test_a_warning_stops_a_run_as_ctrl_c_does_and_ends_as_its_handler_meant(meant):
    """Submitit's handler exits with the code that has the task queued again, or raises what goes to the launcher."""

    def handler(number, frame):
        raise meant

    def work():
        try:
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(1)
        except KeyboardInterrupt as error:
            seen.append(error)
            raise KeyboardInterrupt from error

    before, seen = signal.signal(signal.SIGUSR2, handler), []
    try:
        with pytest.raises(type(meant)) as caught:
            warned()(work)()
        assert caught.value is meant
        assert seen
        assert signal.getsignal(signal.SIGUSR2) is handler
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [JOBLIB, SUBMITIT], ids=["joblib", "submitit"])
def test_a_worker_that_is_killed_leaves_the_others_and_the_same_command_goes_on(start, tmp_path, launcher):
    command = ["-m", "paribus", "run", *LONG, *launcher, "hydra.sweeper.workers=2"]
    sweep = start(*command)
    wait_until(lambda: is_under_way(tmp_path, populations=2))
    os.kill(min(workers(tmp_path)), signal.SIGKILL)
    out, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 1, out
    assert "did not finish" in out
    assert statuses(tmp_path)["running"] >= SEEDS // 2
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/sweep/*/run.json")}
    finished = {path: time for path, time in finished.items() if json.loads(path.read_text())["status"] == "finished"}
    again = start(*command)
    out, _ = again.communicate(timeout=240)
    assert again.returncode == 0, out
    assert {(record.status, record.steps) for record in read_records(tmp_path / "runs")} == {("finished", 6000)}
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert len([*tmp_path.glob("runs/sweep/*/run.json")]) == SEEDS


@pytest.mark.slow
@needs_ray
def test_ray_runs_the_task_of_a_dead_worker_again_which_goes_on_where_it_was(start, tmp_path):
    sweep = start("-m", "paribus", "run", *LONG, *RAY, "hydra.sweeper.workers=2")
    wait_until(lambda: is_under_way(tmp_path, populations=2))
    os.kill(min(workers(tmp_path)), signal.SIGKILL)
    out, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, out
    assert "goes on from step" in out
    assert {(record.status, record.steps) for record in read_records(tmp_path / "runs")} == {("finished", 6000)}


@pytest.mark.slow
def test_a_task_that_is_warned_goes_on_where_it_was(start, tmp_path):
    """As Slurm does before the time limit: submitit queues the task again, and its runs go on from their checkpoint."""
    sweep = start("-m", "paribus", "run", *LONG, *SUBMITIT, "hydra.sweeper.workers=2")
    wait_until(lambda: is_under_way(tmp_path, populations=2))
    os.kill(min(workers(tmp_path)), signal.SIGUSR2)
    out, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, out
    assert {(record.status, record.steps) for record in read_records(tmp_path / "runs")} == {("finished", 6000)}
    logs = [path.read_text() for path in tmp_path.glob("runs/sweep/.submitit/*/*_log.err")]
    assert len(logs) == 2
    assert sum("goes on from step" in log for log in logs) == 1


@pytest.mark.slow
def test_two_hosts_divide_a_study(start, tmp_path):
    """Neither sees the processes of the other; they have the folder alone. Half the work outlasts a start of Python."""
    command = ["run", *SWEEP, "trainer.max_steps=12000", "hydra.launcher.processes=1", "hydra.launcher.hosts=2"]
    hosts = [start("-c", HOST, name, *command) for name in ("a", "b")]
    outs = [host.communicate(timeout=240)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], outs
    records = [*read_records(tmp_path / "runs")]
    assert Counter(record.provenance["host"] for record in records) == {"a": SEEDS // 2, "b": SEEDS // 2}
    assert {record.status for record in records} == {"finished"}
    # Hosts that claim at the same moment take turns, so that a program may have fewer runs than a host has.
    assert all("runs of line, mlp, squared, adam as one program" in out for out in outs), outs
    assert Path(tmp_path / "runs" / "sweep" / "report.html").exists()
