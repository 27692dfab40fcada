"""What training a variational autoencoder costs: ratios of CPU time, both sides in one run, in turn, one thread each.

    python benchmarks/vae.py loop      # one job in the default trainer over a plain PyTorch loop: 28 x 28, 8 x 8
    python benchmarks/vae.py pythae    # pythae over Paribus: the same networks, start, minibatches' size and optimizer
    python benchmarks/vae.py sweep     # 4 betas x 8 seeds of a small one: a loop over the runs over what is chosen

`loop`: both sides start from the same weights, and where the loop is given the trainer's noise they must end with the
same; for the clock it draws its own. `pythae`: what comes before the first epoch and after the last is left out. It
needs pythae in this environment, whose other requirements Paribus brings:

    pip install --no-deps pythae cloudpickle imageio
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from choice import LOOPED, chosen, looped
from one_job import in_trainer
from torch import Tensor, nn

from paribus.build import build_data, build_family
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data.chunks import epoch_order
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.families import Vae
from paribus.population import Member

VAE = ("family=vae", "evaluation=elbo")
IMAGES, DIGITS = (*VAE, "data=binary_mnist5k"), (*VAE, "data=binary_digits")
CONVOLUTIONAL = ("encoder=convolutional", "decoder=convolutional")
LOOP_JOBS = {
    "MLP, 28 x 28": ((*IMAGES, "trainer.max_steps=240", "trainer.validate_every=120"), 1.1),
    "convolutional, 28 x 28": ((*IMAGES, *CONVOLUTIONAL, "trainer.max_steps=24", "trainer.validate_every=24"), 1.1),
    "MLP, 8 x 8": ((*DIGITS, "trainer.max_steps=480", "trainer.validate_every=240"), 1.3),
}
"""Words as for `paribus run`, and the largest ratio that is good enough."""
PYTHAE_JOBS = {
    "MLP, 28 x 28": ((*IMAGES, "trainer.max_steps=120"), 1.0),
    "MLP, 28 x 28, validated each epoch": ((*IMAGES, "trainer.max_steps=120", "trainer.validate_every=24"), 1.0),
    "MLP, 8 x 8": ((*DIGITS, "trainer.max_steps=360", "trainer.validate_every=360"), 1.15),
    "MLP, 8 x 8, validated each epoch": ((*DIGITS, "trainer.max_steps=360", "trainer.validate_every=9"), 1.15),
}
"""Words, and the least ratio that is good enough; where pythae does not validate, Paribus does at the end alone."""
SMALL = (*DIGITS, "data.batch_size=64", "encoder.hidden=[64]", "decoder.hidden=[64]")
BETAS, SEEDS = (0.5, 1.0, 2.0, 4.0), range(8)
FEW_STEPS, APART = 24, 1e-4
"""After so many steps, how far apart weights may be: losses computed in two ways differ in rounding."""

Draw = Callable[[int, Tensor], Tensor]
"""The noise of the code at a step, like the posterior's mean."""


def read(words: tuple[str, ...]) -> dict:
    return Composer(open_tree()).read(words).resolved


def built(config: dict) -> tuple[InMemoryData, Vae]:
    data = build_data(config)
    data.setup()
    return data, build_family(config, data)


def negative_elbo(vae: Vae, x: Tensor, noise: Callable[[Tensor], Tensor]) -> Tensor:
    """As one would write it."""
    mean, log_variance = vae.encoder(x).chunk(2, dim=1)
    output = vae.decoder(mean + (log_variance / 2).exp() * noise(mean))
    distortion = F.binary_cross_entropy_with_logits(output, x.flatten(1), reduction="sum")
    rate = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum()
    return (distortion + rate) / len(x)


def plain_loop(config: dict, data: InMemoryData, vae: Vae, draw: Draw) -> float:
    """Train as one would without any framework; the CPU seconds of the loop."""
    steps, every = config["trainer"]["max_steps"], config["trainer"]["validate_every"]
    settings = {name: value for name, value in config["optimizer"].items() if not name.startswith("_")}
    optimizer = torch.optim.Adam(vae.parameters(), **settings)
    x, held_out = data.parts["train"]["x"], data.parts["validation"]["x"]
    losses, validation_losses = [], []
    start = time.process_time()
    step, epoch = 0, 0
    while step < steps:
        order = epoch_order(config["seed"], epoch, len(x))
        epoch += 1
        for first in range(0, len(x), data.batch_size):
            rows = order[first : first + data.batch_size]
            optimizer.zero_grad()
            loss = negative_elbo(vae, x[rows], lambda mean, at=step: draw(at, mean))
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            step += 1
            if step % every == 0:
                with torch.no_grad():
                    validation_losses.append(negative_elbo(vae, held_out, torch.randn_like).item())
            if step == steps:
                break
    if not torch.stack(losses).isfinite().all():
        raise RuntimeError("the plain loop diverged")
    return time.process_time() - start


def against_loop(config: dict) -> float:
    """CPU time in the default trainer over that of a plain loop."""
    data, vae = built(config)
    plain = plain_loop(config, data, vae, lambda step, mean: torch.randn_like(mean))
    with tempfile.TemporaryDirectory() as folder:
        return in_trainer(config, Path(folder))[0] / plain


def check_same_work(config: dict) -> None:
    """Take a few steps both ways on the same noise; they must end with the same weights."""
    config = {**config, "trainer": {**config["trainer"], "max_steps": FEW_STEPS}}
    data, vae = built(config)
    vae.begin(FEW_STEPS, data.batch_size, None)
    plain_loop(config, data, vae, lambda step, mean: vae.noise.at(step, mean)["code"][:, 0])
    with tempfile.TemporaryDirectory() as folder:
        same = in_trainer(config, Path(folder))[2]
    pairs = zip(vae.parameters(), same.parameters(), strict=True)
    apart = max(float((one - other).detach().abs().max()) for one, other in pairs)
    if apart > APART:
        raise RuntimeError(f"the two did different work: their weights end {apart:.2g} apart")


def as_pythae_has_it(vae: Vae, shape: tuple[int, ...]) -> nn.Module:
    """A model of pythae's with copies of a family's networks; its cross entropy takes probabilities."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = deepcopy(vae.encoder)

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.network(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = deepcopy(vae.decoder)

        def forward(self, code: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.network(code).sigmoid().reshape(-1, *shape))

    settings = VAEConfig(input_dim=shape, latent_dim=vae.prior.features, reconstruction_loss="bce")
    return VAE(settings, Encoder(), Decoder())


def in_pythae(config: dict, folder: Path) -> float:
    """The CPU seconds of the same job in pythae's trainer, from the first epoch's begin to the last one's end."""
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    data, vae = built(config)
    steps, every = config["trainer"]["max_steps"], config["trainer"]["validate_every"]
    train, held_out = (data.parts[part]["x"] for part in ("train", "validation"))
    marks: list[float] = []

    class Mark(TrainingCallback):
        def on_epoch_begin(self, training_config: BaseTrainerConfig, **_: object) -> None:
            marks.append(time.process_time())

        def on_log(self, training_config: BaseTrainerConfig, logs: dict, **_: object) -> None:
            marks.append(time.process_time())

    settings = BaseTrainerConfig(
        output_dir=str(folder),
        num_epochs=steps // -(-len(train) // data.batch_size),
        learning_rate=config["optimizer"]["lr"],
        per_device_train_batch_size=data.batch_size,
        per_device_eval_batch_size=rows_at_once(held_out),
        optimizer_cls="Adam",
        no_cuda=True,
    )
    pipeline = TrainingPipeline(model=as_pythae_has_it(vae, data.in_shape), training_config=settings)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        pipeline(train, held_out if every < steps else None, callbacks=[Mark()])
    return marks[-1] - marks[0]


def against_pythae(config: dict) -> float:
    """CPU time of pythae's trainer over that of the default trainer."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = in_pythae(config, Path(folder))
        return theirs / in_trainer(config, Path(folder))[0]


def sweep_members() -> list[Member]:
    words = [(*SMALL, f"objective.beta={beta}", f"seed={seed}") for beta in BETAS for seed in SEEDS]
    return [Member(family, data) for data, family in map(built, map(read, words))]


def against_runs_alone(steps: int) -> tuple[bool, float]:
    """Whether the sweep was trained as one program; CPU time of a loop over its runs over that of what was chosen."""
    runs = sweep_members()
    alone = looped(runs[:: len(runs) // LOOPED], steps) / LOOPED
    together, spent = chosen(sweep_members(), steps, alone)
    return together, alone * len(runs) / spent


def show(name: str, ratios: list[float], bar: str) -> float:
    ratio = statistics.median(ratios)
    print(f"  {ratio:.2f}  {name}: median of {len(ratios)} pairs (from {min(ratios):.2f} to {max(ratios):.2f}); {bar}")
    return ratio


def run_loop(pairs: int) -> bool:
    print("CPU time in the default trainer over that of a plain loop")
    good = True
    for name, (words, bar) in LOOP_JOBS.items():
        config = read(words)
        check_same_work(config)
        good &= show(name, [against_loop(config) for _ in range(pairs)], f"at most {bar}") <= bar
    return good


def run_pythae(pairs: int) -> bool:
    if find_spec("pythae") is None:
        print("pythae is not installed: pip install --no-deps pythae cloudpickle imageio")
        return True
    logging.disable(logging.WARNING)
    print("CPU time of pythae over that of Paribus, start-up left out")
    good = True
    for name, (words, bar) in PYTHAE_JOBS.items():
        config = read(words)
        against_pythae(config)  # the first run of each side warms caches
        good &= show(name, [against_pythae(config) for _ in range(pairs)], f"at least {bar}") >= bar
    return good


def run_sweep(pairs: int) -> bool:
    print(f"{len(BETAS)} betas x {len(SEEDS)} seeds: CPU time of a loop over the runs over that of what was chosen")
    found = [against_runs_alone(steps=1000) for _ in range(pairs)]
    times = sum(together for together, _ in found)
    name = f"MLPs 64-64-16 and 8-64-64, batch 64, 1,000 steps, one program {times} times"
    return show(name, [ratio for _, ratio in found], "at least 1") >= 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sides = {"loop": run_loop, "pythae": run_pythae, "sweep": run_sweep}
    parser.add_argument("against", choices=sides)
    parser.add_argument("--pairs", type=int, default=7, help="how often each side runs, in turn")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    return 0 if sides[options.against](options.pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
