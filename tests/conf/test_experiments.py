"""Every published study can be planned: its configs build, and its evaluation measures what it declares."""

from pathlib import Path

import pytest

from paribus.cli import main

EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "experiment").glob("*.yaml"))
MANY_CHOICES = {"gan_objectives", "gan_stability", "robust_regression"}
"""Studies of so many combinations of groups' choices that composing them takes long."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in MANY_CHOICES else ()) for name in EXPERIMENTS]
)
def test_a_study_can_be_planned(name, tmp_path, capsys):
    assert main(["plan", f"experiment={name}", "seed=0", f"output={tmp_path}", "--check"]) == 0
    assert "Held equal" in capsys.readouterr().out
