"""README.md and CONTRIBUTING.md, followed to the letter: their files are written and their commands run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = re.finditer(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
PATH = re.compile(r"`([\w/]+\.(?:py|yaml))`")
FILES = [(PATH.findall(PAGE, 0, block.start())[-1], block[1]) for block in BLOCKS]
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def follow(line: str, folder: Path, source: Path) -> str:
    """What a command of a page prints, in an environment that is active; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line.split(), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_files_that_the_page_names_exist():
    for path in ("src/paribus/networks/mlp.py", "src/paribus/families/regression.py", "src/paribus/data/contract.py"):
        assert f"`{Path(path).name}`" in PAGE
        assert (ROOT / path).exists()


@pytest.mark.slow
def test_an_objective_takes_the_files_that_the_page_gives(tmp_path):
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "conf", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    assert [Path(path).parts[0] for path, _ in FILES] == ["src", "conf", "tests"]
    for path, content in FILES:
        assert not (copy / path).exists()
        (copy / path).write_text(content)

    def run(line: str) -> str:
        return follow(line, copy, copy / "src")

    test, listing, single, study = COMMANDS[0].splitlines()
    assert "asymmetric_huber" in run(f"{test} -k asymmetric -vv")
    assert re.search("asymmetric_huber +Asymmetric Huber:", run(listing))
    assert "finished after" in run(single)
    # The plan of the study shows the arm, and a short version of it runs.
    assert "asymmetric_huber" in run(study.replace("paribus run", "paribus plan"))
    run(f"{study} -m study.claims=[] data=diabetes data.contamination.fraction=0.1 seed=0,1 trainer.max_steps=20")
    assert len(list((copy / "runs" / "robust_regression_demo").glob("*/run.json"))) == 8
    code = " ".join(path for path, _ in FILES if path.endswith(".py"))
    run(f"ruff check {code}")
    run(f"ruff format --check {code}")
    run(f"mypy {code.split()[0]} --follow-imports=silent")


@pytest.mark.slow
def test_the_first_commands_work_as_they_stand(tmp_path):
    lines = [
        line.partition("#")[0].strip()
        for block in re.findall(r"```\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
    ]
    commands = [line for line in lines if line.startswith("paribus ")]
    assert len(commands) == 13
    logits, labels = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) % 3
    np.savez(tmp_path / "logits.npz", logits=logits, labels=labels, val_logits=logits + 1, val_labels=labels)
    for line in commands:
        assert follow(line, tmp_path, ROOT / "src").strip()
    assert (tmp_path / "runs" / "first" / "report.html").exists()


def test_targets_that_the_pages_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README + PAGE))
    assert named
    assert named <= targets
