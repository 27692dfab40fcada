"""From a study, and from what the command line asks of it, to its jobs. Plain Python."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from paribus.errors import UserError
from paribus.study.declared import levels_of
from paribus.study.factors import Factor, Replicate
from paribus.study.levels import Cell, Level, Setting, describe
from paribus.study.structure import Study, checked

SEED = "seed"


@dataclass(frozen=True)
class Request:
    """One override of the command line.

    Attributes:
        key: the config group or dotted key.
        values: what it is set to, one value or, of a sweep, each; empty for a sweep over nothing.
        line: as it was typed.
        swept: whether it was written as a sweep, `seed=0,1`.
        prefix: `+` and `++` add a key, `~` deletes one.
    """

    key: str
    values: tuple[Setting, ...]
    line: str
    swept: bool = False
    prefix: str = ""


@dataclass(frozen=True)
class Assignment:
    """One job of a study, before it is composed.

    Attributes:
        levels: the level of each factor.
        replicate: the level of the replicate's key.
        overrides: what makes the job, in Hydra's grammar.
    """

    levels: Cell
    replicate: Level
    overrides: tuple[str, ...]


def expand(study: Study | None, requests: Sequence[Request], seed: Level = 0) -> tuple[Study, tuple[Assignment, ...]]:
    """The study that is meant, and its jobs.

    A request for a factor's name narrows that factor, one for the replicate's key the replicate. Any other sweep
    becomes one more factor, and any other single value holds for all jobs. The first replicate of every arm comes
    before the second of any, so that a study that was stopped half-way is still paired.

    Args:
        study: as declared; None for a sweep typed on the command line, whose replicate is the seed.
        requests: the overrides of the command line, without those of Hydra's own node.
        seed: the seed where the command line names none.

    Raises:
        UserError: a request leaves nothing to run, or does not fit the study.
    """
    # As Hydra has it, the last of several counts.
    requests = list({(request.prefix, request.key): request for request in requests}.values())
    study = study or _ad_hoc(requests, seed)
    known = {study.replicate.key, *(factor.name for factor in study.factors)}
    for request in requests:
        _refuse_impossible(request, known)
    study = study.narrowed({request.key: request.values for request in requests if request.key in known})  # type: ignore[misc]
    others = [request for request in requests if request.key not in known]
    _refuse_conflicts(study, others)
    swept = [request for request in others if request.swept]
    added = (Factor(each.key, levels_of(each.values, each.key, f"{each.key}=a,b")) for each in swept)
    study = checked(replace(study, factors=(*study.factors, *added)))
    prefixes = {request.key: request.prefix for request in swept}
    common = tuple(request.line for request in others if not request.swept)
    return study, tuple(
        Assignment(cell, level, (*common, *_settings(study, cell, prefixes), f"{study.replicate.key}={written(level)}"))
        for level in study.replicate.levels
        for cell in study.cells()
    )


def written(value: Setting | Mapping[str, Setting]) -> str:
    """A value in the grammar of Hydra's overrides, such that it is read back as the same value and type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ",".join(written(part) for part in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{written(str(key))}:{written(part)}" for key, part in value.items()) + "}"
    is_plain = re.fullmatch(r"[A-Za-z_][\w./@+-]*", value, re.ASCII)
    if is_plain and value.lower() not in ("true", "false", "null", "nan", "inf"):
        return value
    # Only a backslash that stands before a quote is an escape.
    return "'" + re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + (r"\'" if match[2] else ""), value) + "'"


def _ad_hoc(requests: Sequence[Request], seed: Level) -> Study:
    names = [request.key for request in requests if request.swept and request.key != SEED]
    question = f"What does a change of {' and of '.join(names)} do?" if names else "How does one configuration do?"
    return Study(question, factors=(), replicate=Replicate(SEED, (seed,)), metrics=())


def _settings(study: Study, cell: Cell, prefixes: Mapping[str, str]) -> list[str]:
    return [
        f"{prefixes.get(key, '')}{key}={written(value)}"
        for factor in study.factors
        for key, value in factor.sets(cell[factor.name]).items()
    ]


def _refuse_impossible(request: Request, factors: Collection[str]) -> None:
    if request.key == "experiment" and len(request.values) != 1:
        commands = "\n".join(f"  paribus run experiment={written(value)}" for value in request.values)
        raise UserError(f"{request.line}: an experiment is a study of its own; run one after the other:\n{commands}")
    is_narrowing = request.key in factors
    if (request.swept and not request.values) or (is_narrowing and request.values in ((), ("",), ((),))):
        raise UserError(f"{request.line} names no value, so nothing is left to run")


def _refuse_conflicts(study: Study, others: Sequence[Request]) -> None:
    for request in others:
        for factor in study.factors:
            if request.key not in factor.keys:
                continue
            levels = describe({factor.name: factor.levels}).replace(" or ", ",")
            raise UserError(
                f"{request.line}: {request.key} is set by the levels of the study's factor {factor.name!r}; "
                f"narrow that instead: {levels}"
            )
