"""What paired runs shared, what pairing gained, and where the records come from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from paribus.report.collect import Collected
from paribus.report.health import different
from paribus.report.summaries import count
from paribus.study.findings import Finding
from paribus.study.numbers import number, percent

MEANINGS = {
    "data": "the raw data",
    "split": "which examples train, validate and test",
    "corruption": "the contaminated training targets",
    "order": "the order of minibatches",
}
PROVENANCE = (
    ("Code", "code"),
    ("Git commit", "git.commit"),
    ("Uncommitted changes", "git.dirty"),
    ("Paribus", "versions.paribus"),
    ("Python", "versions.python"),
    ("PyTorch", "versions.torch"),
    ("Lightning", "versions.pytorch-lightning"),
    ("Device", "device"),
    ("Processor", "processor"),
    ("Threads", "threads"),
    ("Host", "host"),
)


@dataclass(frozen=True)
class PlainTable:
    """Columns and rows of texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Pairing:
    """The section of that name."""

    paragraphs: tuple[str, ...]
    streams: PlainTable | None
    narrowing: PlainTable | None
    provenance: PlainTable


def pairing(collected: Collected, findings: Mapping[str, Sequence[Finding]]) -> Pairing:
    """What the comparisons of the page rest on."""
    every = [finding for table in findings.values() for finding in table if finding.n]
    first = [finding for finding in next(iter(findings.values()), ()) if finding.n]
    shared = Counter(stream for finding in first for stream in finding.pairs.shared)
    unshared = Counter(stream for finding in first for stream in finding.pairs.unshared)
    names = sorted({*shared, *unshared})
    rows = tuple(
        (name, meaning(name), f"{shared[name]} of {shared[name] + unshared[name]} comparisons") for name in names
    )
    texts = [
        "Arms are compared replicate by replicate: with the same seed they see the same data in the same order and "
        "start from the same weights wherever the table says so. What they share cancels in their difference."
        if every
        else "There is no pair of runs to compare."
    ]
    fully = [name for name in names if not unshared[name]]
    partly = [name for name in names if unshared[name]]
    if partly:
        texts.append(f"Not every pair shared {', '.join(partly)}: there the comparison is paired by the rest alone.")
    elif fully:
        texts.append(f"Every pair shared {', '.join(fully)}.")
    elif every:
        texts.append("The records do not say what the runs shared.")
    return Pairing(
        tuple(texts),
        PlainTable(("shared", "what it is", "in"), rows) if rows else None,
        narrowing_table(findings),
        provenance_table(collected),
    )


def meaning(stream: str) -> str:
    """What a hash of the record's pairing stands for."""
    group, _, part = stream.partition("/")
    return f"the initial weights of the {part}" if group == "init" else MEANINGS.get(stream, "")


def narrowing_table(findings: Mapping[str, Sequence[Finding]]) -> PlainTable | None:
    """How wide paired intervals are relative to unpaired ones of the same runs."""
    rows = []
    for metric, table in findings.items():
        widths = [f.pairs.narrowing for f in table if f.n and f.pairs.narrowing is not None]
        if widths:
            middle = median(widths)
            worth = f"as much as {number(1 / middle**2, 2)} times the replicates" if middle > 0 else "\N{EN DASH}"
            rows.append(
                (
                    metric,
                    str(len(widths)),
                    percent(round(middle, 3)),
                    f"{percent(round(min(widths), 3))} to {percent(round(max(widths), 3))}",
                    worth,
                )
            )
    if not rows:
        return None
    return PlainTable(
        ("metric", "comparisons", "median width, paired / unpaired", "range", "the median gain is worth"), tuple(rows)
    )


def provenance_table(collected: Collected) -> PlainTable:
    """Versions, code and machines, with the number of records where they differ; then hashes of the data."""
    records = list(collected.records.values())
    rows = []
    for name, key in PROVENANCE:
        values = different(records, key)
        if values:
            lone = len(values) == 1 and sum(values.values()) == len(records)
            texts = [value[:40] if lone else f"{value} ({count(n, 'record')})" for value, n in list(values.items())[:6]]
            rows.append((name, "; ".join(texts) + (f"; {len(values) - 6} more" if len(values) > 6 else "")))
    hashes = Counter(record.pairing["data"] for record in records if "data" in record.pairing)
    if hashes:
        texts = [f"{value} ({count(n, 'record')})" for value, n in hashes.most_common(6)]
        rows.append(("Data hashes", "; ".join(texts) + (f"; {len(hashes) - 6} more" if len(hashes) > 6 else "")))
    started = sorted(record.started for record in records if record.started)
    if started:
        rows.append(("Started", started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}"))
    seconds, processor = sum(record.seconds for record in records), sum(record.cpu_seconds for record in records)
    rows.append(
        (
            "Time",
            f"{number(seconds)} s in all runs together, {number(processor)} s of processor time",
        )
    )
    peak = max((record.peak_memory for record in records), default=0)
    if peak:
        rows.append(("Peak memory", f"{number(peak / 2**20)} MiB"))
    return PlainTable(("", "recorded"), tuple(rows))
