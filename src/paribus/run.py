"""`paribus run`: the Hydra application. One job through this function, whichever launcher calls it."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from types import FrameType
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from paribus.config.compose import Composer, admit_bundles, conf_dir, open_tree, own_choices
from paribus.config.explain import EXPLAINED, explain, resolved
from paribus.config.tree import config_groups
from paribus.convergence import still_falling
from paribus.errors import UserError, nearest
from paribus.preemption import warned
from paribus.provenance import code_hash
from paribus.ranks import launched
from paribus.study.experiments import refuse_misplaced
from paribus.study.keys import train_key
from paribus.study.locks import claim, holder
from paribus.study.plan import CHANGED, RUN_AGAIN, Plan, lacks_rows, lacks_weights, record_state
from paribus.study.records import (
    RECORD_FILE,
    STUDY_FILE,
    RunRecord,
    UnreadableRecord,
    read_record,
    run_folder,
    write_atomically,
    written_since,
)

if TYPE_CHECKING:
    from paribus.job import Job

SWEEP_BEGAN = "PARIBUS_SWEEP_BEGAN"
"""Environment variable of the processes of a sweep: when it began, in nanoseconds of the records' file system."""
MOST_SHOWN = 10
MULTIRUN = ("-m", "--multirun")
"""Moved to the front: Hydra's parser takes no flag after an override."""


HELP = ("--help", "-h")
"""Answered here: Hydra reads the whole tree anew for each of its groups."""


def help_text(overrides: Sequence[str]) -> str:
    """What `paribus run --help` prints: Hydra's template with the groups of the config tree, and the config."""
    extra = _extra_tree(overrides)
    config = Composer(open_tree(extra=extra)).compose([word for word in overrides if "=" in word and word[0] != "-"])
    groups = [f"{group}: {', '.join(sorted(files))}" for group, files in sorted(config_groups(extra).items())]
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Template(config.hydra.help.template).substitute(
        APP_CONFIG_GROUPS="\n".join(groups), CONFIG=OmegaConf.to_yaml(own)
    )


def main(overrides: Sequence[str]) -> int:
    """Run the Hydra application on the words of a command line; the exit code.

    Raises:
        UserError: a mistake in the input.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed by Hydra
    _refuse_two_experiments(overrides)
    if any(word in HELP for word in overrides):
        print(help_text(overrides))
        return 0
    flags = [word for word in overrides if word in MULTIRUN]
    words = admit_bundles([word for word in overrides if word not in MULTIRUN], extra=_extra_tree(overrides))
    if not flags and _is_study(words, _extra_tree(overrides)):
        words.append("hydra.mode=MULTIRUN")
    sys.argv = ["paribus run", *flags, *words]
    signal.signal(signal.SIGTERM, _stop)
    outcome = _Outcome()
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="run")(outcome.task)()
    except EXPLAINED as error:
        raise explain(error, overrides, _known_names()) from error
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        raise explain(error, overrides, _known_names()) from error
    if outcome.mistake:
        raise outcome.mistake
    return outcome.exit_code


class _Outcome:
    """How a single run ended: Hydra's `main` returns nothing, and comments on exceptions that pass through it."""

    exit_code = 0
    mistake: UserError | None = None

    def task(self, config: DictConfig) -> str:
        try:
            status = task(config)
        except UserError as mistake:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            self.mistake = mistake
            return "refused"
        if status not in ("finished", "skipped"):
            self.exit_code = 1
        return status


def _extra_tree(words: Sequence[str]) -> Path | None:
    """The folder that `--config-dir` names."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("--config-dir", "-cd"):
            return Path(following)
        if word.startswith("--config-dir="):
            return Path(word.removeprefix("--config-dir="))
    return None


def _is_study(words: Sequence[str], extra: Path | None) -> bool:
    """Whether the experiment that is chosen declares a study, so that the command is a sweep without saying so."""
    settings = [word for word in words if "=" in word and not word.startswith("-")]
    chosen = [word for word in settings if word.lstrip("+").startswith(("experiment=", "study=", "study."))]
    if not chosen or any(word.startswith("hydra.mode=") for word in words):
        return False
    composer = Composer(open_tree(extra=extra))
    for word in chosen:
        if word.startswith("experiment="):
            refuse_misplaced(composer.compose([word]), word.removeprefix("experiment="))
    return composer.study(composer.requests(settings)) is not None


def _refuse_two_experiments(overrides: Sequence[str]) -> None:
    for override in overrides:
        if override.startswith("experiment=") and "," in override:
            names = override.removeprefix("experiment=").split(",")
            commands = "\n".join(f"  paribus run experiment={name.strip()}" for name in names)
            raise UserError(f"{override}: an experiment is a study of its own; run one after the other:\n{commands}")


def task(config: DictConfig) -> str:
    """Claim, train and record one job; how it ended. What another process runs or has finished is `skipped`."""
    plain = {key: value for key, value in resolved(config).items() if key != "hydra"}
    if HydraConfig.get().mode == RunMode.RUN and (done := _complete(plain)):
        _tell_kept(done, run_folder(plain, done.key), plain)
        print(summary(done))
        return done.status

    from paribus.build import check  # torch, which only takes its time where something is to be run

    check(plain)
    if plain["rerun"] not in RUN_AGAIN:
        near = nearest(plain["rerun"], RUN_AGAIN)
        raise UserError(f"rerun={plain['rerun']}: expected one of {', '.join(RUN_AGAIN)}.{near}")
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        with warned():
            record = run_claimed(plain, own_choices(HydraConfig.get().runtime.choices), single)
    except OSError as error:  # a full or vanished disk: this run's record cannot say so, and the next may still fit
        print(f"paribus: the record of a run could not be written: {error}", file=sys.stderr)
        return "failed"
    if record is None:
        return "skipped"
    if single:
        print(summary(record))
    return record.status


def run_claimed(config: Mapping[str, Any], choices: Mapping[str, str], single: bool) -> RunRecord | None:
    """Run a job unless its record says that there is nothing to do; None where another process is at it.

    Where a launcher has started several processes for the run, the first does so, and the others train with it.
    """
    from paribus.followers import follow
    from paribus.job import Job, add_rows, run_job

    job = Job.of(config, choices)
    folder = job.folder
    if launched().number > 0:
        if _is_trained_now(job):
            follow(launched(), config, folder)
        return None
    mine = claim(folder)
    if mine is None:
        print(f"{folder} is being run by {holder(folder)}")
        return None
    with mine:
        done = recorded(folder)
        if done is None or not keeps(done, folder, config):
            return run_job(job, progress=single, fence=mine.check)
        if done.status == "finished" and lacks_rows(done, config):
            return add_rows(job, done, progress=single, fence=mine.check)
        if single:
            _tell_kept(done, folder, config)
        return done


def _is_trained_now(job: "Job") -> bool:
    """Whether the process that keeps the record of a job trains it, which then waits for this one."""
    from paribus.job import is_trained_again

    try:
        done = read_record(job.folder)
    except (OSError, UnreadableRecord):
        return True
    if done.status == "running" or not keeps(done, job.folder, job.config):
        return True
    return done.status == "finished" and lacks_rows(done, job.config) and is_trained_again(job, done)


def _complete(config: Mapping[str, Any]) -> RunRecord | None:
    """The record of a run that leaves nothing to do; None where that takes a closer look.

    The key says that the config is the one that was checked then, but for what training does not read.
    """
    folder = run_folder(config, train_key(config))
    try:
        record = read_record(folder)
    except (OSError, UnreadableRecord):
        return None
    if config["rerun"] not in RUN_AGAIN or not isinstance(config.get("evaluation"), Mapping) or holder(folder):
        return None
    if not keeps(record, folder, config) or (record.status == "finished" and lacks_rows(record, config)):
        return None
    return record


def _tell_kept(record: RunRecord, folder: Path, config: Mapping[str, Any]) -> None:
    """Say why a single run trains nothing."""
    state, note = record_state(record, folder, config, code_hash())
    if state in CHANGED:
        made = f"{folder} has this run, made by {state} ({note})"
        print(f"{made}, and keeps it; rerun=changed runs it again", file=sys.stderr)
    else:
        print(f"{folder} has this run already; rerun=all runs it again")


def recorded(folder: Path) -> RunRecord | None:
    """The record in a run's folder, if there is one that can be read."""
    try:
        return read_record(folder)
    except FileNotFoundError:
        return None
    except UnreadableRecord as error:
        kept = folder / f"unreadable-{RECORD_FILE}"
        (folder / RECORD_FILE).replace(kept)
        print(f"{error}; it is kept as {kept.name} and the run is made again", file=sys.stderr)
        return None


def ended_in_this_sweep(record: RunRecord, folder: Path) -> bool:
    """Whether a run has ended since the sweep began that this process belongs to, so that it is not tried again.

    Whoever ran it: another process that shares the sweep, or this one before its launcher stopped.
    """
    began = os.environ.get(SWEEP_BEGAN)
    return began is not None and record.status not in ("running", "interrupted") and written_since(folder, int(began))


def keeps(record: RunRecord, folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a record is left as it is, or at most gains rows, going by the policy `rerun`."""
    state, _ = record_state(record, folder, config, code_hash())
    if record.status == "finished" and state not in CHANGED and lacks_weights(folder, config):
        return False
    if ended_in_this_sweep(record, folder):
        return True
    if state == "incomplete":
        return config["rerun"] != "all"
    return state not in RUN_AGAIN[config["rerun"]]


def summary(record: RunRecord) -> str:
    """What a single run prints at its end."""
    lines = [f"{record.status} after {record.steps:,} steps in {record.seconds:.1f} s"]
    for row in record.rows:
        levels = "  ".join(f"{name}={level}" for name, level in row.levels.items())
        lines += [levels] if levels else []
        width = max(map(len, row.metrics), default=0)
        lines += [f"  {name:<{width}}  {value:.6g}" for name, value in row.metrics.items()]
    if record.failure:
        lines.append(f"  {record.failure.kind}: {record.failure.message} (step {record.failure.step})")
    folder = run_folder(record.config, record.key)
    note = still_falling(folder) if record.status == "finished" else ""
    return "\n".join([*lines, f"  {folder / RECORD_FILE}", *([note] if note else [])])


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
    signal.signal(signal.SIGTERM, _stop)
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


def after_sweep(plan: Plan) -> None:
    """Report on a sweep that has ended."""
    from paribus.report import report, write_index
    from paribus.study.verdicts import table

    said = plan.declaration()
    if said is not None:
        write_atomically(plan.folder / STUDY_FILE, json.dumps(said, indent=1))
    files = report(plan.folder)
    if files.verdicts:
        print(table(files.verdicts))
    write_index(plan.folder.parent)
    print(f"report: {files.page}")


def _known_names() -> list[str]:
    """Config groups, and keys of the root, for answers to misspelt overrides."""
    tree = conf_dir()
    return [path.name for path in tree.iterdir() if path.is_dir()] + ["name", "output", "seed", "rerun", "study"]


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("SIGTERM")
