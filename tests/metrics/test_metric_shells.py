"""Shells: batch by batch is the same as all at once, in a run's hands as well."""

import pickle

import pytest
import torch

from paribus.metrics import (
    BrierScore,
    ExpectedCalibrationError,
    NegativeLogLikelihood,
    brier,
    equal_mass,
    equal_width,
    expected_calibration_error,
    log_probabilities,
    nll,
    top_label,
)

CASES = [
    (
        lambda: ExpectedCalibrationError(15, equal_width),
        lambda p, y: expected_calibration_error(*top_label(p, y), 15, equal_width),
    ),
    (
        lambda: ExpectedCalibrationError(7, equal_mass),
        lambda p, y: expected_calibration_error(*top_label(p, y), 7, equal_mass),
    ),
    (NegativeLogLikelihood, nll),
    (BrierScore, brier),
]


@pytest.mark.parametrize(("make", "function"), CASES, ids=["width", "mass", "nll", "brier"])
def test_batches_are_the_whole(make, function):
    generator = torch.Generator().manual_seed(0)
    log_probability = log_probabilities(3 * torch.randn(100, 5, generator=generator))
    label = torch.randint(5, (100,), generator=generator)
    shell = make()
    for p, y in zip(log_probability.split(32), label.split(32), strict=True):
        shell.update(p, y)
    assert shell.compute().item() == pytest.approx(function(log_probability, label).item(), rel=1e-14)
    assert pickle.loads(pickle.dumps(shell)).compute() == shell.compute()
    shell.reset()
    last = shell(log_probability[:10], label[:10])
    assert last.item() == pytest.approx(function(log_probability[:10], label[:10]).item(), rel=1e-14)


def test_shells_refuse_what_the_core_refuses():
    with pytest.raises(ValueError, match="at least 1 bin, got 0"):
        ExpectedCalibrationError(0, equal_width)
    with pytest.raises(ValueError, match="labels from 0 to 1"):
        NegativeLogLikelihood().update(torch.full((1, 2), 0.5).log(), torch.tensor([2]))
