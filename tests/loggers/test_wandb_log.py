"""Whether a log on the disk is whole, of logs written as LevelDB's format says."""

import struct
from pathlib import Path

import pytest

from paribus.loggers.wandb_log import has_ended, last_record

pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
BLOCK = 32768


def written(path: Path, records: list[bytes]) -> bytes:
    """A log: fragments of 7 bytes of header and at most the rest of a block of 32 KiB, which ends in zeros."""
    content = b":W&B\xe1\xbe\x00"
    for record in records:
        begun = False
        while True:
            room = BLOCK - len(content) % BLOCK
            if room < 7:
                content += bytes(room)
                continue
            fragment, record = record[: room - 7], record[room - 7 :]
            part = {(False, False): 1, (False, True): 2, (True, True): 3, (True, False): 4}[begun, bool(record)]
            content += struct.pack("<IHB", 0, len(fragment), part) + fragment
            begun = True
            if not record:
                break
    path.write_bytes(content)
    return content


@pytest.mark.parametrize("before", [0, 100, *range(BLOCK - 60, BLOCK, 3), 2 * BLOCK - 40, 3 * BLOCK])
def test_a_log_is_whole_up_to_its_last_byte(tmp_path, before):
    ended = pb.Record(num=7, exit=pb.RunExitRecord(exit_code=1, runtime=3)).SerializeToString()
    path = tmp_path / "run.wandb"
    content = written(path, [pb.Record(num=1).SerializeToString(), b"x" * before, ended])
    assert last_record(path) == ended
    assert has_ended(path)
    for less in (1, len(ended) - 1, len(ended), len(ended) + 1):
        path.write_bytes(content[:-less])
        assert not last_record(path)
        assert not has_ended(path)


def test_a_log_that_ends_in_another_record_has_not_ended(tmp_path):
    written(tmp_path / "run.wandb", [pb.Record(num=1, summary=pb.SummaryRecord()).SerializeToString()])
    assert not has_ended(tmp_path / "run.wandb")
