"""The binary version of CIFAR, in small files written here."""

from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import Cifar, LabelNoise
from paribus.errors import UserError

RNG = np.random.default_rng(0)


def records(count: int, classes: list[int]) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Records of the label bytes and the pixels; the labels `[count, bytes]` and the pixels `[count, 3, 32, 32]`."""
    label = np.stack([np.arange(count) % number for number in classes], axis=1).astype(np.uint8)
    pixels = RNG.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    content = b"".join(bytes(row) + image.tobytes() for row, image in zip(label, pixels, strict=True))
    return content, label, pixels


def write_ten(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five batches of 20 and a test batch of 10; all training pixels, the test pixels and the test labels."""
    batches = [records(20, [10]) for _ in range(5)]
    for number, (content, _, _) in enumerate(batches, start=1):
        (folder / f"data_batch_{number}.bin").write_bytes(content)
    content, label, pixels = records(10, [10])
    (folder / "test_batch.bin").write_bytes(content)
    return np.concatenate([images for _, _, images in batches]), pixels, label[:, 0]


def write_hundred(folder: Path) -> np.ndarray:
    """200 to train on and 100 to test on; the labels of the test part, `[100, 2]`, coarse first."""
    (folder / "train.bin").write_bytes(records(200, [20, 100])[0])
    content, label, _ = records(100, [20, 100])
    (folder / "test.bin").write_bytes(content)
    return label


def data(folder: Path, labels: str = "cifar10", **changes) -> Cifar:
    arguments = {"path": str(folder), "validation_fraction": 0.1, "batch_size": 8, "input_scaling": "none"}
    data = Cifar(**(arguments | changes), labels=labels, label_noise=LabelNoise(0.0, "symmetric"), seed=0)
    data.setup()
    return data


def test_ten_classes(tmp_path: Path) -> None:
    train, test, label = write_ten(tmp_path)
    found = data(tmp_path)
    assert found.sizes() == {"train": 90, "validation": 10, "test": 10}
    assert found.facts() == {
        "in_features": 3072, "in_shape": (3, 32, 32), "out_features": 10, "out_shape": (10,), "examples": 90,
    }  # fmt: skip
    assert torch.equal(found.parts["test"]["x"], torch.from_numpy(test / np.float32(255)))
    assert found.parts["test"]["y"].tolist() == label.tolist()
    assert found.classes == tuple("0123456789")
    assert torch.equal(found.parts["train"]["x"], torch.from_numpy(train[found.rows["train"]] / np.float32(255)))
    assert found.parts["train"]["y"].tolist() == [row % 20 % 10 for row in found.rows["train"]]
    assert found.replication == "fixed"


def test_a_channel_has_its_own_scale(tmp_path: Path) -> None:
    train, _, _ = write_ten(tmp_path)
    found = data(tmp_path, input_scaling="standard")
    rows = train[found.rows["train"]].astype(np.float64)
    expected = (rows - rows.mean((0, 2, 3), keepdims=True)) / rows.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(found.parts["train"]["x"].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_hundred_classes_or_the_twenty_above_them(tmp_path: Path) -> None:
    label = write_hundred(tmp_path)
    fine = data(tmp_path, "cifar100", validation_fraction=0.5)
    coarse = data(tmp_path, "cifar100_coarse")
    assert (fine.out_features, coarse.out_features) == (100, 20)
    assert fine.parts["test"]["y"].tolist() == label[:, 1].tolist()
    assert coarse.parts["test"]["y"].tolist() == label[:, 0].tolist()


def test_names_are_read_where_they_are(tmp_path: Path) -> None:
    write_ten(tmp_path)
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    (tmp_path / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    assert data(tmp_path).classes == names
    (tmp_path / "batches.meta.txt").write_text("airplane\n")
    with pytest.raises(UserError, match=r"batches.meta.txt names 1 different classes, expected 10"):
        data(tmp_path)


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    write_ten(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match=r"there is no file data_batch_3.bin in") as caught:
        data(tmp_path)
    for words in ("python -m paribus.data.download cifar10", "data=mnist5k and data=digits need no file"):
        assert words in str(caught.value)
    with pytest.raises(UserError, match=r"no file train.bin in .*data.labels=cifar100.*download cifar100 "):
        data(tmp_path, "cifar100")
    with pytest.raises(UserError, match="there is no such folder"):
        data(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="labels is 'cifar', expected one of cifar10, cifar100, cifar100_coarse"):
        data(tmp_path, "cifar")


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3074)])
def test_a_truncated_file_is_refused(tmp_path: Path, content: bytes) -> None:
    write_ten(tmp_path)
    (tmp_path / "data_batch_5.bin").write_bytes(content)
    with pytest.raises(UserError, match=rf"data_batch_5.bin has {len(content)} bytes, expected a multiple of 3073"):
        data(tmp_path)


def test_a_label_out_of_range_is_refused(tmp_path: Path) -> None:
    write_ten(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073) + bytes([10]) + bytes(3072))
    with pytest.raises(UserError, match=r"test_batch.bin: the label of image 1 is 10, expected less than 10"):
        data(tmp_path)
