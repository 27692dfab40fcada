"""A paragraph on methods for a paper, made from what was really done."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from paribus.report.collect import Collected
from paribus.report.summaries import count
from paribus.study.findings import Finding
from paribus.study.keys import flat
from paribus.study.levels import label
from paribus.study.numbers import percent
from paribus.study.records import RunRecord
from paribus.study.verdicts import Verdict

REPLICATIONS = {
    "fresh": "drew fresh data",
    "resplit": "split the same data set anew",
    "fixed": "kept the test part fixed, so that conclusions are limited to it",
}


def methods(collected: Collected, verdicts: Sequence[Verdict], findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    """Design, training and statistics, a paragraph each."""
    if not collected.comparison.results:
        return ["There are no runs to describe."]
    texts = [design(collected), training(collected), statistics(collected, verdicts, findings)]
    return [text for text in texts if text]


def design(collected: Collected) -> str:
    """What was varied, how often it was repeated, and how the runs ended."""
    study, records = collected.study, list(collected.records.values())
    factors = [f"{factor.name} ({', '.join(map(factor.label, factor.levels))})" for factor in study.factors]
    varied = f"We varied {listed(factors)}" if factors else "We ran one configuration"
    cells = len(study.cells())
    crossed = f", fully crossed into {count(cells, 'cell')}" if len(factors) > 1 and not study.exclude else ""
    crossed = f", crossed into {count(cells, 'cell')} of those possible" if study.exclude else crossed
    replicates = len({label(result.replicate) for result in collected.comparison.results})
    text = f"{varied}{crossed}, with {count(replicates, 'replicate')} of each ({study.replicate.key})."
    if study.within:
        inner = [f"{factor.name} ({', '.join(map(factor.label, factor.levels))})" for factor in study.within]
        text += f" Each trained model was evaluated under every level of {listed(inner)}, without being trained again."
    kinds = {study.replication} if study.replication else {record.replication for record in records}
    told = [REPLICATIONS[kind] for kind in ("fresh", "resplit", "fixed") if kind in kinds]
    if told:
        text += f" Each replicate {' or, by data set, '.join(told)}."
    ends = Counter(record.status for record in records)
    ended = listed([f"{n} {'had not ended' if status == 'running' else status}" for status, n in ends.most_common()])
    return text + f" Of {count(len(records), 'run')}, {ended}."


def training(collected: Collected) -> str:
    """Data, network, optimizer and budget, where they are the same in all runs or take a few forms."""
    records = list(collected.records.values())
    varied = {key for factor in collected.study.factors for key in factor.keys}
    parts = []
    for group, verb in (
        ("data", "data"),
        ("family", "family"),
        ("network", "network"),
        ("optimizer", "optimizer"),
        ("scheduler", "schedule"),
    ):
        values = distinct(part_text(record, group, varied) for record in records)
        if values:
            shown = values[:4]
            parts.append(f"{verb} {listed(shown, 'or')}" + (f" or {len(values) - 4} more" if len(values) > 4 else ""))
    text = f"Models were trained with {'; '.join(parts)}. " if parts else ""
    sizes = distinct(listed([f"{n} {part}" for part, n in record.sizes.items()]) for record in records if record.sizes)
    if sizes:
        text += f"Examples: {' or '.join(sizes[:4])}. "
    steps = sorted({record.steps for record in records if record.status == "finished" and record.steps})
    if steps:
        text += (
            f"Each finished run took {steps[0] if len(steps) == 1 else f'{steps[0]} to {steps[-1]}'} optimizer steps. "
        )
    streams = sorted({name for record in records for name in record.pairing})
    if streams:
        text += (
            "Random numbers came from separate streams that depend on the seed alone, so that runs with equal seed "
            f"were paired; hashes of {listed(streams)} were recorded to verify what they shared."
        )
    return text.strip()


def part_text(record: RunRecord, group: str, varied: Collection[str]) -> str:
    """The option of a config group with the settings of its node that are not varied: `adam (lr=0.01)`."""
    chosen = record.choices.get(group, "")
    node = record.config.get(group)
    if not chosen or not isinstance(node, Mapping):
        return chosen
    settings = [
        f"{name}={label(value)}"
        for name, value in flat(node).items()
        if f"{group}.{name}" not in varied and is_setting(name, value)
    ]
    return f"{chosen} ({', '.join(settings)})" if settings else chosen


def is_setting(name: str, value: Any) -> bool:
    """Whether an entry of a config's node is a value worth telling."""
    plain = isinstance(value, int | float | str | list)  # as are truth values
    return "_target_" not in name and name != "seed" and plain and len(str(value)) < 30


def statistics(collected: Collected, verdicts: Sequence[Verdict], findings: Mapping[str, Sequence[Finding]]) -> str:
    """The tests that were done, the correction, and what became of runs without a value."""
    judged = [finding for verdict in verdicts for finding in verdict.findings if finding.n]
    compared = [finding for table in findings.values() for finding in table if finding.n]
    used = judged or compared
    if not used:
        return "No comparison could be made."
    ways = distinct(finding.method for finding in used if finding.method)
    metrics = listed([f"{m.name} ({m.scale} scale{', ' + m.unit if m.unit else ''})" for m in collected.study.metrics])
    sizes = sorted({finding.n for finding in used})
    text = f"Arms were compared on {metrics}, by {'; '.join(ways)}, with n = {span(sizes)} pairs per comparison. "
    tested = [verdict for verdict in verdicts if verdict.p is not None]
    if tested:
        levels = sorted({verdict.level for verdict in tested})
        text += (
            f"{count(len(tested), 'claim')} declared with the study {'was' if len(tested) == 1 else 'were'} "
            f"tested at a family-wise level of 0.05 with Holm's adjustment; intervals are at the adjusted confidence "
            f"({percent(levels[0])}{f' to {percent(levels[-1])}' if len(levels) > 1 else ''}). "
        )
    missing = sum(len(finding.pairs.missing) for finding in used)
    beyond = sum(sum(finding.pairs.diverged) for finding in used if finding.pairs.metric.worst is None)
    counted = {finding.pairs.metric for finding in used if any(finding.pairs.diverged)}
    worst = sorted(f"{metric.worst:g} for {metric.name}" for metric in counted if metric.worst is not None)
    if missing:
        text += f"{count(missing, 'pair')} could not be formed and {'was' if missing == 1 else 'were'} left out. "
    if beyond:
        text += "Runs that diverged entered as the worst possible value, and the median was estimated there. "
    if worst:
        text += f"Runs that diverged counted as {', '.join(worst)}. "
    return text.strip()


def span(values: Sequence[int]) -> str:
    """`10` or `8 to 10`."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def distinct(texts: Iterable[str]) -> list[str]:
    """Each text once, without empty ones."""
    return [text for text in dict.fromkeys(texts) if text]


def listed(parts: Sequence[str], word: str = "and") -> str:
    """`a, b and c`."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)
