"""A Hydra application of Paribus's shape whose jobs only wait and write a record, to try sweeps without training.

Environment: WAIT seconds a job takes; FAIL, KILL: the objective whose jobs fail, or kill their process.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import paribus.run
from paribus.errors import UserError
from paribus.study.factors import Metric
from paribus.study.keys import evaluation_key, train_key
from paribus.study.locks import claim
from paribus.study.records import Failure, Row, RunRecord, read_record, write_record

TREE = Path(__file__).parent / "small_conf"


def task(config):
    plain = OmegaConf.to_container(config, resolve=True)
    key = train_key(plain)
    folder = Path(plain["output"]) / plain["name"] / key
    mine = claim(folder)
    if mine is None:
        return "skipped"
    with mine:
        try:
            before = read_record(folder)
        except FileNotFoundError:
            before = None
        if before is not None and before.status == "finished" and plain["rerun"] != "all":
            return "finished"
        choices = dict(HydraConfig.get().runtime.choices)
        record = RunRecord(key, plain["name"], "running", plain, choices, plain["seed"])
        write_record(folder, record)
        with Path("began.txt").open("a") as log:
            log.write(f"{key} {os.getpid()}\n")
        time.sleep(float(os.environ.get("WAIT", "0")))
        objective = choices["objective"]
        if objective == os.environ.get("KILL"):
            os.kill(os.getpid(), signal.SIGKILL)
        if objective == os.environ.get("RAISE"):
            raise RuntimeError("an error that the task does not expect")
        fields = record.__dict__
        if objective == os.environ.get("FAIL"):
            write_record(folder, RunRecord(**fields | {"status": "failed", "failure": Failure("OSError", "no space")}))
            return "failed"
        rows = (Row({"mae": 1.0}, evaluation=evaluation_key(key, plain["evaluation"])),)
        write_record(folder, RunRecord(**fields | {"status": "finished", "rows": rows, "seconds": 2.0}))
        return "finished"


def report(plan):
    print("reported", dict(plan.states))


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.modules["paribus.build"] = SimpleNamespace(  # no torch
        check=lambda config: None,
        build_evaluator=lambda config: SimpleNamespace(measures=(Metric("mae", "minimise"),), within={}),
    )
    paribus.run.after_sweep = report
    try:
        hydra.main(version_base="1.3", config_path=str(TREE), config_name="run")(task)()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
