"""`paribus evaluate`: more rows for finished runs, from the weights that they kept."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paribus.build import check
from paribus.config.compose import compose_evaluation
from paribus.errors import UserError
from paribus.job import Job, add_rows
from paribus.study.locks import Claim, claim
from paribus.study.records import RECORD_FILE, WEIGHTS_FILE, UnreadableRecord, read_record


def evaluate_folder(folder: Path, overrides: Sequence[str], extra: Path | None = None) -> int:
    """Evaluate every finished run below `folder` with the evaluation that the overrides choose; the exit code.

    Args:
        folder: of records.
        overrides: `evaluation=...` and its keys.
        extra: a further folder of configs, as `--config-dir` gives.

    Raises:
        UserError: an override is not of the evaluation, or no run kept its weights.
    """
    evaluation = compose_evaluation(overrides, extra)
    runs = [path.parent for path in sorted(folder.glob(f"**/{RECORD_FILE}"))]
    ready = [run for run in runs if (run / WEIGHTS_FILE).exists()]
    if not ready:
        raise UserError(
            f"none of the {len(runs)} runs below {folder} kept its weights; "
            "run them again with trainer.save_checkpoint=true"
        )
    left = 0
    for run in ready:
        mine = claim(run)
        if mine is None:
            left += 1
            continue
        with mine:
            left += not _evaluated(run, evaluation, mine)
    print(
        f"{len(ready) - left} of {len(runs)} runs evaluated; "
        f"{len(runs) - len(ready)} kept no weights, {left} are not finished or cannot be evaluated as they are"
    )
    return 0 if left == 0 and len(ready) == len(runs) else 1


def _evaluated(folder: Path, evaluation: Any, mine: Claim) -> bool:
    """Whether a run that is claimed could be evaluated."""
    try:
        record = read_record(folder)
    except UnreadableRecord as error:
        print(error, file=sys.stderr)
        return False
    if record.status != "finished":
        return False
    config = {**record.config, "evaluation": evaluation}
    check(config)
    job = Job(record.key, config, record.choices, folder)
    return add_rows(job, record, progress=False, fence=mine.check) is not record
