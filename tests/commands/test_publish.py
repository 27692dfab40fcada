"""What `paribus publish` makes of records, read back with W&B's own reader. No network, no account."""

import base64
import json
import os
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import wandb
from PIL import Image

from paribus.cli import main
from paribus.commands.publish import publish_sweep
from paribus.loggers import wandb_client, wandb_log
from paribus.study.records import Failure, Row, RunRecord, UnreadableRecord, read_record, write_record

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


def test_what_is_kept_for_another_project_is_not_there_for_the_first_any_more(tmp_path, capsys):
    leave(tmp_path, record("huber", 0))
    for project in ("one", "two", "one"):
        assert main(["publish", str(tmp_path), "--project", project]) == 0
        assert "published 1 runs and the summary" in capsys.readouterr().out


def test_what_wandb_cannot_begin_is_due_still(tmp_path, capsys):
    leave(tmp_path, record("huber", 0))
    (tmp_path / "wandb").write_text("a file where W&B wants a folder")
    assert main(["publish", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "published 0 runs (wandb offline: paribus); 0 were there already; 2 could not be" in told.out
    assert "training" not in told.err
    assert not list(tmp_path.glob("**/published.json"))


def test_a_run_whose_log_is_cut_off_is_due_still(tmp_path, capsys, monkeypatch):
    place = leave(tmp_path, record("huber", 0))
    whole = wandb.Run.finish

    def cut(run, *given, **more):
        whole(run, *given, **more)
        log = Path(run.settings.sync_file)
        assert wandb_log.ends(log)
        log.write_bytes(log.read_bytes()[:-1])
        monkeypatch.setattr(wandb_log, "PATIENCE", 0.0)

    monkeypatch.setattr(wandb.Run, "finish", cut)  # as a disk does that is full
    assert main(["publish", str(tmp_path)]) == 1
    assert "is cut off" in capsys.readouterr().err
    assert not (place / "published.json").exists()


def test_one_study_is_published_at_a_time(tmp_path, capsys):
    for name in ("one", "two"):
        leave(tmp_path / name, record("huber", 0))
    for command in (["publish", "--to", "tensorboard"], ["dashboard"]):
        assert main([*command, str(tmp_path)]) == 2
        assert f"one at a time: {tmp_path}/one" in capsys.readouterr().err


def test_a_record_that_cannot_be_read_is_told(tmp_path, capsys):
    place = leave(tmp_path, record("huber", 0))
    foreign = leave(tmp_path, record("huber", 1))
    (foreign / "run.json").write_text((foreign / "run.json").read_text().replace(foreign.name, "/../../../victim"))
    assert main(["publish", str(tmp_path), "--to", "tensorboard"]) == 1
    told = capsys.readouterr()
    assert "published 1 runs and the summary (tensorboard); 0 were there already; 1 could not be" in told.out
    assert "has the key '/../../../victim', which no run has" in told.err
    (place / "run.json").write_text("{")
    for command in (["publish", "--to", "tensorboard"], ["dashboard"]):
        assert main([*command, str(tmp_path)]) == 2
        assert "none of its records can be read" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["..", ".", "", "/../x", "a/b", "a\\b", "é", 5])
def test_a_key_that_is_no_plain_name_makes_no_record(tmp_path, key):
    place = leave(tmp_path, record("huber", 0))
    read = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps(read | {"key": key}))
    with pytest.raises(UnreadableRecord, match="which no run has"):
        read_record(place)


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
        f"+logger.wandb.settings={{'api_key': {KEY}}}",
        f"logger.wandb.token={KEY}",
        f"--api-key={KEY}",
        f"WANDB_API_KEY={KEY}",
    ],
)
def test_a_key_in_an_override_is_refused_and_not_repeated(word, capsys):
    assert main(["run", "logger=wandb", word]) == 2
    told = capsys.readouterr().err
    assert "the environment variable WANDB_API_KEY" in told
    assert KEY not in told


@pytest.mark.parametrize(
    "word", ["logger.wandb.entity=${oc.env:WANDB_API_KEY}", "logger.wandb.tags=[a-${oc.env:WANDB_API_KEY}]"]
)
def test_a_key_in_a_resolved_config_is_refused_and_not_written(word, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "data=line", "logger=wandb", word]) == 2
    told = capsys.readouterr().err
    assert "has what WANDB_API_KEY has" in told
    assert KEY not in told


def test_a_server_is_told_without_its_password(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(wandb_client, "_unreachable", [])
    monkeypatch.setattr(wandb_client, "_server", lambda: "http://me:secret@127.0.0.1:9")
    assert not wandb_client.is_reachable(tmp_path)
    told = capsys.readouterr().err
    assert "http://127.0.0.1:9 cannot be reached" in told
    assert "secret" not in told


def test_each_experiment_stages_its_own_tables_unless_the_user_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr(wandb_client, "_own_places", {})
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("a", "b"):
        wandb_client.prepare_wandb(tmp_path / name, offline=True)
        assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / name / "wandb" / "data")
    monkeypatch.setenv("WANDB_DATA_DIR", "elsewhere")
    wandb_client.prepare_wandb(tmp_path / "c", offline=True)
    assert os.environ["WANDB_DATA_DIR"] == "elsewhere"


def test_variables_that_the_config_overrides_are_told_once(tmp_path, capsys, monkeypatch):
    wandb_client._tell_disregarded.cache_clear()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for _ in range(2):
        wandb_client.prepare_wandb(tmp_path, offline=True)
    assert capsys.readouterr().err.count("WANDB_MODE is disregarded") == 1


def test_a_summary_that_cannot_be_made_leaves_the_sweep_as_it_was(tmp_path, capsys, monkeypatch):
    leave(tmp_path, record("huber", 0))
    monkeypatch.setattr("paribus.commands.publish.report", lambda folder: 1 / 0)
    publish_sweep(tmp_path, {"tensorboard": {"_target_": "paribus.loggers.TensorBoard"}})
    assert "the sweep is recorded, and not published: ZeroDivisionError" in capsys.readouterr().err
