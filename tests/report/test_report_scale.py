"""Ten thousand records: time and size."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paribus.report import report

RATES = tuple(round(0.05 * step, 2) for step in range(10))
SEEDS = 84


@pytest.mark.slow
def test_ten_thousand_records_in_twenty_seconds(tmp_path: Path, synthetic: ModuleType) -> None:
    generator = np.random.default_rng(0)
    study = json.loads(json.dumps(synthetic.STUDY))
    study["factors"]["data.contamination.fraction"] = list(RATES)
    study["replicate"] = {"seed": SEEDS}
    for claim in study["claims"]:
        if claim["kind"] == "monotone":
            claim["levels"] = [0.0, 0.2, 0.4]
    curve = "step,train/loss\n" + "".join(f"{step},{1 / (step + 1)}\n" for step in range(200))
    for problem in ("line", "sine"):
        for objective in synthetic.OBJECTIVES:
            for rate in RATES:
                for seed in range(SEEDS):
                    metrics = {"mae": float(np.exp(generator.normal())), "r2": float(generator.normal())}
                    record = synthetic.make_record(objective, problem, rate, seed, metrics)
                    place = tmp_path / record.key
                    place.mkdir()
                    (place / "run.json").write_text(json.dumps(asdict(replace(record, experiment="many"))))
                    (place / "curves.csv").write_text(curve)
    (tmp_path / "study.json").write_text(json.dumps(study))
    start = time.perf_counter()
    files = report(tmp_path)
    seconds = time.perf_counter() - start
    assert len(files.results.read_text().splitlines()) == 10_081
    assert files.page.stat().st_size < 3_000_000
    assert seconds < 20, f"{seconds:.1f} s"
