"""Penalties of a discriminator's gradient, known exactly for critics whose gradient is known."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from paribus.networks import Mlp
from paribus.noise import NoiseSpec
from paribus.objectives import R1, GradientPenalty, Wasserstein
from paribus.objectives.penalties import squared_gradient_norms

BATCHES = [1, 2, 7, 64]


def points(n, features=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, n, features, dtype=torch.float64, generator=generator).unbind()
    return real, fake + 4, {"between": torch.rand(n, dtype=torch.float64, generator=generator)}


def linear(*weights):
    weight = torch.tensor(weights, dtype=torch.float64)
    return lambda x: x.flatten(1) @ weight + 5.0


def mlp(seed=0, features=3):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mlp(features, 1, [5, 4], "tanh", "none", 0.0).double()


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("weights", [(3.0, 4.0, 0.0), (0.3, 0.0, -0.4), (0.6, 0.8, 0.0), (0.0, 0.0, 0.0)])
def test_a_linear_critic_pays_the_same_at_every_batch_size(n, weights):
    """(|w| - 1)^2 for both sides, what exceeds 1 alone for one; weight / 2 |w|^2 for R1."""
    real, fake, noise = points(n)
    norm = math.hypot(*weights)
    of_both = GradientPenalty(10.0, one_sided=False)(linear(*weights), real, fake, noise)
    of_one = GradientPenalty(10.0, one_sided=True)(linear(*weights), real, fake, noise)
    assert of_both.item() == pytest.approx(10 * (norm - 1) ** 2, rel=1e-9, abs=1e-14)
    assert of_one.item() == pytest.approx(10 * max(norm - 1, 0) ** 2, rel=1e-9, abs=1e-14)
    assert R1(0.7)(linear(*weights), real, fake, {}).item() == pytest.approx(0.7 / 2 * norm**2, rel=1e-12)


def test_each_example_has_a_norm_of_its_own():
    """Of x_1^2 / 2 the gradient is x_1 itself: the mean of (|x_1| - 1)^2, which no norm over the batch is."""
    real = torch.tensor([[0.5, 9.0], [3.0, -2.0], [-2.0, 0.0]], dtype=torch.float64)

    def critic(x):
        return x[:, 0].square() / 2

    at_real = {"between": torch.ones(3, dtype=torch.float64)}
    found = GradientPenalty(2.0, one_sided=False)(critic, real, real + 7, at_real)
    assert found.item() == pytest.approx(2 * (0.25 + 4 + 1) / 3, rel=1e-12)
    one_sided = GradientPenalty(2.0, one_sided=True)(critic, real, real + 7, at_real)
    assert one_sided.item() == pytest.approx(2 * (4 + 1) / 3, rel=1e-12)
    assert R1(2.0)(critic, real, real + 7, {}).item() == pytest.approx((0.25 + 9 + 4) / 3, rel=1e-12)


def test_points_lie_between_each_pair():
    """By hand: shares 0, 1/4 and 1 of the real one, where the gradient of x^2 / 2 is the point."""
    real, fake = torch.tensor([[4.0], [4.0], [4.0]]), torch.tensor([[2.0], [8.0], [5.0]])
    share = {"between": torch.tensor([0.0, 0.25, 1.0])}
    penalty = GradientPenalty(1.0, one_sided=False)
    found = penalty(lambda x: x[:, 0].square() / 2, real, fake, share)
    assert found.item() == pytest.approx((1**2 + 6**2 + 3**2) / 3, rel=1e-6)
    assert penalty.noise_spec() == {"between": NoiseSpec((), "uniform")}
    assert R1(1.0).noise_spec() == {}


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4), (2, 3, 2)])
def test_norms_of_images_are_over_all_their_numbers(shape):
    x = torch.randn(5, *shape, dtype=torch.float64)
    network = mlp(features=math.prod(shape))
    squares = squared_gradient_norms(lambda x: network(x)[:, 0], x)
    for index in range(5):
        one = x[index : index + 1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network(one)[:, 0].sum(), one)
        torch.testing.assert_close(squares[index], gradient.square().sum())


@pytest.mark.parametrize("penalty", [GradientPenalty(10.0, False), GradientPenalty(0.5, True), R1(2.0)])
def test_the_gradient_in_the_weights_is_that_of_differences(penalty):
    """Through the gradient of the gradient: against autograd with create_graph, and against finite differences."""
    real, fake, noise = points(6)
    network = mlp()
    with torch.no_grad():
        network.output.weight.mul_(30)  # beyond a norm of 1, so that the one-sided penalty has a gradient
    weight = network.hidden[0][0].weight
    penalty(lambda x: network(x)[:, 0], real, fake, noise).backward()
    found = weight.grad.clone()

    def value(change):
        with torch.no_grad():
            weight.add_(change)
            result = penalty(lambda x: network(x)[:, 0], real, fake, noise).item()
            weight.sub_(change)
        return result

    for place in ((0, 0), (2, 1), (4, 2)):
        change = torch.zeros_like(weight)
        change[place] = 1e-5
        assert found[place].item() == pytest.approx((value(change) - value(-change)) / 2e-5, rel=1e-5)
    assert found.abs().max() > 0


def test_a_critic_without_slope_has_a_finite_gradient():
    """Its norm is 0, whose root has no derivative: the penalty is 1, and moves nothing."""
    network = mlp()
    with torch.no_grad():
        network.output.weight.zero_()
    real, fake, noise = points(4)
    loss = GradientPenalty(1.0, one_sided=False)(lambda x: network(x)[:, 0], real, fake, noise)
    loss.backward()
    assert loss.item() == pytest.approx(1.0, rel=1e-9)
    assert all(each.grad is None or each.grad.isfinite().all() for each in network.parameters())


@pytest.mark.parametrize(
    ("penalties"),
    [
        [GradientPenalty(10.0, False), GradientPenalty(1.0, False)],
        [GradientPenalty(10.0, True), GradientPenalty(0.1, True)],
        [R1(1.0), R1(5.0)],
    ],
    ids=["two-sided", "one-sided", "r1"],
)
def test_a_stack_is_a_loop(penalties):
    """Value and gradient in the weights, of members that differ in weights, examples and the penalty's weight."""
    networks, batches = [mlp(0), mlp(1)], [points(5, seed=0), points(5, seed=1)]
    real, fake, between = (
        torch.stack(each) for each in zip(*[(r, f, n["between"]) for r, f, n in batches], strict=True)
    )
    weights, _ = stack_module_state(networks)
    _, numbers = stack_module_state(penalties)

    def loss(parameters, number, real, fake, between):
        def critic(x):
            return functional_call(networks[0], parameters, (x,))[:, 0]

        return functional_call(penalties[0], number, (critic, real, fake, {"between": between}))

    together = vmap(loss)(weights, numbers, real, fake, between)
    together.sum().backward()
    for index, (network, penalty, (r, f, noise)) in enumerate(zip(networks, penalties, batches, strict=True)):
        alone = penalty(lambda x, network=network: network(x)[:, 0], r, f, noise)
        torch.testing.assert_close(together[index], alone)
        names = [name for name, _ in network.named_parameters()]
        gradients = torch.autograd.grad(alone, list(network.parameters()), allow_unused=True, materialize_grads=True)
        for name, gradient in zip(names, gradients, strict=True):
            stacked = weights[name].grad
            mine = torch.zeros_like(gradient) if stacked is None else stacked[index]
            torch.testing.assert_close(mine, gradient)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_penalty_is_known_where_nothing_is_trained(mode):
    network, (real, fake, noise) = mlp(), points(4)

    def penalty():
        return GradientPenalty(10.0, one_sided=False)(lambda x: network(x)[:, 0], real, fake, noise)

    expected = penalty().item()
    with mode():
        assert penalty().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("shift", "difference"), [(1.0, 1.05), (2.0, 2.2), (4.0, 4.8)])
def test_the_penalised_optimum_of_a_linear_critic(shift, difference):
    """min -w m + lambda (|w| - 1)^2 is at w = 1 + m / (2 lambda): the scores differ by w m, which is not W1 = m."""
    generator = torch.Generator().manual_seed(0)
    fake = torch.randn(500, 1, dtype=torch.float64, generator=generator)
    real, noise = fake.flip(0) + shift, {"between": torch.rand(500, dtype=torch.float64, generator=generator)}
    critic = nn.Linear(1, 1).double()
    with torch.no_grad():
        critic.weight.fill_(0.3)  # the sign is right: a wrong one is a local optimum
    penalty, objective = GradientPenalty(10.0, one_sided=False), Wasserstein()
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.02)
    for _ in range(200):
        scores = critic(real)[:, 0], critic(fake)[:, 0]
        loss = objective.discriminator(*scores).total + penalty(lambda x: critic(x)[:, 0], real, fake, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = (critic(real).mean() - critic(fake).mean()).item()
    assert found == pytest.approx(shift * (1 + shift / 20), rel=1e-6)
    assert found == pytest.approx(difference, rel=0.02)


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_weights_out_of_range(weight):
    with pytest.raises(ValueError, match="weight is"):
        GradientPenalty(weight, one_sided=False)
    with pytest.raises(ValueError, match="weight is"):
        R1(weight)
