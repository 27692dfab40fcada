"""A 300-job robust-regression sweep, whole commands: Paribus against what users would run instead.

    python benchmarks/sweep.py --cpu          CPU time, everything pinned to one core
    python benchmarks/sweep.py --wall         wall time on all cores, against the joblib launcher

Each job: an MLP 1-64-64-1 on 2,000 points of a sine, batch 64, Adam, 2,000 steps; 5 objectives x 3 shares of outliers x
20 seeds. Paribus runs all of it, with records and report. A peer runs one job and then a few, and the line through the
two is followed to 300 jobs: its start-up is counted once. Every command runs with one thread a process.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEER = Path(__file__).with_name("peer_app.py")
OBJECTIVES = ("squared", "absolute", "huber", "log_cosh", "cauchy")
FRACTIONS = ("0.0", "0.1", "0.2")


def measured(command: list[str], core: int | None) -> tuple[float, float]:
    """CPU and wall seconds of a command and its children; `core`: the one to pin it to."""
    folder = Path(tempfile.mkdtemp())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    pin = [] if core is None else ["taskset", "-c", str(core)]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([*pin, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(folder)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    print("\n".join(line for line in done.stdout.splitlines() if " runs of " in line), flush=True)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def paribus(seeds: int, steps: int, *overrides: str) -> list[str]:
    return [
        sys.executable, "-m", "paribus", "run", "-m", "data=sine", "data.noise=0.1", "data.batch_size=64",
        "network=mlp", f"objective={','.join(OBJECTIVES)}", f"data.contamination.fraction={','.join(FRACTIONS)}",
        f"seed={','.join(map(str, range(seeds)))}", f"trainer.max_steps={steps}", *overrides,
    ]  # fmt: skip


def peer(style: str, jobs: int, steps: int, *overrides: str) -> list[str]:
    seeds = ",".join(map(str, range(jobs)))
    return [sys.executable, str(PEER), "-m", f"style={style}", "objective=huber", "fraction=0.1", f"seed={seeds}",
            f"steps={steps}", *overrides]  # fmt: skip


def scaled(costs: dict[int, float], jobs: int) -> float:
    """The cost of `jobs` jobs on the line through the measured numbers of them."""
    (few, low), (many, high) = sorted(costs.items())
    return low + (high - low) / (many - few) * (jobs - few)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--peer-jobs", type=int, default=6, help="jobs of a peer that are run besides one")
    parser.add_argument("--styles", default="default,lean,plain")
    options = parser.parse_args()
    jobs = options.seeds * len(OBJECTIVES) * len(FRACTIONS)
    if options.cpu:
        ours, wall = measured(paribus(options.seeds, options.steps), core=0)
        print(json.dumps({"paribus cpu s": ours, "wall s": wall, "jobs": jobs}), flush=True)
        for style in options.styles.split(","):
            costs = {
                count: measured(peer(style, count, options.steps), core=0)[0] for count in (1, 1 + options.peer_jobs)
            }
            theirs = scaled(costs, jobs)
            print(json.dumps({"style": style, "measured": costs, "cpu s": theirs, "ratio": theirs / ours}), flush=True)
    if options.wall:
        launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
        _, ours = measured(paribus(options.seeds, options.steps), core=None)
        print(json.dumps({"paribus wall s": ours, "jobs": jobs}), flush=True)
        for style in options.styles.split(","):
            costs = {
                count: measured(peer(style, count, options.steps, *launcher), core=None)[1]
                for count in (2, 2 + 2 * options.peer_jobs)
            }
            theirs = scaled(costs, jobs)
            print(
                json.dumps({"joblib": style, "measured": costs, "wall s": theirs, "ratio": theirs / ours}), flush=True
            )


if __name__ == "__main__":
    main()
