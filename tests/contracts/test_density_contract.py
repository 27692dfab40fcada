"""What every likelihood and prior must do, checked for every file of conf/likelihood and conf/prior.

Another one is one class and one YAML file: nothing here names it.
"""

import inspect
import math
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch.func import functional_call, grad, stack_module_state, vmap

from paribus.densities import DiagonalGaussian, EvaluablePrior, Likelihood, Prior
from paribus.errors import UserError
from paribus.noise import draw
from paribus.number import Number

ROOT = Path(__file__).parents[2]
FILES = {group: sorted((ROOT / "conf" / group).glob("*.yaml")) for group in ("likelihood", "prior")}
each_likelihood = pytest.mark.parametrize("path", FILES["likelihood"], ids=lambda path: path.stem)
each_prior = pytest.mark.parametrize("path", FILES["prior"], ids=lambda path: path.stem)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
SAMPLES, BATCH, NUMBERS = 3, 5, 4


def read(path):
    """The class that a file names, and the arguments that it gives."""
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name), node


def made(path, **changes):
    target, arguments = read(path)
    return target(**arguments | changes)


def numbers_of(target):
    """The names of its numbers and their descriptors."""
    return {name: getattr(target, name) for name in dir(target) if isinstance(getattr(target, name), Number)}


def two_members(path):
    """Members that differ in every number."""
    target, arguments = read(path)
    numbers = {name: value for name, value in arguments.items() if name in numbers_of(target)}
    return [made(path, **{name: value * share for name, value in numbers.items()}) for share in (1, 0.3)]


def examples(likelihood, dtype, seed=0):
    """Examples that a likelihood takes, and outputs of a decoder."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, NUMBERS, dtype=torch.float64, generator=generator)
    try:
        likelihood.check(x, "this")
    except UserError:
        x = (x > 0).double()
        likelihood.check(x, "this")
    output = 2 * torch.randn(SAMPLES, BATCH, NUMBERS, dtype=torch.float64, generator=generator)
    return x.to(dtype), output.to(dtype)


def noise_of(prior, dtype, n=BATCH, seed=0):
    like = torch.zeros((), dtype=dtype)
    return draw(prior.noise_spec(), n, torch.Generator().manual_seed(seed), like=like)


@pytest.mark.parametrize("path", [*FILES["likelihood"], *FILES["prior"]], ids=lambda path: path.stem)
def test_file_gives_every_argument(path):
    target, arguments = read(path)
    parameters = inspect.signature(target).parameters if arguments or "__init__" in vars(target) else {}
    assert set(arguments) == set(parameters)
    assert all(parameter.default is parameter.empty for parameter in parameters.values())
    assert set(numbers_of(target)) <= set(arguments)
    assert path.read_text().startswith("# ")
    assert target.__doc__
    assert issubclass(target, Likelihood if path.parent.name == "likelihood" else Prior)


@pytest.mark.parametrize("path", [*FILES["likelihood"], *FILES["prior"]], ids=lambda path: path.stem)
def test_numbers_out_of_range_are_refused(path):
    for name, number in numbers_of(read(path)[0]).items():
        values = [float("nan"), float("inf"), -float("inf")]
        values += [number.above] if number.above > -float("inf") else []
        values += [number.least - 1] if number.least > -float("inf") else []
        values += [number.below] if number.below < float("inf") else []
        for value in values:
            with pytest.raises(ValueError, match="expected a finite number") as refusal:
                made(path, **{name: value})
            assert f"{name} is {value!r}" in str(refusal.value)


@each_likelihood
@each_dtype
def test_a_likelihood_is_of_each_example_and_sample(path, dtype):
    """Shapes, dtypes, and that no example or sample changes another's."""
    likelihood = made(path)
    x, output = examples(likelihood, dtype)
    for term in (likelihood.log_prob, likelihood.distortion):
        whole = term(x, output)
        assert whole.shape == (SAMPLES, BATCH)
        assert whole.dtype == dtype
        assert whole.isfinite().all()
        for sample in range(SAMPLES):
            torch.testing.assert_close(term(x, output[sample]), whole[sample])
        torch.testing.assert_close(term(x[2:3], output[:, 2:3]), whole[:, 2:3])
    assert likelihood.mean(output).shape == output.shape
    assert likelihood.mean(output).dtype == dtype


@each_likelihood
def test_a_likelihood_adds_up_to_1(path):
    """Of one number: over 0 and 1, where it refuses others, else by quadrature."""
    likelihood = made(path)
    output = torch.tensor([[0.7]], dtype=torch.float64)
    try:
        likelihood.check(torch.tensor([[0.3]]), "this")
    except UserError:
        x, width = torch.tensor([[0.0], [1.0]], dtype=torch.float64), 1.0
    else:
        x, width = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None], 1e-3
    total = likelihood.log_prob(x, output.expand(len(x), 1)).exp().sum().item() * width
    assert total == pytest.approx(1.0, abs=1e-9)


@each_likelihood
def test_numbers_of_an_example_are_independent(path):
    """The log-density of two numbers is the sum of theirs, and the distortion ranks outputs as the density does."""
    likelihood = made(path)
    x, output = examples(likelihood, torch.float64)
    x, output = x[:, :2], output[0, :, :2]
    crossed = torch.stack([output[:, 0], output.roll(1, 0)[:, 1]], dim=1)
    mixed = torch.stack([output.roll(1, 0)[:, 0], output[:, 1]], dim=1)
    both = output.roll(1, 0)
    difference = likelihood.log_prob(x, output) + likelihood.log_prob(x, both)
    torch.testing.assert_close(difference, likelihood.log_prob(x, crossed) + likelihood.log_prob(x, mixed))
    lost = likelihood.distortion(x, both) - likelihood.distortion(x, output)
    gained = likelihood.log_prob(x, output) - likelihood.log_prob(x, both)
    torch.testing.assert_close(lost, gained)


@each_likelihood
@each_dtype
def test_a_likelihood_is_finite_far_away(path, dtype):
    likelihood = made(path)
    x, _ = examples(likelihood, dtype)
    for size in (1e4, 1e15):
        output = torch.full((1, BATCH, NUMBERS), size, dtype=dtype, requires_grad=True)
        found = likelihood.distortion(x, output)
        (gradient,) = torch.autograd.grad(found.sum(), output)
        assert found.isfinite().all()
        assert gradient.isfinite().all()


@each_likelihood
@each_dtype
def test_a_stack_of_likelihoods_is_a_loop(path, dtype):
    members = two_members(path)
    pairs = [examples(members[0], dtype, seed) for seed in range(2)]
    xs, outputs = (torch.stack(each) for each in zip(*pairs, strict=True))

    class Called(torch.nn.Module):
        def __init__(self, likelihood):
            super().__init__()
            self.likelihood = likelihood

        def forward(self, x, output):
            return self.likelihood.distortion(x, output).mean()

    called = [Called(member) for member in members]

    def loss(output, x, state):
        return functional_call(called[0], state, (x, output))

    gradients = vmap(grad(loss))(outputs, xs, stack_module_state(called))
    for index, member in enumerate(called):
        output = outputs[index].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(member(xs[index], output), output)
        torch.testing.assert_close(gradients[index], gradient)
        assert gradient.dtype == dtype


@each_prior
@each_dtype
def test_a_priors_samples_are_functions_of_their_noise(path, dtype):
    prior = made(path)
    noise = noise_of(prior, dtype)
    code = prior.sample(noise)
    assert code.shape == (BATCH, prior.features)
    assert code.dtype == dtype
    assert code.isfinite().all()
    assert torch.equal(prior.sample({name: each[1:3] for name, each in noise.items()}), code[1:3])
    assert len(torch.unique(code[:, 0])) == BATCH


@each_prior
@each_dtype
def test_a_stack_of_priors_is_a_loop(path, dtype):
    """Samples of members that differ in every number, and the gradient of their densities."""
    members = two_members(path)
    noises = [noise_of(members[0], dtype, seed=seed) for seed in range(2)]
    stacked = {name: torch.stack([noise[name] for noise in noises]) for name in noises[0]}

    class Called(torch.nn.Module):
        def __init__(self, prior):
            super().__init__()
            self.prior = prior

        def forward(self, noise):
            code = self.prior.sample(noise)
            return code, self.prior.log_prob(0.5 * code) if isinstance(self.prior, EvaluablePrior) else code.sum(dim=1)

    called = [Called(member) for member in members]
    state = stack_module_state(called)
    codes, densities = vmap(lambda state, noise: functional_call(called[0], state, (noise,)))(state, stacked)
    for index, member in enumerate(called):
        code, density = member(noises[index])
        torch.testing.assert_close(codes[index], code)
        torch.testing.assert_close(densities[index], density)
    if list(members[0].buffers()):
        assert not torch.allclose(codes[0], members[1].sample(noises[0]))


@each_prior
def test_a_density_is_that_of_the_samples(path):
    """Where there is one: it adds up to 1 in the plane, and the shares of samples below some cuts are its."""
    prior = made(path, features=2) if "features" in read(path)[1] else made(path)
    if not isinstance(prior, EvaluablePrior):
        assert not hasattr(prior, "log_prob")
        return
    code = prior.sample(noise_of(prior, torch.float64, n=200_000))
    axis = torch.linspace(-9, 9, 361, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = prior.log_prob(grid).exp()
    assert density.sum().item() * 0.05**2 == pytest.approx(1.0, abs=1e-8)
    for cut in (-3.025, 0.125, 2.025):  # halfway between points of the grid
        for feature in (0, 1):
            share = (density * (grid[:, feature] < cut)).sum().item() * 0.05**2
            found = (code[:, feature] < cut).double().mean().item()
            assert found == pytest.approx(share, abs=5 * math.sqrt(0.25 / 200_000))


@each_prior
@each_dtype
def test_a_rate_is_finite_and_its_groups_add_up(path, dtype):
    """At extreme posteriors; and the mean over many samples is the mean log-ratio, within 6 standard errors."""
    prior = made(path)
    if not isinstance(prior, EvaluablePrior):
        return
    for mean, log_variance in [(0.0, 0.0), (1e4, -80.0), (-1.0, -200.0), (1e4, 60.0)]:
        shape = (2, prior.features)
        q = DiagonalGaussian(
            *(torch.full(shape, each, dtype=dtype, requires_grad=True) for each in (mean, log_variance))
        )
        noise = torch.randn(2, 3, prior.features, generator=torch.Generator().manual_seed(0)).to(dtype)
        rate = prior.rate(q, q.sample(noise))
        assert rate.shape[0] == 2
        assert rate.dtype == dtype
        assert rate.isfinite().all()
        assert all(each.isfinite().all() for each in torch.autograd.grad(rate.sum(), q))
    shape = (1, prior.features)
    q = DiagonalGaussian(torch.full(shape, 0.7).double(), torch.full(shape, -1.0).double())
    noise = torch.randn(1, 20_000, prior.features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    code = q.sample(noise)
    ratios = q.log_prob(code) - prior.log_prob(code)
    difference = prior.rate(q, code).sum() - ratios.mean()
    assert abs(difference.item()) <= 6 * ratios.std().item() / math.sqrt(20_000)
