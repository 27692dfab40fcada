"""A generator without parameters: the prior itself, against which only the discriminator is trained."""

import math

import pytest
import torch

from paribus.build import build_data, build_family, build_training
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.networks import Identity
from paribus.study.records import WEIGHTS_FILE
from paribus.trained import load_family
from paribus.training.curves import Curves

WORDS = [
    "family=gan", "data=shifted_gaussian", "generator=identity", "discriminator=linear", "prior.features=1",
    "data.n_train=4000", "data.n_test=4000", "data.batch_size=500", "optimizer.lr=0.05", "scheduler=cosine",
    "data.shift=1.0", "trainer.max_steps=300", "trainer.save_checkpoint=true",
]  # fmt: skip


def config(*words):
    from omegaconf import OmegaConf

    composed = Composer(open_tree()).compose([*WORDS, *words])
    kept = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
    return OmegaConf.to_container(kept, resolve=True)


@pytest.fixture
def trained(tmp_path):
    tree = config()
    data = build_data(tree)
    data.setup()
    family = build_family(tree, data)
    build_training(tree).fit(family, data, tmp_path, Curves(), [], False)
    return tree, data, family, tmp_path


def test_the_discriminator_finds_the_best_logit(trained):
    """log p(x) - log q(x) = x - 1/2 of N(1, 1) against N(0, 1); the estimate errs by about 4 / sqrt(4000)."""
    _, _, family, _ = trained
    assert [phase.name for phase in family.phases] == ["discriminator"]
    weight, bias = family.discriminator.linear.weight.item(), family.discriminator.linear.bias.item()
    assert weight == pytest.approx(1.0, abs=4 * 4 / math.sqrt(4000))
    assert bias == pytest.approx(-0.5, abs=4 * 4 / math.sqrt(4000))
    assert torch.equal(family.sample(5, torch.Generator().manual_seed(1)),
                       torch.randn(5, 1, generator=torch.Generator().manual_seed(1)))  # fmt: skip


def test_a_loaded_family_knows_its_step(trained):
    tree, _, family, folder = trained
    assert (folder / WEIGHTS_FILE).exists()
    loaded, _ = load_family(tree, folder)
    assert loaded.step == family.step == 300


def test_widths_that_differ_are_refused():
    tree = config("prior.features=2")
    data = build_data(tree)
    data.setup()
    family = build_family(tree, data)
    with pytest.raises(UserError, match=r"prior\.features"):
        family.sample(3, torch.Generator())
    assert torch.equal(Identity(4, 4)(torch.arange(8.0).reshape(2, 2, 2)), torch.arange(8.0).reshape(2, 4))
