"""Compare objectives, models and methods on equal terms: a verdict with its interval.

In Python, three lines serve after training (nothing is imported before they are used):

    import paribus

    model = paribus.load("runs/first/3f2a90c1d4e5")  # a trained model: model.predict(table), model.sample(64)
    table = paribus.results("runs/first")            # a study's table, a row a run
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus.model import Model
    from paribus.use import load, results

__all__ = ["Model", "load", "results"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'paribus' has no attribute {name!r}")
    return getattr(import_module("paribus.use"), name)
