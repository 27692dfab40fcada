"""What `paribus publish` makes of records, read back with W&B's own reader. No network, no account."""

import base64
import json
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from paribus.cli import main
from paribus.study.records import Failure, Row, RunRecord, write_record

KEY = "0123456789abcdef" * 2 + "01234567"
STUDY = {
    "question": "Does the Huber loss gain?",
    "factors": {"objective": ["squared", "huber"]},
    "replicate": {"seed": 3},
    "metrics": {"mae": {"direction": "minimise"}},
    "claims": [
        {
            "id": "gain",
            "kind": "better",
            "metric": "mae",
            "arm": {"objective": "huber"},
            "than": {"objective": "squared"},
        }
    ],
}
VALUES = {("squared", 0): 3.0, ("squared", 1): 2.0, ("squared", 2): 2.5, ("huber", 0): 1.0, ("huber", 1): 1.5}


def png() -> str:
    stream = BytesIO()
    Image.new("L", (8, 4), 99).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


LATENT = {
    "kind": "latent",
    "pictures": [{"name": "samples", "title": "Samples", "caption": "Drawn.", "png": png()}],
    "maps": [{"name": "codes", "title": "Codes", "points": [[0.5, 1.5, 1], [2, 3, 0]], "classes": ["a", "b"]}],
    "bars": [{"name": "rate", "title": "Rate", "values": [0.25, 0.75]}],
}
RELIABILITY = {
    "kind": "reliability",
    "levels": {"none": {"bins": [[0.5, 1, 8, 0.75, 0.625]], "ece": 0.1, "floor": 0.1}},
}


def record(objective: str, seed: int, status: str = "finished") -> RunRecord:
    config = {"name": "trial", "seed": seed, "optimizer": {"lr": 0.1}}
    rows = (Row({"mae": VALUES[objective, seed]}),) if status == "finished" else ()
    failure = None if status == "finished" else Failure("NonFiniteLoss", "the loss is inf at step 7", 7)
    choices = {"objective": objective}
    key = f"{objective:x>11}{seed}"
    made = RunRecord(key, "trial", "finished", config, choices, seed, rows, steps=20, seconds=1.5, failure=failure)
    return replace(made, status=status, provenance={"torch": "2.0"})


def leave(folder: Path, each: RunRecord, drawing: dict | None = None) -> Path:
    place = folder / each.key
    write_record(place, each)
    (place / "curves.csv").write_text("step,train/loss,val/loss\n10,0.5,\n20,0.25,0.75\n")
    if drawing:
        (place / "fit.json").write_text(json.dumps(drawing))
    return place


def summed_up(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """A W&B run's header, the values of each step, its summary and how it ended."""
    found: dict[str, Any] = {"history": {}, "summary": {}, "config": {}}
    for entry in entries:
        content = entry.get(entry["type"])
        if entry["type"] == "history":
            item = content["item"]
            found["history"].setdefault(item["trainer/global_step"], {}).update(item)
        elif entry["type"] == "summary":
            found["summary"] |= nested(content.get("update", {}))
        elif entry["type"] == "exit":
            found["exit_code"] = content["exit_code"]
        elif entry["type"] == "run":
            found |= content
    return found


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """The reader joins the names of nested values with points."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        outer, _, inner = name.partition(".")
        if inner:
            found.setdefault(outer, {})[inner] = value
        else:
            found[name] = value
    return found


def run_of(folder: Path, name: str) -> Path:
    (found,) = (folder / "wandb").glob(f"offline-run-*-{name}")
    return found


def table(run: Path, name: str) -> dict[str, Any]:
    """A table that was logged."""
    (path,) = (run / "files" / "media" / "table").glob(f"{name}_*.table.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Records of a study: two arms, of which one has a run that diverged, and one that is not over."""
    folder = tmp_path_factory.mktemp("publish") / "trial"
    drawings = {("squared", 0): LATENT, ("squared", 1): RELIABILITY}
    for objective, seed in VALUES:
        leave(folder, record(objective, seed), drawings.get((objective, seed)))
    leave(folder, record("huber", 2, "diverged"))
    leave(folder, replace(record("huber", 0, "running"), key="running", choices={"objective": "other"}))
    (folder / "study.json").write_text(json.dumps(STUDY))
    return folder


@pytest.fixture(scope="module")
def first(folder) -> Path:
    """The folder after it was published."""
    assert main(["publish", str(folder), "--project", "mine"]) == 0
    return folder


def test_a_run_has_its_curves_its_rows_and_what_it_drew(first, wandb_entries):
    place = run_of(first, "trial-xxxxsquared0")
    run = summed_up(wandb_entries(place))
    assert {name: run[name] for name in ("project", "run_group", "job_type", "display_name", "exit_code")} == {
        "project": "mine",
        "run_group": "trial",
        "job_type": "train",
        "display_name": "objective=squared, seed=0",
        "exit_code": 0,
    }
    config = run["config"]["update"]
    assert config["arm"] == "objective=squared"
    assert config["levels"] == config["choices"] == {"objective": "squared"}
    assert config["optimizer"] == {"lr": 0.1}
    assert run["history"][10]["train/loss"] == 0.5
    assert run["history"][20]["val/loss"] == 0.75
    assert run["history"][20]["evaluation/mae"] == 3.0
    summary = run["summary"]
    assert (summary["status"], summary["seconds"]) == ("finished", 1.5)
    assert summary["pictures/samples"]["_type"] == "image-file"
    assert summary["pictures/samples"]["caption"] == "Samples. Drawn."
    with Image.open(place / "files" / summary["pictures/samples"]["path"]) as image:
        assert image.convert("L").getpixel((3, 3)) == 99
    assert table(place, "evaluation/rows") == {"columns": ["mae"], "data": [[3.0]]}
    assert table(place, "maps/codes_table")["data"] == [[0.5, 1.5, "b"], [2.0, 3.0, "a"]]
    assert table(place, "bars/rate_table")["data"] == [["1", 0.25], ["2", 0.75]]


def test_a_reliability_diagram_is_a_chart(first):
    place = run_of(first, "trial-xxxxsquared1")
    data = table(place, "reliability/none_table")
    assert data["columns"] == ["step", "lineKey", "lineVal"]
    assert data["data"] == [[0.75, "accuracy", 0.625], [0.75, "calibrated", 0.75]]


def test_a_run_that_diverged_has_failed_and_one_that_is_not_over_waits(first, wandb_entries):
    run = summed_up(wandb_entries(run_of(first, "trial-xxxxxxhuber2")))
    assert run["exit_code"] == 1
    assert run["summary"]["status"] == "diverged"
    assert run["summary"]["failure"] == "NonFiniteLoss: the loss is inf at step 7"
    assert not list((first / "wandb").glob("*running*"))


def test_the_summary_has_verdicts_results_figures_and_the_report(first, wandb_entries):
    place = run_of(first, "trial-summary")
    run = summed_up(wandb_entries(place))
    assert (run["job_type"], run["display_name"]) == ("summary", "summary of trial")
    verdicts = table(place, "verdicts")
    (row,) = [dict(zip(verdicts["columns"], cells, strict=True)) for cells in verdicts["data"]]
    assert (row["claim"], row["n"]) == ("gain", 3)
    results = table(place, "results")
    assert len(results["data"]) == 6
    assert [row[results["columns"].index("status")] for row in table(place, "failures")["data"]] == ["diverged"]
    assert run["summary"]["figures/metric-mae"]["_type"] == "image-file"
    assert run["summary"]["report"]["_type"] == "html-file"
    assert run["config"]["update"]["study"]["question"] == STUDY["question"]


def test_again_it_does_nothing_and_what_changed_is_published_as_the_same_run(first, capsys):
    before = sorted((first / "wandb").glob("offline-run-*"))
    assert main(["publish", str(first), "--project", "mine"]) == 0
    told = capsys.readouterr().out
    assert "nothing to publish: 6 runs and their summary are there (wandb offline: mine)" in told
    assert "1 runs are not over" in told
    assert sorted((first / "wandb").glob("offline-run-*")) == before
    changed = record("huber", 1)
    write_record(first / changed.key, changed.with_rows((Row({"mae": 9.0}),)))
    time.sleep(1)  # W&B names a folder by the second
    assert main(["publish", str(first), "--project", "mine"]) == 0
    assert "published 1 runs and the summary" in (told := capsys.readouterr().out)
    assert f"wandb sync {first}/wandb/offline-run-*" in told
    new = sorted(set((first / "wandb").glob("offline-run-*")) - set(before))
    assert {path.name.split("-", 3)[3] for path in new} == {f"trial-{changed.key}", "trial-summary"}


def test_tensorboard_shows_the_same(folder, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert main(["publish", str(folder), "--to", "tensorboard"]) == 0
    (place,) = (folder / "tensorboard").glob("*-xxxxsquared0")
    read = EventAccumulator(str(place))
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("train/loss")] == [(10, 0.5), (20, 0.25)]
    assert [event.value for event in read.Scalars("evaluation/mae")] == [3.0]
    assert read.Images("pictures/samples")[0].width == 8 * 4
    assert main(["publish", str(folder), "--to", "tensorboard"]) == 0
    assert "nothing to publish" in capsys.readouterr().out
    assert len(list(place.glob("events.*"))) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["publish", "nowhere"], "there is no such folder of records"),
        (["publish", "{folder}", "--to", "mlflow"], "invalid choice: 'mlflow'"),
        (["publish", "{folder}", "--to", "tensorboard", "--online"], "--online: tensorboard has no such setting"),
        (["publish", "{folder}", "--online"], "run `wandb login`, or set WANDB_API_KEY"),
    ],
)
def test_a_mistake_is_told(folder, words, told, capsys, monkeypatch):
    monkeypatch.setattr("paribus.loggers.wandb_client.is_reachable", lambda _: True)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    assert main([word.format(folder=folder) for word in words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "word",
    [
        f"logger.wandb.api_key={KEY}",
        f"+logger.wandb.api_key={KEY}",
        f"+logger.wandb.settings={{api_key: {KEY}}}",
        f"WANDB_API_KEY={KEY}",
    ],
)
def test_a_key_in_an_override_is_refused_and_not_repeated(word, capsys):
    assert main(["run", "logger=wandb", word]) == 2
    told = capsys.readouterr().err
    assert "the environment variable WANDB_API_KEY" in told
    assert KEY not in told
