"""torch.compile for the networks of a family while it is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from paribus.errors import UserError
from paribus.networks.contract import Network


@contextmanager
def compiled(family: nn.Module, device: torch.device) -> Iterator[None]:
    """Let a family's networks run as compiled; they stay the same modules, so the names of their weights stay too.

    Raises:
        UserError: nothing can be compiled here.
    """
    _refuse_without_compiler(device)
    networks = [part for part in family.children() if isinstance(part, Network)]
    for network in networks:
        network.forward = torch.compile(network.forward)
    try:
        yield
    finally:
        for network in networks:
            del network.forward  # the class's own stands again


def _refuse_without_compiler(device: torch.device) -> None:
    """Compile something small.

    Raises:
        UserError: that fails.
    """
    try:
        torch.compile(torch.sin)(torch.zeros(2, device=device))
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        needs = "a C++ compiler (CXX names one)" if device.type == "cpu" else "Triton and a C compiler"
        raise UserError(
            f"trainer.compile=true needs {needs}, and torch.compile fails on a sine: {reason}; expected "
            "trainer.compile=false, or a machine where it works"
        ) from error
