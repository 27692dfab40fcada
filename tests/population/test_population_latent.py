"""Families with a code as a population and alone: members that differ in every number of their parts."""

import math

import pytest

from paribus.build import build_data, build_family
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.population import Member, NotStackable, Population
from paribus.population.choice import choose
from paribus.training import Training
from paribus.training.curves import Curves

SMALL = ("encoder.hidden=[8]", "decoder.hidden=[8]", "data.batch_size=64")


def training(**changes):
    settings = {
        "max_steps": 24, "max_epochs": None, "max_minutes": None, "validate_every": 10, "chunk_steps": 4,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


@pytest.fixture(scope="module")
def built():
    """Builds the family and data of some overrides."""
    composer = Composer(open_tree())

    def build(*words):
        config = composer.read([*SMALL, *words]).resolved
        data = build_data(config)
        data.setup()
        return build_family(config, data), data

    return build


VAE, GREY = ("family=vae",), ("family=vae", "data=digits", "likelihood=gaussian")
DROPPING = ("encoder.dropout=0.2", "decoder.dropout=0.2")
MEMBERS = {
    "elbo": [
        (*VAE, "objective.beta=0.5", "objective.free_nats=0.0", "objective.ramp=0.0", "seed=0"),
        (*VAE, "objective.beta=2.0", "objective.free_nats=0.1", "objective.ramp=0.3", "seed=1"),
        (*VAE, "objective.beta=4.0", "objective.free_nats=0.5", "objective.ramp=1.0", "seed=1"),
    ],
    "cyclic": [
        (*VAE, "objective.cycles=3", "objective.ramp=0.5", "objective.samples=2", f"objective.beta={beta}", *DROPPING)
        for beta in (0.5, 3.0)
    ],
    "learned scale": [
        (*GREY, "likelihood.learn_scale=true", f"likelihood.scale={scale}", f"seed={seed}")
        for seed, scale in enumerate((0.3, 2.0))
    ],
    "mixture": [
        (*VAE, "prior=ring", f"prior.radius={radius}", f"prior.scale={scale}", f"objective.free_nats={scale}")
        for radius, scale in ((4.0, 0.5), (1.0, 0.2))
    ],
    "iwae of a mixture": [(*VAE, "objective=iwae", "prior=ring", f"prior.radius={radius}") for radius in (1.0, 3.0)],
    "beta-TC": [
        (*VAE, "objective=beta_tc_vae", f"objective.beta={beta}", f"objective.alpha={1 / beta}", f"seed={seed}")
        for seed, beta in enumerate((1.0, 6.0))
    ],
    "autoencoder": [("family=autoencoder", f"likelihood.scale={scale}") for scale in (0.5, 2.0)],
    "wae of a ring": [
        (
            "family=wae",
            "prior=ring",
            f"objective.weight={weight}",
            f"objective.spread={spread}",
            f"prior.radius={spread}",
        )
        for weight, spread in ((1.0, 1.0), (100.0, 3.0))
    ],
    "wae of a spiral": [("family=wae", "prior=swiss_roll", f"prior.extent={extent}") for extent in (1.0, 4.0)],
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_end_as_alone(built, tmp_path, name):
    """Parameters and curves, held-out terms among them, to 1e-10 in float64; and no member is another."""
    population = Population([Member(*built(*words)) for words in MEMBERS[name]], training())
    population.fit(tmp_path)
    assert len(list(population.tiles())) == 1
    ends = []
    for member, words in zip(population.members, MEMBERS[name], strict=True):
        curves, (lone, data) = Curves(), built(*words)
        training().fit(lone, data, tmp_path, curves, [], progress=False)
        assert list(member.curves.rows) == list(curves.rows)
        assert any("val/loss" in row for row in curves.rows.values())
        for step, row in curves.rows.items():
            assert member.curves.rows[step] == pytest.approx(row, rel=1e-8, abs=1e-10)
        state = member.family.state_dict()
        for key, tensor in lone.state_dict().items():
            assert (tensor - state[key]).abs().max().item() <= 1e-10, key
        ends.append(curves.last_finite()["val/loss"])
    assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("name", ["elbo", "learned scale", "iwae of a mixture", "beta-TC", "wae of a spiral"])
def test_nothing_keeps_them_apart(built, name):
    """What the launcher tries before it trains members together agrees, so that only their time decides."""
    members = [Member(*built(*words)) for words in MEMBERS[name]]
    assert "ms a step" in choose(members, training(precision="32-true", max_steps=10**7)).why


@pytest.mark.parametrize("word", ["objective.samples=2", "objective.cycles=2", "prior.features=3"])
def test_what_is_structure_is_not_stacked(built, word):
    """The number of samples, of cycles and of features says which program it is."""
    population = Population([Member(*built(*VAE)), Member(*built(*VAE, word))], training())
    assert len(list(population.tiles())) == 2


def test_an_adversarial_autoencoder_trains_alone_and_says_why(built, tmp_path):
    words = ("family=aae", "prior=ring", "discriminator.hidden=[8]")
    members = [Member(*built(*words, f"seed={seed}")) for seed in (0, 1)]
    choice = choose(members, training())
    assert not choice.together
    assert "the phases reconstruction and generator move the same parameters" in choice.why
    with pytest.raises(NotStackable, match="move the same parameters"):
        Population(members, training())
    curves = Curves()
    training().fit(*built(*words), tmp_path, curves, [], progress=False)
    assert curves.last_finite()["train/generator"] > 0
