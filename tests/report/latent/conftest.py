"""Records of linear autoencoders whose rate and distortion are known: reverse water-filling, and noise."""

import base64
import json
import math
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from paribus.study.records import FIT_FILE, RECORD_FILE, Row, RunRecord, key_of

VARIANCES = {"digits": 30 * 0.55 ** np.arange(8), "mnist5k": 90 * 0.6 ** np.arange(12)}
FACTORS = {"objective.beta": [0.25, 0.5, 1.0, 2.0, 4.0, 8.0], "objective.free_nats": [0.0, 0.5, 1.0],
           "objective.ramp": [0.0, 0.5]}  # fmt: skip
STUDY: dict[str, Any] = {
    "question": "What does each term of the ELBO do?",
    "factors": {**FACTORS, "problem": {name: {"data": f"binary_{name}"} for name in VARIANCES}},
    "replicate": {"seed": 4},
    "metrics": {
        "rate": {"direction": "neither", "unit": "nats"},
        "distortion": {"direction": "minimise", "unit": "nats"},
        "active_units": {"direction": "neither"},
    },
    "planes": [{"x": "rate", "y": "distortion"}],
}


def measured(problem: str, beta: float, free: float, ramp: float, seed: int) -> dict[str, float]:
    """Nats of a linear Gaussian model with unit noise: features below the water level are off, free bits keep them."""
    noise = np.random.default_rng([seed, int(100 * beta), int(10 * free)])
    variances = VARIANCES[problem]
    rates = np.maximum(0.5 * np.log(np.maximum(variances / beta, 1)), free)
    left = np.where(rates > free, np.minimum(variances, beta), variances * np.exp(-2 * rates))
    rate = float(rates.sum() * (1 + 0.08 * ramp) + 0.25 * noise.standard_normal())
    distortion = float(20 + left.sum() / 2 - 1.5 * ramp * (beta > 1) + 0.4 * noise.standard_normal())
    return {"rate": rate, "distortion": distortion, "elbo": -rate - distortion,
            "active_units": float((rates > 0.01).sum())}  # fmt: skip


def png_of(pixels: np.ndarray) -> bytes:
    """A grey picture: [height, width] of 0 to 255."""
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.astype(np.uint8).tobytes() for line in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"tEXt", b"Comment\0drawn"),
        (b"IDAT", zlib.compress(lines)), (b"IEND", b""),
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def sheet(columns: int, rows: int, size: int, seed: int) -> np.ndarray:
    """Blobs on a grid with a pixel of grey between them."""
    generator = np.random.default_rng(seed)
    pixels = np.full((rows * (size + 1) + 1, columns * (size + 1) + 1), 90)
    grid = np.arange(size)
    for row, column in product(range(rows), range(columns)):
        (x, y), wide = generator.uniform(0.3, 0.7, 2) * size, size * generator.uniform(0.1, 0.25)
        blob = 255 * np.exp(-((grid[:, None] - y) ** 2 + (grid - x) ** 2) / 2 / wide**2)
        top, left = row * (size + 1) + 1, column * (size + 1) + 1
        pixels[top : top + size, left : left + size] = blob
    return pixels


def picture(name: str, pixels: np.ndarray, title: str, caption: str = "") -> dict[str, Any]:
    """A picture as an evaluator leaves it."""
    return {"name": name, "title": title, "caption": caption, "png": base64.b64encode(png_of(pixels)).decode(),
            "width": pixels.shape[1], "height": pixels.shape[0]}  # fmt: skip


def drawing(problem: str, beta: float, seed: int, points: int = 400) -> dict[str, Any]:
    """What an evaluator of latent-variable models leaves to be drawn."""
    size = 8 if problem == "digits" else 28
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, points)
    angles = 2 * math.pi * labels / 10
    codes = 2 * np.stack([np.cos(angles), np.sin(angles)], 1) / beta**0.5 + 0.3 * generator.standard_normal((points, 2))
    rates = np.maximum(0.5 * np.log(np.maximum(VARIANCES[problem] / beta, 1)), 0)
    return {
        "kind": "latent",
        "pictures": [
            picture("reconstructions", sheet(8, 4, size, seed), "Reconstructions",
                    "Odd rows: test images; even rows: their reconstructions."),
            picture("samples", sheet(8, 4, size, seed + 50), "Samples of the prior"),
            picture("traversals", sheet(9, 6, size, seed + 99), "Traversals", "A row varies one feature of the code."),
        ],
        "maps": [{"name": "codes", "title": "Codes of test images", "caption": "Means of the posterior.",
                  "points": [[float(x), float(y), int(c)] for (x, y), c in zip(codes, labels, strict=True)],
                  "classes": [str(digit) for digit in range(10)]}],
        "bars": [{"name": "rate_by_feature", "title": "Rate by feature (nats)", "caption": "Most used first.",
                  "values": rates.tolist()}],
    }  # fmt: skip


def make_record(problem: str, terms: Mapping[str, float], seed: int) -> RunRecord:
    """A finished run."""
    objective = {key.split(".")[1]: value for key, value in terms.items()}
    config = {"name": "elbo_terms", "seed": seed, "data": {"_target_": f"data.{problem}"}, "objective": objective}
    metrics = measured(problem, objective["beta"], objective["free_nats"], objective["ramp"], seed)
    return RunRecord(
        key=key_of(config), experiment="elbo_terms", status="finished", config=config,
        choices={"data": f"binary_{problem}", "objective": "elbo"}, seed=seed, rows=(Row(metrics, {}, "0a1b2c3d4e5f"),),
        pairing={"data": problem, "split": f"{problem}{seed}", "init/encoder": f"i{seed}", "order": f"o{seed}"},
        replication="fresh", sizes={"train": 1000, "validation": 200, "test": 597}, steps=1000, seconds=2.0,
        started=f"2025-01-01T00:00:{seed:02d}Z",
    )  # fmt: skip


def write_latent_study(
    folder: Path,
    factors: Mapping[str, Sequence[float]] = FACTORS,
    problems: Sequence[str] = tuple(VARIANCES),
    seeds: int = 4,
    study: Mapping[str, Any] | None = None,
    pictures: bool = True,
) -> Path:
    """Write the records of a study over `factors`; a term that is no factor has its first level."""
    parts = {"question": STUDY["question"], "metrics": STUDY["metrics"], "planes": STUDY["planes"]}
    bundle = {"problem": {name: STUDY["factors"]["problem"][name] for name in problems}} if len(problems) > 1 else {}
    declared = {**parts, "factors": {**factors, **bundle}, "replicate": {"seed": seeds}, **(study or {})}
    for problem, seed in product(problems, range(seeds)):
        for levels in product(*factors.values()):
            given = dict(zip(factors, levels, strict=True))
            terms = {name: given.get(name, {"objective.beta": 1.0}.get(name, 0.0)) for name in FACTORS}
            record = make_record(problem, terms, seed)
            place = folder / record.key
            place.mkdir(parents=True, exist_ok=True)
            (place / RECORD_FILE).write_text(json.dumps(asdict(record)))
            if pictures and seed < 2:
                (place / FIT_FILE).write_text(json.dumps(drawing(problem, terms["objective.beta"], seed)))
    (folder / "study.json").write_text(json.dumps(declared))
    return folder


@pytest.fixture(scope="session")
def latent() -> ModuleType:
    """This module: its functions write records of latent-variable models."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def terms_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a study of three numeric terms on two data sets; tests only read it."""
    return write_latent_study(tmp_path_factory.mktemp("runs") / "elbo_terms", pictures=False)
