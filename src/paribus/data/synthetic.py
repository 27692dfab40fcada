"""Data drawn from a known law, so that what is learned can be held against the truth."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.contamination import Contamination
from paribus.data.contract import Split
from paribus.data.regression import RawTable, RegressionData
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import consecutive
from paribus.streams import stream_seed
from paribus.supplied import Supplied


class SyntheticRegression(RegressionData):
    """One input, uniform on an interval, a curve, and Gaussian noise. Another seed is a fresh draw of all rows.

    Args:
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        noise: standard deviation of the noise on the target.
        x_low, x_high: the interval of the input.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.
    """

    replication = "fresh"

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        noise: float,
        x_low: float,
        x_high: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: int,
    ) -> None:
        super().__init__(batch_size, contamination, input_scaling, target_scaling, seed)
        for name, given, least in (("n_train", n_train, 2), ("n_validation", n_validation, 0), ("n_test", n_test, 1)):
            if given < least:
                raise ValueError(f"{name} is {given}, expected at least {least}")
        if not (math.isfinite(noise) and noise >= 0):
            raise ValueError(f"noise is {noise}, expected a finite standard deviation of at least 0")
        if not (math.isfinite(x_low) and math.isfinite(x_high) and x_low < x_high):
            raise ValueError(
                f"x_low is {x_low} and x_high {x_high}, expected finite numbers, the first below the second"
            )
        self.n_train, self.n_validation, self.n_test = n_train, n_validation, n_test
        self.noise, self.x_low, self.x_high = noise, x_low, x_high

    def curve(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target without noise, `[n]` to `[n]`."""
        raise NotImplementedError(f"{type(self).__name__} must implement curve")

    def load(self) -> RawTable:
        """Draw all rows from the stream `split`."""
        rng = np.random.default_rng(stream_seed(self.seed, "split"))
        rows = self.n_train + self.n_validation + self.n_test
        x = self.lay_out(rng.uniform(self.x_low, self.x_high, rows))
        return RawTable(x[:, None], self.curve(x) + self.noise * rng.standard_normal(rows), ("x",), "y")

    def lay_out(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inputs of all rows, training rows first, given uniform draws of them."""
        return uniform

    def split(self, table: RawTable) -> Split:
        """The rows in the order in which they were drawn."""
        return consecutive(self.n_train, self.n_validation, self.n_test)


class Line(SyntheticRegression):
    """`y = intercept + slope x + noise`: two known numbers to recover among outliers. Units are arbitrary.

    On x ~ U(-3, 3) with noise 0.5 and 20 % of targets at -20 among the largest x (`leverage`), exact fits err in the
    slope by about 2.4 (squared), .16 (absolute), .26 (Huber, delta 1) and .32 (log-cosh). With a fraction f at +20
    anywhere, the intercept's bias is f * 20 under the squared loss, sigma Phi^-1(.5 / (1 - f)) under the absolute one.

    Args:
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        slope, intercept: the truth.
        noise: standard deviation of the noise on the target.
        x_low, x_high: the interval of the input.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.
    """

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        slope: float,
        intercept: float,
        noise: float,
        x_low: float,
        x_high: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(
            n_train,
            n_validation,
            n_test,
            noise,
            x_low,
            x_high,
            batch_size,
            contamination,
            input_scaling,
            target_scaling,
            seed,
        )
        for name, given in (("slope", slope), ("intercept", intercept)):
            if not math.isfinite(given):
                raise ValueError(f"{name} is {given}, expected a finite number")
        self.slope, self.intercept = slope, intercept

    def curve(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The line."""
        return self.intercept + self.slope * x

    def recovery(self, predict: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Intercept and slope read off the predictions at x = 0 and x = 1: signed `_bias` and absolute `_error`.

        `excess_mse` is the mean square distance between the fitted and the true line over the interval of the input.
        """
        at_zero, at_one = predict(torch.tensor([[0.0], [1.0]], dtype=torch.float64)).double().tolist()
        intercept_bias, slope_bias = at_zero - self.intercept, at_one - at_zero - self.slope
        middle, variance = (self.x_low + self.x_high) / 2, (self.x_high - self.x_low) ** 2 / 12
        return {
            "excess_mse": (intercept_bias + slope_bias * middle) ** 2 + slope_bias**2 * variance,
            "slope_error": abs(slope_bias),
            "intercept_error": abs(intercept_bias),
            "slope_bias": slope_bias,
            "intercept_bias": intercept_bias,
        }


class Sine(SyntheticRegression):
    """`y = sin(x) + noise` on [-pi, pi]: the curve that a cubic polynomial is fitted to in PyTorch's first tutorial.

    The training inputs are equally spaced, as they are there, so that the even coefficients of a fit without noise are
    0 by symmetry; another seed draws new noise and new inputs to validate and test on.

    Args:
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        noise: standard deviation of the noise on the target.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.
    """

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        noise: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(
            n_train,
            n_validation,
            n_test,
            noise,
            -math.pi,
            math.pi,
            batch_size,
            contamination,
            input_scaling,
            target_scaling,
            seed,
        )

    def lay_out(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Equally spaced in the training part."""
        return np.concatenate([np.linspace(self.x_low, self.x_high, self.n_train), uniform[self.n_train :]])

    def curve(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sine."""
        return np.sin(x)
