"""Public data sets for regression that are installed with a dependency: no download."""

import numpy as np

from paribus.data.contamination import Contamination
from paribus.data.regression import RawTable
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import ResplitRegression
from paribus.supplied import Supplied


class Diabetes(ResplitRegression):
    """442 diabetes patients, 10 baseline measurements; target: disease progression a year later, 25 to 346, no unit.

    Source: Efron, Hastie, Johnstone, Tibshirani, "Least Angle Regression", Annals of Statistics 2004; as shipped with
    scikit-learn (BSD licence), here in raw units and not scaled over all rows, which would leak the test part.

    Args:
        test_fraction, validation_fraction: see `ResplitRegression`.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.
    """

    def __init__(
        self,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(
            test_fraction, validation_fraction, batch_size, contamination, input_scaling, target_scaling, seed
        )

    def load(self) -> RawTable:
        """The table of scikit-learn."""
        from sklearn.datasets import load_diabetes

        bunch = load_diabetes(scaled=False)
        return RawTable(
            bunch.data.astype(np.float64), bunch.target.astype(np.float64), tuple(bunch.feature_names), "progression"
        )
