"""What runs are called where they are shown, and what is told of their config."""

import re
from contextlib import suppress
from hashlib import blake2b
from importlib import import_module
from typing import Any

from paribus.errors import UserError
from paribus.job import Job
from paribus.study.levels import Cell, label
from paribus.study.matching import NoLevel, Placer
from paribus.study.parsing import parse_study
from paribus.study.records import RunRecord

MAIN_CHOICES = ("data", "network", "objective", "optimizer")
LONGEST_ID = 64
SUMMARY = "summary"
"""Stands for a key in the job of a study's summary, which is shown beside the runs."""


def run_name(job: Job) -> str:
    """The run's arm and seed, for people: `objective=huber, data.contamination.fraction=0.2, seed=3`."""
    if job.key == SUMMARY:
        return f"{SUMMARY} of {job.config['name']}"
    return _told({**levels_of(job), "seed": job.config["seed"]})


def levels_of(job: Job) -> Cell:
    """The run's arm: the levels of its study's factors; without a study, or outside of it, the main choices."""
    if job.config.get("study"):
        record = RunRecord(job.key, job.config["name"], "running", job.config, job.choices, job.config["seed"])
        with suppress(NoLevel):
            return Placer(parse_study(job.config["study"])).place(record)[0]
    return {group: job.choices[group] for group in MAIN_CHOICES if group in job.choices}


def run_id(job: Job) -> str:
    """The same for every attempt at a job, so that it stays one run; another experiment's run has another."""
    return safe_id(f"{job.config['name']}-{job.key}")


def safe_id(text: str) -> str:
    """`text` as W&B allows it in an id; where that alters it, a hash tells it from others."""
    plain = re.sub(r"[^a-zA-Z0-9_.-]", "_", text)
    if plain == text and len(text) <= LONGEST_ID:
        return text
    digits = blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{digits}-{plain[len(digits) + 1 - LONGEST_ID :]}"


def shown_config(job: Job) -> dict[str, Any]:
    """The whole config but the study, the choices, and the run's place in its study: `arm` in words, and `levels`.

    A factor's name loses its dots, which W&B would take for nesting.
    """
    if job.key == SUMMARY:
        return dict(job.config)
    levels = levels_of(job)
    place = {"arm": _told(levels), "levels": {level_key(name): level for name, level in levels.items()}}
    return {key: value for key, value in job.config.items() if key != "study"} | {"choices": dict(job.choices)} | place


def level_key(factor: str) -> str:
    """What a factor is called among a run's `levels`."""
    return factor.replace(".", "_")


def require(package: str, extra: str) -> None:
    """Import an optional package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import_module(package)
    except ImportError as error:
        raise UserError(f"logger={package} needs {package}: pip install 'paribus[{extra}]' ({error})") from error


def _told(levels: Cell) -> str:
    return ", ".join(f"{name}={label(level)}" for name, level in levels.items())
