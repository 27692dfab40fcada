"""What answers at once imports nothing heavy; what a newcomer looks for is where the layout says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "pytorch_lightning", "lightning", "torchmetrics", "wandb", "sklearn", "matplotlib")

# Runs the command line in a fresh process, and says what it had imported at its end and the CPU seconds it took since
# the interpreter started: what a user waits for on a machine that is not busy with other tests.
SCRIPT = """
import sys, time
from paribus.cli import main
try:
    code = main(sys.argv[2:])
except SystemExit as stop:
    code = stop.code
sys.stdout.flush()
seconds = time.process_time()
import json
heavy = [name for name in sys.argv[1].split(",") if name in sys.modules]
print(json.dumps({"code": code or 0, "heavy": heavy, "seconds": seconds}), file=sys.stderr)
"""


def run(arguments: list[str], folder: Path, heavy: tuple[str, ...] = HEAVY) -> tuple[dict, str]:
    """What the command line did in a process of its own, and what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, ",".join(heavy), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip(), done
    return json.loads(done.stderr.splitlines()[-1]), done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["run", "--cfg", "job"],
        ["run", "--cfg", "job", "--resolve", "objective=huber", "objective.delta=0.5"],
        ["list"],
        ["list", "objective"],
        ["plan", "--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_answers_at_once(arguments, tmp_path):
    answer, printed = run(arguments, tmp_path)
    assert answer["code"] == 0
    assert answer["heavy"] == []
    assert printed.strip()
    assert answer["seconds"] < 1.0
    assert list(tmp_path.iterdir()) == []


def test_plan_needs_no_statistics(tmp_path):
    arguments = ["plan", "objective=squared,absolute", "seed=0,1"]
    answer, printed = run(arguments, tmp_path, (*HEAVY, "scipy", "pandas"))
    assert (answer["code"], answer["heavy"]) == (0, [])
    assert "absolute" in printed


def test_what_is_printed_is_the_resolved_config(tmp_path):
    _, printed = run(["run", "--cfg", "job", "--resolve", "objective=huber", "objective.delta=0.5"], tmp_path)
    assert "delta: 0.5" in printed
    assert "${" not in printed


def test_mistakes_exit_with_2_without_traceback(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", "import sys; from paribus.cli import main; sys.exit(main(sys.argv[1:]))"]
    done = subprocess.run([*command, "list", "objectiv"], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'objective'" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_config_is_described():
    """`paribus list` shows the first comment of each file; without one a newcomer sees a bare name."""
    undescribed = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "conf").glob("**/*.yaml"))
        if not any(line.startswith("#") and "@package" not in line for line in path.read_text().splitlines()[:3])
    ]
    assert undescribed == []


def test_one_caller_of_instantiate():
    """Hydra's `instantiate` runs whatever a config names; the allow-list stands before the one way to build."""
    callers = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "src").glob("**/*.py"))
        if "instantiate(" in path.read_text() or "import instantiate" in path.read_text()
    ]
    assert callers == []


def test_documented_layout_exists():
    """Every top-level module and package is one that the architecture page names."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    packages = [
        path for path in (ROOT / "src" / "paribus").iterdir() if path.is_dir() and (path / "__init__.py").exists()
    ]
    unnamed = [path.name for path in packages if f"  {path.name}/" not in page]
    assert unnamed == []
    for group in (ROOT / "conf").iterdir():
        assert group.suffix == ".yaml" or f"{group.name}/" in page, group.name
