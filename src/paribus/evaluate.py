"""`paribus evaluate`: more rows for finished runs, from the weights that they kept."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from paribus.build import check
from paribus.compose import compose_job
from paribus.errors import UserError
from paribus.explain import EXPLAINED, explain
from paribus.job import Job, add_rows
from paribus.study.locks import claim
from paribus.study.records import RECORD_FILE, WEIGHTS_FILE, read_record


def evaluate_folder(folder: Path, overrides: Sequence[str]) -> int:
    """Evaluate every finished run below `folder` with the evaluation that the overrides choose; the exit code.

    Raises:
        UserError: an override is not of the evaluation, or no run kept its weights.
    """
    for override in overrides:
        if not override.startswith(("evaluation=", "evaluation.")):
            raise UserError(f"{override}: expected evaluation=<choice> or evaluation.<key>=<value>; nothing is trained")
    try:
        evaluation = OmegaConf.to_container(compose_job(overrides).evaluation, resolve=True)
    except EXPLAINED as error:
        raise explain(error, overrides) from error
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
        record = read_record(run)
        if mine is None or record.status != "finished":
            left += 1
            continue
        with mine:
            config = {**record.config, "evaluation": evaluation}
            check(config)
            add_rows(Job(record.key, config, record.choices, run), record, progress=False, fence=mine.check)
    print(
        f"{len(ready) - left} of {len(runs)} runs evaluated; "
        f"{len(runs) - len(ready)} kept no weights, {left} are not finished"
    )
    return 0 if left == 0 and len(ready) == len(runs) else 1
