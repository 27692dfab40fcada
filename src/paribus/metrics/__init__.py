"""Metrics: a functional core on tensors, and thin torchmetrics shells."""
