"""Fetching, from a server of the test's own: what arrives, and what is said when it does not."""

import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paribus.data.cifar import LAYOUTS
from paribus.data.download import SOURCES, Source, fetch, main
from paribus.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which its files are to be had."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def publish(folder: Path, name: str, content: bytes) -> dict[str, str]:
    (folder / name).write_bytes(content)
    return {name: md5(content).hexdigest()}


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"set/{name}.bin")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_files_arrive_and_sound_ones_are_not_fetched_again(served, tmp_path: Path) -> None:
    folder, address = served
    source = Source(address, publish(folder, "a.gz", b"first") | publish(folder, "b.gz", b"second"))
    fetch(source, tmp_path / "new" / "set")
    assert (tmp_path / "new" / "set" / "a.gz").read_bytes() == b"first"
    assert (tmp_path / "new" / "set" / "b.gz").read_bytes() == b"second"
    (folder / "a.gz").unlink()
    fetch(source, tmp_path / "new" / "set")


def test_members_of_an_archive_are_put_into_the_folder_itself(served, tmp_path: Path) -> None:
    folder, address = served
    source = Source(address, publish(folder, "set.tar.gz", archive(train=b"1", test=b"2", other=b"3")))
    source = source._replace(unpacked=("train.bin", "test.bin"))
    fetch(source, tmp_path / "set")
    assert {file.name: file.read_bytes() for file in (tmp_path / "set").iterdir()} == {
        "train.bin": b"1",
        "test.bin": b"2",
    }
    with pytest.raises(UserError, match=r"set.tar.gz holds no file names.txt"):
        fetch(source._replace(unpacked=("names.txt",)), tmp_path / "set")


def test_another_file_than_the_published_one_is_refused(served, tmp_path: Path) -> None:
    folder, address = served
    source = Source(address, publish(folder, "a.gz", b"first"))
    (folder / "a.gz").write_bytes(b"another")
    with pytest.raises(UserError, match=r"a.gz is not the file that was published"):
        fetch(source, tmp_path / "set")
    assert list((tmp_path / "set").iterdir()) == []


def test_without_a_network_the_choices_that_need_none_are_named(tmp_path: Path) -> None:
    source = Source("http://127.0.0.1:9/", {"a.gz": "0" * 32})
    with pytest.raises(UserError, match=r"a.gz cannot be fetched into .* data=mnist5k or data=digits, which need none"):
        fetch(source, tmp_path)


def test_the_command_names_its_sets(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["fashion-mnist", str(tmp_path)]) == 2
    assert "expected one of mnist, fashion_mnist, cifar10, cifar100. Did you mean 'fashion_mnist'?" in (
        capsys.readouterr().err
    )


def test_sources_hold_the_files_that_are_read() -> None:
    names = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"}
    for name in ("mnist", "fashion_mnist"):
        assert set(SOURCES[name].files) == names | {"t10k-labels-idx1-ubyte.gz"}
    for labels, layout in LAYOUTS.items():
        source = SOURCES["cifar10" if labels == "cifar10" else "cifar100"]
        assert {*layout.train, layout.test, layout.names} <= set(source.unpacked)
    sums = [checksum for source in SOURCES.values() for checksum in source.files.values()]
    assert len(set(sums)) == len(sums) == 10
    assert all(len(checksum) == 32 and int(checksum, 16) for checksum in sums)
