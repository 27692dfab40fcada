"""Idx files, good and bad, each written here byte by byte."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import Idx, LabelNoise
from paribus.data.idx import read_idx
from paribus.errors import UserError

RNG = np.random.default_rng(0)
TRAIN, TEST = RNG.integers(0, 256, (40, 5, 4), dtype=np.uint8), RNG.integers(0, 256, (12, 5, 4), dtype=np.uint8)
TRAIN_LABEL, TEST_LABEL = np.arange(40, dtype=np.uint8) % 4, np.arange(12, dtype=np.uint8) % 4
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def encode(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def write(folder: Path, packed: bool = False, **arrays: np.ndarray) -> Path:
    given = {"train": TRAIN, "train_label": TRAIN_LABEL, "test": TEST, "test_label": TEST_LABEL} | arrays
    for name, array in zip(NAMES, given.values(), strict=True):
        content = encode(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return folder


def data(folder: Path, seed: int = 0, noise: float = 0.0, **changes) -> Idx:
    arguments = {
        "path": str(folder), "classes": None, "validation_fraction": 0.2, "batch_size": 8, "input_scaling": "none",
    }  # fmt: skip
    data = Idx(**(arguments | changes), label_noise=LabelNoise(noise, "by_class"), seed=seed)
    data.setup()
    return data


def test_the_parts_are_those_of_the_files(tmp_path: Path) -> None:
    found = data(write(tmp_path))
    assert found.sizes() == {"train": 32, "validation": 8, "test": 12}
    assert found.facts() == {
        "in_features": 20, "in_shape": (1, 5, 4), "out_features": 4, "out_shape": (4,), "examples": 32,
    }  # fmt: skip
    assert found.classes == ("0", "1", "2", "3")
    assert torch.equal(found.parts["test"]["x"], torch.from_numpy(TEST[:, None] / np.float32(255)))
    assert found.parts["test"]["y"].tolist() == TEST_LABEL.tolist()
    for part in ("train", "validation"):
        rows = found.rows[part]
        assert torch.equal(found.parts[part]["x"], torch.from_numpy(TRAIN[rows][:, None] / np.float32(255)))
        assert found.parts[part]["y"].bincount().tolist() == [len(rows) / 4] * 4
    assert sorted(np.concatenate([found.rows["train"], found.rows["validation"]])) == list(range(40))


def test_another_seed_validates_on_others_and_tests_on_the_same(tmp_path: Path) -> None:
    first, other = data(write(tmp_path)), data(tmp_path, seed=1)
    assert first.replication == "fixed"
    assert set(first.rows["validation"]) != set(other.rows["validation"])
    assert torch.equal(first.parts["test"]["x"], other.parts["test"]["x"])
    assert data(tmp_path, validation_fraction=0.0).sizes() == {"train": 40, "validation": 0, "test": 12}


def test_noise_is_in_the_training_part_alone(tmp_path: Path) -> None:
    found = data(write(tmp_path), noise=0.25)
    changed = found.parts["train"]["y"].numpy() != TRAIN_LABEL[found.rows["train"]]
    assert changed.sum() == found.noisy.sum() == 8
    assert found.parts["validation"]["y"].tolist() == TRAIN_LABEL[found.rows["validation"]].tolist()


def test_packed_files_and_other_names_are_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "packed").mkdir()
    plain, packed = data(write(tmp_path / "plain")), data(write(tmp_path / "packed", packed=True))
    assert plain.pairing() == packed.pairing()
    for name in NAMES:
        (tmp_path / "plain" / name).rename(tmp_path / "plain" / name.replace("-idx", ".idx"))
    assert data(tmp_path / "plain").pairing() == plain.pairing()


def test_classes_are_named_by_the_user_or_by_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, train_label=TRAIN_LABEL * 2 + 1, test_label=TEST_LABEL * 2 + 1)  # labels that begin at 1, with gaps
    found = data(tmp_path)
    assert found.classes == ("1", "3", "5", "7")
    assert found.parts["test"]["y"].tolist() == TEST_LABEL.tolist()
    write(tmp_path)
    assert data(tmp_path, classes=["shirt", "coat", "bag", "boot"]).classes == ("shirt", "coat", "bag", "boot")
    with pytest.raises(UserError, match=r"a label is 3, but data.classes names 3 classes"):
        data(tmp_path, classes=["shirt", "coat", "bag"])
    with pytest.raises(ValueError, match=r"classes is \['shirt', 'shirt'\], expected at least 2 different names"):
        data(tmp_path, classes=["shirt", "shirt"])


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / NAMES[1]).unlink()
    with pytest.raises(UserError, match=r"there is no file train-labels-idx1-ubyte or .*gz in .*") as caught:
        data(tmp_path)
    for words in (str(tmp_path), "python -m paribus.data.download mnist", "data=mnist5k and data=digits need no file"):
        assert words in str(caught.value)
    with pytest.raises(UserError, match=r"there is no such folder.*Put the four idx files there"):
        data(tmp_path / "nowhere")
    with pytest.raises(UserError, match="a file, expected a folder"):
        data(tmp_path / NAMES[0])


BAD = {
    "truncated": (encode(TRAIN)[:-1], "has 815 bytes, expected 816 for its header; it is truncated: fetch it anew"),
    "too_long": (encode(TRAIN) + b"\0", "has 817 bytes, expected 816 for its header; it is no idx file"),
    "header_only": (encode(TRAIN)[:9], "it is truncated"),
    "empty": (b"", "begins with the bytes of nothing, expected 00 00 08 03"),
    "labels": (encode(TRAIN_LABEL), "begins with the bytes 00 00 08 01, expected 00 00 08 03: .* in 3 dimensions"),
    "floats": (encode(TRAIN, kind=13), "begins with the bytes 00 00 0d 03"),
    "packed_without_saying": (gzip.compress(encode(TRAIN)), "begins with the bytes 1f 8b"),
    "no_image": (encode(TRAIN[:0]), "is empty: its header tells a size of 0 x 5 x 4"),
    "huge": (struct.pack(">BBBBIII", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "it is truncated"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_apart(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    (write(tmp_path) / NAMES[0]).write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        data(tmp_path)
    assert NAMES[0] in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(encode(TRAIN))[:-20], b"no gzip", gzip.compress(b"a")[:12] + b"x"],
    ids=["cut", "other", "spoilt"],
)
def test_what_cannot_be_unpacked_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"images.gz: cannot be unpacked .* fetch the file anew"):
        read_idx(tmp_path / "images.gz", 3)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train_label": TRAIN_LABEL[1:]}, "has 40 images and train-labels-idx1-ubyte 39 labels"),
        ({"test": TEST[:, 1:]}, "training images of 5 x 4 pixels and test images of 4 x 4"),
        ({"test_label": TEST_LABEL + 3}, "no training image has the label 4, but a test image has"),
        ({"train_label": TRAIN_LABEL * 0, "test_label": TEST_LABEL * 0}, "every training label is 0"),
        ({"train_label": np.where(np.arange(40) == 7, 9, TRAIN_LABEL).astype(np.uint8)}, "class '9' has 1 example,"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path: Path, arrays: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        data(write(tmp_path, **arrays))
