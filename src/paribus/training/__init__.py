"""One run's training: a budget, Lightning's Trainer, and what stands around it."""

from paribus.training.trainer import RESUME_FILE, Training

__all__ = ["RESUME_FILE", "Training"]
