"""What loggers hold in the end, read back with their own readers. No network, no account."""

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytorch_lightning.loggers import Logger

from paribus.build import build_loggers, check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.job import Job, run_job
from paribus.loggers import Wandb
from paribus.loggers.exhibit import Table
from paribus.loggers.naming import run_id, run_name, safe_id
from paribus.loggers.tensor_board import markdown
from paribus.mirror import conclude
from paribus.study.keys import train_key
from paribus.study.records import Row, RunRecord

SMALL = ("trainer.max_steps=300", "trainer.validate_every=100", "data.n_train=128", "name=trial")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(open_tree())


def job(composer: Composer, output: Path, *overrides: str) -> Job:
    """The job of these overrides, as `paribus run` makes it."""
    config = composer.read([*SMALL, f"output={output}", *overrides])
    check(config.resolved)
    key = train_key(config.resolved)
    return Job(key, config.resolved, config.choices, output / "trial" / key)


def run(each: Job) -> RunRecord:
    return run_job(each, progress=False, fence=lambda: None)


def curves(each: Job) -> dict[int, dict[str, float]]:
    """The learning curves in the run's folder: the values of each step, the reference for every logger."""
    with (each.folder / "curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return {int(row.pop("step")): {name: float(value) for name, value in row.items() if value} for row in rows}


def of_kind(records: list[dict], kind: str) -> list[dict]:
    return [record[kind] for record in records if record["type"] == kind]


@pytest.fixture
def exit_codes(wandb_entries) -> Callable[[Path], list[int]]:
    """How a W&B run ended."""
    return lambda folder: [ending["exit_code"] for ending in of_kind(wandb_entries(folder), "exit")]


@pytest.fixture(scope="module")
def two(composer, tmp_path_factory) -> tuple[Path, list[tuple[Job, RunRecord]]]:
    """The folder with the W&B runs of two jobs, one after the other in this process, and the jobs."""
    output = tmp_path_factory.mktemp("two")
    jobs = [job(composer, output, "logger=wandb", "objective=huber", f"seed={seed}") for seed in (0, 1)]
    return output / "trial" / "wandb", [(each, run(each)) for each in jobs]


class TestWandb:
    def test_two_jobs_make_two_runs_in_one_folder(self, two, wandb_entries):
        folder, jobs = two
        assert len(list(folder.glob("offline-run-*"))) == 2
        for each, _ in jobs:
            (run_folder,) = folder.glob(f"offline-run-*-{run_id(each)}")
            (header,) = of_kind(wandb_entries(run_folder), "run")
            assert header["run_id"] == f"trial-{each.key}"
            assert header["project"] == "paribus"
            assert header["run_group"] == "trial"
            assert header["job_type"] == "train"
            seed = each.config["seed"]
            assert header["display_name"] == f"data=line, network=linear, objective=huber, optimizer=adam, seed={seed}"
            logged = {key: value for key, value in header["config"]["update"].items() if key != "_wandb"}
            levels = {"data": "line", "network": "linear", "objective": "huber", "optimizer": "adam"}
            assert logged.pop("levels") == levels
            assert logged.pop("arm") == "data=line, network=linear, objective=huber, optimizer=adam"
            told = {key: value for key, value in each.config.items() if key != "study"}
            assert logged == json.loads(json.dumps({**told, "choices": each.choices}))

    def test_every_value_is_at_its_step(self, two, wandb_entries):
        folder, jobs = two
        for each, record in jobs:
            (run_folder,) = folder.glob(f"offline-run-*-{run_id(each)}")
            found: dict[int, dict[str, float]] = {}
            for line in of_kind(wandb_entries(run_folder), "history"):
                item = {name: value for name, value in line["item"].items() if not name.startswith("_")}
                numbers = {name: value for name, value in item.items() if isinstance(value, int | float)}
                values = {name: value for name, value in numbers.items() if "." not in name}  # of tables: their sizes
                found.setdefault(values.pop("trainer/global_step"), {}).update(values)
            last = {f"evaluation/{name}": value for name, value in record.rows[0].metrics.items()}
            expected = curves(each)
            assert max(expected) == record.steps == 300
            expected[record.steps] |= last
            assert found.keys() == expected.keys()
            for step, values in expected.items():
                assert {**found[step], "epoch": 0} == pytest.approx({**values, "epoch": 0}, rel=1e-8), step

    def test_finished_jobs_finish(self, two, exit_codes):
        folder, _ = two
        for run_folder in folder.glob("offline-run-*"):
            assert exit_codes(run_folder) == [0]

    def test_diverged_job_finishes_as_failed(self, composer, tmp_path, exit_codes):
        each = job(composer, tmp_path, "logger=wandb", "optimizer=sgd", "optimizer.lr=1e30")
        assert run(each).status == "diverged"
        (run_folder,) = (tmp_path / "trial" / "wandb").glob("offline-run-*")
        assert exit_codes(run_folder) == [1]

    def test_evaluation_that_fails_finishes_as_failed(self, composer, tmp_path, monkeypatch, exit_codes):
        each = job(composer, tmp_path, "logger=wandb")
        monkeypatch.setattr("paribus.trained.build_evaluator", lambda config: 1 / 0)
        assert run(each).status == "failed"
        (run_folder,) = (tmp_path / "trial" / "wandb").glob("offline-run-*")
        assert exit_codes(run_folder) == [1]

    def test_another_attempt_is_the_same_run(self, composer, tmp_path, wandb_entries):
        each = job(composer, tmp_path, "logger=wandb")
        for _ in range(3):
            assert run(each).status == "finished"
        own = tmp_path / "trial" / "wandb"
        (folder,) = own.glob("offline-run-*")
        assert of_kind(wandb_entries(folder), "run")[0]["run_id"] == run_id(each)
        assert len(list((own / "superseded").iterdir())) == 2

    def test_a_run_that_wandb_cannot_begin_is_trained_and_left_to_be_published(self, composer, tmp_path, capsys):
        each = job(composer, tmp_path, "logger=wandb")
        each.folder.mkdir(parents=True)
        (each.folder.parent / "wandb").write_text("a file where W&B wants a folder")
        assert run(each).status == "finished"
        assert f"W&B has no run {run_id(each)}" in capsys.readouterr().err
        assert not (each.folder / "published.json").exists()

    def test_logging_does_not_change_the_run(self, composer, tmp_path, two):
        each = job(composer, tmp_path, "logger=none", "objective=huber", "seed=1")
        logged_job, logged = two[1][1]
        assert run(each).rows == logged.rows
        assert each.key == logged_job.key

    def test_missing_package_is_named_with_its_cure(self, composer, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "wandb", None)  # what an import finds where the package is not installed
        each = job(composer, tmp_path, "logger=wandb")
        with pytest.raises(UserError, match=r"pip install 'paribus\[wandb\]'"):
            run(each)
        assert not (each.folder / "run.json").exists()

    def test_no_key_in_a_config(self, composer, tmp_path):
        with pytest.raises(UserError, match="api_key"):
            job(composer, tmp_path, "logger=wandb", "+logger.wandb.api_key=secret")

    def test_online_when_told(self, composer, tmp_path, monkeypatch):
        monkeypatch.setattr("wandb.login", lambda verify: True)  # which asks the server who one is
        monkeypatch.setattr("paribus.loggers.wandb_client.is_reachable", lambda _: True)
        each = job(composer, tmp_path, "logger=wandb", "logger.wandb.offline=false")
        (logger,) = build_loggers(each.config, job=each)
        assert isinstance(logger, Wandb)
        assert logger._wandb_init["mode"] == "online"
        assert logger._experiment is None  # nothing is contacted before the first value is logged


class TestTensorBoard:
    def test_every_value_is_at_its_step(self, composer, tmp_path):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        each = job(composer, tmp_path, "logger=tensorboard", "objective=absolute", "seed=3")
        run(each)
        record = run(each)  # another attempt replaces the curves of the first
        (folder,) = (tmp_path / "trial" / "tensorboard").iterdir()
        assert folder.name == f"data=line,_network=linear,_objective=absolute,_optimizer=adam,_seed=3-{each.key}"
        assert len(list(folder.glob("events.*"))) == 1
        read = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        read.Reload()
        found: dict[int, dict[str, float]] = {}
        for tag in read.Tags()["scalars"]:
            for event in read.Scalars(tag):
                assert tag not in found.setdefault(event.step, {})
                found[event.step][tag] = event.value
        expected = curves(each)
        expected[record.steps] |= {f"evaluation/{name}": value for name, value in record.rows[0].metrics.items()}
        assert found.keys() == expected.keys()
        for step, values in expected.items():
            single_precision = pytest.approx({**values, "epoch": 0}, rel=1e-6)
            assert {**found[step], "epoch": 0} == single_precision, step
        (text,) = (event.tensor_proto.string_val[0].decode() for event in read.Tensors("config/text_summary"))
        assert "_target_: paribus.objectives.Absolute" in text

    def test_missing_package_is_named_with_its_cure(self, composer, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        with pytest.raises(UserError, match=r"pip install 'paribus\[tensorboard\]'"):
            run(job(composer, tmp_path, "logger=tensorboard"))


def test_both_at_once(composer, tmp_path):
    each = job(composer, tmp_path, "logger=[wandb,tensorboard]")
    assert run(each).status == "finished"
    assert len(list((tmp_path / "trial" / "wandb").glob("offline-run-*"))) == 1
    assert len(list((tmp_path / "trial" / "tensorboard").glob("*/events.*"))) == 1


STUDY = {
    "question": "Which objective withstands outliers?",
    "factors": {
        "objective": ["squared", "huber"],
        "data.contamination.fraction": [0.0, 0.2],
        "problem": {"line": {"data": "line"}, "sine": {"data": "sine"}},
    },
    "replicate": {"seed": 5},
    "metrics": {"mae": {"direction": "minimise"}},
}


def named(seed: int, objective: str) -> Job:
    config = {"name": "a/b", "seed": seed, "study": STUDY, "data": {"contamination": {"fraction": 0.2}}}
    return Job("0123456789ab", config, {"objective": objective, "data": "sine", "network": "mlp"}, Path("unused"))


def test_a_name_tells_the_arm_of_the_study():
    expected = "objective=huber, data.contamination.fraction=0.2, problem=sine, seed=3"
    assert run_name(named(3, "huber")) == expected


def test_a_run_outside_of_the_study_is_named_by_its_choices():
    assert run_name(named(3, "cauchy")) == "data=sine, network=mlp, objective=cauchy, seed=3"


def test_an_id_has_only_what_wandb_allows():
    assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", run_id(named(3, "huber")))


def test_texts_that_differ_make_ids_that_differ_and_end_in_the_key():
    names = ["first", "实验一", "实验二", "my exp", "my_exp", f"a{'x' * 60}", f"b{'x' * 60}"]
    ids = [safe_id(f"{name}-0123456789ab") for name in names]
    assert ids[0] == "first-0123456789ab"
    assert len(set(ids)) == len(names)
    assert all(each.endswith("-0123456789ab") and len(each) <= 64 for each in ids)


def test_a_cell_stays_in_its_row():
    lines = markdown(Table(("reason",), [["a|b\nc"]])).splitlines()
    assert lines == ["| reason |", "| --- |", r"| a\|b c |"]


class Failing(Logger):
    """A logger whose backend is gone."""

    name = version = "failing"

    def log_hyperparams(self, *args, **kwargs):
        """Nothing."""

    def log_metrics(self, metrics, step=None):
        raise ConnectionError("the server is gone")


class Keeping(Logger):
    """A logger that keeps what it is told."""

    name = version = "keeping"

    def __init__(self):
        super().__init__()
        self.told = []

    def log_hyperparams(self, *args, **kwargs):
        """Nothing."""

    def log_metrics(self, metrics, step=None):
        self.told.append((metrics, step))

    def finalize(self, status):
        self.told.append(status)


def test_a_logger_that_fails_at_the_end_stops_neither_the_run_nor_the_other_loggers(capsys):
    rows = (Row({"ece": 0.25}, {"calibrator": "none"}), Row({"ece": 0.125}, {"calibrator": "temperature"}))
    record = RunRecord("0123456789ab", "trial", "finished", {}, {}, 0, rows, steps=40)
    keeping = Keeping()
    conclude([Failing(), keeping], record, None)
    values = {"evaluation/calibrator=none/ece": 0.25, "evaluation/calibrator=temperature/ece": 0.125}
    assert keeping.told == [(values, 40), "finished"]
    assert "Failing could not be concluded for run 0123456789ab: the server is gone" in capsys.readouterr().err
