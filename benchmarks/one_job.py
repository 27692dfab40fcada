"""One job in the default trainer against a plain PyTorch loop: the ratio of their CPU times.

`mlp`: an MLP 1-64-64-1 learns a sine, minibatches of 64, 2,000 steps of Adam, validation every 200.
`lenet`, `resnet`: 60 and 12 steps on images of 28 x 28, minibatches of 128, validation at the end.
Both sides start from the same weights and see the same minibatches, and must end with the same weights. Both run on one
core with one thread, in turn; imports and the trainer's set-up are left out.

    python benchmarks/one_job.py lenet --pairs 9
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paribus.build import build_data, build_family, build_training
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data.chunks import epoch_order
from paribus.families import Family
from paribus.training.curves import Curves

IMAGES = ("family=classification", "data=mnist5k", "data.batch_size=128")
SMALL = ("data=sine", "data.batch_size=64", "network=mlp", "objective=squared")


class Job(NamedTuple):
    """A job, and what it may cost.

    Attributes:
        words: as for `paribus run`.
        loss: of a network's output and the targets, as one would write it.
        bar: the largest ratio that is good enough.
        apart: how far weights may end apart: two ways to compute one loss differ in rounding, which Adam amplifies.
    """

    words: tuple[str, ...]
    loss: Callable[[Tensor, Tensor], Tensor]
    bar: float
    apart: float


JOBS = {
    "mlp": Job(SMALL, lambda output, y: (y - output.squeeze(-1)).square().mean(), 1.3, 1e-6),
    "lenet": Job(
        (*IMAGES, "network=lenet", "trainer.max_steps=60", "trainer.validate_every=60"), F.cross_entropy, 1.1, 1e-3
    ),
    "resnet": Job(
        (*IMAGES, "network=resnet", "trainer.max_steps=12", "trainer.validate_every=12"), F.cross_entropy, 1.1, 1e-3
    ),
}


def plain_loop(job: Job, config: dict, network: nn.Module, train: dict, validation: dict) -> float:
    """Train as one would without any framework; the CPU seconds of the loop."""
    steps, every, batch_size = config["trainer"]["max_steps"], config["trainer"]["validate_every"], train["batch_size"]
    settings = {name: value for name, value in config["optimizer"].items() if not name.startswith("_")}
    optimizer = torch.optim.Adam(network.parameters(), **settings)
    x, y = train["x"], train["y"]
    losses, validation_losses = [], []
    start = time.process_time()
    step, epoch = 0, 0
    while step < steps:
        order = epoch_order(config["seed"], epoch, len(x))
        epoch += 1
        for first in range(0, len(x), batch_size):
            rows = order[first : first + batch_size]
            optimizer.zero_grad()
            loss = job.loss(network(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            step += 1
            if step % every == 0:
                network.eval()
                with torch.no_grad():
                    validation_losses.append(job.loss(network(validation["x"]), validation["y"]).item())
                network.train()
            if step == steps:
                break
    if not torch.stack(losses).isfinite().all():
        raise RuntimeError("the plain loop diverged")
    return time.process_time() - start


def in_trainer(config: dict, folder: Path) -> tuple[float, float, Family]:
    """Train as `paribus run` does; the CPU seconds from the first step to the last, those with set-up, the family."""
    data = build_data(config)
    data.setup()
    family = build_family(config, data)
    marks: dict[str, float] = {}

    def mark(name: str) -> Callable[[], None]:
        return lambda: marks.update({name: time.process_time()})

    family.on_train_start, family.on_train_end = mark("start"), mark("end")
    begin = time.process_time()
    build_training(config).fit(family, data, folder, Curves(), [], False)
    return marks["end"] - marks["start"], time.process_time() - begin, family


def compare(job: Job, config: dict) -> tuple[float, float]:
    """The ratio of CPU times, without and with the trainer's set-up."""
    data = build_data(config)
    data.setup()
    network = deepcopy(build_family(config, data).network)
    train = {**data.parts["train"], "batch_size": data.batch_size}
    plain = plain_loop(job, config, network, train, data.parts["validation"])
    with tempfile.TemporaryDirectory() as folder:
        trained, whole, family = in_trainer(config, Path(folder))
    pairs = zip(network.parameters(), family.network.parameters(), strict=True)
    apart = max(float((one - other).detach().abs().max()) for one, other in pairs)
    if apart > job.apart:
        raise RuntimeError(f"the two did different work: their weights end {apart:.2g} apart")
    return trained / plain, whole / plain


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", nargs="?", choices=JOBS, default="mlp")
    parser.add_argument("--pairs", type=int, default=7, help="how often each side runs, in turn")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    job = JOBS[options.job]
    config = Composer(open_tree()).read(job.words).resolved
    compare(job, config)  # the first run of each side warms caches
    ratios = [compare(job, config) for _ in range(options.pairs)]
    steps, whole = (sorted(column) for column in zip(*ratios, strict=True))
    ratio = statistics.median(steps)
    print(f"{options.job}, {config['trainer']['max_steps']:,} steps: CPU time in the trainer over that of a plain loop")
    print(f"  {ratio:.2f}  median of {options.pairs} pairs (from {steps[0]:.2f} to {steps[-1]:.2f}); at most {job.bar}")
    print(f"  {statistics.median(whole):.2f}  with the trainer's set-up")
    return 0 if ratio <= job.bar else 1


if __name__ == "__main__":
    sys.exit(main())
