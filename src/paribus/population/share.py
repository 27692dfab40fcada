"""The time of jobs that one process runs: each job's own, and its share of what was spent on many at once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from paribus.provenance import Usage


class Share:
    """Time that was spent on one job.

    Attributes:
        usage: of the process since this job began, for when that was and for the memory.
        seconds: wall time.
        cpu_seconds: processor time.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self.seconds = self.cpu_seconds = 0.0

    def so_far(self) -> dict[str, Any]:
        """As `Usage.so_far`; the peak is that of the process."""
        return self.usage.so_far() | {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}


@contextmanager
def counted(shares: Sequence[Share]) -> Iterator[None]:
    """Count what happens within, however it ends, in equal parts."""
    wall, cpu = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        seconds, cpu_seconds = time.monotonic() - wall, time.process_time() - cpu
        for share in shares:
            share.seconds += seconds / len(shares)
            share.cpu_seconds += cpu_seconds / len(shares)
