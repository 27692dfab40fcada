"""Whether training had come to rest: read off the learning curves that a run leaves."""

import csv
import math
from pathlib import Path

from paribus.study.numbers import number
from paribus.study.records import CURVES_FILE

LOSS, TRAINED = "val/loss", "train/loss"
LAST, FALL = 0.2, 0.02
"""The last share of the steps, and by how much the loss may fall in it, relatively, and still count as at rest."""


def still_falling(folder: Path) -> str:
    """What to say where the validation loss was still falling when training ended; empty where it was not.

    Empty too where training has no one loss, as with an adversary: what each of two players loses tells no convergence.
    Arms that are compared then differ in how fast they learn, and not only in what they learn.

    Args:
        folder: of the run.
    """
    try:
        with (folder / CURVES_FILE).open(newline="") as stream:
            rows = csv.DictReader(stream)
            if TRAINED not in (rows.fieldnames or []):
                return ""
            points = [(int(row["step"]), float(row[LOSS])) for row in rows if row.get(LOSS)]
    except (OSError, ValueError, KeyError):
        return ""
    if len(points) < 2:
        return ""
    end, last = points[-1]
    before = [loss for step, loss in points if step <= (1 - LAST) * end]
    if not before or not math.isfinite(last) or not before[-1] - last > FALL * abs(before[-1]):
        return ""
    return (
        f"note: not converged, the validation loss fell from {number(before[-1])} to {number(last)} in the last "
        f"{LAST:.0%} of the steps; allow more trainer.max_steps or a higher optimizer.lr before arms are compared"
    )
