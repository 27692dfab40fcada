"""Verdicts on a study's claims: which are supported, which refuted, which undecided, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from paribus.study import statistics
from paribus.study.claims import Claim, Contrast, only
from paribus.study.comparison import Comparison
from paribus.study.findings import Finding, Tested, empty_finding, finding, tested
from paribus.study.levels import Level, canonical, label
from paribus.study.structure import Study
from paribus.study.telling import limits, missing_text, reason

Answer = Literal["supported", "refuted", "undecided", "not evaluated"]


@dataclass(frozen=True)
class Verdict:
    """What the data say about one claim.

    Attributes:
        id, kind, metric: of the claim.
        sentence: the claim in plain English.
        status: supported, refuted, undecided, or not evaluated.
        reason: why, in a sentence.
        p, p_adjusted: of the claim, before and after Holm's adjustment over all claims; None if not evaluated.
        level: confidence of the intervals of its findings.
        findings: one for `better` and `within`, one for each adjacent pair of `ordered` and `monotone`; empty if the
            claim could not be evaluated.
        limits: what the verdict is limited to, e.g. to this test part; empty if to nothing.
    """

    id: str
    kind: str
    metric: str
    sentence: str
    status: Answer
    reason: str
    p: float | None
    p_adjusted: float | None
    level: float
    findings: tuple[Finding, ...] = ()
    limits: str = ""


def judge(study: Study, comparison: Comparison) -> list[Verdict]:
    """A verdict on each claim, in their order; a claim that cannot be evaluated counts in Holm's procedure as p = 1."""
    tests = [_test_claim(study, comparison, claim) for claim in study.claims]
    p_values = [1.0 if isinstance(each, str) else min(_supported_p(each), _refuted_p(each)) for each in tests]
    family = statistics.holm(p_values)
    return [
        _unevaluated(study, claim, each, level)
        if isinstance(each, str)
        else _verdict(study, claim, each, p, adjusted, level)
        for claim, each, p, adjusted, level in zip(
            study.claims, tests, p_values, family.adjusted, family.levels, strict=True
        )
    ]


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 all supported (or no claims), 1 any refuted or not evaluated, 3 some undecided and none of those."""
    answers = {verdict.status for verdict in verdicts}
    if answers & {"refuted", "not evaluated"}:
        return 1
    return 3 if "undecided" in answers else 0


def _test_claim(study: Study, comparison: Comparison, claim: Claim) -> list[Tested] | str:
    """The contrasts of a claim with their evidence, or why it cannot be evaluated."""
    metric = study.metric(claim.metric)
    tests = []
    for contrast in claim.contrasts(metric):
        pairs = comparison.paired(metric.name, contrast.first, contrast.second, claim.where)
        if pairs.problem:
            return f"{contrast.name}: {pairs.problem}{'; ' if pairs.missing else ''}{missing_text(pairs)}"
        tests.append(tested(contrast, pairs))
    return tests


def _supported_p(tests: Sequence[Tested]) -> float:
    """Every contrast must lie inside its region."""
    return max(each.inside for each in tests)


def _refuted_p(tests: Sequence[Tested]) -> float:
    """One contrast outside its region is enough; Bonferroni over the contrasts."""
    return min(1.0, len(tests) * min(each.outside for each in tests))


def _verdict(study: Study, claim: Claim, tests: Sequence[Tested], p: float, adjusted: float, alpha: float) -> Verdict:
    decided = p <= alpha
    answer: Answer = "undecided" if not decided else "supported" if _supported_p(tests) <= alpha else "refuted"
    findings = tuple(finding(each, alpha, decided) for each in tests)
    return Verdict(
        id=claim.id,
        kind=claim.kind,
        metric=claim.metric,
        sentence=claim.sentence(study.metric(claim.metric)),
        status=answer,
        reason=reason(answer, findings, alpha),
        p=p,
        p_adjusted=adjusted,
        level=1 - alpha,
        findings=findings,
        limits=limits(findings),
    )


def _unevaluated(study: Study, claim: Claim, why: str, alpha: float) -> Verdict:
    sentence = claim.sentence(study.metric(claim.metric))
    return Verdict(claim.id, claim.kind, claim.metric, sentence, "not evaluated", why, None, None, 1 - alpha)


def pairwise(study: Study, comparison: Comparison, metric: str, factor: str) -> list[Finding]:
    """Each level of `factor` against its first, in every cell of the other factors; Holm over the table."""
    known, compared = study.metric(metric), study.factor(factor)
    sign, nothing = ("/", 1.0) if known.scale == "log" else ("-", 0.0)
    cells: dict[tuple[object, ...], dict[str, Level]] = {}
    present: set[tuple[object, object]] = set()
    for cell in comparison.measured(known).cells:
        if factor in cell:
            others = {name: level for name, level in cell.items() if name != factor}
            cells.setdefault(key := tuple(map(canonical, others.items())), others)
            present.add((key, canonical(cell[factor])))
    tests = []
    baseline = compared.levels[0]
    for key, others in cells.items():
        for level in compared.levels[1:]:
            if (key, canonical(level)) in present and (key, canonical(baseline)) in present:
                contrast = Contrast(
                    f"{label(level)} {sign} {label(baseline)}",
                    only({**others, factor: level}),
                    only({**others, factor: baseline}),
                    nothing,
                    inf,
                )
                tests.append((contrast, comparison.paired(metric, contrast.first, contrast.second)))
    weighed = [tested(contrast, pairs) if not pairs.problem else None for contrast, pairs in tests]
    family = statistics.holm([min(each.inside, each.outside) for each in weighed if each is not None])
    levels = iter(family.levels)
    return [
        finding(each, next(levels)) if each is not None else empty_finding(contrast, pairs)
        for each, (contrast, pairs) in zip(weighed, tests, strict=True)
    ]
