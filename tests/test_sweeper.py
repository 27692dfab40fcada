import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.config.tree import conf_dir
from paribus.errors import UserError
from paribus.study.locks import claim
from paribus.study.records import RECORD_FILE, read_records
from paribus.sweep import plan_sweep

APP = Path(__file__).parent / "small_app.py"
STUDY = ["experiment=robust"]
DISPLAY = re.compile(r"\d+ of \d+ (done|jobs are recorded)")
SMALL = ["objective=squared,huber", "+problem=line", "data.contamination.fraction=0.0", "seed=0,1"]


def hear_interrupts():
    """A shell starts what runs in its background deaf to Ctrl-C, and these tests with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path):
    """Starts a sweep in a folder of its own; whatever still runs at the end is killed."""
    processes = []

    def begin(*overrides, **environment):
        processes.append(
            subprocess.Popen(
                [sys.executable, str(APP), "-m", "hydra/sweeper=paribus", *overrides],
                cwd=tmp_path,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=hear_interrupts,
            )
        )
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Runs a sweep to its end: exit code, what it printed, and what it printed of errors."""

    def to_the_end(*overrides, **environment):
        process = start(*overrides, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, "".join(line for line in err.splitlines(True) if not DISPLAY.match(line))

    return to_the_end


@pytest.fixture
def records(tmp_path):
    return lambda: {record.key: record for record in read_records(tmp_path / "runs")}


@pytest.fixture
def began(tmp_path):
    """How often each job was begun."""

    def count():
        log = tmp_path / "began.txt"
        return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()

    return count


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def test_a_study_runs_every_job_once_and_only_once(run, records, began, tmp_path):
    code, out, err = run(*STUDY)
    assert (code, err) == (0, "")
    assert "reported {'finished': 27}" in out.splitlines()
    assert len(records()) == 27
    assert set(began().values()) == {1}
    seeds = [records()[line.split()[0]].seed for line in (tmp_path / "began.txt").read_text().splitlines()]
    assert seeds == [0] * 9 + [1] * 9 + [2] * 9
    assert run(*STUDY)[0] == 0
    assert sum(began().values()) == 27
    assert {path.name for path in (tmp_path / "runs" / "robust").iterdir()} == set(records())
    assert {path.name for path in (tmp_path / "runs").glob("*/*/*")} == {RECORD_FILE}


def test_a_narrowed_study_is_a_part_of_the_whole(run, records, began):
    assert run(*STUDY, *SMALL)[0] == 0
    assert len(records()) == 4
    assert {record.choices["data"] for record in records().values()} == {"line"}
    assert run(*STUDY)[0] == 0
    assert len(records()) == 27
    assert set(began().values()) == {1}


@pytest.mark.parametrize("kind", ["FAIL", "RAISE"])
def test_a_failed_job_does_not_stop_the_others_and_runs_again(run, records, began, kind):
    code, out, err = run(*STUDY, *SMALL, **{kind: "huber"})
    failed = [record for record in records().values() if record.status != "finished"]
    assert code == 1
    assert "'finished': 2" in out
    assert "2 of 4 jobs did not finish" in err
    assert all(f"{record.key} (objective=huber" in err for record in failed)
    assert "paribus run --key runs/robust/KEY" in err
    assert ("OSError: no space" if kind == "FAIL" else "RuntimeError: an error that the task does not expect") in err
    code, out, err = run(*STUDY, *SMALL)
    assert (code, err) == (0, "")
    assert sorted(began().values()) == [1, 1, 2, 2]


def test_what_is_run_again_is_chosen(run, began):
    assert run(*STUDY, *SMALL, FAIL="huber")[0] == 1
    assert run(*STUDY, *SMALL, "rerun=none")[0] == 1
    assert sum(began().values()) == 4
    assert run(*STUDY, *SMALL, "rerun=all")[0] == 0
    assert set(began().values()) == {2}


def test_what_cannot_be_run_is_refused_before_anything_runs(run, tmp_path):
    code, out, err = run(*STUDY, "logger=none,offline")
    assert (code, out) == (2, "")
    assert "duplicate arm" in err
    assert not (tmp_path / "began.txt").exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["experiment=robust,other"], "paribus run experiment=other"),
        ([*STUDY, "problm=line"], "problm"),
        ([*STUDY, "objective="], "objective=: there is no objective"),
        ([*STUDY, "seed=range(0,0)"], "names no value"),
        ([*STUDY, "objective=hubr"], "huber"),
        ([*STUDY, "logger=none,offline"], "duplicate arm"),
        ([*STUDY, "network=mlp"], "problem"),
        ([*STUDY, "rerun=some"], "rerun=some"),
        (["objective=huber", "objective.delta=interval(0,1)"], "interval"),
    ],
)
def test_what_is_refused(overrides, words):
    with pytest.raises(UserError, match=words):
        plan_sweep(Composer(open_tree(APP.parent / "small_conf")), overrides)


def test_a_killed_sweep_goes_on_where_it_was(start, run, records, began):
    process = start(*STUDY, WAIT="0.05")
    wait_for(lambda: len(began()) == 5)
    process.kill()
    process.wait()
    code, _, err = run(*STUDY)
    assert (code, err) == (0, "")
    assert {record.status for record in records().values()} == {"finished"}
    assert len(records()) == 27
    assert sum(began().values()) <= 28


def test_an_interrupted_sweep_stops_and_goes_on(start, run, records, began):
    process = start(*STUDY, WAIT="0.2")
    wait_for(lambda: len(began()) == 2)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert len(began()) <= 3
    assert run(*STUDY)[0] == 0
    assert sum(began().values()) <= 29
    assert {record.status for record in records().values()} == {"finished"}


def test_two_processes_share_the_jobs(start, records, began):
    processes = [start(*STUDY, WAIT="0.1") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert all("reported {'finished': 27}" in out.splitlines() for out, _ in outputs)
    assert len(began()) == 27
    assert set(began().values()) == {1}


def test_a_job_that_runs_elsewhere_is_waited_for_and_taken_over_if_its_owner_dies(start, run, records, began, tmp_path):
    other = start(*STUDY, *SMALL, WAIT="600")
    wait_for(lambda: len(began()) == 1)
    mine = start(*STUDY, *SMALL)
    line = ""
    while "waiting for 1 jobs" not in line:
        line = mine.stdout.readline()
    assert f"process {other.pid}" in line
    assert len(began()) == 4
    other.kill()
    other.wait()
    mine.communicate(timeout=30)
    assert mine.returncode == 0
    assert sorted(began().values()) == [1, 1, 1, 2]
    assert {record.status for record in records().values()} == {"finished"}


def test_a_job_held_by_another_host_is_left_alone(start, run, records, tmp_path):
    run(*STUDY, *SMALL)
    folder = next(iter((tmp_path / "runs" / "robust").iterdir()))
    (folder / RECORD_FILE).unlink()
    held = claim(folder, host="elsewhere")
    mine = start(*STUDY, *SMALL)
    line = ""
    while "waiting for 1 jobs" not in line:
        line = mine.stdout.readline()
    assert "elsewhere" in line
    held.release()
    mine.communicate(timeout=30)
    assert mine.returncode == 0
    assert len(records()) == 4


JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
SUBMITIT = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=1"]


@pytest.mark.parametrize("launcher", [JOBLIB, pytest.param(SUBMITIT, marks=pytest.mark.slow)], ids="/".join)
def test_other_launchers_give_the_same_records(run, records, began, launcher):
    code, out, err = run(*STUDY, *SMALL, *launcher)
    assert code == 0, err
    assert "reported {'finished': 4}" in out.splitlines()
    assert set(began().values()) == {1}
    assert run(*STUDY, *SMALL)[0] == 0
    assert set(began().values()) == {1}
    assert len(records()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [JOBLIB, SUBMITIT], ids="/".join)
def test_a_process_that_dies_takes_only_its_job_with_it(run, records, launcher):
    code, _, err = run(*STUDY, *SMALL, *launcher, KILL="huber")
    assert code == 1
    assert "did not finish" in err
    assert Counter(record.status for record in records().values()) == {"finished": 2, "running": 2}
    assert run(*STUDY, *SMALL)[0] == 0
    assert {record.status for record in records().values()} == {"finished"}


@pytest.mark.slow
def test_twenty_kills_change_nothing(start, run, records, began):
    random = Random(0)
    kills = 0
    while kills < 20:
        process = start(*STUDY, WAIT="0.05")
        time.sleep(random.uniform(0.5, 1.5))
        kills += process.poll() is None
        process.kill()
        process.wait()
        if len(began()) == 27 and all(record.status == "finished" for record in records().values()):
            break
    assert kills > 3
    assert run(*STUDY)[0] == 0
    assert len(records()) == 27
    assert sum(began().values()) <= 27 + kills


def test_a_plain_sweep_is_a_study_of_its_own(run, records):
    code, _, _ = run("objective=squared,huber", "seed=3,4")
    assert code == 0
    assert {(record.choices["objective"], record.seed) for record in records().values()} == {
        ("squared", 3), ("squared", 4), ("huber", 3), ("huber", 4)
    }  # fmt: skip


def test_users_configs_are_found_in_their_folder(tmp_path, monkeypatch):
    def providers(path: ConfigSearchPath) -> list[str]:
        return [each.provider for each in path.get_path()]

    monkeypatch.chdir(tmp_path)
    assert "paribus-user" not in providers(create_config_search_path(str(conf_dir())))
    (tmp_path / "conf" / "objective").mkdir(parents=True)
    (tmp_path / "conf" / "objective" / "mine.yaml").write_text("_target_: mine.Loss\n")
    assert providers(create_config_search_path(str(conf_dir()))) == ["hydra", "main", "paribus-user", "schema"]
    assert "paribus-user" not in providers(create_config_search_path(str(APP.parent / "small_conf")))
    assert Composer(open_tree()).read(["objective=mine"]).resolved["objective"] == {"_target_": "mine.Loss"}
    monkeypatch.chdir(conf_dir().parent)
    assert "paribus-user" not in providers(create_config_search_path(str(conf_dir())))


def test_hydra_finds_the_sweeper_without_importing_anything_heavy():
    code = (
        "import sys; from hydra.core.plugins import Plugins; from hydra.plugins.sweeper import Sweeper;"
        "print('ParibusSweeper' in [each.__name__ for each in Plugins.instance().discover(Sweeper)],"
        "[name for name in ('torch', 'scipy', 'pandas', 'pydantic', 'paribus.sweep') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"
