"""Scaling against numpy and scipy, its inverse, and extremes."""

import numpy as np
import pytest
from scipy import stats

from paribus.data.scaling import NORMAL_IQR, Scaling

ROWS = np.random.default_rng(0).lognormal(size=(201, 3)) * [1, 1000, 1e-6] + [0, 5, -1]


def test_standard_is_the_z_score() -> None:
    np.testing.assert_allclose(Scaling.fit(ROWS, "standard").apply(ROWS), stats.zscore(ROWS), rtol=1e-9, atol=1e-9)


def test_robust_is_median_and_interquartile_range() -> None:
    scaling = Scaling.fit(ROWS, "robust")
    np.testing.assert_allclose(scaling.center, np.median(ROWS, axis=0), rtol=1e-14)
    np.testing.assert_allclose(scaling.scale, stats.iqr(ROWS, axis=0, scale="normal"), rtol=1e-9)
    np.testing.assert_allclose(NORMAL_IQR, 2 * stats.norm.ppf(0.75), rtol=1e-14)


def test_none_changes_no_bit() -> None:
    np.testing.assert_array_equal(Scaling.fit(ROWS, "none").apply(ROWS), ROWS)


def test_an_outlier_moves_standard_and_not_robust() -> None:
    spoilt = ROWS.copy()
    spoilt[:20] += 1e6
    assert (Scaling.fit(spoilt, "standard").scale > 1e4).all()
    ratio = Scaling.fit(spoilt, "robust").scale[1] / Scaling.fit(ROWS, "robust").scale[1]
    assert 1 < ratio < 2


@pytest.mark.parametrize("kind", ["none", "standard", "robust"])
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30, 1e307])
def test_scaled_rows_times_the_scale_are_the_rows_at_every_magnitude(kind: str, size: float) -> None:
    rows = ROWS / np.abs(ROWS).max() * size * 1.5
    scaling = Scaling.fit(rows, kind)
    scaled = scaling.apply(rows)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled * scaling.scale + scaling.center, rows, rtol=1e-9, atol=1e-12 * size)
    if kind == "standard":
        np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e300, 1e-300])
@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_a_constant_column_becomes_zero(kind: str, value: float) -> None:
    scaling = Scaling.fit(np.full(1001, value), kind)
    assert scaling.scale == 1
    assert abs(scaling.apply(np.full(1001, value))).max() <= 1e-15 * abs(value)


def test_a_mostly_constant_column_has_no_interquartile_range_and_is_only_centred() -> None:
    rare = np.zeros(100)
    rare[:5] = 3.0
    np.testing.assert_array_equal(Scaling.fit(rare, "robust").apply(rare), rare)


def test_a_single_column_may_be_a_vector() -> None:
    vector, matrix = Scaling.fit(ROWS[:, 0], "standard"), Scaling.fit(ROWS[:, :1], "standard")
    np.testing.assert_array_equal(vector.apply(ROWS[:, 0]), matrix.apply(ROWS[:, :1])[:, 0])


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="scaling is 'minmax', expected one of none, standard, robust"):
        Scaling.fit(ROWS, "minmax")
