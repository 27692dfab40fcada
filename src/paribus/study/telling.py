"""Verdicts in words: why a claim is supported, refuted or undecided."""

from collections.abc import Sequence
from math import inf, isfinite

from paribus.study.comparison import Pairs
from paribus.study.findings import Finding
from paribus.study.levels import label
from paribus.study.numbers import estimate, interval, percent


def reason(answer: str, findings: Sequence[Finding], alpha: float) -> str:
    """Why the claim behind `findings` got this answer, in a sentence, with the replicates that are missing."""
    if answer == "supported":
        telling = list(findings)
    elif answer == "refuted":
        telling = [each for each in findings if each.p * len(findings) <= alpha and not inside(each)]
    else:
        telling = [each for each in findings if each.p > alpha or not inside(each)]
    notes = list(dict.fromkeys(each.note for each in telling if each.note))
    needed = needed_text(answer, telling)
    missing = missing_text(max((each.pairs for each in findings), key=lambda pairs: len(pairs.missing)))
    named = len(findings) > 1
    texts = [f"{each.name + ': ' if named else ''}{position(each)}" for each in telling]
    return "; ".join([*texts, *notes, *([needed] if needed else []), *([missing] if missing else [])])


def inside(finding: Finding) -> bool:
    """Whether the estimate lies in the region that the claim says."""
    value = finding.estimate
    return value is not None and finding.region_low < value and (value < finding.region_high or value == inf)


def position(finding: Finding) -> str:
    """Where the interval lies."""
    if finding.low is None or finding.high is None:
        return "no interval"
    level = f"the {percent(finding.level)} interval {interval(finding.low, finding.high)}"
    edges = [edge for edge in (finding.region_low, finding.region_high) if isfinite(edge)]
    held = [edge for edge in edges if finding.low <= edge <= finding.high]
    if held:
        return f"{level} holds {' and '.join(f'{edge:g}' for edge in held)}"
    if finding.high < finding.region_low:
        return f"{level} lies below {finding.region_low:g}"
    if finding.low > finding.region_high:
        return f"{level} lies above {finding.region_high:g}"
    if finding.region_high == inf:
        return f"{level} lies above {finding.region_low:g}"
    return f"{level} lies inside [{finding.region_low:g}, {finding.region_high:g}]"


def needed_text(answer: str, telling: Sequence[Finding]) -> str:
    """About how many replicates would decide."""
    if answer != "undecided":
        return ""
    needed = [each.replicates_needed for each in telling if each.replicates_needed]
    if not needed:
        return ""
    # A reversed step refutes the claim by itself; steps that go the right way must all be shown.
    reversed_steps = [each.replicates_needed for each in telling if each.replicates_needed and not inside(each)]
    count = min(reversed_steps) if reversed_steps else max(needed)
    used = min(each.n for each in telling)
    return f"about {rounded(count)} replicates would decide" if count > used else "a few more replicates would decide"


def missing_text(pairs: Pairs) -> str:
    """How many replicates are not used, and why the first is not."""
    if not pairs.missing:
        return ""
    total = len(pairs.missing) + len(pairs.replicates)
    failed = f", {pairs.failed} {'run' if pairs.failed == 1 else 'runs'} failed" if pairs.failed else ""
    replicate, why = next(iter(pairs.missing.items()))
    verb = "is" if len(pairs.missing) == 1 else "are"
    return f"{len(pairs.missing)} of {total} replicates {verb} missing{failed} (replicate {label(replicate)}: {why})"


def limits(findings: Sequence[Finding]) -> str:
    """What a verdict is limited to."""
    kinds = {each.pairs.replication for each in findings}
    if "fixed" in kinds:
        return "holds for this test part: all replicates are tested on the same examples"
    if "resplit" in kinds:
        return "holds for this data set: replicates re-split it, which the variance accounts for"
    return ""


def shared_limits(limits_of_each: Sequence[str]) -> str:
    """The limit that several verdicts have in common, so that it need be told only once; else nothing."""
    return limits_of_each[0] if len(limits_of_each) > 1 and len(set(limits_of_each)) == 1 else ""


def estimate_text(finding: Finding) -> str:
    """`squared / absolute = 5.3 [4.1, 6.9]`."""
    if finding.estimate is None:
        return finding.name
    bounds = "" if finding.low is None or finding.high is None else f" {interval(finding.low, finding.high)}"
    return f"{finding.name} = {estimate(finding.estimate, finding.low, finding.high)}{bounds}"


def rounded(count: int) -> int:
    """Two significant digits: the number is a rough one."""
    return round(count, 2 - len(str(count))) if count >= 100 else count
