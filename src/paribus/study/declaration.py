"""`study.json`: a study as it was declared, and the levels of it that were run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paribus.study.levels import canonical
from paribus.study.records import STUDY_FILE
from paribus.study.structure import Study, parse_study

LEVELS_RUN = "levels_run"


def declaration(declared: Mapping[str, Any], run: Study, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `study_of` reads: the plain `study:` node, with the levels that have been run of it.

    Factors that the command line added stand among the declared ones. Levels that an `earlier` declaration of the same
    study says were run are kept, so that a narrowed run does not shrink what its folder is about.
    """
    levels = {factor.name: list(factor.levels) for factor in run.factors} | {
        run.replicate.key: list(run.replicate.levels)
    }
    added = {name: values for name, values in levels.items() if name not in (*declared["factors"], run.replicate.key)}
    new = {**declared, "factors": {**declared["factors"], **added}, LEVELS_RUN: levels}
    if earlier is not None and {**earlier, LEVELS_RUN: levels} == new:
        for name, before in earlier.get(LEVELS_RUN, {}).items():
            known = {canonical(level) for level in before}
            levels[name] = [*before, *(level for level in levels[name] if canonical(level) not in known)]
    return new


def study_of(declaration: Mapping[str, Any]) -> Study:
    """The study that was run.

    Raises:
        UserError: the declaration is not one.
    """
    declared = {key: value for key, value in declaration.items() if key != LEVELS_RUN}
    return parse_study(declared).narrowed(declaration.get(LEVELS_RUN, {}))


def earlier_declaration(folder: Path) -> dict[str, Any] | None:
    """What `study.json` in `folder` declares; None where there is none that can be read."""
    try:
        found = json.loads((folder / STUDY_FILE).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
