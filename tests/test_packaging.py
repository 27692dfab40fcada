"""What a user gets from the wheel: command, configs and plugins, in any directory, with configs of their own."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

OWN_OBJECTIVE = """\
# A Huber loss of my own.
_target_: paribus.objectives.Huber
delta: 0.25
"""


def shell(*command: object, folder: Path, expect: int = 0) -> str:
    """What a command prints; it must exit as expected."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = clean | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel, made from the source distribution as any installer would, and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    shell(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The `bin` of an empty environment with nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=True)
    binaries = folder / "bin"
    shell(binaries / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", built[0], folder=folder)
    return binaries


@pytest.fixture
def project(tmp_path) -> Path:
    """A user's folder with a config of their own."""
    (tmp_path / "conf" / "objective").mkdir(parents=True)
    (tmp_path / "conf" / "objective" / "mine.yaml").write_text(OWN_OBJECTIVE)
    return tmp_path


def test_distributions_hold_what_is_needed(built):
    wheel, source = built
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    with tarfile.open(source) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    files = [path for folder in ("src", "conf") for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in files if "__pycache__" not in path.parts and ".egg-info" not in str(path)]
    assert kept
    for path in kept:
        place = path.relative_to(ROOT)
        assert str(place) in packed
        assert (str(place.relative_to("src")) if place.parts[0] == "src" else f"paribus/{place}") in inside
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt"} <= packed
    assert "hydra_plugins/__init__.py" not in inside  # a namespace that other packages' plugins share


def test_no_torchvision(installed):
    assert "torchvision" not in shell(installed / "pip", "list", folder=installed)


def test_own_configs_are_listed_beside_those_of_the_wheel(installed, project):
    printed = shell(installed / "paribus", "list", "objective", folder=project)
    assert "A Huber loss of my own." in printed
    assert "squared" in printed


def test_own_configs_are_composed(installed, project):
    printed = shell(installed / "paribus", "run", "--cfg", "job", "--resolve", "objective=mine", folder=project)
    assert "delta: 0.25" in printed


def test_own_configs_are_run_from_any_directory(installed, project):
    shell(installed / "paribus", "run", "objective=mine", "trainer.max_steps=20", folder=project)
    (record,) = project.glob("runs/scratch/*/run.json")
    content = json.loads(record.read_text())
    assert content["status"] == "finished"
    assert content["steps"] == 20
    assert content["choices"]["objective"] == "mine"
    assert content["config"]["objective"]["delta"] == 0.25


def test_sweep_ends_in_a_report(installed, project):
    words = ("run", "-m", "objective=mine,squared", "seed=0,1", "trainer.max_steps=20", "name=sweep")
    shell(installed / "paribus", *words, folder=project)
    assert len(list(project.glob("runs/sweep/*/run.json"))) == 4
    page = shell(installed / "paribus", "report", "runs/sweep", folder=project).split()[-1]
    assert (project / page).read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_mistake_is_answered_with_the_nearest_name(installed, project):
    printed = shell(installed / "paribus", "run", "objective=hubr", folder=project, expect=2)
    assert "huber" in printed
    assert "Traceback" not in printed
