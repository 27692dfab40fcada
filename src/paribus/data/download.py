"""Fetching published sets: `python -m paribus.data.download mnist FOLDER`.

A command of its own, so that no job of a sweep waits for a network, and the files are there when a run notes what it
was trained on. Each file is held to its published checksum.
"""

import argparse
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from paribus.errors import UserError, nearest


class Source(NamedTuple):
    """Where a set is published.

    Attributes:
        address: what precedes the names of the files.
        files: name to MD5 sum.
        unpacked: the members of the file, a tar archive, that are kept; empty where the files are kept as they are.
    """

    address: str
    files: Mapping[str, str]
    unpacked: tuple[str, ...] = ()


SOURCES = {
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "cifar10": Source(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "batches.meta.txt"),
    ),
    "cifar100": Source(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
        ("train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"),
    ),
}
"""MNIST and Fashion-MNIST: the four idx files; CIFAR: the binary version. The checksums are those of torchvision (idx)
and of the authors' page (CIFAR)."""


def fetch(source: Source, folder: Path) -> None:
    """Put the files of a set into a folder, which is made. A file that is there and sound stays, and so do the
    unpacked members of an archive, if all are there.

    Raises:
        UserError: there is no network, a file is not what its checksum says, or the folder cannot be written.
    """
    if source.unpacked:
        if all((folder / name).is_file() for name in source.unpacked):
            return
        with tempfile.TemporaryDirectory() as temporary:
            _retrieve(source, Path(temporary))
            for name in source.files:
                _unpack(Path(temporary) / name, source.unpacked, folder)
    else:
        _retrieve(source, folder)


def _retrieve(source: Source, folder: Path) -> None:
    import pooch
    import requests

    for name, checksum in source.files.items():
        try:
            pooch.retrieve(source.address + name, f"md5:{checksum}", fname=name, path=folder)
        except (requests.RequestException, OSError) as error:
            raise UserError(
                f"{source.address}{name} cannot be fetched into {folder}: {error}. Without a network, put the file "
                "there by other means, or take data=mnist5k or data=digits, which need none"
            ) from None
        except ValueError as error:
            raise UserError(f"{source.address}{name} is not the file that was published: {error}") from None


def _unpack(archive: Path, members: Sequence[str], folder: Path) -> None:
    """Copy the members of these names, wherever they lie in the archive, into the folder itself."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        found = {Path(member.name).name: member for member in packed.getmembers() if member.isfile()}
        for name in members:
            content = packed.extractfile(found[name]) if name in found else None
            if content is None:
                raise UserError(f"{archive.name} holds no file {name}")
            with (folder / f"{name}.part").open("wb") as partial:
                shutil.copyfileobj(content, partial)
            (folder / f"{name}.part").replace(folder / name)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 2 with what is wrong."""
    parser = argparse.ArgumentParser("python -m paribus.data.download", description="Fetch a published set of images.")
    parser.add_argument("set", help=", ".join(SOURCES))
    parser.add_argument("folder", type=Path, help="where to put its files, for data.path")
    given = parser.parse_args(arguments)
    try:
        if given.set not in SOURCES:
            raise UserError(
                f"{given.set} is no known set, expected one of {', '.join(SOURCES)}.{nearest(given.set, SOURCES)}"
            )
        fetch(SOURCES[given.set], given.folder)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
