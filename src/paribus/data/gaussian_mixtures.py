"""Examples drawn from Gaussians at known places: a ring, a grid, and a single one that is shifted from the origin."""

import math
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.contract import InMemoryData, Part, tensor_hash
from paribus.data.precision import check_float32
from paribus.densities.gaussian import LOG_TWO_PI
from paribus.streams import stream_seed
from paribus.supplied import Supplied

PARTS: tuple[Part, ...] = ("train", "validation", "test")


class GaussianModes(InMemoryData):
    """`x ~ N(centre, scale^2 I)`, all centres equally probable: the density of the examples is known.

    Parts are `x: [n, dimensions]` of float32, as they were drawn, and `y: [n]`, the mode of each. Inputs are not
    scaled: networks see raw coordinates, as in the published experiments on such mixtures. Another seed draws all
    examples anew.

    Args:
        centres: `[modes, dimensions]`.
        scale: standard deviation of each mode in every direction, above 0.
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        batch_size, seed: see `InMemoryData`.

    Raises:
        ValueError: an argument is out of range.
    """

    replication = "fresh"

    def __init__(
        self,
        centres: NDArray[np.float64],
        scale: float,
        n_train: int,
        n_validation: int,
        n_test: int,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(batch_size, seed)
        for name, given, least in (("n_train", n_train, 2), ("n_validation", n_validation, 0), ("n_test", n_test, 1)):
            if given < least:
                raise ValueError(f"{name} is {given}, expected at least {least}")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale is {scale}, expected a finite standard deviation above 0")
        self.centres, self.scale = centres, float(scale)
        self.counts = (n_train, n_validation, n_test)

    @property
    def out_features(self) -> int:
        """Modes: a classifier of them gives each a logit."""
        return len(self.centres)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Fresh examples `[n, dimensions]` and the mode of each, `[n]`."""
        mode = rng.integers(len(self.centres), size=n)
        return self.centres[mode] + self.scale * rng.standard_normal((n, self.centres.shape[1])), mode

    def prepare(self) -> None:
        """Draw all rows from the stream `split`, and cut them in the order in which they were drawn."""
        x, mode = self.draw(sum(self.counts), np.random.default_rng(stream_seed(self.seed, "split")))
        cuts = np.cumsum(self.counts)[:-1]
        for part, rows, label in zip(PARTS, np.split(x, cuts), np.split(mode, cuts), strict=True):
            check_float32({f"x{column}": rows[:, column] for column in range(x.shape[1])}, part, "no scaling")
            self.parts[part] = {"x": torch.from_numpy(rows).float(), "y": torch.from_numpy(label)}
        self._pairing = {
            "data": tensor_hash(torch.from_numpy(x), torch.from_numpy(mode)),
            "split": tensor_hash(*(column for part in PARTS for column in self.parts[part].values())),
        }

    def pairing(self) -> dict[str, str]:
        """Hashes of all rows (`data`) and of the parts (`split`); nothing is corrupted."""
        return self._pairing

    def log_density(self, x: Float[Tensor, "n dimensions"]) -> Float[Tensor, "n"]:
        """log p(x), exact, in nats and float64."""
        modes, dimensions = self.centres.shape
        centres = torch.from_numpy(self.centres).to(x.device)
        squares = ((x.double()[:, None] - centres) / self.scale).square().sum(dim=2)
        constant = dimensions * (LOG_TWO_PI / 2 + math.log(self.scale)) + math.log(modes)
        return torch.logsumexp(-squares / 2, dim=1) - constant


class RingOfGaussians(GaussianModes):
    """Modes at equal angles on a circle about the origin, in the plane.

    Eight of them at radius 2 and scale .02 are those of Metz et al., Unrolled GANs (2017); VEEGAN and PacGAN have the
    same ring at half the size.

    Args:
        modes: how many, at least 1.
        radius: of the circle; above 0, where there are several modes.
        scale, n_train, n_validation, n_test, batch_size, seed: see `GaussianModes`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        modes: int,
        radius: float,
        scale: float,
        n_train: int,
        n_validation: int,
        n_test: int,
        batch_size: int,
        seed: Supplied[int],
    ) -> None:
        if modes < 1:
            raise ValueError(f"modes is {modes}, expected at least 1")
        if not 0 <= radius < math.inf or (modes > 1 and radius == 0):
            raise ValueError(f"radius is {radius}, expected a finite distance above 0, or 0 for a single mode")
        angle = 2 * math.pi * np.arange(modes) / modes
        centres = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        super().__init__(centres, scale, n_train, n_validation, n_test, batch_size, seed)


class GridOfGaussians(GaussianModes):
    """Modes on a square grid about the origin, in the plane.

    Five a side, 2 apart, with scale .05 are those of Srivastava et al., VEEGAN (2017), and Lin et al., PacGAN (2018).

    Args:
        side: modes along each side, at least 1.
        spacing: from one to the next; above 0, where there are several modes.
        scale, n_train, n_validation, n_test, batch_size, seed: see `GaussianModes`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        side: int,
        spacing: float,
        scale: float,
        n_train: int,
        n_validation: int,
        n_test: int,
        batch_size: int,
        seed: Supplied[int],
    ) -> None:
        if side < 1:
            raise ValueError(f"side is {side}, expected at least 1")
        if not 0 <= spacing < math.inf or (side > 1 and spacing == 0):
            raise ValueError(f"spacing is {spacing}, expected a finite distance above 0, or 0 for a single mode")
        along = spacing * (np.arange(side) - (side - 1) / 2)
        super().__init__(np.array(list(product(along, along))), scale, n_train, n_validation, n_test, batch_size, seed)


class ShiftedGaussian(GaussianModes):
    """N(shift, scale^2) in the first number of an example, N(0, scale^2) in the others.

    Against N(0, I) the best discriminator at scale 1 is known: its logit is shift x_1 - shift^2 / 2, in any dimension.

    Args:
        dimensions: numbers of an example, at least 1.
        shift: of the first of them.
        scale, n_train, n_validation, n_test, batch_size, seed: see `GaussianModes`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        dimensions: int,
        shift: float,
        scale: float,
        n_train: int,
        n_validation: int,
        n_test: int,
        batch_size: int,
        seed: Supplied[int],
    ) -> None:
        if dimensions < 1:
            raise ValueError(f"dimensions is {dimensions}, expected at least 1")
        if not math.isfinite(shift):
            raise ValueError(f"shift is {shift}, expected a finite number")
        centre = np.zeros((1, dimensions))
        centre[0, 0] = shift
        super().__init__(centre, scale, n_train, n_validation, n_test, batch_size, seed)
