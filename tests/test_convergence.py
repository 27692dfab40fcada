"""A run that was stopped on its way down is told from one that had come to rest."""

import math
from pathlib import Path

import pytest

from paribus.cli import main
from paribus.convergence import still_falling


def curves(folder, losses):
    rows = [f"{step},{2 * loss},{loss if step % 2 else ''}" for step, loss in enumerate(losses)]
    (folder / "curves.csv").write_text("\n".join(["step,train/loss,val/loss", *rows]))
    return still_falling(folder)


@pytest.mark.parametrize(("losses", "falls"), [
    ([math.exp(-step / 50) for step in range(100)], True),
    ([1 + math.exp(-step / 5) for step in range(100)], False),
    ([1.0] * 100, False),
    ([1 + step / 100 for step in range(100)], False),
    ([-step / 10 for step in range(100)], True),
    ([1.0] * 90 + [math.nan] * 10, False),
    ([3.0], False),
    ([], False),
])  # fmt: skip
def test_what_falls_in_the_last_fifth(tmp_path, losses, falls):
    assert bool(curves(tmp_path, losses)) == falls


def test_a_folder_without_curves_says_nothing(tmp_path):
    assert still_falling(tmp_path) == ""
    (tmp_path / "curves.csv").write_text("step,train/loss\n1,2\n")
    assert still_falling(tmp_path) == ""


def test_a_run_that_has_not_converged_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "trainer.max_steps=600", "trainer.validate_every=60"]) == 0
    assert "note: not converged" in capsys.readouterr().out
    assert main(["run", "trainer.max_steps=600", "trainer.validate_every=60", "optimizer.lr=0.05"]) == 0
    assert "note: not converged" not in capsys.readouterr().out
    assert len(list(Path("runs/scratch").iterdir())) == 2
