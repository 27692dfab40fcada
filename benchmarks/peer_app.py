"""What users would run instead: Hydra's multirun over Lightning jobs, as templates set it up, and lean.

    python benchmarks/peer_app.py -m style=default objective=squared,huber fraction=0.0,0.1 seed=0,1
    python benchmarks/peer_app.py -m style=lean hydra/launcher=joblib ...

`default`: as lightning-hydra-template sets a run up: a DataLoader, torchmetrics and `self.log` in each step, the rich
progress bar and summary, early stopping, checkpoints of the best and the last epoch, a CSV logger. `lean`: batches
gathered in memory, no bar, no checkpoint, no logger, nothing logged in a step. `plain`: no Lightning. All end in a test
metric. The job is that of `sweep.py`.
"""

from __future__ import annotations  # joblib pickles this file's functions without the names in their annotations

import logging
import warnings
from dataclasses import dataclass

import hydra
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from torch import Tensor, nn


@dataclass
class Settings:
    style: str = "default"
    objective: str = "squared"
    fraction: float = 0.0
    seed: int = 0
    steps: int = 2000
    width: int = 64
    threads: int = 1


ConfigStore.instance().store(name="peer", node=Settings)

BATCH, TRAIN, HELD_OUT = 64, 2000, 200


def examples(seed: int, count: int, fraction: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(count, 1, generator=generator) * 2 - 1
    targets = torch.sin(torch.pi * inputs[:, 0]) + 0.1 * torch.randn(count, generator=generator)
    return inputs, targets + 20.0 * (torch.rand(count, generator=generator) < fraction)


def network(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))


LOSSES = {
    "squared": nn.MSELoss(),
    "absolute": nn.L1Loss(),
    "huber": nn.HuberLoss(),
    "log_cosh": lambda prediction, target: (prediction - target).cosh().log().mean(),
    "cauchy": lambda prediction, target: (prediction - target).square().log1p().mean() / 2,
}


def plain(settings: Settings) -> float:
    """The loop that one writes by hand."""
    torch.manual_seed(settings.seed)
    inputs, targets = examples(settings.seed, TRAIN, settings.fraction)
    model, loss = network(settings.width), LOSSES[settings.objective]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    done = 0
    while done < settings.steps:
        for index in torch.randperm(TRAIN).split(BATCH)[: settings.steps - done]:
            value = loss(model(inputs[index]).squeeze(-1), targets[index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            done += 1
    with torch.no_grad():
        inputs, targets = examples(settings.seed + 10_000, HELD_OUT, 0.0)
        return float((model(inputs).squeeze(-1) - targets).abs().mean())


def lightning(settings: Settings) -> float:
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, RichModelSummary, RichProgressBar
    from pytorch_lightning.loggers import CSVLogger
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset
    from torchmetrics import MeanMetric, MinMetric

    lean = settings.style == "lean"

    class Model(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = network(settings.width), LOSSES[settings.objective]
            self.train_loss, self.val_loss, self.best = MeanMetric(), MeanMetric(), MinMetric()

        def evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
            value = self.loss(self.network(batch[0]).squeeze(-1), batch[1])
            if not lean:
                metric = self.train_loss if stage == "train" else self.val_loss
                metric(value)
                self.log(f"{stage}/loss", metric, on_step=False, on_epoch=True, prog_bar=True)
            elif stage != "train":
                self.log(f"{stage}/loss", value)
            return value

        def on_validation_epoch_end(self) -> None:
            if not lean:
                self.best(self.val_loss.compute())
                self.log("val/best", self.best.compute(), sync_dist=True, prog_bar=True)

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return self.evaluate(batch, "train")

        def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
            self.evaluate(batch, "val")

        def test_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
            prediction = self.network(batch[0]).squeeze(-1)
            self.log("test/mae", (prediction - batch[1]).abs().mean())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    pl.seed_everything(settings.seed, verbose=False)
    parts = [
        TensorDataset(*examples(settings.seed + offset, count, fraction))
        for offset, count, fraction in ((0, TRAIN, settings.fraction), (5000, HELD_OUT, 0.0), (10_000, HELD_OUT, 0.0))
    ]
    if lean:  # a batch is one indexing, and an epoch as long as the run
        sampler = BatchSampler(RandomSampler(parts[0], num_samples=settings.steps * BATCH), BATCH, drop_last=False)
        train = DataLoader(parts[0], sampler=sampler, batch_size=None)
        options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        options["enable_model_summary"] = False
    else:
        train = DataLoader(parts[0], batch_size=BATCH, shuffle=True)
        folder = HydraConfig.get().runtime.output_dir
        checkpoint = ModelCheckpoint(f"{folder}/checkpoints", monitor="val/loss", save_last=True)
        stopping = EarlyStopping("val/loss", patience=100)
        callbacks = [checkpoint, stopping, RichModelSummary(max_depth=-1), RichProgressBar()]
        options = {"logger": CSVLogger(folder), "callbacks": callbacks}
    trainer = pl.Trainer(max_steps=settings.steps, accelerator="cpu", **options)
    model = Model()
    trainer.fit(model, train, DataLoader(parts[1], batch_size=HELD_OUT))
    return trainer.test(model, DataLoader(parts[2], batch_size=HELD_OUT), verbose=False)[0]["test/mae"]


@hydra.main(version_base="1.3", config_path=None, config_name="peer")
def main(settings: Settings) -> float:
    torch.set_num_threads(settings.threads)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return plain(settings) if settings.style == "plain" else lightning(settings)


if __name__ == "__main__":
    main()
