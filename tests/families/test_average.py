"""The moving average of weights against a loop written by hand."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from paribus.families.average import WeightAverage


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def walk(module, generator):
    """The weights move somewhere."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_the_average_is_the_recursion(decay):
    """a <- decay a + (1 - decay) w from the initial weights on, and its closed form: a sum of powers of the decay."""
    module, generator = network(), torch.Generator().manual_seed(0)
    average = WeightAverage(module, decay)
    by_hand = [parameter.detach().clone() for parameter in module.parameters()]
    history = [[parameter.detach().clone() for parameter in module.parameters()]]
    for _ in range(20):
        walk(module, generator)
        average.update(module)
        by_hand = [decay * a + (1 - decay) * p.detach() for a, p in zip(by_hand, module.parameters(), strict=True)]
        history.append([parameter.detach().clone() for parameter in module.parameters()])
    found = average.weights()
    assert list(found) == [name for name, _ in module.named_parameters()]
    for place, value in enumerate(found.values()):
        torch.testing.assert_close(value, by_hand[place], rtol=1e-12, atol=1e-13)
        series = decay**20 * history[0][place]
        series = series + sum((1 - decay) * decay ** (20 - step) * history[step][place] for step in range(1, 21))
        torch.testing.assert_close(value, series, rtol=1e-10, atol=1e-12)


def test_weights_that_rest_are_their_average():
    module = network()
    average = WeightAverage(module, 0.9)
    for _ in range(50):
        average.update(module)
    assert all(torch.equal(value, parameter) for value, parameter in zip(
        average.weights().values(), module.parameters(), strict=True
    ))  # fmt: skip


def test_the_module_is_read_and_not_changed():
    module = network()
    before = [parameter.clone() for parameter in module.parameters()]
    average = WeightAverage(module, 0.5)
    walk(module, torch.Generator().manual_seed(0))
    assert all(torch.equal(*pair) for pair in zip(average.weights().values(), before, strict=True))
    now = [parameter.clone() for parameter in module.parameters()]
    average.update(module)
    average.call(module, torch.zeros(1, 3, dtype=torch.float64))
    assert all(torch.equal(*pair) for pair in zip(module.parameters(), now, strict=True))
    assert not list(average.parameters())


def test_a_call_is_by_the_averaged_weights():
    module, other = network(), network(1)
    average = WeightAverage(module, 0.25)
    x = torch.randn(5, 3, dtype=torch.float64)
    walk(module, torch.Generator().manual_seed(0))
    average.update(module)
    other.load_state_dict(dict(average.weights()))
    assert torch.equal(average.call(module, x), other(x))


def test_the_average_is_kept_in_checkpoints_and_the_decay_is_not():
    module = network()
    average = WeightAverage(module, 0.5)
    walk(module, torch.Generator().manual_seed(0))
    average.update(module)
    other = WeightAverage(network(1), 0.9)
    other.load_state_dict(average.state_dict())
    for value, kept in zip(average.weights().values(), other.weights().values(), strict=True):
        assert torch.equal(value, kept)
    assert other.decay.item() == 0.9


def test_a_stack_is_a_loop():
    """Members that differ in their weights and in their decay."""
    modules, decays = [network(0), network(1)], [0.5, 0.99]
    averages = [WeightAverage(module, decay) for module, decay in zip(modules, decays, strict=True)]
    for module in modules:
        walk(module, torch.Generator().manual_seed(0))
    parameters, _ = stack_module_state(modules)
    _, buffers = stack_module_state(averages)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.module, self.average = modules[0], averages[0]

        def forward(self):
            self.average.update(self.module)
            return torch.zeros(())

    both = Both()

    def update(parameters, buffers):
        named = {f"module.{name}": each for name, each in parameters.items()}
        named |= {f"average.{name}": each for name, each in buffers.items()}
        return functional_call(both, named, ())

    vmap(update)(parameters, buffers)
    for row, (module, average) in enumerate(zip(modules, averages, strict=True)):
        average.update(module)
        for name, value in average.state_dict().items():
            torch.testing.assert_close(buffers[name][row], value, rtol=1e-14, atol=0)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range(decay):
    with pytest.raises(ValueError, match=r"decay is .*, expected a finite number at least 0 and below 1"):
        WeightAverage(network(), decay)


def test_running_moments_are_averaged_too():
    """Weights of the past with the moments of the present would be a network that never was."""
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = WeightAverage(module, 0.5)
    start = module[1].running_mean.clone()
    module[1].running_mean.fill_(2.0)
    average.update(module)
    torch.testing.assert_close(average.weights()["1.running_mean"], (start + 2) / 2)
    assert "1.num_batches_tracked" not in average.weights()
