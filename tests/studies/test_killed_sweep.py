"""A sweep that is killed, again and again, and then finished, ends as one that was never disturbed."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [
    sys.executable, "-m", "paribus", "run", "-m", "data=diabetes", "data.batch_size=64", "network=mlp",
    "trainer.max_steps=200", "trainer.validate_every=50", "hydra/launcher=basic",
]  # fmt: skip


def sweep(folder, *words):
    return subprocess.Popen(
        [*COMMAND, f"output={folder}", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def finish(folder, *words):
    process = sweep(folder, *words)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def table(folder):
    """The final table without what depends on the clock."""
    with (Path(folder) / "scratch" / "results.csv").open() as stream:
        return sorted(
            tuple(value for name, value in row.items() if name != "seconds") for row in csv.DictReader(stream)
        )


def leftovers(folder):
    return [
        path.name for path in Path(folder).rglob("*") if path.name.startswith((".", "claim")) or ".part" in path.name
    ]


def kill_and_finish(tmp_path, words, kills, longest):
    rng = random.Random(0)
    finish(tmp_path / "whole", *words)
    for _ in range(kills):
        process = sweep(tmp_path / "killed", *words)
        time.sleep(rng.uniform(2.0, longest))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finish(tmp_path / "killed", *words)
    assert table(tmp_path / "killed") == table(tmp_path / "whole")
    assert leftovers(tmp_path / "killed") == []


def test_a_sweep_killed_once(tmp_path):
    kill_and_finish(tmp_path, ["objective=squared,absolute", "seed=0,1"], kills=1, longest=6.0)


@pytest.mark.slow
def test_a_sweep_of_60_jobs_killed_20_times(tmp_path):
    objectives = "squared,absolute,huber,log_cosh,cauchy,tukey"
    kill_and_finish(tmp_path, [f"objective={objectives}", f"seed={','.join(map(str, range(10)))}"], 20, 9.0)


@pytest.mark.slow
def test_two_processes_share_a_sweep_and_one_is_killed(tmp_path):
    words = ["objective=squared,absolute,huber", "seed=0,1,2,3,4,5"]
    finish(tmp_path / "whole", *words)
    first, second = sweep(tmp_path / "shared", *words), sweep(tmp_path / "shared", *words)
    time.sleep(7.0)
    os.killpg(first.pid, signal.SIGKILL)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0, said.decode()
    assert table(tmp_path / "shared") == table(tmp_path / "whole")


@pytest.mark.slow
def test_a_truncated_record_is_run_again(tmp_path):
    words = ["objective=squared", "seed=0,1"]
    finish(tmp_path / "runs", *words)
    before = table(tmp_path / "runs")
    records = sorted((tmp_path / "runs").rglob("run.json"))
    records[0].write_text(records[0].read_text()[:100])
    records[1].write_text(records[1].read_text().replace('"schema": 1', '"schema": 99'))
    finish(tmp_path / "runs", *words)
    assert table(tmp_path / "runs") == before


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="a small file system needs root")
def test_a_full_disk_fails_jobs_and_loses_none(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], check=True)
    try:
        process = sweep(small, "objective=squared,absolute", "seed=0,1,2,3,4,5,6,7")
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 1
        assert b"No space left" in said
        assert b"Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=50m", str(small)], check=True)
        finish(small, "objective=squared,absolute", "seed=0,1,2,3,4,5,6,7")
        finish(tmp_path / "whole", "objective=squared,absolute", "seed=0,1,2,3,4,5,6,7")
        assert table(small) == table(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(small)], check=True)
