"""A study of robust regression made by closed-form fits: real effects and real noise, without any training."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from paribus.study.records import RECORD_FILE, Failure, Row, RunRecord, key_of, read_record, write_record

OBJECTIVES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "squared": lambda r: np.ones_like(r),
    "absolute": lambda r: 1 / np.maximum(np.abs(r), 1e-6),
    "huber": lambda r: np.minimum(1, 1 / np.maximum(np.abs(r), 1e-9)),
    "log_cosh": lambda r: np.tanh(r) / np.where(np.abs(r) < 1e-9, 1, r),
    "cauchy": lambda r: 1 / (1 + r**2),
    "tukey": lambda r: np.where(np.abs(r) < 4.685, (1 - (r / 4.685) ** 2) ** 2, 1e-9),
}
RATES = (0.0, 0.1, 0.2, 0.3, 0.4)
STUDY: dict[str, Any] = {
    "question": "How much does L1 gain over MSE as outliers grow, and is the difference real?",
    "factors": {
        "objective": list(OBJECTIVES),
        "data.contamination.fraction": list(RATES),
        "problem": {
            "line": {"data": "line", "network": "linear"},
            "sine": {"data": "sine", "network": "polynomial"},
        },
    },
    "replicate": {"seed": 10},
    "metrics": {
        "mae": {"direction": "minimise", "unit": "target units", "scale": "log"},
        "r2": {"direction": "maximise", "scale": "linear"},
    },
    "claims": [
        {
            "id": "l1-wins",
            "kind": "better",
            "metric": "mae",
            "arm": {"objective": "absolute"},
            "than": {"objective": "squared"},
            "where": {"data.contamination.fraction": 0.2, "problem": "line"},
            "by": 2.0,
        },
        {
            "id": "mse-wins-clean",
            "kind": "better",
            "metric": "mae",
            "arm": {"objective": "squared"},
            "than": {"objective": "absolute"},
            "where": {"data.contamination.fraction": 0.0, "problem": "line"},
        },
        {
            "id": "mse-wins-dirty",
            "kind": "better",
            "metric": "mae",
            "arm": {"objective": "squared"},
            "than": {"objective": "huber"},
            "where": {"data.contamination.fraction": 0.3, "problem": "sine"},
        },
        {
            "id": "mse-error",
            "kind": "within",
            "metric": "mae",
            "where": {"objective": "squared", "problem": "line", "data.contamination.fraction": 0.2},
            "value": 4.0,
            "tolerance": 0.5,
            "source": "f x 20: the mean of the outliers' shift",
        },
        {
            "id": "order",
            "kind": "ordered",
            "metric": "mae",
            "factor": "objective",
            "levels": ["absolute", "huber", "squared"],
            "where": {"data.contamination.fraction": 0.4, "problem": "line"},
        },
        {
            "id": "grows",
            "kind": "monotone",
            "metric": "mae",
            "factor": "data.contamination.fraction",
            "trend": "increasing",
            "where": {"objective": "squared", "problem": "line"},
        },
    ],
}


@dataclass(frozen=True)
class Fit:
    """What a synthetic run leaves: metrics, curve and fit."""

    metrics: dict[str, float]
    curve: list[tuple[int, float, float, float]]
    fit: dict[str, Any]


def fit_by_reweighting(objective: str, problem: str, rate: float, seed: int) -> Fit:
    """Iteratively reweighted least squares on a line or a cubic with one-sided outliers of size 20."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(-3, 3, 80)
    truth = (lambda v: 2 * v + 1) if problem == "line" else (lambda v: 10 * np.sin(v))
    degree = 1 if problem == "line" else 3
    y = truth(x) + 0.5 * generator.standard_normal(80)
    outlier = generator.permutation(80) < rate * 80
    y = y + 20 * outlier
    design = np.vander(x, degree + 1)
    weights = np.zeros(degree + 1)
    curve = []
    clean = generator.uniform(-3, 3, 200)
    target = truth(clean) + 0.5 * generator.standard_normal(200)
    for step in range(25):
        residual = y - design @ weights
        w = OBJECTIVES[objective](residual if step > 2 else residual / 10)
        weights = np.linalg.lstsq(design * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0]
        error = target - np.vander(clean, degree + 1) @ weights
        noise = 1 + 30 * np.exp(-step / 3) * (1 + 0.1 * generator.standard_normal())
        curve.append((step * 40, noise * float(np.mean(w * residual**2)), noise, noise * float(np.mean(error**2))))
    grid = np.linspace(-3, 3, 60)
    return Fit(
        metrics={"mae": float(np.mean(np.abs(error))), "r2": float(1 - np.var(error) / np.var(target))},
        curve=curve,
        fit={
            "kind": "curve",
            "x": x.tolist(),
            "y": y.tolist(),
            "outlier": outlier.tolist(),
            "grid": grid.tolist(),
            "prediction": (np.vander(grid, degree + 1) @ weights).tolist(),
        }
        if problem == "line"
        else {
            "kind": "scatter",
            "target": target.tolist(),
            "prediction": (np.vander(clean, degree + 1) @ weights).tolist(),
        },
    )


def make_record(objective: str, problem: str, rate: float, seed: int, metrics: dict[str, float]) -> RunRecord:
    """A finished run of the robust-regression study."""
    bundle = STUDY["factors"]["problem"][problem]
    config = {
        "name": "robust_regression",
        "seed": seed,
        "data": {
            "_target_": f"paribus.data.{bundle['data']}",
            "examples": 80,
            "contamination": {"fraction": rate, "size": 20.0, "symmetric": False},
        },
        "network": {"_target_": f"paribus.networks.{bundle['network']}"},
        "objective": {"_target_": f"paribus.objectives.{objective}"},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.01},
        "trainer": {"budget": {"steps": 1000}, "batch_size": 64},
    }
    return RunRecord(
        key=key_of(config),
        experiment="robust_regression",
        status="finished",
        config=config,
        choices={**bundle, "objective": objective, "optimizer": "adam", "trainer": "default"},
        seed=seed,
        rows=(Row(metrics=metrics, evaluation="0a1b2c3d4e5f"),),
        pairing={
            "data": f"d{problem}",
            "split": f"s{problem}{seed}",
            "corruption": f"c{problem}{seed}{rate}",
            "init/network": f"i{problem}{seed}",
            "order": f"o{problem}{seed}",
        },
        replication="fresh",
        sizes={"train": 80, "validation": 50, "test": 200},
        steps=1000,
        seconds=1.5 + 0.01 * seed,
        cpu_seconds=1.4,
        peak_memory=300_000_000,
        started=f"2025-01-01T00:00:{seed:02d}Z",
        provenance={
            "versions": {"python": "3.11.9", "paribus": "0.1.0", "torch": "2.13.0", "pytorch-lightning": "2.6.6"},
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "code": "c0dec0dec0dec0de",
            "host": "bench",
            "platform": "Linux-6.1",
            "processor": "a processor",
            "command": "experiment=robust_regression",
            "device": "cpu",
            "threads": 1,
        },
    )


def write_run(folder: Path, record: RunRecord, fit: Fit | None = None) -> None:
    """Leave the files of one run as training would, without waiting for the disk."""
    place = folder / record.key
    place.mkdir(parents=True, exist_ok=True)
    (place / RECORD_FILE).write_text(json.dumps(asdict(record)))
    if fit is None:
        return
    lines = ["step,train/loss,train/term,val/loss"]
    for step, loss, term, validation in fit.curve:
        lines.append(f"{step},{loss:.6g},{term:.6g},{validation:.6g}" if step % 80 == 0 else f"{step},{loss:.6g},,")
    (place / "curves.csv").write_text("\n".join(lines) + "\n")
    (place / "fit.json").write_text(json.dumps(fit.fit))


def write_study(
    folder: Path,
    objectives: tuple[str, ...] = tuple(OBJECTIVES),
    rates: tuple[float, ...] = RATES,
    problems: tuple[str, ...] = ("line", "sine"),
    seeds: int = 10,
    study: Mapping[str, Any] | None = STUDY,
) -> Path:
    """Write the records of a study, one of them failed and one diverged when it is of full size."""
    for problem in problems:
        for rate in rates:
            for objective in objectives:
                for seed in range(seeds):
                    fit = fit_by_reweighting(objective, problem, rate, seed)
                    record = make_record(objective, problem, rate, seed, fit.metrics)
                    write_run(folder, spoilt(record), fit)
    if study is not None:
        (folder / "study.json").write_text(json.dumps(study))
    return folder


def spoilt(record: RunRecord) -> RunRecord:
    """The record itself, but for one that failed and one that diverged."""
    fields = {name: getattr(record, name) for name in RunRecord.__dataclass_fields__}
    arm = (record.choices["objective"], record.choices["data"], record.config["data"]["contamination"]["fraction"])
    if (*arm, record.seed) == ("squared", "line", 0.4, 3):
        failure = Failure("NonFiniteLoss", "the loss is inf at step 412", 412, {"train/loss": 3.2e37}, "")
        return RunRecord(**{**fields, "status": "diverged", "rows": (Row({"mae": float("nan"), "r2": float("-inf")}),),
                            "failure": failure, "steps": 412})  # fmt: skip
    if (*arm, record.seed) == ("tukey", "line", 0.3, 7):
        failure = Failure("MemoryError", "cannot allocate 12 GiB", 100, {}, "Traceback ...\nMemoryError")
        return RunRecord(**{**fields, "status": "failed", "rows": (), "failure": failure, "steps": 100})
    return record


def write_hostile(folder: Path, text: str) -> Path:
    """The records of a small study, `text` being every name in it, and what failed runs say."""
    study = {
        "question": text,
        "factors": {"objective": [text, "absolute"], "data.contamination.fraction": [0.1, 0.2]},
        "replicate": {"seed": 3},
        "metrics": {"mae": {"direction": "minimise", "scale": "log", "unit": text}, text: {"direction": "maximise"}},
        "claims": [
            {"id": text, "kind": "better", "metric": "mae", "arm": {"objective": "absolute"},
             "than": {"objective": text}},
            {"id": "within", "kind": "within", "metric": "mae", "where": {"objective": text}, "value": 1,
             "tolerance": 3, "source": text},
        ],
    }  # fmt: skip
    write_study(folder, ("squared", "absolute"), (0.1, 0.2), ("line",), 3, study)
    for place in sorted(folder.glob("*/run.json")):
        record = read_record(place.parent)
        objective = text if record.choices["objective"] == "squared" else "absolute"
        provenance = {**record.provenance, "host": text, "processor": text}
        rows = tuple(replace(row, metrics={**row.metrics, text: row.metrics["r2"]}) for row in record.rows)
        failure = Failure(text, text, 3, {text: 1.0}, text) if record.seed == 2 else None
        changed = replace(
            record,
            choices={**record.choices, "objective": objective},
            config={**record.config, "note": text},
            provenance=provenance,
            rows=rows,
            failure=failure,
            status="failed" if failure else "finished",
        )
        write_record(place.parent, changed)
    return folder


@pytest.fixture(scope="session")
def robust_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a full study; tests only read it."""
    return write_study(tmp_path_factory.mktemp("runs") / "robust_regression")


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """This module: its functions write records for tests that need other studies."""
    return sys.modules[__name__]
