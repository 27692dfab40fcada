"""A study's W&B workspace as code: its specification against a golden file, made without an account or a network."""

import json
from pathlib import Path

import pytest

from paribus.cli import main
from paribus.commands.dashboard import logged_names
from paribus.mirror import evaluation_metrics
from paribus.report.collect import collect
from paribus.study.records import Row, RunRecord, write_record

pytest.importorskip("wandb_workspaces", reason="needs pip install 'paribus[wandb]'")

GOLDEN = Path(__file__).parents[1] / "golden" / "workspace.json"
STUDY = {
    "question": "Does a calibrator help?",
    "factors": {
        "objective": ["cross_entropy", "focal"],
        "data.noise.fraction": [0.0, 0.2],
        "problem": {"digits": {"data": "digits"}, "wine": {"data": "wine"}},
    },
    "within": {"calibrator": ["none", "temperature"]},
    "replicate": {"seed": 2},
    "metrics": {"ece": {"direction": "minimise"}, "nll": {"direction": "minimise", "unit": "nats"}},
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """One record of the study, which is enough to know its curves."""
    folder = tmp_path / "calibrators"
    rows = tuple(Row({"ece": 0.1, "nll": 0.5}, {"calibrator": level}) for level in ("none", "temperature"))
    config = {"name": "calibrators", "seed": 0, "data": {"noise": {"fraction": 0.0}}}
    choices = {"objective": "focal", "data": "wine"}
    write_record(folder / "a", RunRecord("a", "calibrators", "finished", config, choices, 0, rows))
    (folder / "a" / "curves.csv").write_text("step,train/loss,val/loss,val/ece\n10,0.5,0.4,0.3\n")
    (folder / "study.json").write_text(json.dumps(STUDY))
    return folder


def test_the_specification_is_the_golden_one(folder, capsys):
    assert main(["dashboard", str(folder), "--entity", "us", "--project", "them"]) == 0
    assert f"workspace: {folder}/workspace.json" in capsys.readouterr().out
    made = json.loads((folder / "workspace.json").read_text())
    assert made == json.loads(GOLDEN.read_text())


def test_its_panels_ask_for_what_runs_log(folder):
    main(["dashboard", str(folder)])
    section = json.loads((folder / "workspace.json").read_text())["section"]
    (runs,) = section["runSets"]
    assert [(each["key"]["name"], each["value"]) for each in runs["filters"]["filters"]] == [("group", "calibrators")]
    panels = {
        each["name"]: [panel["config"] for panel in each["panels"]] for each in section["panelBankConfig"]["sections"]
    }
    assert list(panels) == ["Verdicts and paired differences", "Metrics by factor", "Curves by arm", "Failures"]
    bars = [(each["groupBy"], each["metrics"]) for each in panels["Metrics by factor"]]
    metrics = [
        [f"evaluation/calibrator={level}/{name}" for level in ("none", "temperature")] for name in ("ece", "nll")
    ]
    groups = [f"levels.value.{name}" for name in ("objective", "data_noise_fraction", "problem")]
    assert bars == [(group, each) for each in metrics for group in groups]
    curves = [(each["metrics"], each["groupBy"], each["xAxis"]) for each in panels["Curves by arm"]]
    names = ("val/ece", "val/loss", "train/loss")
    assert curves == [([name], "arm.value", "trainer/global_step") for name in names]


@pytest.mark.parametrize("name", ["the group's \\ 'own' a=b", "a&b;$(touch pwn)", "实验 🙂"])
def test_a_group_is_asked_for_as_it_was_logged_whatever_the_folder_is_called(folder, name):
    read = json.loads((folder / "a" / "run.json").read_text())
    read["config"]["logger"] = {"wandb": {"entity": None, "project": "p", "group": name}}
    (folder / "a" / "run.json").write_text(json.dumps(read))
    folder = folder.rename(folder.parent / name)
    assert main(["dashboard", str(folder)]) == 0
    (runs,) = json.loads((folder / "workspace.json").read_text())["section"]["runSets"]
    assert [each["value"] for each in runs["filters"]["filters"]] == [name]


def test_rows_of_several_within_run_factors_have_a_name_each(folder):
    factors = STUDY["within"] | {"shift": [0, 0.5]}
    (folder / "study.json").write_text(json.dumps(STUDY | {"within": factors}))
    study = collect(folder).study
    rows = [Row({"ece": 0.1}, {"calibrator": one, "shift": two}) for one in factors["calibrator"] for two in (0, 0.5)]
    told = evaluation_metrics(RunRecord("a", "calibrators", "finished", {}, {}, 0, tuple(rows)))
    assert logged_names(study.metrics[0], study) == list(told)


def test_a_workspace_that_is_sent_needs_a_key(folder, capsys, monkeypatch):
    monkeypatch.setattr("paribus.loggers.wandb_client.is_reachable", lambda _: True)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    assert main(["dashboard", str(folder), "--online", "--entity", "us"]) == 2
    assert "run `wandb login`, or set WANDB_API_KEY" in capsys.readouterr().err
