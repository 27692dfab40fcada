"""Yardsticks: good classifiers, the same for every seed, and kept."""

import pytest
import torch

from paribus.data import Digits, LabelNoise, Wine
from paribus.evaluation import yardsticks
from paribus.evaluation.extent import extent_of
from paribus.evaluation.features import FEATURES, trained_yardstick
from paribus.evaluation.yardsticks import CACHE, yardstick_of


def labelled(kind, scaling="standard", seed=0, noise=0.0):
    data = kind(test_fraction=0.2, validation_fraction=0.2, batch_size=32, input_scaling=scaling, seed=seed,
                label_noise=LabelNoise(fraction=noise, kind="symmetric"))  # fmt: skip
    data.setup()
    return data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path))
    monkeypatch.setattr(yardsticks, "_known", {})
    return tmp_path / "yardsticks"


@pytest.fixture(scope="module")
def of_digits(tmp_path_factory):
    """The yardstick of digits as they are scaled; kept for this module, since it takes seconds to train."""
    kept = tmp_path_factory.mktemp("digits")

    def find(**settings):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(CACHE, str(kept))
            return yardstick_of(labelled(Digits, **settings))

    return find


def forget():
    yardsticks._known.clear()


def test_one_yardstick_for_every_seed_and_scaling(of_digits):
    first = of_digits()
    assert first.accuracy > 0.95
    assert of_digits(seed=1, noise=0.4) is first
    assert of_digits(scaling="none") is first
    assert first.name.startswith("lenet-300-")
    raw = labelled(Digits).raw
    shares = torch.from_numpy(raw.inputs).float() / 16
    right = (first(shares).argmax(1) == torch.from_numpy(raw.label)).double().mean()
    assert right > 0.97
    features = first.features(shares)
    assert features.shape == (1797, FEATURES)
    assert features.square().mean().item() == pytest.approx(1, rel=0.05)
    assert torch.allclose(first.perceptron.output(features * first.unit), first(shares), atol=1e-4)


def test_scalings_and_splits_give_the_same_features(folder):
    found = []
    for data in (labelled(Wine), labelled(Wine, scaling="none", seed=3), labelled(Wine, scaling="robust", seed=4)):
        yardstick, order = yardstick_of(data), torch.from_numpy(data.rows["test"])
        every = torch.full((178, FEATURES), torch.nan)
        every[order] = yardstick.features(extent_of(data).share(data.parts["test"]["x"]))
        found.append(every)
    for other in found[1:]:
        both = found[0].isfinite() & other.isfinite()
        assert both.any()
        assert (found[0] - other)[both].abs().max() < 1e-4


def test_it_is_the_same_when_trained_again_wherever_the_run_is(folder):
    data = labelled(Wine)
    names = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        with torch.no_grad():
            names.add(trained_yardstick(data.raw, drawn=False).name)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.is_grad_enabled()
    assert len(names) == 1
    assert trained_yardstick(data.raw, drawn=True).name not in names


def test_black_and_white_data_has_one_of_its_own(of_digits):
    """So have both kinds of drawing, whose test parts are alike."""
    grey, drawn = of_digits(), of_digits(scaling="binary")
    assert of_digits(scaling="dynamic") is drawn
    assert drawn.name != grey.name
    held_out = labelled(Digits, scaling="binary", seed=5).parts["test"]
    right = [(each(held_out["x"]).argmax(1) == held_out["y"]).double().mean() for each in (drawn, grey)]
    assert right[0] > 0.85
    assert right[0] > right[1]


def test_it_is_read_where_it_is_kept(folder, monkeypatch):
    data = labelled(Wine)
    first = yardstick_of(data)
    forget()
    monkeypatch.setattr(yardsticks, "trained_yardstick", lambda *_: pytest.fail("it was trained again"))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    again = yardstick_of(data)
    assert torch.equal(torch.get_rng_state(), before)
    assert again is not first
    assert again.name == first.name
    assert again.accuracy == first.accuracy
    x = torch.rand(5, 13)
    assert torch.equal(again.features(x), first.features(x))


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "other"])
def test_a_file_that_is_not_sound_is_replaced(folder, harm):
    data = labelled(Wine)
    name = yardstick_of(data).name
    (file,) = folder.iterdir()
    sound = file.read_bytes()
    middle = len(sound) // 2
    harmed = {
        "flip": sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :],
        "cut": sound[:middle],
        "empty": b"",
        "other": b"not a yardstick at all",
    }
    file.write_bytes(harmed[harm])
    forget()
    assert yardstick_of(data).name == name
    assert file.read_bytes() == sound
    assert [each.name for each in folder.iterdir()] == [file.name]


def test_weights_of_another_network_are_replaced(folder):
    data = labelled(Wine)
    name = yardstick_of(data).name
    (file,) = folder.iterdir()
    yardsticks._write(file, {"weight": torch.zeros(2)})
    forget()
    assert yardstick_of(data).name == name


def test_a_folder_that_cannot_be_written_is_told(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="not kept.*PARIBUS_CACHE"):
        found = yardstick_of(labelled(Wine))
    assert found.accuracy > 0.9


def test_without_a_folder_named_it_is_the_users_own(monkeypatch):
    monkeypatch.delenv(CACHE, raising=False)
    assert yardsticks.yardstick_folder().parts[-2:] == ("paribus", "yardsticks")
