"""What live logging adds to a small job: with each logger against without one, in pairs, in one process.

    OMP_NUM_THREADS=1 python benchmarks/loggers.py --pairs 9

A pair is the same job twice, the order turning. What a logger adds in all is told in seconds, by the clock and of the
processor; what it adds a step is the difference of two lengths of training, since the rest is paid once a run.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.job import Job, run_job
from paribus.study.records import RunRecord

LOGGERS = ("wandb", "tensorboard")
SHORT, LONG = 1000, 5000
EVERY = 100


def spent(composer: Composer, logger: str, steps: int, place: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor that a job takes."""
    words = [f"logger={logger}", f"trainer.max_steps={steps}", f"trainer.validate_every={EVERY}", f"output={place}"]
    config = composer.read([*words, "name=bench"])
    job = replace(Job.of(config.resolved, config.choices), folder=place / "bench" / f"{logger}-{time.monotonic_ns()}")
    clock, processor = time.perf_counter(), time.process_time()
    record: RunRecord = run_job(job, progress=False, fence=lambda: None)
    assert record.status == "finished", record.failure
    return time.perf_counter() - clock, time.process_time() - processor


def paired(composer: Composer, logger: str, steps: int, pairs: int, place: Path) -> list[tuple[float, float, float]]:
    """Of each pair: what the logger adds by the clock and of the processor, and its ratio to the job without it."""
    found = []
    for pair in range(pairs):
        order = ("none", logger) if pair % 2 else (logger, "none")
        times = {each: spent(composer, each, steps, place) for each in order}
        (clock, processor), (bare_clock, bare_processor) = times[logger], times["none"]
        found.append((clock - bare_clock, processor - bare_processor, clock / bare_clock))
    return found


def told(values: list[float], form: str) -> str:
    """The median and the middle half."""
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    pairs = parser.parse_args().pairs
    composer = Composer(open_tree())
    for logger in LOGGERS:
        with tempfile.TemporaryDirectory() as folder:
            spent(composer, "none", SHORT, Path(folder))
            first = spent(composer, logger, SHORT, Path(folder))[0]
            short, long = (paired(composer, logger, steps, pairs, Path(folder)) for steps in (SHORT, LONG))
        print(f"{logger}: its first run in a process {first:.1f} s")
        for steps, each in ((SHORT, short), (LONG, long)):
            clock, processor, ratio = (list(column) for column in zip(*each, strict=True))
            print(
                f"  {steps} steps: +{told(clock, '.3f')} s, processor +{told(processor, '.3f')}, x{told(ratio, '.2f')}"
            )
        processor = [(b[1] - a[1]) / (LONG - SHORT) * 1e6 for a, b in zip(short, long, strict=True)]
        print(f"  a step more: {told(processor, '.1f')} microseconds of the processor")


if __name__ == "__main__":
    main()
