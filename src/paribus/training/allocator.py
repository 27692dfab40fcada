"""Memory that training frees and asks for again a moment later, kept by the process."""

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""glibc's own largest: blocks beyond are mapped one by one whatever is asked."""
KEPT = 2**30
"""Bytes at the top of the heap that stay there."""


@cache
def keep_freed_memory() -> None:
    """Tell glibc not to hand freed blocks back to the system at once; elsewhere do nothing.

    The activations of a convolutional network are megabytes that live for one step. By default they may be given back
    and mapped anew, page by page, each step: that was seen to take up to a quarter of a small LeNet's time on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, KEPT)
