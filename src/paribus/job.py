"""One run, from its config to its record: build, train, evaluate, and write down what happened, whatever happens."""

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf
from pytorch_lightning.loggers import Logger

from paribus.build import build_data, build_evaluator, build_family, build_loggers, build_training
from paribus.curves import Curves
from paribus.data.chunks import epoch_order
from paribus.data.contract import InMemoryData, tensor_hash
from paribus.errors import NonFiniteLoss, UserError
from paribus.families.contract import Family
from paribus.mirror import conclude
from paribus.provenance import Usage, environment
from paribus.study.plan import evaluation_key
from paribus.study.records import (
    CONFIG_FILE,
    FIT_FILE,
    RECORD_FILE,
    WEIGHTS_FILE,
    Failure,
    Row,
    RunRecord,
    Status,
    write_atomically,
    write_record,
)
from paribus.training import Training


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

    def begin(self, usage: Usage) -> RunRecord:
        """The record of this job as it starts."""
        return RunRecord(
            key=self.key,
            experiment=self.config["name"],
            status="running",
            config=self.config,
            choices=self.choices,
            seed=self.config["seed"],
            started=usage.started,
            provenance=environment(),
        )


def run_job(job: Job, *, progress: bool, fence: Callable[[], None]) -> RunRecord:
    """Train and evaluate; the record on the disk says `running` until the end, and then what came out.

    Args:
        job: what to run.
        progress: show a line of progress.
        fence: raises if the folder has been taken over by another process, which then owns the record.

    Raises:
        UserError: the input is at fault; no record is left.
        KeyboardInterrupt: the run was stopped; its record says so.
    """
    usage = Usage()
    run = Run(job, usage, fence)
    try:
        run.prepare()
        run.train(progress)
        run.finish()
    except UserError:
        run.withdraw()
        raise
    except KeyboardInterrupt as stop:
        run.close(stop, usage.so_far())
        raise
    except Exception as error:
        return run.close(error, usage.so_far())
    return run.close(None, usage.so_far())


def add_rows(job: Job, record: RunRecord, *, progress: bool, fence: Callable[[], None]) -> RunRecord:
    """A finished run's record with the rows of the job's evaluator, from its weights, or trained anew without them."""
    if (job.folder / WEIGHTS_FILE).exists():
        ended = evaluate(job.config, job.key, *load_family(job.config, job.folder)).added_to(record)
    else:
        trained = run_job(job, progress=progress, fence=fence)
        ended = replace(trained, rows=record.rows).with_rows(trained.rows)
    fence()
    write_record(job.folder, ended)
    return ended


class Run:
    """A run on its way from its config to its record: prepared, trained, finished, closed.

    The record on the disk says `running` from the start until `close`, which can describe a failure at any point.

    Args:
        job: what to run.
        usage: of this run, from its start.
        fence: raises if the folder has been taken over by another process.

    Attributes:
        training, data, family: built by `prepare`.
        curves: what training has logged.
        loggers: what mirrors that elsewhere.
    """

    training: Training
    data: InMemoryData

    def __init__(self, job: Job, usage: Usage, fence: Callable[[], None]) -> None:
        self.job, self._fence = job, fence
        self.curves = Curves()
        self.loggers: list[Logger] = []
        self.family: Family | None = None
        self.record = job.begin(usage)
        write_record(job.folder, self.record)
        write_atomically(job.folder / CONFIG_FILE, OmegaConf.to_yaml(OmegaConf.create(dict(job.config))))

    def prepare(self, data: InMemoryData | None = None) -> Family:
        """Build the family and what trains it. `data`: of this config, set up, where it is at hand."""
        config = self.job.config
        self.training = training = build_training(config)
        torch.set_num_threads(training.threads)
        self.data = data = data or prepared_data(config)
        self.family = family = build_family(config, data)
        self.record = replace(
            self.record,
            pairing=pairing_hashes(family, data),
            replication=data.replication,
            sizes={str(part): size for part, size in data.sizes().items()},
            provenance=dict(self.record.provenance) | {"device": device_name(training), "threads": training.threads},
        )
        return family

    def train(self, progress: bool) -> None:
        """Train alone."""
        assert self.family is not None
        self.loggers = build_loggers(self.job.config, job=self.job)
        self.training.fit(self.family, self.data, self.job.folder, self.curves, self.loggers, progress)

    def finish(self) -> None:
        """Evaluate what was trained.

        Raises:
            NonFiniteLoss: a weight is not finite.
        """
        family, config = self.family, self.job.config
        assert family is not None
        if not all(parameter.isfinite().all() for parameter in family.parameters()):
            raise NonFiniteLoss(family.step, float("nan"))
        evaluation = evaluate(config, self.job.key, family, self.data)
        write_atomically(self.job.folder / FIT_FILE, json.dumps(evaluation.drawing))
        self.record = evaluation.added_to(self.record)

    def close(self, error: BaseException | None, spent: Mapping[str, Any]) -> RunRecord:
        """Write the curves and the record of how the run ended.

        Args:
            error: what stopped it.
            spent: `seconds`, `cpu_seconds` and `peak_memory`.
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
        conclude(self.loggers, ended)
        self._fence()
        self.curves.write(self.job.folder)
        write_record(self.job.folder, ended)
        return ended

    def withdraw(self) -> None:
        """Leave no record: the input was at fault."""
        conclude(self.loggers, self.record)
        (self.job.folder / RECORD_FILE).unlink()


def _status(error: BaseException | None) -> Status:
    if error is None:
        return "finished"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "diverged" if isinstance(error, NonFiniteLoss) else "failed"


def prepared_data(config: Mapping[str, Any]) -> InMemoryData:
    """The data of a config: loaded, split, corrupted and scaled."""
    data = build_data(config)
    data.setup()
    return data


def pairing_hashes(family: Family, data: InMemoryData) -> dict[str, str]:
    """What paired runs share: the data, split, corruption, initial weights and the order of the first epoch."""
    initial = {
        f"init/{name}": tensor_hash(*part.parameters())
        for name, part in family.named_children()
        if any(True for _ in part.parameters())
    }
    order = epoch_order(data.seed, 0, data.sizes()["train"])
    return dict(data.pairing()) | initial | {"order": tensor_hash(order, torch.tensor(data.batch_size))}


class Evaluation(NamedTuple):
    """What an evaluator found: rows marked with their evaluation key, what their metrics are, what the report draws."""

    rows: tuple[Row, ...]
    measures: tuple[Mapping[str, str], ...]
    drawing: dict[str, Any]

    def added_to(self, record: RunRecord) -> RunRecord:
        """The record with this evaluation's rows."""
        known = {measure["name"]: measure for measure in (*record.measures, *self.measures)}
        return replace(record.with_rows(self.rows), measures=tuple(known.values()))


@torch.no_grad()
def evaluate(config: Mapping[str, Any], key: str, family: Family, data: InMemoryData) -> Evaluation:
    """Run the config's evaluator on a trained family."""
    training = build_training(config)
    data.place(training.device, next(family.parameters()).dtype)
    family = family.to(training.device).eval()
    evaluator = build_evaluator(config)
    mark = evaluation_key(key, config["evaluation"])
    rows = tuple(replace(row, evaluation=mark) for row in evaluator(family, data))
    measured = {name for row in rows for name in row.metrics}
    measures = tuple(asdict(measure) for measure in evaluator.measures if measure.name in measured)
    return Evaluation(rows, measures, evaluator.drawing(family, data))


def load_family(config: Mapping[str, Any], folder: Path) -> tuple[Family, InMemoryData]:
    """A trained family and its data, from the weights that its run kept.

    Raises:
        UserError: the run kept no weights.
    """
    path = folder / WEIGHTS_FILE
    if not path.exists():
        raise UserError(
            f"{folder} has no {WEIGHTS_FILE}: the run was made with trainer.save_checkpoint=false, "
            "so there are no weights; run it again with trainer.save_checkpoint=true rerun=all"
        )
    data = prepared_data(config)
    family = build_family(config, data)
    family.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    return family, data


def device_name(training: Training) -> str:
    """What the run computes on."""
    return torch.cuda.get_device_name() if training.accelerator == "gpu" else str(environment()["processor"])
