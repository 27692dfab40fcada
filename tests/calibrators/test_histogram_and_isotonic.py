"""Histogram binning and isotonic regression, by hand and against scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.stats import binned_statistic
from sklearn.isotonic import IsotonicRegression

from paribus.calibrators import HistogramBinning, Isotonic, ValidationLogits
from paribus.calibrators.quantiles import bounds, equal_mass


def logits_of(probability: list[float]) -> torch.Tensor:
    """Two classes, the second with these probabilities."""
    second = torch.tensor(probability, dtype=torch.float64)
    return torch.stack([torch.log1p(-second), second.log()], dim=1)


def softmax(validation: ValidationLogits) -> np.ndarray:
    return torch.softmax(validation.logits, dim=1).numpy()


def test_equal_mass_by_hand():
    validation = ValidationLogits(logits_of([0.1, 0.2, 0.3, 0.6, 0.8, 0.9]), torch.tensor([0, 0, 1, 0, 1, 1]))
    fitted = HistogramBinning(bins=2, equal_mass=True).fit(validation)
    curve = fitted.curves[1]
    assert curve.cuts.numpy() == pytest.approx([0.45])
    assert curve.values.numpy() == pytest.approx([1 / 3, 2 / 3])
    # The other class has the frequencies 2/3 and 1/3 in the mirrored bins: already normalised.
    expected = [[2 / 3, 1 / 3], [1 / 3, 2 / 3]]
    assert fitted(logits_of([0.44, 0.46])).exp().numpy() == pytest.approx(np.array(expected))


def test_an_empty_bin_of_equal_width_takes_its_midpoint():
    validation = ValidationLogits(logits_of([0.05, 0.15, 0.9]), torch.tensor([0, 1, 1]))
    curve = HistogramBinning(bins=4, equal_mass=False).fit(validation).curves[1]
    assert curve.cuts.tolist() == [0.25, 0.5, 0.75]
    assert curve.values.tolist() == [0.5, 0.375, 0.625, 1.0]


def test_bins_are_closed_above():
    validation = ValidationLogits(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 0]))
    curve = HistogramBinning(bins=2, equal_mass=False).fit(validation).curves[0]
    assert curve(torch.tensor([0.0, 0.5, 0.5000001, 1.0], dtype=torch.float64)).tolist() == [1.0, 1.0, 1.0, 1.0]
    curve = HistogramBinning(bins=2, equal_mass=False).fit(validation).curves[1]
    assert curve(torch.tensor([0.0, 0.5, 0.5000001, 1.0], dtype=torch.float64)).tolist() == [0.0, 0.0, 0.75, 0.75]


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_equal_width_frequencies_are_those_of_scipy(planted, bins):
    validation = planted(2000, 3, 1.0)
    fitted = HistogramBinning(bins=bins, equal_mass=False).fit(validation)
    for name in range(3):
        hit = (validation.label.numpy() == name).astype(float)
        expected = binned_statistic(softmax(validation)[:, name], hit, bins=bins, range=(0, 1)).statistic
        assert fitted.curves[name].values.numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("rows", "bins"), [(5, 2), (10, 10), (3, 8), (1000, 15), (997, 20)])
def test_equal_mass_bins_differ_by_at_most_one_example_and_predict_frequencies(planted, rows, bins):
    validation = planted(rows, 4, 1.0)
    fitted = HistogramBinning(bins=bins, equal_mass=True).fit(validation)
    for name, curve in enumerate(fitted.curves):
        column = softmax(validation)[:, name]
        parts = np.searchsorted(curve.cuts.numpy(), column)
        sizes = np.bincount(parts)
        assert len(sizes) == min(bins, rows)
        assert sizes.max() - sizes.min() <= 1
        hit = validation.label.numpy() == name
        for each in range(len(sizes)):
            assert curve.values[each] == pytest.approx(hit[parts == each].mean())


def test_equal_values_stay_together():
    ordered = torch.tensor([0.0] * 6 + [0.3, 0.5, 0.7] + [1.0] * 6, dtype=torch.float64)
    cuts = equal_mass(ordered, 5)
    # Ideal cuts 3, 6, 9, 12: those among equal values move to the nearer end, 3 to 0 and 12 to 9.
    assert cuts.tolist() == [6, 9]
    assert bounds(ordered)[cuts].tolist() == [0.15, 0.85]
    # 5 is nearer to 6 than to 0, and 10 to 9 than to 15.
    assert equal_mass(ordered, 3).tolist() == [6, 9]
    for bins in range(1, 30):
        cuts = equal_mass(ordered, bins)
        assert all(ordered[cut - 1] < ordered[cut] for cut in cuts.tolist())


def test_a_cut_between_neighbouring_numbers_parts_them():
    for lower in (0.3, 0.1, 1 / 3, 5e-324):
        upper = np.nextafter(lower, 1)
        ordered = torch.tensor([lower, upper], dtype=torch.float64)
        cut = bounds(ordered)[1:2]
        assert torch.searchsorted(cut, ordered).tolist() == [0, 1]


def test_a_row_of_zeros_becomes_uniform():
    # Always right, and sure of it: up to a half a class is never the label, beyond always.
    logits = 9 * torch.eye(3)
    fitted = HistogramBinning(bins=2, equal_mass=False).fit(ValidationLogits(logits, torch.tensor([0, 1, 2])))
    assert [curve.values.tolist() for curve in fitted.curves] == [[0.0, 1.0]] * 3
    assert fitted(logits).exp().tolist() == torch.eye(3).tolist()
    assert fitted(torch.zeros(1, 3)).exp().tolist() == [[1 / 3] * 3]
    assert fitted(torch.zeros(1, 3)).isfinite().all()


def test_isotonic_of_a_single_example_knows_its_label_alone():
    fitted = Isotonic().fit(ValidationLogits(torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([1])))
    assert fitted(9 * torch.eye(3)).exp().tolist() == [[0.0, 1.0, 0.0]] * 3


def test_zero_everywhere_is_uniform():
    from paribus.calibrators.one_vs_all import normalised

    given = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 1.0, 0.0]], dtype=torch.float64)
    assert normalised(given).tolist() == [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.5, 0.0]]


@pytest.mark.parametrize("rows", [1, 2, 30, 1000])
def test_isotonic_is_scikit_learns_for_each_class_normalised(planted, rows):
    validation, judged = planted(rows, 4, 2.0), planted(500, 4, 2.0, seed=1)
    columns = []
    for name in range(4):
        reference = IsotonicRegression(out_of_bounds="clip")
        reference.fit(softmax(validation)[:, name], validation.label.numpy() == name)
        columns.append(reference.predict(softmax(judged)[:, name]))
    expected = np.stack(columns, axis=1)
    total = expected.sum(axis=1, keepdims=True)
    expected = np.where(total > 0, expected / np.where(total > 0, total, 1), 0.25)
    assert Isotonic().fit(validation)(judged.logits).exp().numpy() == pytest.approx(expected, abs=1e-12)


def test_isotonic_is_the_minimum_by_the_min_max_formula(planted):
    validation = planted(60, 3, 2.0)
    fitted = Isotonic().fit(validation)
    for name, curve in enumerate(fitted.curves):
        column = softmax(validation)[:, name]
        order = column.argsort()
        hit = (validation.label.numpy() == name)[order].astype(float)
        n = len(hit)
        expected = [
            max(min(hit[start : end + 1].mean() for end in range(i, n)) for start in range(i + 1)) for i in range(n)
        ]
        assert curve(torch.from_numpy(column[order])).numpy() == pytest.approx(expected, abs=1e-12)


def test_isotonic_never_decreases(planted):
    fitted = Isotonic().fit(planted(500, 5, 3.0))
    grid = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    for curve in fitted.curves:
        assert bool((curve(grid).diff() >= 0).all())


def test_two_classes_agree_with_their_mirror_image(planted):
    validation = planted(400, 2, 2.0)
    grid = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    fitted = Isotonic().fit(validation)
    assert (fitted.curves[0](1 - grid) + fitted.curves[1](grid)).numpy() == pytest.approx(np.ones(999), abs=1e-9)


@pytest.mark.parametrize("bins", [0, -3])
def test_no_bin_is_refused(bins):
    with pytest.raises(ValueError, match="at least 1 expected"):
        HistogramBinning(bins=bins, equal_mass=True)
