"""Which training targets are hit, and by how much."""

import math

import numpy as np
import pytest

from paribus.data.contamination import LEVERAGE_SHARE, Contamination, principal_score
from paribus.errors import UserError

rng = np.random.default_rng(5)
INPUTS = rng.normal(size=(137, 3)) * [1.0, 50.0, 0.01]
TARGET = rng.normal(size=137) * 7


@pytest.mark.parametrize("placement", ["random", "leverage"])
@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.1, 0.35, 0.5, 0.99])
def test_exactly_the_rounded_number_of_rows_gets_exactly_the_size(fraction: float, placement: str) -> None:
    contaminated, hit = Contamination(fraction, -20.0, "one", placement)(INPUTS, TARGET, seed=0)
    assert hit.sum() == round(fraction * 137)
    np.testing.assert_array_equal(contaminated[~hit], TARGET[~hit])
    np.testing.assert_array_equal(contaminated[hit], TARGET[hit] - 20.0)


@pytest.mark.parametrize("placement", ["random", "leverage"])
def test_rates_nest_under_one_seed_rows_and_signs_alike(placement: str) -> None:
    target = np.zeros(137)
    smaller = np.zeros(137)
    for fraction in (0.05, 0.1, 0.2, 0.4, 0.7):
        larger, hit = Contamination(fraction, 3.0, "both", placement)(INPUTS, target, seed=2)
        already = smaller != 0
        assert hit[already].all()
        np.testing.assert_array_equal(larger[already], smaller[already])
        smaller = larger


def test_both_sides_come_about_equally_often() -> None:
    shift, hit = Contamination(0.5, 3.0, "both", "random")(np.zeros((4000, 1)), np.zeros(4000), seed=0)
    assert set(shift[hit]) == {-3.0, 3.0}
    assert abs((shift[hit] > 0).sum() - 1000) < 5 * math.sqrt(2000 / 4)  # five standard deviations of a binomial


@pytest.mark.parametrize("sign", [1, -1])
def test_leverage_for_one_input_hits_the_largest(sign: int) -> None:
    x = sign * np.linspace(-1, 1, 50)[:, None]
    at_share = Contamination(LEVERAGE_SHARE, 1.0, "one", "leverage")(x, np.zeros(50), seed=0)[1]
    assert x[at_share].min() > x[~at_share].max()
    fewer = Contamination(0.2, 1.0, "one", "leverage")(x, np.zeros(50), seed=0)[1]
    assert (at_share | ~fewer).all()
    more = Contamination(0.6, 1.0, "one", "leverage")(x, np.zeros(50), seed=0)[1]
    assert more[at_share].all()


def test_leverage_below_its_share_depends_on_the_seed() -> None:
    hits = [Contamination(0.2, 1.0, "one", "leverage")(INPUTS, TARGET, seed)[1] for seed in (0, 1)]
    assert (hits[0] != hits[1]).any()


def test_the_principal_axis_agrees_with_a_singular_value_decomposition() -> None:
    correlated = np.column_stack([INPUTS[:, 1], -3 * INPUTS[:, 1] + INPUTS[:, 0], INPUTS[:, 2], np.full(137, 4.0)])
    spread = correlated.std(axis=0)
    standardised = (correlated - correlated.mean(axis=0)) / np.where(spread == 0, 1, spread)
    left, singular, _ = np.linalg.svd(standardised, full_matrices=False)
    expected = left[:, 0] * singular[0]
    score = principal_score(correlated)
    np.testing.assert_allclose(score * np.sign(score @ expected), expected, atol=1e-10)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1), (1, 1, -1), (-1, -1, -1)])
def test_the_axis_points_to_large_values_of_the_column_that_weighs_most(signs: tuple[int, int, int]) -> None:
    common = np.linspace(-1, 1, 40)
    weighs_most = (
        np.column_stack([common + 0.3 * np.cos(9 * common), common, common - 0.3 * np.cos(9 * common)]) * signs
    )
    assert np.corrcoef(principal_score(weighs_most), weighs_most[:, 1])[0, 1] > 0.9


def test_scores_do_not_depend_on_units_and_stay_finite_at_extremes() -> None:
    np.testing.assert_allclose(principal_score(INPUTS * [1e200, 1e-200, 1.0]), principal_score(INPUTS), atol=1e-9)
    assert (principal_score(np.full((5, 2), 3.0)) == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-0.1, 1.0, "one", "random"), "fraction is -0.1"),
        ((1.0, 1.0, "one", "random"), r"expected a number in \[0, 1\)"),
        ((math.nan, 1.0, "one", "random"), "fraction is nan"),
        ((0.1, math.inf, "one", "random"), "size is inf"),
        ((0.1, 0.0, "one", "random"), "size is 0 with fraction 0.1"),
        ((0.1, 1.0, "two", "random"), "sides is 'two', expected one of one, both"),
        ((0.1, 1.0, "one", "far"), "placement is 'far', expected one of random, leverage"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Contamination(*arguments)


def test_a_fraction_that_hits_no_row_is_refused() -> None:
    with pytest.raises(UserError, match=r"fraction=0\.01 of 20 training rows is no row"):
        Contamination(0.01, 1.0, "one", "random")(np.zeros((20, 1)), np.zeros(20), seed=0)
