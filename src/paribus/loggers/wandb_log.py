"""Whether a W&B run on the disk is whole: W&B's client says nothing when its log could not be written."""

import os
import struct
import time
from pathlib import Path

BLOCK, START = 1 << 15, 7
"""Logs are written in LevelDB's format (doc/log_format.md there): in blocks of this size, after W&B's own 7 bytes."""
HEADER = struct.Struct("<4xHB")
"""Of a fragment, after its checksum: its length, and which part of a record it is."""
FULL, FIRST, LAST = 1, 2, 4
PATIENCE, POLL = 5.0, 0.002
"""Seconds in all, and from one look at a log to the next: a run's end comes back a little before its log is written."""


def ends(log: Path) -> bool:
    """Whether the log of a run that was finished is whole, now or in a moment."""
    until = time.monotonic() + PATIENCE
    while not (whole := has_ended(log)) and time.monotonic() < until:
        time.sleep(POLL)
    return whole


def has_ended(log: Path) -> bool:
    """Whether the last record of a run's log is how the run ended, and is there in full."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # made as it is imported

    return bool(Record.FromString(last_record(log)).HasField("exit"))


def last_record(log: Path) -> bytes:
    """The last record of a log; empty if it is cut off. Records of more than a block are not looked for."""
    with log.open("rb") as stream:
        start = max(0, (stream.seek(0, os.SEEK_END) - 1) // BLOCK - 1) * BLOCK
        stream.seek(start)
        tail = stream.read()
    place, record, whole = 0 if start else START, b"", False
    while place + HEADER.size <= len(tail):
        if (left := BLOCK - place % BLOCK) < HEADER.size:
            place += left  # too little of the block for another fragment
            continue
        length, part = HEADER.unpack_from(tail, place)
        place += HEADER.size + length
        fragment = tail[place - length : place]
        record = fragment if part in (FULL, FIRST) else record + fragment
        whole = part in (FULL, LAST)
    return record if whole and place == len(tail) else b""
