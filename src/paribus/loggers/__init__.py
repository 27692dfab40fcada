"""Foreign logs of a run: Weights & Biases, TensorBoard, trackio. They mirror what the record and the curves say."""

from paribus.loggers.tensor_board import TensorBoard
from paribus.loggers.track_io import Trackio
from paribus.loggers.weights_and_biases import Wandb

__all__ = ["TensorBoard", "Trackio", "Wandb"]
