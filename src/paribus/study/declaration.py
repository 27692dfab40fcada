"""`study.json`: a study as it was declared, and the levels of it that were run."""

from collections.abc import Mapping
from typing import Any

from paribus.study.structure import Study, parse_study

LEVELS_RUN = "levels_run"


def declaration(declared: Mapping[str, Any], run: Study) -> dict[str, Any]:
    """What `study_of` reads: the plain `study:` node, with the levels that the command line narrowed it to.

    Factors that the command line added stand among the declared ones.
    """
    levels = {factor.name: list(factor.levels) for factor in run.factors} | {
        run.replicate.key: list(run.replicate.levels)
    }
    added = {name: values for name, values in levels.items() if name not in (*declared["factors"], run.replicate.key)}
    return {**declared, "factors": {**declared["factors"], **added}, LEVELS_RUN: levels}


def study_of(declaration: Mapping[str, Any]) -> Study:
    """The study that was run.

    Raises:
        UserError: the declaration is not one.
    """
    declared = {key: value for key, value in declaration.items() if key != LEVELS_RUN}
    return parse_study(declared).narrowed(declaration.get(LEVELS_RUN, {}))
