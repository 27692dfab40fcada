"""The folder layout in which the UCI regression benchmarks and their published splits are passed on."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.contamination import Contamination
from paribus.data.contract import Split
from paribus.data.regression import RawTable, RegressionData
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import LEAST_TRAINING_ROWS, check_validation_fraction, part_size
from paribus.errors import UserError, nearest
from paribus.streams import stream_seed
from paribus.supplied import Supplied


class Uci(RegressionData):
    """One published split of a UCI benchmark: `data.txt` and index files in a folder, in the units of the file.

    The folder (or a folder `data` in it) holds `data.txt` with one example a line, `index_features.txt` and
    `index_target.txt` with numbers of columns, `index_train_K.txt` and `index_test_K.txt` with numbers of rows of split
    K. Numbers are separated by blanks, indices count from 0 and may be written as `1.00e+00`.

    Source of the layout and of the splits: Hernandez-Lobato and Adams, "Probabilistic Backpropagation", ICML 2015; Gal
    and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016. 20 splits a set (protein 5), 90 % to train.

    Args:
        path: the folder of one data set.
        split: K, which published split to use. Splits overlap: vary it as a replicate, in step with the seed.
        validation_fraction: share of the published training rows kept for validation (stream `split`), in [0, 1).
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.

    Raises:
        UserError: on `setup`, for a file that is missing or malformed, or a split that is not there.
    """

    replication = "resplit"

    def __init__(
        self,
        path: str,
        split: int,
        validation_fraction: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, contamination, input_scaling, target_scaling, seed)
        if split < 0:
            raise ValueError(f"split is {split}, expected the number of a published split, from 0")
        check_validation_fraction(validation_fraction)
        self.path, self.published_split, self.validation_fraction = path, split, validation_fraction

    def load(self) -> RawTable:
        """The columns that the index files name."""
        folder = self._folder()
        rows = _read_numbers(folder / "data.txt")
        features = _read_indices(folder / "index_features.txt", rows.shape[1], "column")
        targets = _read_indices(folder / "index_target.txt", rows.shape[1], "column")
        if len(targets) != 1:
            raise UserError(f"{folder / 'index_target.txt'} names {len(targets)} columns, expected one target")
        if targets[0] in features:
            raise UserError(f"{folder / 'index_features.txt'} names column {targets[0]}, which is the target")
        names = tuple(f"column {column}" for column in features)
        return RawTable(rows[:, features], rows[:, targets[0]], names, f"column {targets[0]}")

    def split(self, table: RawTable) -> Split:
        """The published test rows; the published training rows, of which a random share validates."""
        folder, rows = self._folder(), len(table.target)
        published = _splits(folder)
        if self.published_split not in published:
            raise UserError(f"{folder} has no split {self.published_split} (data.split), {_describe(published)}")
        train = _read_indices(folder / f"index_train_{self.published_split}.txt", rows, "row")
        test = _read_indices(folder / f"index_test_{self.published_split}.txt", rows, "row")
        shared = np.intersect1d(train, test)
        if len(shared):
            raise UserError(
                f"{folder}: row {shared[0]} is in both the training and the test part of split {self.published_split}"
            )
        try:
            validated = part_size("validation_fraction", self.validation_fraction, len(train))
        except UserError as error:
            raise UserError(f"{folder}, split {self.published_split}: {error}") from None
        if len(train) - validated < LEAST_TRAINING_ROWS:
            raise UserError(
                f"{folder}: split {self.published_split} leaves {len(train) - validated} rows to train on, "
                f"expected at least {LEAST_TRAINING_ROWS}"
            )
        order = np.random.default_rng(stream_seed(self.seed, "split")).permutation(train)
        return {"train": order[validated:], "validation": order[:validated], "test": test}

    def _folder(self) -> Path:
        """Where `data.txt` lies."""
        folder = Path(self.path).expanduser()
        for candidate in (folder, folder / "data"):
            if (candidate / "data.txt").is_file():
                return candidate
        if not folder.is_dir():
            siblings = [file.name for file in folder.parent.glob("*") if file.is_dir()]
            raise UserError(f"there is no folder {folder} (data.path).{nearest(folder.name, siblings)}")
        raise UserError(f"there is no data.txt in {folder} nor in {folder / 'data'} (data.path)")


def _splits(folder: Path) -> list[int]:
    """Numbers of the splits of which both index files are there."""
    numbers = (re.fullmatch(r"index_train_(\d+)\.txt", file.name) for file in folder.iterdir())
    return sorted(
        int(match[1]) for match in numbers if match and (folder / f"index_test_{int(match[1])}.txt").is_file()
    )


def _describe(splits: list[int]) -> str:
    """`expected one of 0 to 19`, or the list where it has gaps."""
    if not splits:
        return "nor any other: no pair of index_train_K.txt and index_test_K.txt"
    if len(splits) > 2 and splits == list(range(splits[0], splits[-1] + 1)):
        return f"expected one of {splits[0]} to {splits[-1]}"
    return f"expected one of {', '.join(map(str, splits))}"


def _read_numbers(path: Path) -> NDArray[np.float64]:
    """A file of finite numbers separated by blanks, `[lines, numbers a line]`."""
    if not path.is_file():
        raise UserError(f"there is no file {path}.{nearest(path.name, [file.name for file in path.parent.iterdir()])}")
    rows: list[list[float]] = []
    for line, text in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            rows.append([float(word) for word in text.split()])
        except ValueError as error:
            raise UserError(f"{path}, line {line}: {error}; expected numbers separated by blanks") from None
        if len(rows[-1]) != len(rows[0]):
            raise UserError(
                f"{path}, line {line}: {len(rows[-1])} numbers, expected {len(rows[0])} as in the first line"
            )
        if not np.isfinite(rows[-1]).all():
            raise UserError(f"{path}, line {line}: a value is missing or infinite; expected finite numbers")
    if not rows:
        raise UserError(f"{path} is empty, expected numbers separated by blanks")
    return np.array(rows)


def _read_indices(path: Path, count: int, what: str) -> NDArray[np.int64]:
    """Different whole numbers in [0, count), in the order of the file."""
    numbers = _read_numbers(path).ravel()
    wrong = numbers[(numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= count)]
    if len(wrong):
        raise UserError(f"{path}: {wrong[0]:g} is the number of no {what}, expected whole numbers up to {count - 1}")
    indices = numbers.astype(np.int64)
    if len(np.unique(indices)) < len(indices):
        raise UserError(f"{path}: a {what} is named twice")
    return indices
