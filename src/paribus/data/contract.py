"""What a data set is to the rest of Paribus: three parts in memory, and the facts that pairing needs."""

import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from paribus.data.chunks import Batch

Part = Literal["train", "validation", "test"]
Replication = Literal["fresh", "resplit", "fixed"]
Split = dict[Part, NDArray[np.int64]]
"""The rows of a data set, by number, that make up each part."""


class RawPart(NamedTuple):
    """The examples of a part as the source has them: in raw units, uncorrupted.

    Attributes:
        rows: the number of each in the source, from 0, `[n]`.
        inputs: `[n, *shape]`.
        target: numbers, or names of classes, `[n]`.
    """

    rows: NDArray[np.int64]
    inputs: NDArray[Any]
    target: NDArray[Any]


ROWS_AT_ONCE, NUMBERS_AT_ONCE = 4096, 2**19
"""Of a part that is gone through as a whole: rows that are computed at once, fewer where a row is large, so that the
activations of a convolutional network fit into memory. Sums depend on it, by rounding."""


class InMemoryData(pl.LightningDataModule):
    """Data whose three parts are held as tensors.

    A subclass implements `prepare`, which fills `parts`; everything random in it is drawn from the streams `split` and
    `corruption` of the seed. Batches of `train` are drawn by `paribus.training`, not by a DataLoader: in-memory data
    never goes through worker processes or per-sample collation.

    Attributes:
        replication: what another seed means for the data. `fresh`: new data from the same source, so replicates are
            independent. `resplit`: another split of one data set, so replicates overlap and need Nadeau and Bengio's
            correction. `fixed`: one published test part, so a verdict holds for that data set alone.
        parts: `{"train": {"x": [n, ...], "y": [n, ...]}, "validation": ..., "test": ...}` after `setup`.
    """

    replication: Replication

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1")
        self.batch_size, self.seed = batch_size, seed
        self.parts: dict[Part, Batch] = {}

    def setup(self, stage: str | None = None) -> None:
        """Load, split, corrupt and scale, once."""
        if not self.parts:
            self.prepare()

    def prepare(self) -> None:
        """Fill `parts`."""
        raise NotImplementedError(f"{type(self).__name__} must implement prepare")

    def place(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the parts to where training happens, floating-point columns in its dtype."""
        for part in self.parts.values():
            for name, rows in part.items():
                part[name] = rows.to(device, dtype if rows.is_floating_point() else rows.dtype)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Of the inputs of one example after preparation: (columns,), or (channels, height, width)."""
        return tuple(self.parts["train"]["x"].shape[1:])

    @property
    def in_features(self) -> int:
        """Numbers in the inputs of one example."""
        return math.prod(self.in_shape)

    @property
    def out_features(self) -> int:
        """Numbers that a network predicts for an example."""
        return 1

    def facts(self) -> dict[str, Any]:
        """What the data tells the parts that are built for it."""
        return {
            "in_features": self.in_features,
            "in_shape": self.in_shape,
            "out_features": self.out_features,
            "out_shape": (self.out_features,),
            "examples": self.sizes()["train"],
        }

    def sizes(self) -> dict[Part, int]:
        """Examples a part."""
        return {name: len(part["x"]) for name, part in self.parts.items()}

    def pairing(self) -> dict[str, str]:
        """Hashes of what two runs must share to be compared pair by pair: the `split` and the `corruption`."""
        raise NotImplementedError(f"{type(self).__name__} must implement pairing")

    def to_target_units(self, prediction: Tensor) -> Tensor:
        """A prediction of the network, `[n]`, in the units of the target as the file has it."""
        return prediction

    def to_network_inputs(self, inputs: Tensor) -> Tensor:
        """Raw inputs, `[n, ...]`, as a network takes them; the inverse question of `to_target_units`."""
        return inputs

    def to_input_units(self, inputs: Tensor) -> Tensor:
        """Inputs of a network, `[n, ...]`, in the units of the source: the inverse of `to_network_inputs`."""
        return inputs

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the columns of the inputs; empty where those have none, as pixels have."""
        return ()

    def raw_part(self, part: Part) -> RawPart:
        """The examples of a part as the source has them."""
        raise NotImplementedError(f"{type(self).__name__} has no targets to predict")

    def prediction_columns(self, output: Tensor) -> dict[str, NDArray[Any]]:
        """What a network's output for n examples says of their targets: columns `[n]` of a table, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no targets to predict")

    def recovery(self, predict: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Errors against a known truth, by name, where the data has one.

        Args:
            predict: raw inputs `[n, d]`, float64, to predictions `[n]` in the target's units, that is
                `to_target_units(network(to_network_inputs(inputs)))`.
        """
        return {}

    def fit_points(self, predict: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        """What a drawing of the fit needs, as plain lists by name; empty where there is nothing to draw.

        Args:
            predict: as for `recovery`.
        """
        return {}

    def val_dataloader(self) -> DataLoader:
        """The validation part as dictionaries of some rows each, in order; no batch where the part is empty."""
        return self._whole("validation")

    def test_dataloader(self) -> DataLoader:
        """The test part, likewise."""
        return self._whole("test")

    def _whole(self, part: Part) -> DataLoader:
        """A part as slices, in order; the loader owns a generator because without one it moves the global stream."""
        rows = self.parts[part]
        names, at_once = list(rows), rows_at_once(rows["x"])
        return DataLoader(
            TensorDataset(*rows.values()),
            batch_size=None,
            sampler=[slice(start, start + at_once) for start in range(0, len(rows["x"]), at_once)],
            collate_fn=lambda slices: dict(zip(names, slices, strict=True)),
            generator=torch.Generator().manual_seed(0),
        )


def rows_at_once(rows: Tensor) -> int:
    """How many of the rows `[n, ...]` of a part are computed at once."""
    return max(1, min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // max(1, math.prod(rows.shape[1:]))))


def tensor_hash(*tensors: Tensor) -> str:
    """16 hexadecimal digits that identify the values, shapes and types of tensors."""
    digest = blake2b(digest_size=8)
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
