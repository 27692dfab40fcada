"""Random numbers of an evaluation."""

import torch

from paribus.data.contract import InMemoryData
from paribus.streams import stream_seed


def stream(data: InMemoryData, name: str) -> torch.Generator:
    """A function of the run's seed and of what they are for, whatever else was drawn."""
    return torch.Generator().manual_seed(stream_seed(data.seed, "evaluation", name))
