"""One small study under every launcher: the same records, the same verdicts, and fused shares in each one's workers."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from paribus.cli import main
from paribus.study.records import read_records

STUDY = """\
# @package _global_
# A study that takes no time.
defaults:
  - override /data: line

name: tiny
data: {n_train: 50, n_validation: 10, n_test: 50, contamination: {fraction: 0.2, size: 20.0}}
trainer: {max_steps: 60, validate_every: 30, precision: 64-true}
study:
  question: Which loss survives outliers?
  factors: {objective: [squared, absolute]}
  replicate: {seed: 2}
  metrics:
    mae: {direction: minimise, unit: target units, scale: log}
  claims:
    - {id: robust, kind: better, metric: mae, arm: {objective: absolute}, than: {objective: squared}}
    - {id: wrong, kind: better, metric: mae, arm: {objective: squared}, than: {objective: absolute}}
"""
JOBS = 4
WORKERS = "hydra.sweeper.workers=2"
LOCAL = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]
LAUNCHERS = {
    "fused": ["hydra/launcher=fused"],
    "basic, in shares": ["hydra/launcher=basic", WORKERS],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "joblib, in shares": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", WORKERS],
    "submitit_local": LOCAL,
    "submitit_local, in shares": [*LOCAL, WORKERS],
    "ray": ["hydra/launcher=ray"],
    "ray, in shares": ["hydra/launcher=ray", WORKERS],
}
QUICK = ("fused", "basic, in shares")
"""In this process; the others start processes of their own, each of which imports PyTorch."""
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="hydra-ray-launcher is an extra of its own: paribus[ray]"
)
EACH = [
    pytest.param(name, marks=[*([] if name in QUICK else [pytest.mark.slow]), *([needs_ray] if "ray" in name else [])])
    for name in LAUNCHERS
]


def place(folder):
    """A folder with the study's config, in which sweeps are started."""
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "tiny.yaml").write_text(STUDY)
    return folder


def command(*words):
    return [sys.executable, "-m", "paribus", "run", "experiment=tiny", *words]


def read(folder):
    records = {record.key: record for record in read_records(folder / "runs")}
    verdicts = json.loads((folder / "runs" / "tiny" / "verdicts.json").read_text())
    return records, verdicts


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What the jobs leave one after the other in one process."""
    folder = place(tmp_path_factory.mktemp("basic"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "experiment=tiny", "hydra/launcher=basic"]) == 0
    return read(folder)


@pytest.mark.parametrize("name", EACH)
def test_each_launcher_gives_the_same_records_and_verdicts(name, reference, tmp_path, monkeypatch):
    monkeypatch.chdir(place(tmp_path))
    if name in QUICK:
        assert main(["run", "experiment=tiny", *LAUNCHERS[name]]) == 0
    else:
        done = subprocess.run(command(*LAUNCHERS[name]), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    records, verdicts = read(tmp_path)
    expected, judged = reference
    assert len(expected) == JOBS
    assert records.keys() == expected.keys()
    for key, record in records.items():
        assert record.status == "finished"
        assert (record.choices, record.seed, record.steps) == (
            expected[key].choices, expected[key].seed, expected[key].steps
        )  # fmt: skip
        assert record.pairing == expected[key].pairing
        for row, other in zip(record.rows, expected[key].rows, strict=True):
            assert row.metrics == pytest.approx(other.metrics, rel=1e-6)
    assert [(each["id"], each["status"]) for each in verdicts] == [(each["id"], each["status"]) for each in judged]
