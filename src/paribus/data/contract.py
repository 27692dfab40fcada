"""What a data set is to the rest of Paribus: three parts in memory, and the facts that pairing needs."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from paribus.data.chunks import Batch

Part = Literal["train", "validation", "test"]
Replication = Literal["fresh", "resplit", "fixed"]

ROWS_AT_ONCE = 4096
"""Rows of a part that is gone through as a whole that are computed at once; sums depend on it, by rounding."""


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
    def in_features(self) -> int:
        """Columns of `x` after preparation."""
        return self.parts["train"]["x"].shape[1]

    @property
    def out_features(self) -> int:
        """Numbers that a network predicts for an example."""
        return 1

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
        """The validation part as dictionaries of up to 4096 rows, in order; no batch where the part is empty."""
        return self._whole("validation")

    def test_dataloader(self) -> DataLoader:
        """The test part, likewise."""
        return self._whole("test")

    def _whole(self, part: Part) -> DataLoader:
        """A part as slices, in order; the loader owns a generator because without one it moves the global stream."""
        rows = self.parts[part]
        names = list(rows)
        return DataLoader(
            TensorDataset(*rows.values()),
            batch_size=None,
            sampler=[slice(start, start + ROWS_AT_ONCE) for start in range(0, len(rows["x"]), ROWS_AT_ONCE)],
            collate_fn=lambda slices: dict(zip(names, slices, strict=True)),
            generator=torch.Generator().manual_seed(0),
        )


def tensor_hash(*tensors: Tensor) -> str:
    """16 hexadecimal digits that identify the values, shapes and types of tensors."""
    digest = blake2b(digest_size=8)
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
