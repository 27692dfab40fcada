"""Telling a run's loggers how it ended. They mirror its record; nothing is read back from them."""

import sys
from collections.abc import Iterable

from pytorch_lightning.loggers import Logger

from paribus.study.levels import label
from paribus.study.records import RunRecord


def conclude(loggers: Iterable[Logger], record: RunRecord) -> None:
    """Log what the evaluators measured as `evaluation/<metric>`, and end each logger: `finished` or `failed`.

    The record on the disk is what counts: a logger that fails is named on stderr, and the run keeps its status.
    """
    metrics = {
        "/".join(("evaluation", *(f"{name}={label(level)}" for name, level in row.levels.items()), metric)): value
        for row in record.rows
        for metric, value in row.metrics.items()
    }
    for logger in loggers:
        try:
            if metrics:
                logger.log_metrics(metrics, record.steps)
            logger.finalize("finished" if record.status == "finished" else "failed")
        except Exception as error:
            name = type(logger).__name__
            print(f"paribus: {name} could not be concluded for run {record.key}: {error}", file=sys.stderr)
