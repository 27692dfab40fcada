"""README.md, CONTRIBUTING.md and docs/*.md, followed to the letter: their files are written and their commands run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paribus.commands.arguments import RUN_OPTIONS, parse
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.config.tree import config_groups

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.(?:py|yaml|csv))`")
PROGRAMS = ("paribus", "python", "make", "taskset", "eval", "mkdir", "cd", "source", "wandb", "tensorboard", "trackio")
MARK = re.compile(r"\[([\w&]+)\]")
"""What a command needs that a test has not, as its comment begins: `# [minutes] ...`."""

EXCEPTIONS = {
    "README.md": {"make demo": "network", "make test": "network"},
    "tutorial.md": {"make install": "network"},
    "adversarial.md": {
        "paribus run family=dcgan": "minutes",
        "paribus run family=wgan_gp trainer.max_steps=20000": "minutes",
    },
    "calibration.md": {"python benchmarks/ece_coverage.py --repetitions 100 --sizes 200 1000": "minutes"},
    "statistics.md": {"python benchmarks/interval_coverage.py": "minutes"},
    "cluster.md": {
        "paribus run experiment=robust_regression_demo hydra/launcher=submitit_slurm hydra.sweeper.workers=8": "Slurm",
        "paribus run experiment=mnist hydra/launcher=submitit_slurm hydra.launcher.partition=gpu "
        "hydra.launcher.gpus_per_node=1 hydra.launcher.timeout_min=240 hydra.launcher.max_num_timeout=5 "
        "hydra.launcher.array_parallelism=16 trainer=gpu": "Slurm",
        "paribus run experiment=robust_regression_demo hydra/launcher=ray hydra.sweeper.workers=8": "Ray",
        "paribus run experiment=robust_regression_demo hydra/launcher=ray hydra.launcher.ray.init.address=auto": "Ray",
        "paribus run experiment=robust_regression hydra.launcher.hosts=2 output=/shared/runs": "hosts",
    },
    "wandb.md": {
        "wandb leet runs/first/wandb": "terminal",
        "wandb sync runs/first/wandb/offline-run-*": "network",
        "paribus publish runs/first --online": "network",
        "paribus dashboard runs/first --online --entity my-team": "network",
    },
    "command_line.md": {'paribus completion zsh > "${fpath[1]}/_paribus"': "zsh"},
}
"""The marked commands of each page; performance.md measures, so that all of its commands but one take minutes."""


@dataclass(frozen=True)
class Command:
    """A command of a page, on one line, and its mark."""

    line: str
    mark: str


def commands(text: str) -> Iterator[Command]:
    """The commands in the fenced blocks of a page."""
    for language, block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines() if language in ("", "sh") else ():
            command, _, comment = line.partition(" #")
            if command.split(" ")[0] in PROGRAMS and not command.startswith(" "):
                mark = MARK.match(comment.strip())
                yield Command(" ".join(command.split()), mark[1] if mark else "")


def files(text: str) -> dict[str, str]:
    """The files that a page gives: each block of code after a paragraph that ends with the file's name."""
    found = {}
    for block in FENCE.finditer(text):
        paragraph = text[: block.start()].rstrip().rpartition("\n\n")[2]
        names = NAMED.findall(paragraph)
        if block[1] in ("python", "yaml", "csv") and names and paragraph.endswith((":", "shows:")):
            found[names[-1]] = block[2]
    return found


def write(folder: Path, text: str) -> None:
    for name, content in files(text).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def follow(line: str, folder: Path, source: Path = ROOT / "src", allowed: tuple[int, ...] = (0,)) -> str:
    """What a command of a page prints, in an environment that is active; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "PATH": path, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "HOME": str(folder), "WANDB_MODE": "offline",
    }  # fmt: skip
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def lay_out(folder: Path) -> None:
    """What the pages' commands read and a reader has: logits and photos; and where shells look for completions."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 3
    logits = rng.normal(size=(200, 3))
    np.savez(folder / "logits.npz", logits=logits, labels=labels, val_logits=logits + 1, val_labels=labels)
    for kind in ("cat", "dog"):
        (folder / "photos" / kind).mkdir(parents=True)
        for place in range(10):
            pixels = rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / kind / f"{place}.png")
    for place in (".local/share/bash-completion/completions", ".config/fish/completions"):
        (folder / place).mkdir(parents=True)


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_are_listed(page):
    marked = {each.line: each.mark for each in commands(PAGES[page]) if each.mark}
    if page == "performance.md":
        plain = [each.line.split()[0] for each in commands(PAGES[page]) if not each.mark]
        assert set(marked.values()) == {"minutes"}
        assert plain == ["paribus"]
    else:
        assert marked == EXCEPTIONS.get(page, {})


def test_the_words_of_every_command_exist(tmp_path, monkeypatch):
    pages = [*PAGES.values(), PAGE]
    for text in pages:
        write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    composer, groups = Composer(open_tree()), config_groups()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for each in (each for text in pages for each in commands(text)):
        program, *words = shlex.split(re.split(r" > | \| ", each.line)[0].removeprefix("taskset -c 0 "))
        if program == "make":
            assert words[0] in targets
        elif program == "python":
            assert Path(words[0]).exists() or (ROOT / words[0]).exists() or find_spec(words[1]), each.line
        elif program == "paribus" and (words[0] not in ("run", "plan") or "--key" in words):
            assert parse(words).command == words[0]
        elif program == "paribus":
            flags, overrides = ([word for word in words[1:] if (word[0] == "-") == flag] for flag in (True, False))
            assert set(flags) <= {*RUN_OPTIONS, "--json", "--check"}, each.line
            requests = composer.requests([word for word in overrides if word != "job"])
            choices = [one for one in requests if one.key in groups and not one.prefix]
            assert all(set(map(str, one.values)) <= groups[one.key].keys() for one in choices), each.line
            if not {one.key for one in requests} <= {*groups, "name", "seed"}:  # keys too: they fit what is composed
                first = [f"{one.prefix}{one.key}={one.values[0]}" if one.swept else one.line for one in requests]
                assert composer.compose(first).name, each.line


def test_pages_have_commands_and_files():
    found = {page: [each.line for each in commands(text)] for page, text in PAGES.items()}
    assert sum(map(len, found.values())) > 50
    assert "paribus plan experiment=deliveries --check" in found["tutorial.md"]
    assert set(files(PAGES["tutorial.md"])) == {
        "make_deliveries.py", "conf/experiment/deliveries.yaml", "conf/experiment/rain.yaml"
    }  # fmt: skip
    assert [Path(name).parts[0] for name in files(PAGE)] == ["src", "conf", "tests"]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if any(not c.mark for c in commands(text))])
def test_commands_work_as_they_stand(page, tmp_path):
    lay_out(tmp_path)
    write(tmp_path, PAGES[page])
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    done = [each for each in commands(PAGES[page]) if not each.mark and not each.line.startswith(("cd ", "source "))]
    for each in done:
        line = each.line
        if "/KEY" in line:  # which run, the reader sees
            above = re.findall(r"(\S+)/KEY", line)[0]
            line = line.replace("KEY", next(path.parent.name for path in (tmp_path / above).glob("*/run.json")))
        judging = line.startswith("paribus verify")
        told = follow(line, tmp_path, allowed=(0, 1, 3) if judging else (0,))
        assert told.strip() or not line.startswith("paribus") or ">" in line, line
    if page == "tutorial.md":
        assert (tmp_path / "runs" / "deliveries" / "report.html").exists()
        assert 'href="deliveries/report.html"' in (tmp_path / "runs" / "index.html").read_text()


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
    assert not any((copy / path).exists() for path in files(PAGE))
    write(copy, PAGE)

    def run(line: str) -> str:
        return follow(line, copy, copy / "src")

    test, listing, single, study = (each.line for each in commands(PAGE))
    assert "asymmetric_huber" in run(f"{test} -k asymmetric -vv")
    assert re.search("asymmetric_huber +Regression: asymmetric Huber", run(listing))
    assert "finished after" in run(single)
    # The plan of the study shows the arm, and a short version of it runs.
    assert "asymmetric_huber" in run(study.replace("paribus run", "paribus plan"))
    run(f"{study} -m 'study.claims=[]' data=diabetes data.contamination.fraction=0.1 seed=0,1 trainer.max_steps=20")
    assert len(list((copy / "runs" / "robust_regression_demo").glob("*/run.json"))) == 8
    code = " ".join(path for path in files(PAGE) if path.endswith(".py"))
    run(f"ruff check {code}")
    run(f"ruff format --check {code}")
    run(f"mypy {code.split()[0]} --follow-imports=silent")


def test_targets_that_the_pages_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", "".join(PAGES.values()) + PAGE))
    assert named
    assert named <= targets
