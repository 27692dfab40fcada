"""`study.json`: a study as it was declared, the levels of it that were run, and the command that runs them."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.study.expansion import Request, written
from paribus.study.levels import canonical
from paribus.study.parsing import parse_study
from paribus.study.records import STUDY_FILE
from paribus.study.structure import Study

LEVELS_RUN = "levels_run"
COMMAND = "command"


def declaration(
    declared: Mapping[str, Any],
    run: Study,
    earlier: Mapping[str, Any] | None = None,
    requests: Sequence[Request] = (),
) -> dict[str, Any]:
    """What `study_of` reads: the plain `study:` node, with the levels that have been run of it.

    Factors that the command line added stand among the declared ones. Levels that an `earlier` declaration of the same
    study says were run are kept, so that a narrowed run does not shrink what its folder is about. `requests`, what the
    command line asked for, become the words of a command that makes all of it.
    """
    levels = {factor.name: list(factor.levels) for factor in run.factors} | {
        run.replicate.key: list(run.replicate.levels)
    }
    added = {name: values for name, values in levels.items() if name not in (*declared["factors"], run.replicate.key)}
    new = {**declared, "factors": {**declared["factors"], **added}, LEVELS_RUN: levels}
    before = {key: value for key, value in (earlier or {}).items() if key != COMMAND}
    if earlier is not None and {**before, LEVELS_RUN: levels} == new:
        for name, kept in earlier.get(LEVELS_RUN, {}).items():
            known = {canonical(level) for level in kept}
            levels[name] = [*kept, *(level for level in levels[name] if canonical(level) not in known)]
    return {**new, COMMAND: _command(study_of(new), requests, added)}


def _command(study: Study, requests: Sequence[Request], added: Collection[str]) -> list[str]:
    """The words after `paribus run` that run `study`: what holds for all, then the levels not as declared."""
    levels = {factor.name: factor.levels for factor in study.factors} | {study.replicate.key: study.replicate.levels}
    last = {request.key: request for request in requests}
    fixed = [request.line for request in last.values() if request.key not in (*levels, "rerun")]
    return fixed + [
        f"{last[name].prefix if name in added and name in last else ''}{name}={','.join(map(written, each))}"
        for name, each in levels.items()
        if name in added or name in study.declared_levels
    ]


def study_of(declaration: Mapping[str, Any]) -> Study:
    """The study that was run.

    Raises:
        UserError: the declaration is not one.
    """
    declared = {key: value for key, value in declaration.items() if key not in (LEVELS_RUN, COMMAND)}
    return parse_study(declared).narrowed(declaration.get(LEVELS_RUN, {}))


def earlier_declaration(folder: Path) -> dict[str, Any] | None:
    """What `study.json` in `folder` declares; None where there is none that can be read."""
    try:
        found = json.loads((folder / STUDY_FILE).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
