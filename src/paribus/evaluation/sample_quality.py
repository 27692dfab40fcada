"""How samples of a latent-variable model compare with held-out examples, in the features of a named classifier."""

from paribus.study.structure import Metric


class SampleQuality:
    """Distances of samples from as many held-out examples, beside those of real examples from them.

    Args:
        samples: at most so many of each; the smaller of the test and the validation part, where that is less.

    Raises:
        ValueError: samples is below 2.
    """

    measures: tuple[Metric, ...] = (
        Metric("sample_frechet", "minimise", scale="log"),
        Metric("sample_frechet_floor", "neither", scale="log"),
        Metric("sample_kernel_distance", "minimise"),
        Metric("sample_kernel_distance_floor", "neither"),
        Metric("sample_count", "neither"),
        Metric("yardstick_accuracy", "neither"),
    )

    def __init__(self, samples: int) -> None:
        if samples < 2:
            raise ValueError(f"samples is {samples}, expected at least 2")
        self.samples = samples
