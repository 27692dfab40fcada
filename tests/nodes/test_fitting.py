"""Choices that do not belong together are refused with those of the config tree that would."""

import pytest

from paribus.build import check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError


def refusal(*overrides: str) -> str:
    """What is said of the config that these overrides make."""
    config = Composer(open_tree()).read(overrides).resolved
    with pytest.raises(UserError) as caught:
        check(config)
    return str(caught.value)


LABELLED = ("data=labelled_table", "data.path=flowers.csv", "data.target=kind")


@pytest.mark.parametrize(
    ("overrides", "families"),
    [
        ((*LABELLED, "objective=cross_entropy"), "family=classification"),
        (("objective=hinge",), "family=aae, dcgan, gan, infogan, wgan_gp"),
    ],
)
def test_an_objective_of_another_family_is_answered_with_the_families_that_take_it(overrides, families):
    said = refusal(*overrides)
    assert said.startswith("objective=paribus.objectives.")
    assert said.endswith(f"What was given is for {families}")


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (LABELLED, "For LabelledTable there is family=classification, with"),
        (("data=ring_of_gaussians",), "For RingOfGaussians there is family=gan, with"),
        (
            ("data=digits", "family=classification", "evaluation=regression"),
            "For Classification on Digits there is evaluation=calibration, classification",
        ),
        (("family=vae", "evaluation=classification"), "there is evaluation=bounds, codes, elbo"),
    ],
)
def test_an_evaluation_that_does_not_fit_is_answered_with_what_does(overrides, advice):
    assert advice in refusal(*overrides)


def test_a_family_of_the_users_own_is_proposed_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "family").mkdir(parents=True)
    (tmp_path / "conf" / "family" / "mine.yaml").write_text("defaults:\n  - classification\n")
    assert "family=classification, mine" in refusal(*LABELLED)
