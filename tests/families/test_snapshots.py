"""Examples kept as training goes on: of which weights, and that training does not notice."""

import math

import pytest
import torch
from torch.optim import Adam

from paribus.data import RingOfGaussians
from paribus.densities import StandardNormal
from paribus.families import Gan
from paribus.families.snapshots import TURNS
from paribus.networks import Mlp
from paribus.objectives import NonSaturating
from paribus.schedules import Constant
from paribus.training import Training
from paribus.training.curves import Curves


def gan(snapshots, critic_steps=1, averaging=None, normalisation="none"):
    torch.manual_seed(0)
    generator = Mlp(4, 2, [8], "tanh", normalisation, 0.0)
    return Gan(
        StandardNormal(4), generator, Mlp(2, 1, [8], "tanh", "none", 0.0), NonSaturating(),
        lambda parameters: Adam(parameters, lr=0.01), Constant(), (2,), 0, critic_steps, averaging, snapshots,
    )  # fmt: skip


def fit(family, folder, steps):
    data = RingOfGaussians(8, 2.0, 0.05, 64, 8, 8, 16, seed=0)
    data.setup()
    Training(
        max_steps=steps, max_epochs=None, max_minutes=None, validate_every=50, chunk_steps=64, clip_norm=None,
        devices=1, compile=False, accumulate=1, approximate=False, deterministic=False, detect_anomaly=False,
        accelerator="cpu", precision="32-true", threads=1, resume_seconds=math.inf, save_checkpoint=False,
        patience=None,
    ).fit(family, data, folder, Curves(), [], progress=False)  # fmt: skip
    return family.eval()


@pytest.mark.parametrize(("critic_steps", "averaging"), [(1, None), (3, None), (2, 0.9)])
@torch.no_grad()
def test_they_are_what_shorter_trainings_end_with(tmp_path, critic_steps, averaging):
    """The state before step t is that after t steps; the average has taken in the weights that a step starts from."""
    long = fit(gan(5, critic_steps, averaging), tmp_path, 70 * critic_steps)
    taken = long.kept.taken(70)
    assert list(taken) == [turn for turn in TURNS if turn < 70] == [0, 16, 64]
    torch.testing.assert_close(taken[0], gan(5).eval().decode(long.kept.latent))
    for turn in (16, 64):
        short = fit(gan(5, critic_steps, averaging), tmp_path / str(turn), turn * critic_steps)
        if averaging:
            short.average.update(short.generator)
        torch.testing.assert_close(taken[turn], short.decode(short.kept.latent))
    assert not long.kept.examples[len(taken) :].any()


def test_training_does_not_notice(tmp_path):
    """Neither by its random numbers nor by the running statistics of a normalised generator."""
    without, watched = (fit(gan(n, normalisation="batch"), tmp_path / str(n), 20).state_dict() for n in (0, 7))
    assert {name for name in watched if name not in without} == {"kept.latent", "kept.examples"}
    assert all(torch.equal(without[name], watched[name]) for name in without)


def test_a_negative_number_of_them_is_refused():
    with pytest.raises(ValueError, match="snapshots is -1, expected at least 0"):
        gan(-1)
