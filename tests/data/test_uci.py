"""The folder layout of the UCI benchmarks, built on the spot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import Contamination, Uci
from paribus.errors import UserError

ROWS = 40


def build(folder: Path, splits: tuple[int, ...] = (0, 1, 2), index_format: str = "%.18e") -> Path:
    """A folder as published: columns a, target, b; 36 rows to train and 4 to test in each split."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows = np.column_stack([np.arange(ROWS), rng.normal(size=ROWS), rng.normal(size=ROWS) * 100])
    np.savetxt(folder / "data.txt", rows)
    np.savetxt(folder / "index_features.txt", [0, 2], fmt=index_format)
    np.savetxt(folder / "index_target.txt", [1], fmt=index_format)
    for split in splits:
        order = rng.permutation(ROWS)
        np.savetxt(folder / f"index_train_{split}.txt", order[4:], fmt=index_format)
        np.savetxt(folder / f"index_test_{split}.txt", order[:4], fmt=index_format)
    return folder


def data(path: Path, split: int = 0, validation_fraction: float = 0.25, seed: int = 0, **changes) -> Uci:
    arguments = {"batch_size": 4, "input_scaling": "none", "target_scaling": "none"} | changes
    made = Uci(
        path=str(path), split=split, validation_fraction=validation_fraction, seed=seed,
        contamination=Contamination(0.0, 0.0, "one", "random"), **arguments,
    )  # fmt: skip
    made.setup()
    return made


def rows_of(made: Uci, part: str) -> list[int]:
    return [int(row) for row in made.parts[part]["x"][:, 0]]


@pytest.mark.parametrize("index_format", ["%d", "%.2e", "%.18e"])
@pytest.mark.parametrize("split", [0, 1, 2])
def test_the_published_rows_are_the_ones_used(tmp_path: Path, split: int, index_format: str) -> None:
    folder = build(tmp_path / "yacht", index_format=index_format)
    made = data(folder, split)
    raw = np.loadtxt(folder / "data.txt")
    test = np.loadtxt(folder / f"index_test_{split}.txt").astype(int).tolist()
    train = np.loadtxt(folder / f"index_train_{split}.txt").astype(int).tolist()
    assert rows_of(made, "test") == test
    assert sorted(rows_of(made, "train") + rows_of(made, "validation")) == sorted(train)
    assert made.sizes() == {"train": 27, "validation": 9, "test": 4}
    np.testing.assert_allclose(made.parts["test"]["x"].numpy(), raw[test][:, [0, 2]], rtol=1e-6)
    np.testing.assert_allclose(made.parts["test"]["y"].numpy(), raw[test][:, 1], rtol=1e-6)


def test_files_may_lie_in_a_folder_data(tmp_path: Path) -> None:
    build(tmp_path / "yacht" / "data")
    assert data(tmp_path / "yacht").pairing() == data(tmp_path / "yacht" / "data").pairing()


def test_indices_may_stand_on_one_line(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    before = data(folder).pairing()
    (folder / "index_features.txt").write_text("0.00e+00   2.00e+00\n\n")
    assert data(folder).pairing() == before


def test_the_seed_moves_the_validation_rows_and_never_the_test_rows(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    first, second = data(folder, seed=0), data(folder, seed=1)
    assert rows_of(first, "test") == rows_of(second, "test")
    assert sorted(rows_of(first, "validation")) != sorted(rows_of(second, "validation"))
    assert data(folder, 0).pairing()["split"] != data(folder, 1).pairing()["split"]
    assert data(folder, 0).pairing()["data"] == data(folder, 1).pairing()["data"]
    assert first.replication == "resplit"


def test_without_validation_all_published_rows_train(tmp_path: Path) -> None:
    made = data(build(tmp_path / "yacht"), validation_fraction=0.0, target_scaling="standard")
    assert made.sizes() == {"train": 36, "validation": 0, "test": 4}
    assert list(made.val_dataloader()) == []
    assert made.parts["validation"]["x"].shape == (0, 2)
    assert torch.isfinite(made.parts["train"]["y"]).all()


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    with pytest.raises(UserError, match=r"has no split 20 \(data.split\), expected one of 0 to 2"):
        data(folder, split=20)
    (folder / "index_test_1.txt").unlink()
    with pytest.raises(UserError, match=r"has no split 1 .*expected one of 0, 2"):
        data(folder, split=1)
    with pytest.raises(UserError, match=r"has no split 0 .*nor any other"):
        data(build(tmp_path / "none", splits=()))


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    with pytest.raises(UserError, match=r"there is no folder .*yachts \(data.path\). Did you mean 'yacht'\?"):
        data(tmp_path / "yachts")
    with pytest.raises(UserError, match=r"there is no data\.txt in "):
        data(tmp_path)
    (folder / "index_target.txt").rename(folder / "index_targets.txt")
    with pytest.raises(UserError, match=r"there is no file .*index_target\.txt\. Did you mean 'index_targets\.txt'\?"):
        data(folder)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("data.txt", "1 2 3\n4 5\n", r"data\.txt, line 2: 2 numbers, expected 3"),
        ("data.txt", "1 2 3\n\n4 x 5\n", r"data\.txt, line 3: could not convert .*'x'; expected numbers"),
        ("data.txt", "1,2,3\n", "expected numbers separated by blanks"),
        ("data.txt", "1 nan 3\n", r"data\.txt, line 1: a value is missing or infinite"),
        ("data.txt", "\n", "is empty"),
        ("index_features.txt", "0 3", r"index_features\.txt: 3 is the number of no column, expected .* up to 2"),
        ("index_features.txt", "0 1", r"names column 1, which is the target"),
        ("index_features.txt", "0 0", "a column is named twice"),
        ("index_target.txt", "1 2", "names 2 columns, expected one target"),
        ("index_train_0.txt", "1.5", "1.5 is the number of no row, expected whole numbers up to 39"),
        ("index_train_0.txt", "-1", "-1 is the number of no row"),
        ("index_train_0.txt", "1e30", "1e.30 is the number of no row"),
        ("index_test_0.txt", "40", "40 is the number of no row"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, file: str, content: str, words: str) -> None:
    folder = build(tmp_path / "yacht")
    (folder / file).write_text(content)
    with pytest.raises(UserError, match=words):
        data(folder)


def test_a_row_in_both_parts_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    (folder / "index_test_0.txt").write_text((folder / "index_train_0.txt").read_text().splitlines()[0])
    with pytest.raises(UserError, match="is in both the training and the test part of split 0"):
        data(folder)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "yacht")
    train = (folder / "index_train_0.txt").read_text().splitlines()
    (folder / "index_train_0.txt").write_text("\n".join(train[:2]))
    with pytest.raises(UserError, match="leaves 1 rows to train on, expected at least 2"):
        data(folder, validation_fraction=0.5)


@pytest.mark.parametrize(
    ("changes", "words"), [({"split": -1}, "split is -1"), ({"validation_fraction": 1.0}, "is 1.0")]
)
def test_wrong_arguments_are_named(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data(tmp_path, **changes)
