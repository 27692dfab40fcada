"""Classification: split, put noise on the training labels, scale, and keep as float32."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.binarisation import DRAWN, binarised
from paribus.data.contract import InMemoryData, Part, RawPart, Split, tensor_hash
from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScaling
from paribus.data.precision import check_float32
from paribus.data.scaling import Scaling, ScalingKind


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Different names of classes in the order of their labels: that of numbers, where all are whole numbers."""
    different = sorted(set(names))
    return tuple(
        sorted(different, key=int) if all(re.fullmatch(r"-?[0-9]+", name) for name in different) else different
    )


class InputScaling(Protocol):
    """A fitted map from raw inputs to those of a network."""

    def apply(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Raw inputs `[n, *shape]`, scaled."""
        ...

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scaled inputs `[n, *shape]`, raw."""
        ...


@dataclass(frozen=True)
class RawClasses:
    """Labelled examples as they were found: raw units, nothing split or scaled.

    Attributes:
        inputs: `[n, *shape]`: `(d,)` for a table, `(channels, height, width)` for images.
        label: `[n]`, positions in `classes`.
        classes: names of the classes, at least 2, in the order of the labels.
    """

    inputs: NDArray[Any]
    label: NDArray[np.int64]
    classes: tuple[str, ...]

    def source_hash(self) -> str:
        """A fingerprint of the raw values."""
        return tensor_hash(torch.from_numpy(self.inputs), torch.from_numpy(self.label))

    def drawn(self, kind: str, seed: int) -> dict[Part, NDArray[Any]]:
        """The raw inputs `[n, *shape]` of the parts that a kind of scaling takes a random draw of instead; mostly none.

        They come from the seed's stream `corruption`.
        """
        return {}

    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table."""
        return ()

    def fit_scaling(self, train: NDArray[np.int64], kind: str) -> InputScaling:
        """The scaling of the inputs that is fitted on the training rows, without anything random."""
        raise NotImplementedError(f"{type(self).__name__} must implement fit_scaling")

    def check(self, scaled: NDArray[Any], part: Part, kind: str) -> None:
        """Refuse, with a UserError, scaled inputs of a part that a network cannot take."""
        raise NotImplementedError(f"{type(self).__name__} must implement check")


@dataclass(frozen=True)
class RawTableClasses(RawClasses):
    """A table: inputs `[n, d]` of float64, scaled column by column.

    Attributes:
        input_names: names of the d columns.
    """

    input_names: Sequence[str]

    def columns(self) -> tuple[str, ...]:
        """Names of the d columns."""
        return tuple(self.input_names)

    def fit_scaling(self, train: NDArray[np.int64], kind: str) -> Scaling:
        """Scaling of each column."""
        return Scaling.fit(self.inputs[train], kind)

    def check(self, scaled: NDArray[np.float64], part: Part, kind: str) -> None:
        """Refuse columns that do not survive float32."""
        columns = {name: scaled[:, column] for column, name in enumerate(self.input_names)}
        check_float32(columns, part, f"input_scaling={kind}")


@dataclass(frozen=True)
class RawImages(RawClasses):
    """Images: inputs `[n, channels, height, width]` of uint8, scaled channel by channel.

    Attributes:
        peak: the value of a white pixel.
    """

    peak: int

    def drawn(self, kind: str, seed: int) -> dict[Part, NDArray[np.uint8]]:
        """All images in black and white, for the parts that `binary` and `dynamic` take a draw of."""
        if kind not in DRAWN:
            return {}
        return dict.fromkeys(DRAWN[kind], binarised(self.inputs, self.peak, seed))

    def fit_scaling(self, train: NDArray[np.int64], kind: str) -> PixelScaling:
        """Scaling of each channel."""
        return PixelScaling.fit(self.inputs[train], self.peak, kind)

    def check(self, scaled: NDArray[np.float32], part: Part, kind: str) -> None:
        """Nothing to refuse: pixels are small whole numbers."""


class ClassificationData(InMemoryData):
    """Labelled examples, taken through one pipeline by every data set for classification.

    `load` -> `split` (stream `split`) -> noise on the training labels and, where the scaling asks for it, a draw of the
    inputs (stream `corruption`) -> scaling fitted on the training part -> parts `x: [n, *shape]` of float32 and
    `y: [n]` of int64.

    Args:
        batch_size: examples a minibatch.
        label_noise: the wrong labels in the training part.
        input_scaling: one of `scalings`; see `Scaling` and `PixelScaling`.
        seed: the run's seed.

    Attributes:
        scalings: the kinds of scaling that the inputs know.
        raw: the data as it was found, after `setup`.
        rows: which rows of it make up each part, after `setup`.
        noisy: which training labels were changed, `[n_train]` of bool, after `setup`.
    """

    scalings: ClassVar[tuple[str, ...]] = get_args(ScalingKind)
    raw: RawClasses
    rows: Split
    noisy: Tensor

    def __init__(self, batch_size: int, label_noise: LabelNoise, input_scaling: str, seed: int) -> None:
        super().__init__(batch_size, seed)
        if input_scaling not in self.scalings:
            raise ValueError(f"input_scaling is {input_scaling!r}, expected one of {', '.join(self.scalings)}")
        self.label_noise, self.input_scaling = label_noise, input_scaling

    def load(self) -> RawClasses:
        """The raw examples."""
        raise NotImplementedError(f"{type(self).__name__} must implement load")

    def split(self, raw: RawClasses) -> Split:
        """The rows of each part; everything random comes from the stream `split`."""
        raise NotImplementedError(f"{type(self).__name__} must implement split")

    def prepare(self) -> None:
        """Fill `parts`."""
        self.raw = raw = self.load()
        self.rows = rows = self.split(raw)
        self._scaling = raw.fit_scaling(rows["train"], self.input_scaling)
        drawn = raw.drawn(self.input_scaling, self.seed)
        clean: list[Tensor] = []
        for part, chosen in rows.items():
            inputs, label = raw.inputs[chosen], torch.from_numpy(raw.label[chosen])
            clean += [torch.from_numpy(inputs), label]
            scaled = self._scaling.apply(drawn[part][chosen] if part in drawn else inputs)
            raw.check(scaled, part, self.input_scaling)
            self.parts[part] = {"x": torch.from_numpy(scaled).float(), "y": label}
        seen, noisy = self.label_noise(raw.label[rows["train"]], len(raw.classes), self.seed)
        self.parts["train"]["y"], self.noisy = torch.from_numpy(seen), torch.from_numpy(noisy)
        self._pairing = {
            "data": raw.source_hash(),
            "split": tensor_hash(*clean),
            "corruption": tensor_hash(self.parts["train"]["y"], self.noisy),
        }
        if drawn:
            self._pairing["binarisation"] = tensor_hash(*(self.parts[part]["x"] for part in drawn))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.raw.classes

    @property
    def out_features(self) -> int:
        """Classes: a network gives each a logit."""
        return len(self.classes)

    def pairing(self) -> dict[str, str]:
        """Hashes of the raw `data`, of each part's clean rows (`split`) and the training labels (`corruption`).

        Where pixels were drawn, of those too (`binarisation`).
        """
        return self._pairing

    def to_network_inputs(self, inputs: Tensor) -> Tensor:
        """Raw inputs `[n, *shape]` as the network takes them: scaled, float32; nothing is drawn.

        So of a grey image, under `binary` or `dynamic`, they are the probabilities of white, the mean over all draws.
        """
        return torch.from_numpy(self._scaling.apply(inputs.cpu().numpy())).float().to(inputs.device)

    def to_input_units(self, inputs: Tensor) -> Tensor:
        """Inputs of a network, `[n, *shape]`, as the source would have them, in float64."""
        return torch.from_numpy(self._scaling.undo(inputs.double().cpu().numpy())).to(inputs.device)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the columns of a table."""
        return self.raw.columns()

    def raw_part(self, part: Part) -> RawPart:
        """The examples of a part, without label noise; the names of their classes."""
        rows = self.rows[part]
        return RawPart(rows, self.raw.inputs[rows], np.array(self.classes)[self.raw.label[rows]])

    def prediction_columns(self, output: Tensor) -> dict[str, NDArray[Any]]:
        """`prediction`, the name of the likeliest class, and the probability of each, `p_<name>`."""
        probability = output.double().softmax(dim=1).cpu().numpy()
        named = {f"p_{name}": probability[:, label] for label, name in enumerate(self.classes)}
        return {"prediction": np.array(self.classes)[output.argmax(dim=1).cpu().numpy()], **named}
