"""One run, from its config to its record: build, train, evaluate, and write down what happened, whatever happens."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning.loggers import Logger

from paribus.build import build_evaluator, build_family, build_loggers, build_training
from paribus.data.contract import InMemoryData
from paribus.errors import NonFiniteLoss, UserError, stopped
from paribus.families.contract import Family
from paribus.followers import followed
from paribus.mirror import conclude
from paribus.provenance import Usage, code_hash, environment
from paribus.study.files import fingerprint
from paribus.study.keys import train_key
from paribus.study.records import (
    CONFIG_FILE,
    FIT_FILE,
    RECORD_FILE,
    WEIGHTS_FILE,
    Failure,
    RunRecord,
    Status,
    run_folder,
    write_atomically,
    write_record,
)
from paribus.study.states import changed_files
from paribus.trained import evaluate, load_family, pairing_hashes, prepared_data
from paribus.training import RESUME_FILE, Training
from paribus.training.curves import Curves

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The one written in C, where it is there, is ten times as fast."""


@dataclass(frozen=True)
class Job:
    """What is to be run.

    Attributes:
        key: the train key.
        config: the whole resolved config, plain.
        choices: the option chosen of each config group.
        folder: where the record goes.
    """

    key: str
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    folder: Path

    @classmethod
    def of(cls, config: Mapping[str, Any], choices: Mapping[str, str]) -> "Job":
        """The job of a plain resolved config."""
        key = train_key(config)
        return cls(key, config, choices, run_folder(config, key))

    def begin(self, usage: Usage) -> RunRecord:
        """The record of this job as it starts."""
        return RunRecord(
            key=self.key,
            experiment=self.config["name"],
            status="running",
            config={key: value for key, value in self.config.items() if key != "study"},
            choices=self.choices,
            seed=self.config["seed"],
            started=usage.started,
            provenance=environment() | {"files": fingerprint(self.config)},
        )


def run_job(job: Job, *, progress: bool, fence: Callable[[], None], finished: RunRecord | None = None) -> RunRecord:
    """Train and evaluate; the record on the disk says `running` until the end, and then what came out.

    Args:
        job: what to run.
        progress: show a line of progress.
        fence: raises if the folder has been taken over by another process, which then owns the record.
        finished: the record of this job that gains rows; it stays on the disk unless this run finishes too.

    Raises:
        UserError: the input is at fault; the folder's record is as it was before.
        KeyboardInterrupt: the run was stopped; its record says so.
    """
    usage = Usage()
    run = Run(job, usage, fence, finished)
    try:
        run.prepare()
        run.train(progress)
        run.finish()
    except UserError:
        run.withdraw()
        raise
    except (Exception, KeyboardInterrupt) as error:
        if stopped(error):
            run.close(KeyboardInterrupt(*error.args), usage.so_far())
            raise KeyboardInterrupt(*error.args) from error
        return run.close(error, usage.so_far())
    return run.close(None, usage.so_far())


def add_rows(job: Job, record: RunRecord, *, progress: bool, fence: Callable[[], None]) -> RunRecord:
    """A finished run's record with the rows of the job's evaluator, from its weights, or trained anew without them.

    `record` itself where the two would not belong together, because the code or the data has changed, which is said on
    stderr; and, if it is trained anew and that does not finish, how that ended, while `record` stays on the disk.
    """
    has_weights = (job.folder / WEIGHTS_FILE).exists()
    if changed := _changed_since(record, job.config, trains=not has_weights):
        print(f"{job.folder} gains no rows: {changed} since; rerun=changed runs it again", file=sys.stderr)
        return record
    if not has_weights:
        return run_job(job, progress=progress, fence=fence, finished=record)
    ended = evaluate(job.config, job.key, *load_family(job.config, job.folder)).added_to(record)
    fence()
    write_record(job.folder, ended)
    return ended


def is_trained_again(job: Job, record: RunRecord) -> bool:
    """Whether a finished run can gain the rows of the job's evaluator by training alone."""
    return not (job.folder / WEIGHTS_FILE).exists() and not _changed_since(record, job.config, trains=True)


def _changed_since(record: RunRecord, config: Mapping[str, Any], trains: bool) -> str:
    """What has changed since a record was made, so that rows made now would not belong to it; empty if nothing has."""
    if files := changed_files(record, config):
        return f"{', '.join(files)} changed"
    return "the code changed" if trains and record.provenance.get("code") != code_hash() else ""


class Run:
    """A run on its way from its config to its record: prepared, trained, finished, closed.

    The record on the disk says `running` from the start until `close`, which can describe a failure at any point.

    Args:
        job: what to run.
        usage: of this run, from its start.
        fence: raises if the folder has been taken over by another process.
        finished: the record that gains this run's rows. It stays on the disk until this run has finished too.

    Attributes:
        training, data, family: built by `prepare`.
        curves: what training has logged.
        loggers: what mirrors that elsewhere.
    """

    training: Training
    data: InMemoryData

    def __init__(self, job: Job, usage: Usage, fence: Callable[[], None], finished: RunRecord | None = None) -> None:
        self.job, self._fence, self._finished = job, fence, finished
        self.curves = Curves()
        self.loggers: list[Logger] = []
        self.family: Family | None = None
        self._earlier_seconds = 0.0
        self._on_gpu = False
        self.record = job.begin(usage)
        if job.config.get("rerun") == "all":
            (job.folder / RESUME_FILE).unlink(missing_ok=True)
        files = [job.folder / name for name in (RECORD_FILE, CONFIG_FILE)]
        self._before = {path: path.read_text() if path.exists() else None for path in files}
        if finished:
            self.record = replace(self.record, rows=finished.rows, measures=finished.measures)
        else:
            write_record(job.folder, self.record)
            text = yaml.dump(self.record.config, Dumper=DUMPER, sort_keys=False)
            write_atomically(job.folder / CONFIG_FILE, text, durable=False)

    def prepare(self, data: InMemoryData | None = None) -> Family:
        """Build the family and what trains it. `data`: of this config, set up, where it is at hand."""
        config = self.job.config
        self.training = training = build_training(config)
        training.demand_devices()
        torch.set_num_threads(training.threads)
        self._on_gpu = training.accelerator == "gpu"
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()
        self.data = data = data or prepared_data(config)
        self.family = family = build_family(config, data)
        build_evaluator(config, data)  # refuses before anything trains what it could not measure after
        self.record = replace(
            self.record,
            pairing=pairing_hashes(family, data),
            replication=data.replication,
            sizes={str(part): size for part, size in data.sizes().items()},
            provenance=dict(self.record.provenance) | {"device": device_name(training), "threads": training.threads},
        )
        return family

    @property
    def terms(self) -> Mapping[str, str]:
        """What training depends on besides the config; a checkpoint made on other terms is not gone on from."""
        return {"code": code_hash(), **self.record.pairing}

    def train(self, progress: bool) -> None:
        """Train alone."""
        assert self.family is not None
        self.loggers = build_loggers(self.job.config, job=self.job)
        try:
            with followed(self.training, self.job.config, self.job.folder):
                self.training.fit(
                    self.family, self.data, self.job.folder, self.curves, self.loggers, progress, self.terms
                )
        finally:
            self._earlier_seconds = self.training.earlier_seconds

    def finish(self) -> None:
        """Evaluate what was trained.

        Raises:
            NonFiniteLoss: a weight is not finite.
            ClaimLost: another process has taken the folder over.
        """
        family, config = self.family, self.job.config
        assert family is not None
        if not all(parameter.isfinite().all() for parameter in family.parameters()):
            raise NonFiniteLoss(family.step, float("nan"))
        evaluation = evaluate(config, self.job.key, family, self.data)
        self._fence()
        write_atomically(self.job.folder / FIT_FILE, json.dumps(evaluation.drawing), durable=False)
        self.record = evaluation.added_to(self.record)

    def close(self, error: BaseException | None, spent: Mapping[str, Any]) -> RunRecord:
        """Write the curves and the record of how the run ended.

        Args:
            error: what stopped it.
            spent: `seconds`, `cpu_seconds` and `peak_memory`, of this leg of the run.

        Raises:
            ClaimLost: another process has taken the folder over; nothing was written.
        """
        steps = self.family.step if self.family else 0
        failure = (
            error
            if error is None
            else Failure(
                kind=type(error).__name__,
                message=str(error),
                step=getattr(error, "step", steps),
                last_metrics=self.curves.last_finite(),
                trace="".join(traceback.format_exception(error)[-6:]),
            )
        )
        ended = replace(self.record, status=_status(error), failure=failure, steps=steps, **spent)
        ended = replace(ended, seconds=ended.seconds + self._earlier_seconds)
        if self._on_gpu:
            ended = replace(ended, peak_memory=torch.cuda.max_memory_allocated())
        self._fence()
        if self._finished and failure and not isinstance(error, KeyboardInterrupt):
            told = f"{failure.kind}: {failure.message}"
            print(f"{self.job.folder} gains no rows, training it again ended with {told}", file=sys.stderr)
        recorded = error is None or self._finished is None
        if recorded:
            self.curves.write(self.job.folder)
            write_record(self.job.folder, ended)
        conclude(self.loggers, ended, self.job.folder if recorded else None)
        return ended

    def withdraw(self) -> None:
        """Leave the folder's record and config as they were before: the input was at fault.

        Raises:
            ClaimLost: another process has taken the folder over; nothing was written.
        """
        self._fence()
        for path, text in self._before.items():
            if text is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, text)
        conclude(self.loggers, self.record, None)


def _status(error: BaseException | None) -> Status:
    if error is None:
        return "finished"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "diverged" if isinstance(error, NonFiniteLoss) else "failed"


def device_name(training: Training) -> str:
    """What the run computes on."""
    return torch.cuda.get_device_name() if training.accelerator == "gpu" else str(environment()["processor"])
