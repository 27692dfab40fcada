"""`paribus run --key`: a recorded job again, in its place."""

import shlex
from pathlib import Path

from paribus.claimed import run_claimed, summary
from paribus.errors import UserError, nearest
from paribus.preemption import end_when_terminated
from paribus.study.keys import train_key
from paribus.study.records import RECORD_FILE, UnreadableRecord, read_record

MOST_SHOWN = 10


def rerun(key: str, output: Path, weights: bool = False) -> int:
    """Run a recorded job again, in its place; the exit code.

    Args:
        key: its key or the beginning of it, after `<name>/` where several studies share it; or its folder.
        output: where records lie.
        weights: keep them, also where the job did not.

    Raises:
        UserError: there is no such job, or its record cannot be used to run it.
    """
    from paribus.build import check

    folder = _folder_of(key, output)
    try:
        old = read_record(folder)
    except UnreadableRecord as error:
        raise UserError(f"--key {key}: {error}; run it with the words that made it") from None
    config = {**old.config, "output": str(folder.parents[1]), "name": folder.parent.name, "rerun": "all"}
    if weights:
        config["trainer"] = {**config["trainer"], "save_checkpoint": True}
    check(config)
    if train_key(config) != folder.name:
        raise UserError(
            f"--key {key}: the config in {folder / RECORD_FILE} has the key {train_key(config)} now, "
            "so it would be another run; run it with the words that made it"
        )
    end_when_terminated()
    record = run_claimed(config, old.choices, True)
    if record is None:
        return 1
    print(summary(record))
    return 0 if record.status == "finished" else 1


def _folder_of(key: str, output: Path) -> Path:
    """The folder of the one run that `key` means, as for `rerun`."""
    for folder in (Path(key), Path(key).parent):
        if len(folder.parts) > 1 and (folder / RECORD_FILE).is_file():
            return folder
    *above, last = key.split("/")
    name = "/".join(above) or "*"
    patterns = [f"{name}/{last}*/{RECORD_FILE}", *([] if above else [f"{last}*/{RECORD_FILE}"])]
    folders = [path.parent for pattern in patterns for path in sorted(output.glob(pattern))] if last else []
    if len(folders) == 1:
        return folders[0]
    if not folders:
        known = [path.parent.name for path in output.glob(f"*/*/{RECORD_FILE}")]
        near = nearest(last, known)
        raise UserError(f"--key {key}: expected the key of one run below {output}, found none.{near}")
    where = [] if output == Path("runs") else ["--output", str(output)]
    ways = [["--key", f"{each.parent.name}/{each.name}", *where] for each in folders[:MOST_SHOWN]]
    lines = "".join(f"\n  paribus run {shlex.join(way)}" for way in ways)
    more = f"\n  and {len(folders) - MOST_SHOWN} more" if len(folders) > MOST_SHOWN else ""
    raise UserError(f"--key {key}: there are {len(folders)} such runs below {output}; say which:{lines}{more}")
