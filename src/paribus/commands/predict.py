"""`paribus predict` and `paribus sample`: what a recorded run says of examples, and examples that it draws."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from paribus.commands.given import read_inputs
from paribus.errors import UserError
from paribus.evaluation.extent import extent_of
from paribus.evaluation.pictures import png, sheet
from paribus.model import Model, unused
from paribus.study.records import write_atomically
from paribus.use import load


def predict_command(run: Path, source: Path | None, output: Path | None) -> int:
    """Write predictions as CSV; the exit code.

    Args:
        run: the run's folder.
        source: examples to predict, see `given`; None for the test part.
        output: the file; None for `predictions.csv` in the run's folder.

    Raises:
        UserError: the run cannot predict, or the input is not what it was trained on.
    """
    _check_output(output, (".csv",))
    model = load(run)
    if source is None:
        table, told = model.predict(), "the test part"
    else:
        if output is not None and output.exists() and output.samefile(source):
            raise UserError(f"--output {output} is the input itself; expected another file")
        identity, inputs = read_inputs(source, model.data)
        predicted = model.predict(inputs)
        taken = set(identity.columns)
        table, told = identity.join(predicted.rename(columns=lambda name: unused(name, taken))), str(source)
    path = output or model.folder / "predictions.csv"
    write_atomically(path, table.to_csv(index=False))
    print(f"{len(table):,} predictions by {model.name}, of {told}: {path}")
    return 0


def sample_command(run: Path, count: int, seed: int, output: Path | None) -> int:
    """Write generated examples as a contact sheet, a table or an array; the exit code.

    Args:
        run: the run's folder.
        count: how many.
        seed: of the draw.
        output: .png for images, .csv for tables, .npz for either; None for `samples.png` or `samples.csv` in the run's
            folder.

    Raises:
        UserError: the run cannot sample, or the file is of a type that does not hold such examples.
    """
    _check_output(output, (".png", ".csv", ".npz"))
    model = load(run)
    shape = model.data.in_shape
    usual = ".png" if len(shape) == 3 and shape[0] in (1, 3) else ".csv" if len(shape) == 1 else ".npz"
    path = output or model.folder / f"samples{usual}"
    if path.suffix.lower() not in (usual, ".npz"):
        kind = f"images {' x '.join(map(str, shape))}" if len(shape) == 3 else f"rows of {shape[0]} numbers"
        raise UserError(f"--output {path}: the examples are {kind}, expected a file {usual} or .npz")
    write_atomically(path, _content(model, count, seed, path.suffix.lower()))
    print(f"{count:,} examples drawn by {model.name} with seed {seed}: {path}")
    return 0


def _content(model: Model, count: int, seed: int, suffix: str) -> bytes | str:
    if suffix == ".png":
        return contact_sheet(model, count, seed)
    samples = model.sample(count, seed)
    if suffix == ".csv":
        names = model.data.input_names or [f"x{column}" for column in range(samples.shape[1])]
        return pd.DataFrame(samples, columns=list(names)).to_csv(index=False)
    return _npz(samples)


def contact_sheet(model: Model, count: int, seed: int) -> bytes:
    """Samples as a PNG, in as many columns as rows; black and white are the ends of the data's extent."""
    shares = extent_of(model.data).share(model.draw(count, seed))
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    blank = shares.new_zeros(rows * columns - count, *shares.shape[1:])
    pixels = (torch.cat([shares, blank]) * 255).round().byte()
    return png(sheet(pixels.reshape(rows, columns, *model.data.in_shape)))


def _npz(samples: NDArray[np.float64]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=samples)
    return stream.getvalue()


def _check_output(output: Path | None, known: tuple[str, ...]) -> None:
    """Refuse a file of another type, or in a folder that is not there."""
    if output is None:
        return
    if output.suffix.lower() not in known:
        raise UserError(f"--output {output}: expected a file that ends in {', '.join(known)}")
    if not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}; create it first")
