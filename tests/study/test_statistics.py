"""Intervals, tests and sample sizes against scipy, enumeration, closed forms and simulation."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from paribus.study import statistics


def spread(probability, draws, errors=4):
    """`errors` standard errors of a share of `draws`."""
    return errors * np.sqrt(probability * (1 - probability) / draws)


@pytest.mark.parametrize("n", [2, 5, 20, 200])
def test_students_part_is_scipys(n):
    values = np.random.default_rng(n).normal(0.3, 2.0, n)
    low, high = statistics.student_interval(statistics.moments(values), 0.05)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_moments_are_scipys():
    values = np.random.default_rng(0).exponential(size=(3, 12))
    sample = statistics.moments(values)
    assert sample.skewness == pytest.approx(stats.skew(values, axis=-1, bias=False), rel=1e-12)
    assert sample.deviation == pytest.approx(values.std(-1, ddof=1), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
@pytest.mark.parametrize("n", [2, 3, 6, 12, 60])
def test_interval_leaves_out_just_what_the_test_rejects(n, alpha):
    for values in np.random.default_rng([n, 1]).exponential(size=(20, n)):
        sample = statistics.moments(values)
        for bound in map(float, statistics.interval(sample, alpha)):
            assert float(statistics.p_value(sample, bound)) == pytest.approx(alpha, rel=1e-6)


def test_interval_is_never_narrower_than_students():
    values = np.random.default_rng(2).lognormal(0, 1.5, (500, 15))
    sample = statistics.moments(values)
    low, high = statistics.interval(sample, 0.05)
    plain_low, plain_high = statistics.student_interval(sample, 0.05)
    assert (low <= plain_low).all()
    assert (high >= plain_high).all()


def test_swapping_the_arms_mirrors_the_interval_and_a_unit_scales_it():
    values = np.random.default_rng(3).exponential(size=15)
    low, high = statistics.interval(statistics.moments(values), 0.02)
    mirrored = statistics.interval(statistics.moments(-values), 0.02)
    assert (-mirrored[1], -mirrored[0]) == pytest.approx((low, high), rel=1e-12)
    scaled = statistics.interval(statistics.moments(1e-9 * values), 0.02)
    assert scaled == pytest.approx((1e-9 * low, 1e-9 * high), rel=1e-12)


def test_correction_approaches_students_in_large_samples():
    sample = statistics.moments(np.random.default_rng(4).standard_normal(100_000))
    low, _ = statistics.interval(sample, 0.05)
    plain, _ = statistics.student_interval(sample, 0.05)
    assert (sample.mean - low) / (sample.mean - plain) == pytest.approx(1, abs=0.01)


def test_resplit_variance_is_nadeau_and_bengios():
    values = np.random.default_rng(5).standard_normal(10)
    low, high = statistics.student_interval(statistics.moments(values, 1 / 9), 0.05)
    half = stats.t.ppf(0.975, 9) * np.sqrt(values.var(ddof=1) * (1 / 10 + 1 / 9))
    assert (high - low) / 2 == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize("n", range(1, 13))
def test_median_rank_and_sign_test_by_enumeration_of_all_signs(n):
    positives = np.array([sum(signs) for signs in product((0, 1), repeat=n)])
    for alpha in (0.05, 0.01):
        rank = statistics.median_rank(n, alpha)
        missed = [((positives < k) | (positives > n - k)).mean() for k in range(1, n // 2 + 1)]
        assert rank == sum(share <= alpha for share in missed)
    for count in range(n + 1):
        values = [1.0] * count + [-1.0] * (n - count)
        most = max(count, n - count)
        expected = min(1.0, 2 * (positives >= most).mean())
        assert statistics.sign_p_value(values, 0.0) == pytest.approx(expected, rel=1e-12)


def test_six_replicates_are_the_first_to_bound_a_median():
    assert statistics.median_interval(range(5), 0.05) is None
    assert statistics.median_interval([5, 1, 4, 2, 3, 0], 0.05) == (0, 5)
    assert statistics.median_interval([1, 2, 3, 4, 5, np.inf], 0.05) == (1, np.inf)


def test_median_of_opposite_infinities_is_the_lower():
    assert statistics.median([np.inf, -np.inf]) == -np.inf
    assert statistics.median([1, np.inf, np.inf]) == np.inf
    assert statistics.median([4.0, 1.0, 2.0, 8.0]) == 3.0


def test_a_tie_with_the_edge_counts_for_neither_side():
    assert statistics.sign_p_value([0.0] * 20, 0.0) == 1.0
    assert statistics.sign_p_value([1.0] * 6 + [0.0], 0.0) > statistics.sign_p_value([1.0] * 7, 0.0)


def test_holm_by_hand():
    # .005 x 4, .01 x 3, .03 x 2; .04 x 1 is raised to the one before it.
    result = statistics.holm([0.01, 0.04, 0.03, 0.005])
    assert result.adjusted == pytest.approx((0.03, 0.06, 0.06, 0.02))
    # The procedure stops at .03 > .05 / 2, so .04 is tested at that level too, not at .05.
    assert result.levels == pytest.approx((0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4))
    assert statistics.holm([]) == statistics.Holm((), ())


def test_holm_levels_reject_just_what_adjusted_values_do():
    generator = np.random.default_rng(6)
    for _ in range(300):
        p_values = generator.uniform(0, 0.1, generator.integers(1, 8)).tolist()
        result = statistics.holm(p_values)
        by_level = [p <= level for p, level in zip(p_values, result.levels, strict=True)]
        assert by_level == [adjusted <= statistics.FAMILY_ERROR for adjusted in result.adjusted]


@pytest.mark.parametrize("shape", ["normal", "exponential"])
@pytest.mark.parametrize("n", [10, 20])
def test_studies_without_effects_get_verdicts_in_five_percent(n, shape):
    studies, claims = 20_000, 5
    generator = np.random.default_rng(n)
    draw = generator.standard_normal if shape == "normal" else lambda size: generator.standard_exponential(size) - 1
    p_values = statistics.p_value(statistics.moments(draw((studies, claims, n))), 0.0)
    wrong = (p_values.min(-1) <= statistics.FAMILY_ERROR / claims).mean()
    assert wrong <= 0.05 + spread(0.05, studies, errors=2)


def test_plain_t_would_fail_that_for_skewed_differences():
    values = np.random.default_rng(7).standard_exponential((5_000, 5, 10)) - 1
    low, high = statistics.student_interval(statistics.moments(values), 0.01)
    assert ((low > 0) | (high < 0)).any(-1).mean() > 0.15


@pytest.mark.parametrize("n", [6, 10, 20, 50])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_stated_effect_is_found_with_the_stated_power(n, alpha):
    draws = 20_000
    values = np.random.default_rng([n, 9]).standard_normal((draws, n)) + statistics.detectable(n, alpha)
    found = (statistics.interval(statistics.moments(values), alpha)[0] > 0).mean()
    # The stated effect is itself simulated, from 10,000 draws.
    assert found == pytest.approx(statistics.POWER, abs=spread(0.8, draws) + spread(0.8, 10_000))


def test_detectable_effect_approaches_the_noncentral_t():
    n, alpha = 1000, 0.05
    power = stats.nct.sf(stats.t.ppf(1 - alpha / 2, n - 1), n - 1, statistics.detectable(n, alpha) * np.sqrt(n))
    assert power == pytest.approx(0.8, abs=spread(0.8, 2000))


def test_replicates_for_is_the_inverse_of_detectable():
    for n in (5, 12, 20, 75, 500, 5000):
        assert statistics.replicates_for(statistics.detectable(n, 0.05), 0.05) == pytest.approx(n, rel=0.02, abs=1)
    assert statistics.replicates_for(0.0, 0.05) is None
    assert statistics.replicates_for(1e-9, 0.05) is None
    assert statistics.replicates_for(float("nan"), 0.05) is None


def test_sharing_data_can_put_an_effect_out_of_reach():
    assert statistics.replicates_for(0.3, 0.05) is not None
    assert statistics.replicates_for(0.3, 0.05, test_over_train=0.25) is None


def test_pairing_narrows_by_what_the_arms_share():
    generator = np.random.default_rng(10)
    base, noise = generator.normal(size=400), generator.normal(size=(2, 400))
    paired = statistics.narrowing(base + 0.1 * noise[0], base + 0.1 * noise[1])
    assert paired == pytest.approx(0.1 / np.sqrt(1.01), rel=0.15)
    assert statistics.narrowing(noise[0], noise[1]) == pytest.approx(1, abs=0.1)
    assert statistics.narrowing([1.0, 1.0], [2.0, 2.0]) is None


def test_superiority_halves_ties():
    assert statistics.superiority([1, 2, 0, -1]) == pytest.approx(0.625)


def test_skewness_is_flagged_where_it_is_significant():
    assert statistics.skewed(np.random.default_rng(0).exponential(size=50))
    assert not statistics.skewed(np.linspace(-1, 1, 50))
    assert not statistics.skewed([0.0, 0, 0, 0, 0, 0, 100])
