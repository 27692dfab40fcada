"""Wrong labels: how many, which, and what they become."""

import numpy as np
import pytest

from paribus.data import LabelNoise
from paribus.errors import UserError

LABEL = np.random.default_rng(0).integers(5, size=4000)


@pytest.mark.parametrize("kind", ["symmetric", "by_class"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.333, 0.95])
def test_exactly_the_fraction_is_wrong(kind, fraction) -> None:
    label, hit = LabelNoise(fraction, kind)(LABEL, 5, seed=3)
    np.testing.assert_array_equal(hit, label != LABEL)
    assert hit.sum() == round(fraction * 4000)
    assert label.dtype == LABEL.dtype
    assert set(label) == set(range(5))


@pytest.mark.parametrize("kind", ["symmetric", "by_class"])
def test_rates_nest_and_seeds_differ(kind) -> None:
    few, few_hit = LabelNoise(0.1, kind)(LABEL, 5, seed=3)
    many, many_hit = LabelNoise(0.4, kind)(LABEL, 5, seed=3)
    assert (many_hit | ~few_hit).all()
    np.testing.assert_array_equal(few[few_hit], many[few_hit])
    assert (LabelNoise(0.1, kind)(LABEL, 5, seed=4)[1] != few_hit).any()


def test_both_kinds_hit_the_same_examples() -> None:
    np.testing.assert_array_equal(
        LabelNoise(0.2, "symmetric")(LABEL, 5, 0)[1], LabelNoise(0.2, "by_class")(LABEL, 5, 0)[1]
    )


def test_by_class_takes_the_next_class_and_the_first_after_the_last() -> None:
    label, hit = LabelNoise(0.5, "by_class")(LABEL, 5, seed=0)
    following = {0: 1, 1: 2, 2: 3, 3: 4, 4: 0}
    assert [following[old] for old in LABEL[hit]] == label[hit].tolist()


def test_symmetric_noise_is_uniform_over_the_other_classes() -> None:
    """Counts of each (old, new) pair: binomial, each within 5 standard deviations of n / 4."""
    label, hit = LabelNoise(0.9, "symmetric")(LABEL, 5, seed=0)
    for old in range(5):
        counts = np.bincount(label[hit & (old == LABEL)], minlength=5)
        examples = counts.sum()
        assert counts[old] == 0
        assert np.abs(np.delete(counts, old) - examples / 4).max() < 5 * np.sqrt(examples * 0.25 * 0.75)


def test_two_classes_are_swapped() -> None:
    label, hit = LabelNoise(0.25, "symmetric")(np.array([0, 1] * 10), 2, seed=0)
    assert hit.sum() == 5
    np.testing.assert_array_equal(label[hit], 1 - np.array([0, 1] * 10)[hit])


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"fraction is 1.0, expected a number in \[0, 1\)"):
        LabelNoise(1.0, "symmetric")
    with pytest.raises(ValueError, match=r"fraction is nan"):
        LabelNoise(float("nan"), "symmetric")
    with pytest.raises(ValueError, match=r"kind is 'pair', expected one of symmetric, by_class"):
        LabelNoise(0.1, "pair")
    with pytest.raises(UserError, match=r"label_noise.fraction=0.01 of 20 training examples is no example at all"):
        LabelNoise(0.01, "symmetric")(np.zeros(20, dtype=np.int64), 2, seed=0)
