"""Configs to objects, and nothing else does it: which target, of which types, checked and then built."""

from paribus.build.objects import (
    STAND_INS,
    build_data,
    build_evaluator,
    build_family,
    build_loggers,
    build_training,
    check,
)

__all__ = [
    "STAND_INS",
    "build_data",
    "build_evaluator",
    "build_family",
    "build_loggers",
    "build_training",
    "check",
]
