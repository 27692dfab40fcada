"""How often the intervals hold the truth, how often verdicts are wrong, and how often a stated effect is found.

Prints the tables of docs/statistics.md. About a minute on one core:

    python benchmarks/interval_coverage.py
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np

from paribus.study import statistics

Sampler = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

SHAPES: Mapping[str, Sampler] = {
    "normal": lambda generator, shape: generator.standard_normal(shape),
    "exponential": lambda generator, shape: generator.standard_exponential(shape) - 1,
    "lognormal": lambda generator, shape: generator.lognormal(0, 1, shape) - np.exp(0.5),
    "Student t, 3 d.f.": lambda generator, shape: generator.standard_t(3, shape),
}
"""Differences with mean 0; the first two skewed ones have skewness 2 and 6.2."""

MEDIANS = {"normal": 0.0, "exponential": np.log(2) - 1, "lognormal": 1 - np.exp(0.5), "Student t, 3 d.f.": 0.0}
SIZES = (5, 10, 20, 50)


def samples(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    return SHAPES[name](np.random.default_rng([seed, *shape]), shape)


def held(bounds: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(((bounds[0] <= truth) & (truth <= bounds[1])).mean())


def median_coverage(values: np.ndarray, truth: float, alpha: float) -> float | None:
    rank = statistics.median_rank(values.shape[-1], alpha)
    if not rank:
        return None
    ordered = np.sort(values, -1)
    return held((ordered[..., rank - 1], ordered[..., -rank]), truth)


def coverage(studies: int) -> list[list[str]]:
    """Coverage at nominal 95 and 99 %, the latter being the level of the first of five claims."""
    rows = []
    for name in SHAPES:
        for n in SIZES:
            values = samples(name, (studies, n), seed=1)
            sample = statistics.moments(values)
            row = [name, str(n)]
            for alpha in (0.05, 0.01):
                row.append(f"{held(statistics.student_interval(sample, alpha), 0.0):.3f}")
                row.append(f"{held(statistics.interval(sample, alpha), 0.0):.3f}")
                median = median_coverage(values, MEDIANS[name], alpha)
                row.append("none" if median is None else f"{median:.3f}")
            rows.append(row)
    return rows


def wrong_verdicts(name: str, n: int, claims: int, studies: int, corrected: bool) -> float:
    """Share of studies without any effect in which some claim gets a verdict.

    Holm's procedure decides something just when the smallest p value is at most .05 / claims.
    """
    values = samples(name, (studies, claims, n), seed=2)
    sample = statistics.moments(values)
    if corrected:
        smallest = statistics.p_value(sample, 0.0).min(-1)
        return float((smallest <= statistics.FAMILY_ERROR / claims).mean())
    low, high = statistics.student_interval(sample, statistics.FAMILY_ERROR / claims)
    return float(((low > 0) | (high < 0)).any(-1).mean())


def family_errors(studies: int) -> list[list[str]]:
    rows = []
    for name in SHAPES:
        for n in (10, 20, 50):
            row = [name, str(n)]
            for claims in (1, 5, 20):
                for corrected in (False, True):
                    row.append(f"{wrong_verdicts(name, n, claims, studies // claims, corrected):.3f}")
            rows.append(row)
    return rows


def power(studies: int) -> list[list[str]]:
    """How often an effect of the stated smallest detectable size is found, and what the correction costs."""
    rows = []
    for n in SIZES:
        for claims in (1, 5):
            alpha = statistics.FAMILY_ERROR / claims
            effect = statistics.detectable(n, alpha)
            sample = statistics.moments(samples("normal", (studies, n), seed=3) + effect)
            found = (statistics.interval(sample, alpha)[0] > 0).mean()
            student = (statistics.student_interval(sample, alpha)[0] > 0).mean()
            rows.append([str(n), str(claims), f"{effect:.2f}", f"{found:.3f}", f"{student:.3f}"])
    return rows


def resplit(studies: int) -> list[list[str]]:
    """Wrong verdicts where replicates share data: mean 0, correlation test / (train + test) between replicates."""
    rows = []
    for n in (10, 20, 50):
        for ratio in (1 / 9, 1 / 4):
            correlation = ratio / (1 + ratio)
            own = samples("normal", (studies, n), seed=4) * np.sqrt(1 - correlation)
            shared = samples("normal", (studies, 1), seed=5) * np.sqrt(correlation)
            row = [str(n), f"{ratio:.2f}"]
            for correction in (0.0, ratio):
                row.append(
                    f"{(statistics.p_value(statistics.moments(own + shared, correction), 0.0) <= 0.05).mean():.3f}"
                )
            rows.append(row)
    return rows


def markdown(title: str, header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100_000, help="simulated samples for each line")
    studies = parser.parse_args().studies
    kinds = ["t", "corrected t", "median"]
    header = ["differences", "n", *(f"{kind}, {level}" for level in ("95 %", "99 %") for kind in kinds)]
    print(markdown("Coverage", header, coverage(studies)))
    header = ["differences", "n", *(f"{kind}, {count} claims" for count in (1, 5, 20) for kind in kinds[:2])]
    print(markdown("Studies without effects in which any claim got a verdict", header, family_errors(studies)))
    header = ["n", "claims", "stated effect (d_z)", "found", "found by plain t"]
    print(markdown("Power at the stated smallest detectable effect", header, power(studies)))
    header = ["n", "test / train", "as if independent", "Nadeau-Bengio"]
    print(markdown("Wrong verdicts where replicates re-split one data set", header, resplit(studies)))


if __name__ == "__main__":
    main()
