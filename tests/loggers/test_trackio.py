"""What trackio holds of a run, read back with its own storage, in processes of its own: it reads its folder once."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("trackio") is None, reason="needs pip install 'paribus[dashboard]', which pins Pillow"
    ),
]

READ = """
import json
from trackio.sqlite_storage import SQLiteStorage
runs = SQLiteStorage.get_runs("one")
print(json.dumps({run: SQLiteStorage.get_logs("one", run) for run in runs}, default=str))
"""


def test_a_run_is_there_with_its_curves_its_metrics_and_its_fit(tmp_path):
    def done(*words: str, **more: str) -> str:
        environment = os.environ | {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1"} | more
        ended = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    small = ("data.n_train=64", "trainer.max_steps=200", "trainer.validate_every=100", "name=one")
    done("-m", "paribus", "run", "logger=trackio", *small)
    said = done("-m", "paribus", "publish", "runs/one", "--to", "trackio")
    assert "published 0 runs and the summary (trackio); 1 were there already" in said
    runs = json.loads(done("-c", READ, TRACKIO_DIR=str(tmp_path / "runs" / "one" / "trackio")))
    (name,) = [each for each in runs if not each.startswith("summary")]
    assert name.startswith("data=line, network=linear")
    (record,) = (tmp_path / "runs" / "one").glob("*/run.json")
    metrics = json.loads(record.read_text())["rows"][0]["metrics"]
    logged = {key: value for line in runs[name] for key, value in line.items()}
    assert logged["evaluation/mae"] == pytest.approx(metrics["mae"])
    assert {line["step"] for line in runs[name] if "val/loss" in line} == {100, 200}
    assert "fit/curve" in logged
    assert not (tmp_path / ".cache" / "huggingface").exists()
