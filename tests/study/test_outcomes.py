"""Shares of runs, judged exactly: against scipy, and by enumerating every outcome of small studies."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from paribus.study.outcomes import PairedShareEvidence, ShareEvidence, are_outcomes


def paired(up, down, n):
    return PairedShareEvidence(np.array([1.0] * up + [-1.0] * down + [0.0] * (n - up - down)))


@pytest.mark.parametrize(("ones", "n"), [(0, 6), (3, 6), (6, 6), (1, 20), (13, 20)])
def test_one_side_is_scipys_exact_binomial(ones, n):
    found = ShareEvidence(np.array([1.0] * ones + [0.0] * (n - ones)))
    expected = stats.binomtest(ones, n).proportion_ci(0.95)
    assert found.interval(0.05) == pytest.approx((expected.low, expected.high))
    for bound in found.interval(0.05):
        if 0 < bound < 1:
            assert found.p_value(bound) == pytest.approx(0.05)
    assert found.p_value(-0.1) == found.p_value(1.1) == 0


@pytest.mark.parametrize(
    ("up", "down", "n"), [(6, 0, 6), (5, 0, 6), (3, 0, 6), (2, 0, 6), (9, 0, 10), (5, 2, 20), (0, 0, 5)]
)
def test_no_difference_is_mcnemars_test(up, down, n):
    expected = stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert paired(up, down, n).p_value(0.0) == pytest.approx(expected)
    assert paired(down, up, n).p_value(0.0) == pytest.approx(expected)


def test_more_pairs_that_differ_say_more():
    assert np.all(np.diff([paired(up, 0, 12).p_value(0.0) for up in range(1, 13)]) < 0)


@pytest.mark.parametrize(("n", "alpha"), [(6, 0.05), (8, 0.01)])
def test_an_interval_leaves_out_just_what_is_rejected_and_stays_in_range(n, alpha):
    for up, down in product(range(n + 1), repeat=2):
        if up + down > n:
            continue
        found = paired(up, down, n)
        low, high = found.interval(alpha)
        assert -1 <= low <= found.estimate <= high <= 1
        for edge in np.linspace(-0.99, 0.99, 9):
            if edge != 0 and min(abs(edge - low), abs(edge - high)) > 1e-6:
                assert (found.p_value(edge) < alpha) == (not low < edge < high), (up, down, edge)


@pytest.mark.parametrize("n", [6, 10])
def test_the_interval_covers_at_least_as_often_as_it_says(n):
    """The probability of every outcome of n pairs, summed where the interval holds the difference."""
    outcomes = [(up, down) for up in range(n + 1) for down in range(n + 1 - up)]
    intervals = [paired(*outcome, n).interval(0.05) for outcome in outcomes]
    for p, q in [(0.0, 0.0), (0.3, 0.3), (0.5, 0.0), (0.9, 0.05), (0.2, 0.1), (1.0, 0.0)]:
        chances = [stats.multinomial.pmf([up, down, n - up - down], n, [p, q, 1 - p - q]) for up, down in outcomes]
        covered = sum(
            c for c, (low, high) in zip(chances, intervals, strict=True) if low - 1e-12 <= p - q <= high + 1e-12
        )
        assert covered >= 0.95 - 1e-9, (p, q)


def test_what_counts_as_an_outcome():
    assert are_outcomes(np.array([0.0, 1.0]), declared=False)
    assert not are_outcomes(np.array([1.0, 1.0]), declared=False), "an accuracy, perhaps"
    assert are_outcomes(np.array([1.0, 1.0]), declared=True)
    assert not are_outcomes(np.array([0.0, 0.5]), declared=True)


def test_replicates_that_would_decide():
    assert paired(3, 0, 6).replicates_needed(0.0, 0.05) == pytest.approx(15, abs=2)
    assert paired(0, 0, 6).replicates_needed(0.0, 0.05) is None
