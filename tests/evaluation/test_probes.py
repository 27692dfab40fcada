"""Probes against scikit-learn's classifiers, and where codes tell nothing."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from paribus.evaluation.probes import knn_accuracy, logistic_regression, probe_accuracy, standardised


def codes(classes, features, seed, n=300, spread=1.5):
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (n,), generator=generator)
    centre = spread * torch.randn(classes, features, generator=generator)
    return (centre[label] + torch.randn(n, features, generator=generator)).double(), label


@pytest.mark.parametrize(("classes", "features"), [(3, 1), (3, 4), (10, 8)])
def test_the_linear_probe_is_scikit_learns(classes, features):
    code, label = codes(classes, features, 0)
    weight, bias = logistic_regression(code, label, classes)
    solver = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(code.numpy(), label.numpy())
    exact_weight, exact_bias = torch.from_numpy(solver.coef_.T), torch.from_numpy(solver.intercept_)

    def penalised(weight, bias):
        nll = torch.nn.functional.cross_entropy(code @ weight + bias, label, reduction="sum")
        return (nll + weight.square().sum() / 2).item()

    assert penalised(weight, bias) == pytest.approx(penalised(exact_weight, exact_bias), rel=1e-8)
    assert (weight - exact_weight).abs().max() < 1e-3
    # a constant added to the bias of every class changes nothing
    assert ((bias - bias.mean()) - (exact_bias - exact_bias.mean())).abs().max() < 1e-3


def test_probes_see_standardised_codes():
    code, label = codes(4, 3, 1, n=600)
    scale, shift = torch.tensor([1e-4, 1.0, 1e4]).double(), torch.tensor([3.0, 0.0, -1e5]).double()
    plain = code[:400], label[:400], code[400:], label[400:]
    other = scale * code[:400] + shift, label[:400], scale * code[400:] + shift, label[400:]
    assert probe_accuracy(*plain, 4) == probe_accuracy(*other, 4) > 0.5
    assert knn_accuracy(*plain, 4, 5) == knn_accuracy(*other, 4, 5) > 0.5
    train, test = standardised(code[:400], code[400:])
    assert train.mean(dim=0).tolist() == pytest.approx([0] * 3, abs=1e-12)
    assert train.std(dim=0, correction=0).tolist() == pytest.approx([1] * 3)
    assert not torch.equal(test.mean(dim=0).round(decimals=6), torch.zeros(3).double())


@pytest.mark.parametrize("neighbours", [1, 5])
def test_nearest_neighbours_are_scikit_learns(neighbours):
    code, label = codes(5, 3, 2, n=500, spread=0.7)
    train, test = standardised(code[:300], code[300:])
    reference = KNeighborsClassifier(neighbours).fit(train.numpy(), label[:300].numpy())
    expected = reference.score(test.numpy(), label[300:].numpy())
    assert knn_accuracy(code[:300], label[:300], code[300:], label[300:], 5, neighbours) == pytest.approx(expected)


def test_one_neighbour_finds_the_training_codes_themselves():
    code, label = codes(6, 2, 3)
    assert knn_accuracy(code, label, code, label, 6, 1) == 1.0


def test_codes_that_are_all_alike_tell_nothing_but_the_largest_class():
    label = torch.tensor([0, 1, 1, 2] * 10)
    code = torch.full((40, 3), 0.1).double()
    assert probe_accuracy(code, label, code, label, 3) == 0.5


@pytest.mark.parametrize("size", [1e-30, 1e20])
def test_codes_of_any_size(size):
    code, label = codes(3, 2, 4)
    assert probe_accuracy(size * code, label, size * code, label, 3) == probe_accuracy(code, label, code, label, 3)
    assert knn_accuracy(size * code, label, size * code, label, 3, 5) == knn_accuracy(code, label, code, label, 3, 5)


def test_separable_classes_have_finite_weights_under_the_penalty():
    code = torch.tensor([[-1.0], [1.0]] * 20).double()
    weight, _ = logistic_regression(code, torch.tensor([0, 1] * 20), 2)
    assert 1 < weight.abs().max() < 10


def test_a_class_that_is_not_trained_on_is_never_predicted():
    code, label = codes(3, 2, 5)
    seen = label != 2
    found = probe_accuracy(code[seen], label[seen], code[~seen], label[~seen], 3)
    assert found == 0.0


def test_what_is_not_finite_has_no_accuracy():
    code, label = codes(3, 2, 6)
    code[0, 0] = torch.nan
    assert torch.tensor(probe_accuracy(code, label, code, label, 3)).isnan()
    assert torch.tensor(knn_accuracy(code, label, code, label, 3, 5)).isnan()
