"""`paribus publish`: what records hold, shown in W&B, TensorBoard or trackio; and what a sweep shows at its end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from paribus.build import build_loggers
from paribus.errors import UserError
from paribus.job import Job
from paribus.loggers.naming import SUMMARY
from paribus.loggers.replay import Nodes, is_shown, job_of, replay
from paribus.loggers.summary import summary_config, summary_exhibit
from paribus.mirror import Mirror, fingerprint, forget_replaced, note_published
from paribus.report import report
from paribus.report.collect import Collected, collect
from paribus.study.declaration import COMMAND, LEVELS_RUN, earlier_declaration
from paribus.study.plan import PlannedJob
from paribus.study.records import STUDY_FILE, RunRecord
from paribus.study.structure import Study

DESTINATIONS = ("wandb", "tensorboard", "trackio")


@dataclass(frozen=True)
class Wanted:
    """Where to publish, as the command line says: what it leaves open stands in the records, or in `conf/logger`."""

    to: str = "wandb"
    project: str | None = None
    entity: str | None = None
    online: bool = False

    def nodes(self, records: Sequence[RunRecord]) -> dict[str, Any]:
        """The logger as the first record that was logged there has it, with what is asked for."""
        own = [
            record.config["logger"][self.to] for record in records if (record.config.get("logger") or {}).get(self.to)
        ]
        node = dict(own[0] if own else self._default(records[0].experiment))
        asked = {"project": self.project, "entity": self.entity, "offline": False if self.online else None}
        given = {key: value for key, value in asked.items() if value is not None}
        if unknown := [key for key in given if key not in node]:
            raise UserError(f"--{'online' if unknown[0] == 'offline' else unknown[0]}: {self.to} has no such setting")
        return {self.to: node | given}

    def _default(self, name: str) -> Mapping[str, Any]:
        from paribus.config.compose import Composer
        from paribus.config.loading import open_tree
        from paribus.study.expansion import written

        config = Composer(open_tree()).read([f"logger={self.to}", f"name={written(name)}"])
        return config.resolved["logger"][self.to]


def publish_command(folder: Path, wanted: Wanted, *, again: bool) -> int:
    """Publish what is not published yet, say what was, and how to send it; the exit code."""
    collected = collect_one_study(folder)
    done = publish(collected, wanted.nodes(list(collected.records.values())), again=again)
    running = sum(record.status == "running" for record in collected.records.values())
    if running:
        print(f"{running} runs are not over: publish them later")
    print(done.text())
    kept_here = wanted.online and done.send
    return 1 if done.problems or kept_here else 0


def collect_one_study(folder: Path) -> Collected:
    """The records of the study in `folder`; what cannot be read of them is told on stderr.

    Raises:
        UserError: there are none, or they lie deeper: in the folders of other studies, whose runs are theirs.
    """
    collected = collect(folder)
    for line in collected.unreadable:
        print(f"paribus: {line}", file=sys.stderr)
    if not collected.records:
        raise UserError(f"{folder}: none of its records can be read")
    if others := sorted({str(place.parent) for place in collected.places.values() if place.parent != folder}):
        raise UserError(f"{folder} is not the folder of one study; take one at a time: {', '.join(others)}")
    return collected


@dataclass(frozen=True)
class Published:
    """What was published of a study.

    Attributes:
        runs: how many runs are new there, or anew.
        summary: whether the summary is.
        kept: how many runs were there already.
        where: the destinations.
        problems: what went wrong.
        send: the command that sends what was kept on the disk; empty if nothing was.
    """

    runs: int
    summary: bool
    kept: int
    where: tuple[str, ...]
    problems: tuple[str, ...] = ()
    send: str = ""

    def text(self) -> str:
        """What is said of it."""
        if not (self.runs or self.summary or self.problems):
            return f"nothing to publish: {self.kept} runs and their summary are there ({', '.join(self.where)})"
        summary = " and the summary" if self.summary else ""
        failed = f"; {len(self.problems)} could not be, and are due still" if self.problems else ""
        lines = [
            f"published {self.runs} runs{summary} ({', '.join(self.where)}); {self.kept} were there already{failed}"
        ]
        return "\n".join([*lines, *([f"to send them: {self.send}"] if self.send else [])])


def publish(collected: Collected, nodes: Nodes, *, again: bool = False) -> Published:
    """Publish the runs that are over, and the summary.

    Raises:
        UserError: a logger cannot be had.
    """
    study = study_mapping(collected)
    over = {key: record for key, record in collected.records.items() if record.status != "running"}
    jobs = [job_of(record, collected.places[key], study) for key, record in over.items()]
    shown = replay(jobs, nodes, again=again)
    summary = Job(SUMMARY, summary_config(collected.name, study), {}, collected.folder / SUMMARY)
    told = {name: node | {"job_type": SUMMARY} if "job_type" in node else node for name, node in nodes.items() if node}
    mirrors = [each for each in build_loggers({"logger": told}, job=summary) if isinstance(each, Mirror)]
    new, problems = _publish_summary(collected, mirrors, again)
    return Published(
        shown.shown,
        new,
        len(jobs) - shown.shown - len(shown.problems),
        tuple(mirror.destination for mirror in mirrors),
        (*collected.unreadable, *shown.problems, *problems),
        " ; ".join(command for mirror in mirrors if (command := mirror.send)),
    )


def _publish_summary(collected: Collected, mirrors: Sequence[Mirror], again: bool) -> tuple[bool, list[str]]:
    content = blake2b(digest_size=16)
    declared = collected.folder / STUDY_FILE
    content.update(declared.read_bytes() if declared.exists() else b"")
    for key, place in sorted(collected.places.items()):
        content.update(f"{key} {fingerprint(place)}".encode())
    due = [mirror for mirror in mirrors if again or not is_shown(mirror, collected.folder, content.hexdigest())]
    if not due:
        return False, []
    exhibit, problems = summary_exhibit(report(collected.folder)), []
    for mirror in due:
        try:
            forget_replaced(collected.folder, mirror)
            mirror.replay()
            try:
                mirror.log_exhibit(exhibit, 0)
            finally:
                mirror.finalize("finished")
            note_published(collected.folder, mirror.destination, content.hexdigest())
        except Exception as error:
            problems.append(f"the summary: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
            print(f"paribus: {problems[-1]}", file=sys.stderr)
    return len(problems) < len(due), problems


def study_mapping(collected: Collected) -> dict[str, Any] | None:
    """The study as YAML declares it; of records without a declaration, what they differ in; None if in nothing."""
    if collected.declared:
        declared = earlier_declaration(collected.folder) or {}
        return {key: value for key, value in declared.items() if key not in (LEVELS_RUN, COMMAND)}
    study: Study = collected.study
    if not study.factors:
        return None
    return {
        "question": study.question,
        "factors": {factor.name: list(factor.levels) for factor in study.factors},
        "replicate": {study.replicate.key: list(study.replicate.levels)},
        "metrics": {metric.name: {"direction": metric.direction} for metric in study.metrics},
    }


def refuse_unready(jobs: Sequence[PlannedJob]) -> None:
    """Refuse a sweep whose loggers cannot be had, because a package or a key is missing, before any of it runs.

    Raises:
        UserError: what is missing, and where it comes from.
    """
    for job in jobs[:1]:
        build_loggers(job.config.resolved, job=Job(job.key, job.config.resolved, job.config.choices, job.folder))


def publish_sweep(folder: Path, nodes: Nodes | None) -> None:
    """Complete what the runs of a sweep have logged, and show its summary; what goes wrong costs nothing but itself."""
    if not nodes:
        return
    try:
        done = publish(collect_one_study(folder), nodes)
    except Exception as error:
        told = str(error) if isinstance(error, UserError | OSError) else f"{type(error).__name__}: {error}"
        print(f"paribus: the sweep is recorded, and not published: {told}", file=sys.stderr)
        return
    if done.where:
        print(done.text())
