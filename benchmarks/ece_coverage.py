"""How often the interval of the ECE holds the true one, how often a calibrated predictor is called off, and what a
bootstrap would do.

Prints the table of docs/calibration.md. Some minutes on one core:

    python benchmarks/ece_coverage.py --repetitions 200
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np
import torch

from paribus.metrics import calibration_test, ece_interval, equal_width, expected_calibration_error

BINS, LEVEL, DRAWS, LARGE = 15, 0.95, 500, 2_000_000
CONFIDENCES: Mapping[str, tuple[float, float]] = {"uniform": (1, 1), "sharp": (5, 1), "saturated": (20, 0.5)}
"""Parameters of a beta distribution."""
TRUTHS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "calibrated": lambda c: c,
    "over-confident": lambda c: 0.8 * c,
    "a little so": lambda c: 0.97 * c,
    "under-confident": lambda c: c + 0.5 * c * (1 - c),
    "both": lambda c: np.clip(c + 0.1 * np.sin(8 * c), 0, 1),
}
"""The probability of being right at a confidence."""


def drawn(shape: str, truth: str, n: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    confidence = generator.beta(*CONFIDENCES[shape], n)
    return torch.from_numpy(confidence), torch.from_numpy(generator.random(n) < TRUTHS[truth](confidence))


def true_error(shape: str, truth: str) -> float:
    """The ECE of the population: of so many examples, each counted with its probability of being right."""
    confidence = np.random.default_rng(0).beta(*CONFIDENCES[shape], LARGE)
    index = equal_width(torch.from_numpy(confidence), BINS).numpy()
    return float(np.abs(np.bincount(index, TRUTHS[truth](confidence) - confidence, BINS)).sum() / LARGE)


def bootstrap(confidence: torch.Tensor, correct: torch.Tensor, generator: torch.Generator) -> tuple[float, float]:
    """The percentile interval, for comparison."""
    errors = []
    for _ in range(100):
        rows = torch.randint(len(confidence), (len(confidence),), generator=generator)
        errors.append(float(expected_calibration_error(confidence[rows], correct[rows], BINS, equal_width)))
    low, high = np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 10_000])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| confidences | truth | n | true ECE | mean ECE | interval holds it | bootstrap holds it | called off |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in CONFIDENCES:
        for truth in TRUTHS:
            true = true_error(shape, truth) if truth != "calibrated" else 0.0
            for n in options.sizes:
                generator, streams = np.random.default_rng([n, len(truth)]), torch.Generator().manual_seed(n)
                rows = []
                for _ in range(options.repetitions):
                    data = drawn(shape, truth, n, generator)
                    ours = ece_interval(*data, BINS, equal_width, LEVEL, DRAWS, streams)
                    low, high = bootstrap(*data, streams)
                    off = calibration_test(*data, BINS, equal_width, DRAWS, streams).p_value <= 1 - LEVEL
                    rows.append((ours.estimate, ours.lower <= true <= ours.upper, low <= true <= high, off))
                estimate, held, resampled, off = np.mean(rows, axis=0)
                told = f"{true:.4f} | {estimate:.4f} | {held:.3f} | {resampled:.3f} | {off:.3f}"
                print(f"| {shape} | {truth} | {n} | {told} |", flush=True)


if __name__ == "__main__":
    main()
