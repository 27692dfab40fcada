"""p(z): standard normal, Gaussians on a ring, and two shapes of which only samples are had."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.densities.contract import EvaluablePrior, Prior
from paribus.densities.gaussian import LOG_TWO_PI, DiagonalGaussian, kl_from_standard_normal
from paribus.noise import NoiseSpec
from paribus.number import Number


def _checked(features: int, least: int = 1) -> int:
    if features < least:
        raise ValueError(f"features is {features}, expected at least {least}")
    return features


class StandardNormal(EvaluablePrior):
    """N(0, I).

        p(z) = product over j of exp(-z_j^2 / 2) / sqrt(2 pi)

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013).

    Args:
        features: numbers of a code, at least 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = _checked(features)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The sample itself."""
        return {"code": NoiseSpec((self.features,))}

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """The noise."""
        return noise["code"]

    def log_prob(self, code: Float[Tensor, "*samples features"]) -> Float[Tensor, "*samples"]:
        """log N(z; 0, I)."""
        return -(code.square().sum(dim=-1) + self.features * LOG_TWO_PI) / 2

    def rate(
        self, posterior: DiagonalGaussian, code: Float[Tensor, "samples batch features"]
    ) -> Float[Tensor, "batch features"]:
        """The exact divergence, feature by feature; the samples are not used."""
        return kl_from_standard_normal(posterior.mean, posterior.log_variance)


class GaussianMixture(EvaluablePrior):
    """Equally probable Gaussians with their means on a circle in the first two features, at equal angles.

    Its divergence from a Gaussian posterior has no closed form, so the ELBO takes a Monte-Carlo estimate of it.

        p(z) = 1 / modes  sum_k N(z; c_k, scale^2 I),   c_k = radius (cos 2 pi k / modes, sin 2 pi k / modes, 0, ...)

    Source: Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial Autoencoders (2015).

    Args:
        features: numbers of a code, at least 2.
        modes: how many, at least 1.
        radius: of the circle.
        scale: standard deviation of each mode in every feature.

    Raises:
        ValueError: an argument is out of range.
    """

    radius = Number(least=0)
    scale = Number(above=0)

    def __init__(self, features: int, modes: int, radius: float, scale: float) -> None:
        super().__init__()
        if modes < 1:
            raise ValueError(f"modes is {modes}, expected at least 1")
        self.features, self.modes = _checked(features, least=2), modes
        self.radius, self.scale = radius, scale

    def centres(self, like: Tensor) -> Float[Tensor, "modes features"]:
        """The modes' means, in a tensor's dtype and on its device."""
        angle = torch.arange(self.modes, device=like.device, dtype=torch.float64) * (2 * math.pi / self.modes)
        circle = self.radius * torch.stack([angle.cos(), angle.sin()], dim=1)
        return torch.nn.functional.pad(circle, (0, self.features - 2)).to(like.dtype)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number that chooses the mode, and where in it the sample lies."""
        return {"mode": NoiseSpec((), "uniform"), "code": NoiseSpec((self.features,))}

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """A mode's mean and scale times the noise."""
        mode = (noise["mode"] * self.modes).long().clamp(max=self.modes - 1)
        return self.centres(noise["code"])[mode] + self.scale.to(noise["code"].dtype) * noise["code"]

    def log_prob(self, code: Float[Tensor, "*samples features"]) -> Float[Tensor, "*samples"]:
        """log of the mean of the modes' densities."""
        scale = self.scale.to(code.dtype)
        squares = ((code[..., None, :] - self.centres(code)) / scale).square().sum(dim=-1)
        constant = self.features * (LOG_TWO_PI / 2 + scale.log()) + math.log(self.modes)
        return torch.logsumexp(-squares / 2, dim=-1) - constant


class SwissRoll(Prior):
    """A spiral in the plane with noise about it: extent t (cos t, sin t) / 4.5 pi, t uniform on [1.5 pi, 4.5 pi].

    Source: Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial Autoencoders (2015).

    Args:
        extent: the largest distance from the origin, noise apart.
        scale: standard deviation of the noise.

    Raises:
        ValueError: an argument is out of range.
    """

    features = 2
    extent = Number(above=0)
    scale = Number(least=0)

    def __init__(self, extent: float, scale: float) -> None:
        super().__init__()
        self.extent, self.scale = extent, scale

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for the angle, and the noise."""
        return {"angle": NoiseSpec((), "uniform"), "code": NoiseSpec((2,))}

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """Points of the spiral."""
        code = noise["code"]
        angle = math.pi * (1.5 + 3 * noise["angle"].to(code.dtype))
        spiral = torch.stack([angle.cos(), angle.sin()], dim=1) * angle[:, None] / (4.5 * math.pi)
        return self.extent.to(code.dtype) * spiral + self.scale.to(code.dtype) * code


class Uniform(Prior):
    """Uniform on the cube [-extent, extent]^features.

    It has a density, but none outside the cube, where every Gaussian posterior has mass: its divergence is infinite.

        p(z) = (2 extent)^-features within the cube, 0 outside

    Source: Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks (2016), section 4, for the latents of a generator.

    Args:
        features: numbers of a code, at least 1.
        extent: half the edge of the cube.

    Raises:
        ValueError: an argument is out of range.
    """

    extent = Number(above=0)

    def __init__(self, features: int, extent: float) -> None:
        super().__init__()
        self.features = _checked(features)
        self.extent = extent

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """Where in the unit cube a sample lies."""
        return {"code": NoiseSpec((self.features,), "uniform")}

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """Points of the cube."""
        return self.extent.to(noise["code"].dtype) * (2 * noise["code"] - 1)
