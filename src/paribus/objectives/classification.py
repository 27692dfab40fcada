"""Classification: cross entropy, label smoothing, focal loss and the Brier score, of logits and labels.

Each is a pure term per example, and an objective that takes its mean. p = softmax(logits), y the label; gradients are
with respect to the logits.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from paribus.number import Number
from paribus.objectives.loss import ClassificationObjective, Loss, batch_mean


def labelled(
    logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]
) -> tuple[Float[Tensor, "batch classes"], Int[Tensor, "batch"]]:
    """Logits and labels that belong together, the labels as int64.

    Raises:
        ValueError: the shapes are not [batch, classes] and [batch], with at least one example and two classes, or the
            labels are no integers.
    """
    if logits.ndim != 2 or label.shape != logits.shape[:1] or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(
            f"logits have shape {list(logits.shape)} and labels {list(label.shape)}, "
            "expected [batch, classes] and [batch], with at least one example and two classes"
        )
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool:
        raise ValueError(f"labels are of {label.dtype}, expected integers that number the classes from 0")
    return logits, label.long()


def of_label(values: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Each example's value of its own class; a label that is no class is an error."""
    return values.gather(-1, label[:, None])[:, 0]


def cross_entropy(logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """-log p_y, in nats."""
    return -of_label(logits.log_softmax(-1), label)


def uniform_cross_entropy(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch"]:
    """The mean over the classes of -log p, in nats: the cross entropy of the uniform distribution."""
    return -logits.log_softmax(-1).mean(-1)


def focal(
    logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"], gamma: Float[Tensor, ""]
) -> Float[Tensor, "batch"]:
    """-(1 - p_y)^gamma log p_y, in nats.

    With m, the margin of y's logit over the log-sum-exp of the others, p_y is the logistic function of m and 1 - p_y
    that of -m. So nothing cancels, and the power is exp(gamma log(1 - p_y)), whose gradient is finite at p_y = 1, where
    that of (1 - p_y)^gamma is infinite for gamma < 1.
    """
    others = logits.scatter(-1, label[:, None], -torch.inf).logsumexp(-1)
    margin = of_label(logits, label) - others
    return -torch.exp(gamma.to(logits.dtype) * logsigmoid(-margin)) * logsigmoid(margin)


def brier(logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """The sum over the classes of (p - onehot)^2, between 0 and 2."""
    onehot = torch.zeros_like(logits).scatter(-1, label[:, None], 1)
    return (logits.softmax(-1) - onehot).square().sum(-1)


class CrossEntropy(ClassificationObjective):
    """The mean of -log p_y, in nats: a proper score, minimised by the true probabilities.

    Gradient p - onehot: each entry within [-1, 1]. Source: Good, Rational decisions (1952).
    """

    def forward(self, logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `cross_entropy`."""
        mean = batch_mean(cross_entropy(*labelled(logits, label)))
        return Loss(mean, {"cross_entropy": mean})


class LabelSmoothing(ClassificationObjective):
    """The cross entropy, in nats, of labels that are uncertain: q = (1 - smoothing) onehot + smoothing / classes.

    Gradient p - q. Minimised by the true probabilities mixed with the uniform ones, so that confidence stays below
    1 - smoothing + smoothing / classes at the optimum, and the logits finite.
    Source: Szegedy et al., Rethinking the Inception architecture for computer vision (2016), section 7.

    Args:
        smoothing: the share of each label that is spread over all classes, its own among them; from 0 to below 1.

    Raises:
        ValueError: smoothing is out of range.
    """

    smoothing = Number(least=0, below=1)

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Loss:
        """The loss of a batch: the terms `label`, (1 - smoothing) of the cross entropy, and `uniform`, the rest."""
        logits, label = labelled(logits, label)
        own_share, uniform_share = ((1 - self.smoothing).to(logits.dtype), self.smoothing.to(logits.dtype))
        own = batch_mean(own_share * cross_entropy(logits, label))
        uniform = batch_mean(uniform_share * uniform_cross_entropy(logits))
        return Loss(own + uniform, {"label": own, "uniform": uniform})


class Focal(ClassificationObjective):
    """The mean of -(1 - p_y)^gamma log p_y, in nats: examples that are classified well count less.

    Gradient that of the cross entropy times (1 - p_y)^(gamma - 1) (1 - p_y - gamma p_y log p_y). Not a proper score for
    gamma > 0: its minimum is less confident than the true probabilities. The cross entropy at gamma = 0.
    Source: Lin et al., Focal loss for dense object detection (2017), equation 4.

    Args:
        gamma: how fast an example's weight falls with its probability; at least 0.

    Raises:
        ValueError: gamma is out of range.
    """

    gamma = Number(least=0)

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `focal`."""
        mean = batch_mean(focal(*labelled(logits, label), self.gamma))
        return Loss(mean, {"focal": mean})


class Brier(ClassificationObjective):
    """The mean of the squared distance between p and the label's onehot: a proper score, between 0 and 2.

    Gradient 2 p (d - sum(p d)) with d = p - onehot: bounded, and 0 where the network is sure, rightly or wrongly, so
    that an example that is wrong beyond doubt does not pull.
    Source: Brier, Verification of forecasts expressed in terms of probability (1950).
    """

    def forward(self, logits: Float[Tensor, "batch classes"], label: Int[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `brier`."""
        mean = batch_mean(brier(*labelled(logits, label)))
        return Loss(mean, {"brier": mean})
