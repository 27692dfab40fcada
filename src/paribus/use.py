"""What is read back of records: a trained model, a study's table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from paribus.build import check
from paribus.errors import UserError, nearest
from paribus.model import Model
from paribus.report.collect import collect
from paribus.report.tables import in_order
from paribus.study.files import fingerprint
from paribus.study.levels import Setting, canonical, label
from paribus.study.records import RECORD_FILE, STUDY_FILE, WEIGHTS_FILE, UnreadableRecord, read_record
from paribus.trained import load_family

MOST_SHOWN = 10


def load(run: str | Path) -> Model:
    """A trained model, from the weights that its run kept (`trainer.save_checkpoint=true`).

        model = paribus.load("runs/first/3f2a90c1d4e5")
        model.predict(table)

    Args:
        run: the run's folder or its `run.json`; or a folder with a single run below it.

    Raises:
        UserError: there is no such run, it has not finished or kept no weights, or its data is missing or has changed.
    """
    folder = one_run(Path(run))
    try:
        record = read_record(folder)
    except UnreadableRecord as error:
        raise UserError(str(error)) from None
    if record.status != "finished":
        raise UserError(f"{folder}: this run is {record.status}; expected one that has finished")
    if not (folder / WEIGHTS_FILE).exists():
        raise UserError(
            f"{folder} has no {WEIGHTS_FILE}: the run kept no weights (trainer.save_checkpoint=false). "
            f"This trains it again and keeps them:\n  paribus run --key {folder} --weights"
        )
    config = _where_it_can_be_computed(record.config)
    check(config)
    family, data = load_family(config, folder)
    changed = sorted(name for name, value in data.pairing().items() if record.pairing.get(name, value) != value)
    if changed:
        files = ", ".join(fingerprint(config)) or "its source"
        raise UserError(
            f"{folder}: the data is not what the run was trained on ({', '.join(changed)} of {files} changed), and its "
            "scaling would be another; restore it, or run again with rerun=changed"
        )
    return Model(folder, record, family.eval(), data)


def results(folder: str | Path) -> pd.DataFrame:
    """The table of a study: a row a run, or one for each level of a within-run factor.

        table = paribus.results("runs/first")
        table.groupby("objective").mae.mean()

    Args:
        folder: of records, usually `runs/<name>`.

    Returns:
        The factors' levels, the replicate, the metrics (the study's first), then `status`, `key`, `seconds`, `failure`
        and the run's `folder`, which `load` takes. A run that did not finish has no metrics: NaN.

    Raises:
        UserError: there are no records, or what lies there is not one study.
    """
    path = _one_study(Path(folder))
    collected = collect(path)
    if not collected.records:
        raise UserError(f"there are no records below {path}; expected a folder such as runs/<name>")
    study = collected.study
    ordered = in_order(collected.comparison.results, study)
    metrics = dict.fromkeys([*(each.name for each in study.metrics), *(m for each in ordered for m in each.metrics)])
    names = [*(each.name for each in study.factors), study.replicate.key, *(each.name for each in study.within)]
    rows = [
        {name: _scalar(level) for name, level in {**each.levels, study.replicate.key: each.replicate}.items()}
        | {name: each.metrics.get(name) for name in metrics}
        | {"status": each.status, "key": each.key, "seconds": each.seconds, "failure": each.failure}
        | {"folder": str(collected.places[each.key])}
        for each in ordered
    ]
    columns = dict.fromkeys([*names, *metrics, "status", "key", "seconds", "failure", "folder"])
    return pd.DataFrame(rows, columns=list(columns)).astype(dict.fromkeys(metrics, float))


def one_run(path: Path) -> Path:
    """The folder of the run that a path means.

    Raises:
        UserError: there is none, or several.
    """
    folder = path.parent if path.name == RECORD_FILE else path
    if (folder / RECORD_FILE).is_file():
        return folder
    if not folder.is_dir():
        near = nearest(folder.name, [each.name for each in folder.absolute().parent.glob("*") if each.is_dir()])
        raise UserError(f"{path}: there is no such run, expected its folder, runs/<name>/<key>.{near}")
    runs = sorted(each.parent for each in folder.glob(f"**/{RECORD_FILE}"))
    if len(runs) == 1:
        return runs[0]
    if not runs:
        raise UserError(f"{path} has no {RECORD_FILE}, expected the folder of a run, runs/<name>/<key>")
    told = _told(folder) or [str(each) for each in runs]
    shown = "".join(f"\n  {each}" for each in told[:MOST_SHOWN])
    more = f"\n  and {len(runs) - MOST_SHOWN} more" if len(runs) > MOST_SHOWN else ""
    raise UserError(f"{path} has {len(runs)} runs; say which:{shown}{more}")


def _told(folder: Path) -> list[str]:
    """The runs of a study with the levels that tell them apart, every arm of a replicate before the next; or none."""
    try:
        collected = collect(_one_study(folder))
    except UserError:
        return []
    study = collected.study
    results = {each.key: each for each in in_order(collected.comparison.results, study)}  # a row of each run
    ranks = {canonical(level): rank for rank, level in enumerate(study.replicate.levels)}
    return [
        f"{collected.places[each.key]}  "
        + " ".join(
            f"{name}={label(level)}"
            for name, level in {**each.levels, study.replicate.key: each.replicate}.items()
            if name not in {within.name for within in study.within}
        )
        for each in sorted(results.values(), key=lambda each: ranks.get(canonical(each.replicate), len(ranks)))
    ]


def _one_study(folder: Path) -> Path:
    """The folder of the one study that lies in a folder or below it.

    Raises:
        UserError: there are several.
    """
    if (folder / STUDY_FILE).exists():
        return folder
    found = sorted({file.parent.parent for file in folder.glob(f"**/{RECORD_FILE}") if file.parent != folder})
    if len(found) > 1:
        shown = ", ".join(map(str, found[:MOST_SHOWN])) + (", ..." if len(found) > MOST_SHOWN else "")
        raise UserError(f"{folder} holds the runs of {len(found)} folders, expected those of one study: {shown}")
    return found[0] if found else folder


def _where_it_can_be_computed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config for one process here: on the CPU where it was trained on a GPU and there is none."""
    trainer = {**config["trainer"], "devices": 1}
    if trainer["accelerator"] == "gpu" and not torch.cuda.is_available():
        trainer["accelerator"] = "cpu"
        if trainer["precision"] == "16-mixed":  # of the GPU alone, and weights are float32 under it
            trainer["precision"] = "32-true"
    return {**config, "trainer": trainer}


def _scalar(level: Setting) -> Any:
    return label(level) if isinstance(level, tuple | list) else level
