"""The trainer's choices: passes, half precision, compiled networks, determinism, the debugger, and what they refuse."""

import math
from functools import partial

import pytest
import torch

from paribus.build import build_data, build_family, build_training
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import UserError
from paribus.families.division import Division
from paribus.families.means import what_is_no_mean
from paribus.population.choice import choose
from paribus.population.members import Member
from paribus.study.keys import train_key
from paribus.study.records import completed
from paribus.training.curves import Curves

SINE = (
    "data=sine",
    "data.n_train=90",
    "network=mlp",
    "network.hidden=[8]",
    "trainer.max_steps=30",
    "trainer.validate_every=10",
)
GAN = ("family=gan", "data=ring_of_gaussians", "data.n_train=90", "trainer.max_steps=9", "trainer.validate_every=9")


@pytest.fixture(scope="module")
def read():
    composer = Composer(open_tree())
    return lambda *words: composer.read(words).resolved


def built(config):
    data = build_data(config)
    data.setup()
    return build_family(config, data), data


def fit(config, folder, family=None, data=None):
    """The family of a config, trained, and its curves."""
    if family is None:
        family, data = built(config)
    curves = Curves()
    build_training(config).fit(family, data, folder, curves, [], progress=False)
    return family, curves


def apart(one, other):
    """The largest difference of two families' weights and buffers."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.mark.parametrize("rows", [1, 2, 3, 16, 17])
@pytest.mark.parametrize(("processes", "passes"), [(1, 1), (1, 4), (2, 1), (3, 2)])
def test_shares_are_the_minibatch_each_row_once(rows, processes, passes):
    shares = [share for rank in range(processes) for share in Division(processes, rank, passes).shares(rows)]
    taken = [row for span, weight in shares if weight for row in range(rows)[span]]
    assert taken == list(range(rows))
    assert all(len(range(rows)[span]) >= 1 for span, _ in shares)
    assert math.fsum(weight for _, weight in shares) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("words", [
    (*SINE, "family.input_noise=0.3", "trainer.clip_norm=0.1"),
    (*SINE, "optimizer=lbfgs", "optimizer.max_iter=4", "trainer.max_steps=2"),
    (*GAN, "penalty=gradient_penalty", "family.averaging=0.9", "family.critic_steps=2"),
    (*GAN, "constraint=spectral_norm"),
])  # fmt: skip
def test_passes_of_a_minibatch_are_one_step_on_all_of_it(read, tmp_path, words):
    """The same steps of 16 examples, the last of an epoch of fewer: rounding is of 1e-16, and training amplifies it."""
    words = (*words, "trainer.precision=64-true")
    whole, curves = fit(read(*words, "data.batch_size=16"), tmp_path)
    divided, its = fit(read(*words, "data.batch_size=4", "trainer.accumulate=4"), tmp_path)
    assert divided.step == whole.step
    assert apart(whole, divided) < 1e-9
    assert its.rows.keys() == curves.rows.keys()
    for step, row in curves.rows.items():
        assert its.rows[step] == pytest.approx(row, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("words", "named"), [
    ((*SINE, "network.normalisation=batch"), "the term squared of phase loss"),
    (("family=wae", "data=linear_gaussian", "trainer.max_steps=9"), "mmd"),
    ((*GAN, "objective=relativistic_average"), "phase discriminator"),
])  # fmt: skip
def test_what_is_no_mean_over_examples_is_not_divided_unless_told_to(read, tmp_path, words, named):
    words = (*words, "trainer.accumulate=2", "data.batch_size=8")
    with pytest.raises(UserError, match=r"trainer\.accumulate=2 .* trainer\.approximate=true") as told:
        fit(read(*words), tmp_path)
    assert named in str(told.value)
    family, _ = fit(read(*words, "trainer.approximate=true", "trainer.max_steps=2"), tmp_path)
    assert family.step == 2


@pytest.mark.parametrize(("size", "accumulate", "most"), [(32, 8, 16), (1024, 2, 31), (1, 8, 5)])
def test_trying_whether_a_loss_is_a_mean_takes_no_more_memory_than_a_pass(read, size, accumulate, most):
    """In float64, which is twice as much a row."""
    config = read(*SINE, "data.n_train=2048", f"data.batch_size={size}", f"trainer.accumulate={accumulate}")
    family, data = built(config)
    loader, seen = build_training(config).begin(family, data, lambda: 0), []
    family.network.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    assert what_is_no_mean(family, loader, accumulate) == ""
    assert 3 <= max(seen) <= most
    assert len(set(seen)) == 3


def test_scaled_gradients_move_the_same_way_and_overflow_leaves_a_step_out(read):
    """Powers of two scale without rounding, so weights are equal bit for bit; an infinite gradient moves nothing."""
    config = read(*SINE, "trainer.clip_norm=0.1", "trainer.accumulate=2")
    plain, scaled = (built(config) for _ in range(2))
    families = []
    for family, data in (plain, scaled):
        loader = build_training(config).begin(family, data, lambda: 0)
        if data is scaled[1]:
            family.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1000)
        optimizers = family.configure_optimizers()
        history = family.advance(loader.chunk(range(20)), optimizers)
        families.append((family, optimizers, loader, history.means()))
    assert apart(families[0][0], families[1][0]) == 0
    assert families[0][3] == families[1][3]
    family, optimizers, loader, _ = families[1]
    before = [parameter.clone() for parameter in family.parameters()]
    handle = family.network.output.weight.register_hook(lambda gradient: gradient * torch.inf)
    family.advance(loader.chunk(range(20, 21)), optimizers)
    handle.remove()
    assert all(map(torch.equal, before, family.parameters()))
    assert family.scaler.get_scale() == 2.0**9


@pytest.mark.parametrize("words", [
    SINE,
    ("data=gaussian_classes", "family=classification", "network=mlp", "trainer.max_steps=3"),
    (*GAN, "objective=hinge"),
    ("family=vae", "data=linear_gaussian", "likelihood=gaussian", "trainer.max_steps=3"),
])  # fmt: skip
def test_half_precision_is_of_the_networks_alone(read, tmp_path, words):
    """Weights and losses are float32 throughout, and what a network computes within is bfloat16."""
    config = read(*words, "trainer.precision=bf16-mixed")
    family, data = built(config)
    seen, losses = set(), set()
    layers = [each for each in family.modules() if isinstance(each, torch.nn.Linear)]
    for each in layers:
        each.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    for phase in family.phases:
        object.__setattr__(phase, "loss", partial(_noted, phase.loss, losses))
    fit(config, tmp_path, family, data)
    assert layers
    assert seen == {torch.bfloat16}
    assert losses == {torch.float32}
    assert {parameter.dtype for parameter in family.parameters()} == {torch.float32}


def _noted(loss, dtypes, *inputs):
    value = loss(*inputs)
    dtypes |= {value.total.dtype, *(term.dtype for term in value.terms.values())}
    return value


def test_half_precision_rounds_as_bfloat16_does(read):
    """|y' - y| <= 3 u (|w| |x| + |b|), of inputs, weights and output rounded with u = 2^-8, to first order."""
    family, data = built(read("data=sine", "network=linear"))
    x = data.parts["train"]["x"]
    with torch.no_grad():
        exact = family.predict(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = family.predict(x)
        linear = family.network.linear
        bound = 3.05 * 2**-8 * (x.abs() @ linear.weight.abs().T + linear.bias.abs()).squeeze(-1)
    assert half.dtype == torch.float32
    assert bool(((half - exact).abs() <= bound).all())
    assert not torch.equal(half, exact)


def test_determinism_is_of_the_training_alone(read, tmp_path):
    config = read(*SINE, "trainer.deterministic=true")
    family, data = built(config)
    inside = []
    family.on_train_start = lambda: inside.append(torch.are_deterministic_algorithms_enabled())
    fit(config, tmp_path, family, data)
    assert inside == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_debugger_names_the_operation(read, tmp_path):
    """The root of -1 is not a number, and neither is its gradient: the step is not taken."""
    config = read(*SINE, "trainer=debug")
    family, data = built(config)
    phase = family.phases[0]
    loss = phase.loss
    object.__setattr__(phase, "loss", lambda *inputs: _rooted(loss(*inputs)))
    with pytest.raises(RuntimeError, match=r"SqrtBackward0.*nan"), pytest.warns(UserWarning, match="SqrtBackward0"):
        fit(config, tmp_path, family, data)
    assert family.step == 0
    assert not torch.is_anomaly_enabled()


def _rooted(loss):
    return loss._replace(total=(loss.total * 0 - 1).sqrt())


def test_what_there_is_no_device_for_is_refused(read):
    with pytest.raises(ValueError, match="precision is '16-mixed', expected bf16-mixed on a CPU"):
        build_training_unwrapped(read(*SINE), precision="16-mixed")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match=r"accelerator=gpu takes 2 of CUDA's GPUs, and this machine shows 0"):
            build_training(read(*SINE, "trainer=gpu", "trainer.devices=2")).demand_devices()


def build_training_unwrapped(config, **changes):
    from paribus.training import Training

    return Training(**{name: value for name, value in config["trainer"].items() if name != "_target_"} | changes)


def test_a_machine_without_compiler_is_told(read, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function: _fail)
    with pytest.raises(UserError, match=r"trainer\.compile=true needs .*: no compiler found; expected"):
        fit(read(*SINE, "trainer.compile=true"), tmp_path)


def _fail(*inputs):
    raise RuntimeError("no compiler found\nand more")


def test_a_fused_optimizer_of_one_evaluation_a_step_is_needed_for_scaled_gradients(read, tmp_path):
    config = read(*SINE, "optimizer=lbfgs")
    family, data = built(config)
    training = build_training(config)
    training.precision = "16-mixed"  # as a GPU would allow
    with pytest.raises(UserError, match="16-mixed and L-BFGS"):
        training.fit(family, data, tmp_path, Curves(), [], progress=False)


@pytest.mark.parametrize(("word", "why"), [
    ("trainer.devices=2", "devices=2"),
    ("trainer.compile=true", "compile=true"),
    ("trainer.detect_anomaly=true", "detect_anomaly=true"),
])  # fmt: skip
def test_what_one_program_cannot_do_is_trained_alone_and_said(read, word, why):
    configs = [read(*SINE, word, f"seed={seed}") for seed in range(4)]
    members = [Member(*built(config)) for config in configs]
    choice = choose(members, build_training(configs[0]))
    assert not choice.together
    assert why in choice.why
    assert why in choose(members[:1], build_training(configs[0])).why


def test_choices_are_part_of_what_identifies_a_run_and_earlier_records_stay_theirs(read):
    changes = (
        "devices=2",
        "accumulate=2",
        "precision=64-true",
        "compile=true",
        "deterministic=true",
        "detect_anomaly=true",
    )
    plain = read(*SINE)
    assert len({train_key(read(*SINE, f"trainer.{change}")) for change in changes} | {train_key(plain)}) == 7
    assert train_key(read("trainer=debug")) != train_key(read("trainer.max_steps=10", "trainer.validate_every=5"))
    new = ("devices", "compile", "accumulate", "approximate", "deterministic", "detect_anomaly")
    earlier = {**plain, "trainer": {name: value for name, value in plain["trainer"].items() if name not in new}}
    assert train_key(earlier) == train_key(plain)
    assert completed(earlier) == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [SINE, ("data=gaussian_classes", "family=classification", "network=mlp", "network.dropout=0.2")]
)
def test_compiled_networks_train_alike_under_the_same_names(read, tmp_path, words):
    words = (*words, "trainer.precision=64-true", "trainer.max_steps=20", "trainer.save_checkpoint=true")
    plain, _ = fit(read(*words), tmp_path)
    ours, _ = fit(read(*words, "trainer.compile=true"), tmp_path)
    assert apart(plain, ours) < 1e-9
    assert list(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]) == list(plain.state_dict())
    assert "forward" not in vars(ours.network)
