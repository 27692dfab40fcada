"""Whether a study's evaluators measure what it declares. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paribus.errors import UserError, nearest
from paribus.study.declared import shown
from paribus.study.levels import Level, canonical, label
from paribus.study.structure import Study


@dataclass(frozen=True)
class Offer:
    """What one evaluator yields: the names of its metrics, and the levels of its within-run factors."""

    measures: Sequence[str]
    within: Mapping[str, Sequence[Level]]


def refuse_unmeasured(study: Study, offers: Sequence[Offer]) -> None:
    """Refuse a study whose metrics or within-run factors no evaluator yields, before anything is trained for them.

    A study that varies the evaluation is not held to it: some of its evaluators may be those of runs that are done.

    Raises:
        UserError: names what is declared, what there is, and the nearest.
    """
    if not offers or any(key.split(".")[0] == "evaluation" for factor in study.factors for key in factor.keys):
        return
    measures = list(dict.fromkeys(name for offer in offers for name in offer.measures))
    for metric in study.metrics:
        if metric.name not in measures:
            raise UserError(
                f"study.metrics.{metric.name}: the evaluation does not measure it; there are {', '.join(measures)}."
                f"{nearest(metric.name, measures)}"
            )
    within: dict[str, dict[object, Level]] = {}
    for offer in offers:
        for name, levels in offer.within.items():
            within.setdefault(name, {}).update({canonical(level): level for level in levels})
    declared = {factor.name: factor for factor in study.within}
    for name, factor in declared.items():
        if name not in within:
            told = f"there are {', '.join(within)}.{nearest(name, within)}" if within else "it has none"
            raise UserError(f"study.within.{name}: the evaluation has no such factor; {told}")
        for level in factor.levels:
            if canonical(level) not in within[name]:
                names = [label(each) for each in within[name].values()]
                raise UserError(
                    f"study.within.{name} is {shown(level)}; the evaluation yields {', '.join(names)}."
                    f"{nearest(label(level), names)}"
                )
    for name, known in within.items():
        if name not in declared:
            levels = ", ".join(label(level) for level in known.values())
            raise UserError(
                f"the evaluation yields a row for each level of {name}, and the study does not say which to show; "
                f"declare them: study.within: {{{name}: [{levels}]}}"
            )
