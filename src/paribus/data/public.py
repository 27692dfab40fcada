"""Public data sets for regression that are installed with a dependency: no download.

Each is split again at random for every seed; arguments are those of `ResplitRegression`. The packages are imported when
the data is loaded and not before.
"""

import numpy as np

from paribus.data.regression import RawTable
from paribus.data.splitting import ResplitRegression


class Diabetes(ResplitRegression):
    """442 diabetes patients, 10 baseline measurements; target: disease progression a year later, 25 to 346, no unit.

    Source: Efron, Hastie, Johnstone, Tibshirani, "Least Angle Regression", Annals of Statistics 2004. Ships with
    scikit-learn (BSD licence); here in raw units and not scaled over all rows, which would leak the test part.
    """

    def load(self) -> RawTable:
        """The table of scikit-learn."""
        from sklearn.datasets import load_diabetes

        bunch = load_diabetes(scaled=False)
        return RawTable(
            bunch.data.astype(np.float64), bunch.target.astype(np.float64), tuple(bunch.feature_names), "progression"
        )


class AutoMpg(ResplitRegression):
    """392 cars of 1970 to 1982; target: fuel economy in miles per US gallon, 9 to 46.6.

    Six numeric columns (weight in pounds, displacement in cubic inches) and the origin, which has no order, as three
    indicators. Rows of unknown horsepower are left out by the source, and so is the car's name.

    Source: Quinlan, "Combining Instance-Based and Model-Based Learning", ICML 1993; UCI repository (CC BY 4.0), as
    shipped with mlxtend (BSD licence).
    """

    def load(self) -> RawTable:
        """The table of mlxtend, whose eighth column (the name) is all NaN."""
        from mlxtend.data import autompg_data

        columns, mpg = autompg_data()
        origin = columns[:, 6:7] == np.array([[1.0, 2.0, 3.0]])
        names = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year")
        return RawTable(
            np.hstack([columns[:, :6], origin]), mpg, (*names, "origin_usa", "origin_europe", "origin_japan"), "mpg"
        )


class Boston(ResplitRegression):
    """506 census tracts of Boston in 1970; target: median value of owner-occupied homes in 1000 US dollars, 5 to 50.

    Kept only to compare with published tables, and no demo. The authors put a column `B` into the data that encodes
    the share of black residents, on the premise that self-segregation raises prices; scikit-learn removed the set in
    1.2 for that reason. Targets are also censored at 50. Choose another set for anything else.

    Source: Harrison and Rubinfeld, "Hedonic Housing Prices and the Demand for Clean Air", Journal of Environmental
    Economics and Management 1978; as shipped with mlxtend (BSD licence).
    """

    def load(self) -> RawTable:
        """The table of mlxtend."""
        from mlxtend.data import boston_housing_data

        columns, value = boston_housing_data()
        names = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")
        return RawTable(columns, value, names, "MEDV")
