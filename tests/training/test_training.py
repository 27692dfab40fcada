"""Training against a plain PyTorch loop, and resumed against never interrupted."""

import logging
import math
import os
import resource
import signal
import time
from functools import partial

import pytest
import torch

from paribus.data import Contamination, Sine
from paribus.data.chunks import epoch_order
from paribus.errors import NonFiniteLoss, UserError
from paribus.families import Regression
from paribus.networks import Linear, Mlp
from paribus.objectives import GaussianLikelihood, Loss, Squared
from paribus.schedules import Constant, Cosine
from paribus.study.keys import train_key
from paribus.training import Training
from paribus.training.callbacks import TimeLimitReached
from paribus.training.curves import Curves


def training(**changes):
    settings = {
        "max_steps": 90,
        "max_epochs": None,
        "max_minutes": None,
        "validate_every": 20,
        "chunk_steps": 8,
        "clip_norm": None,
        "accelerator": "cpu",
        "devices": 1,
        "compile": False,
        "accumulate": 1,
        "approximate": False,
        "deterministic": False,
        "detect_anomaly": False,
        "precision": "32-true",
        "threads": 1,
        "resume_seconds": math.inf,
        "save_checkpoint": False,
        "patience": None,
    }
    return Training(**settings | changes)


def sine(seed=0, **changes):
    settings = {"n_train": 100, "n_validation": 20, "n_test": 20, "noise": 0.1, "batch_size": 16}
    clean = Contamination(fraction=0.0, size=0.0, sides="one", placement="random")
    data = Sine(**settings | changes, contamination=clean, input_scaling="none", target_scaling="none", seed=seed)
    data.setup()
    return data


def family(objective=None, scheduler=None, input_noise=0.0, lr=0.01, kind=torch.optim.Adam, cls=Regression, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Mlp(hidden=[8], activation="tanh", normalisation="none", dropout=0.0, in_features=1, out_features=1)
    return cls(
        network=network, objective=objective or Squared(), optimizer=lambda p: kind(p, lr=lr),
        scheduler=scheduler or Constant(), in_features=1, seed=seed, input_noise=input_noise,
    )  # fmt: skip


def fit(model, folder, data=None, curves=None, **changes):
    data, curves = data or sine(), curves or Curves()
    training(**changes).fit(model, data, folder, curves, [], progress=False)
    return curves


def plain_loop(model, data, steps, clip=None, schedule=None):
    """What a user would write by hand, minibatch by minibatch."""
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    x, y = data.parts["train"]["x"], data.parts["train"]["y"]
    step = 0
    for epoch in range(steps):
        order = epoch_order(0, epoch, len(x))
        for start in range(0, len(x), data.batch_size):
            if step == steps:
                return
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * (schedule(step, steps) if schedule else 1.0)
            index = order[start : start + data.batch_size]
            optimizer.zero_grad()
            model.objective(model.network(x[index]).squeeze(-1), y[index]).total.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimizer.step()
            step += 1


@pytest.mark.parametrize("chunk_steps", [1, 8, 64])
@pytest.mark.parametrize(("clip", "schedule"), [(None, None), (0.1, Cosine(final=0.1))])
def test_training_is_the_plain_loop(tmp_path, chunk_steps, clip, schedule):
    ours, plain = (
        family(GaussianLikelihood(scale=1.0, learn_scale=True), schedule),
        family(GaussianLikelihood(scale=1.0, learn_scale=True), schedule),
    )
    fit(ours, tmp_path, chunk_steps=chunk_steps, clip_norm=clip)
    plain_loop(plain, sine(), steps=90, clip=clip, schedule=schedule)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name


class Crashing(Regression):
    """Dies at step 50, as a killed process would: nothing is written after."""

    def loss(self, batch, noise):
        if self.step == 50:
            raise RuntimeError("power cut")
        return super().loss(batch, noise)


@pytest.mark.parametrize(
    ("kind", "precision"),
    [(torch.optim.Adam, "32-true"), (torch.optim.Adam, "64-true"), (partial(torch.optim.LBFGS, max_iter=3), "32-true")],
)
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path, kind, precision):
    settings = {"scheduler": Cosine(final=0.0), "input_noise": 0.2, "kind": kind}
    whole = family(**settings)
    whole_curves = fit(whole, tmp_path / "whole", precision=precision)
    (tmp_path / "cut").mkdir()
    with pytest.raises(RuntimeError, match="power cut"):
        fit(family(cls=Crashing, **settings), tmp_path / "cut", resume_seconds=0.0, precision=precision)
    assert (tmp_path / "cut" / "resume.ckpt").exists()
    resumed = family(**settings)
    curves = fit(resumed, tmp_path / "cut", resume_seconds=0.0, precision=precision)
    assert resumed.step == 90
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert curves.rows == whole_curves.rows
    assert not (tmp_path / "cut" / "resume.ckpt").exists()


SLURM = {
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "mine",
    "SLURM_NTASKS": "2",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}
"""Of a batch script that asks for two tasks and starts one process by itself."""


@pytest.mark.parametrize("more", [{}, {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"}], ids=["two", "one"])
def test_in_a_job_of_slurm_lightning_neither_queues_nor_goes_on_nor_refuses(tmp_path, monkeypatch, more):
    """A checkpoint that it would find is of another seed; its handler of SIGUSR1 would write one."""
    for name in ("clean", "other", "cwd", "slurm"):
        (tmp_path / name).mkdir()
    clean = family()
    curves = fit(clean, tmp_path / "clean")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(family(cls=Crashing, seed=1), tmp_path / "other", resume_seconds=0.0)
    for folder in ("cwd", "slurm"):
        (tmp_path / folder / "hpc_ckpt_1.ckpt").write_bytes((tmp_path / "other" / "resume.ckpt").read_bytes())
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path / "cwd")
    for name, value in (SLURM | more).items():
        monkeypatch.setenv(name, value)
    ours, handlers = family(), []
    ours.on_train_start = lambda: handlers.append(signal.getsignal(signal.SIGUSR1))
    assert fit(ours, tmp_path / "slurm").rows == curves.rows
    assert all(map(torch.equal, clean.state_dict().values(), ours.state_dict().values()))
    assert handlers == [signal.SIG_DFL]
    assert os.environ["SLURM_JOB_NAME"] == "mine"
    assert [path.name for path in (tmp_path / "cwd").iterdir()] == ["hpc_ckpt_1.ckpt"]


def test_sigterm_is_heard_in_training_by_who_heard_it_before(tmp_path):
    """Lightning's handler would call the other processes from within; what `paribus run` sets stops the run."""
    ours, before, there = family(), signal.getsignal(signal.SIGTERM), []

    def heed(number, frame):
        raise KeyboardInterrupt(str(number))

    def end(*_):
        there.append(signal.getsignal(signal.SIGTERM))
        os.kill(os.getpid(), signal.SIGTERM)

    ours.on_train_batch_end = end
    signal.signal(signal.SIGTERM, heed)
    try:
        with pytest.raises(KeyboardInterrupt, match=str(int(signal.SIGTERM))):
            fit(ours, tmp_path)
        assert there == [heed]
        assert signal.getsignal(signal.SIGTERM) is heed
    finally:
        signal.signal(signal.SIGTERM, before)


def test_validating_more_often_changes_nothing(tmp_path):
    often, seldom = family(), family()
    fit(often, tmp_path, validate_every=3)
    fit(seldom, tmp_path, validate_every=1000)
    assert all(map(torch.equal, often.parameters(), seldom.parameters()))


@pytest.mark.parametrize(("limits", "steps"), [
    ({"max_steps": 5}, 5),
    ({"max_steps": None, "max_epochs": 3}, 21),
    ({"max_steps": 10, "max_epochs": 3}, 10),
])  # fmt: skip
def test_the_budget_is_what_comes_first(tmp_path, limits, steps):
    model = family()
    fit(model, tmp_path, **limits)
    assert model.step == steps


def test_curves_have_each_step_once(tmp_path):
    curves = fit(family(), tmp_path)
    assert sorted(curves.rows) == [6, 13, 20, 26, 33, 40, 46, 53, 60, 66, 73, 80, 85, 90]
    assert [step for step, row in curves.rows.items() if "val/loss" in row] == [20, 40, 60, 80, 90]
    curves.write(tmp_path)
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 15


def test_a_diverging_run_names_the_step(tmp_path):
    model = family(lr=1e30, kind=torch.optim.SGD)
    with pytest.raises(NonFiniteLoss) as caught:
        fit(model, tmp_path)
    plain = family(lr=1e30, kind=torch.optim.SGD)
    data = sine()
    order = epoch_order(0, 0, 100)
    optimizer = torch.optim.SGD(plain.parameters(), lr=1e30)
    for step in range(7):
        batch = {name: rows[order[step * 16 : (step + 1) * 16]] for name, rows in data.parts["train"].items()}
        optimizer.zero_grad()
        loss = plain.loss(batch, {}).total
        if not loss.isfinite():
            break
        loss.backward()
        optimizer.step()
    assert caught.value.step == step


def test_input_noise_is_ridge_regression(tmp_path):
    """E|y - w(x + s e)|^2 = |y - wx|^2 + s^2 w^2: the slope shrinks to cov / (var + s^2), within Monte Carlo error."""
    data = sine(n_train=2000, batch_size=2000)
    x, y = data.parts["train"]["x"].squeeze(-1).double(), data.parts["train"]["y"].double()
    cov = ((x - x.mean()) * (y - y.mean())).mean()
    expected = cov / (x.var(correction=0) + 1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Linear(1, 1)
    model = Regression(
        network=network, objective=Squared(), optimizer=lambda p: torch.optim.SGD(p, lr=0.1),
        scheduler=Cosine(final=0.0), in_features=1, seed=0, input_noise=1.0,
    )  # fmt: skip
    fit(model, tmp_path, data, max_steps=400)
    # the last hundred steps average over 2000 x 100 draws of noise; the slope's spread over steps is below .005
    weight = network.linear.weight.item()
    assert abs(weight - expected) < 0.02
    assert abs(weight - cov / x.var(correction=0)) > 0.05


class Undeclared(Regression):
    """Draws its own noise, as `nn.Dropout` does; the second kind dies at step 50."""

    dies_at = math.inf

    def loss(self, batch, noise):
        if self.step == self.dies_at:
            raise RuntimeError("power cut")
        return self.objective(self.predict(batch["x"] + torch.randn_like(batch["x"])), batch["y"])


class UndeclaredAndDying(Undeclared):
    dies_at = 50


@pytest.mark.parametrize("changes", [{"chunk_steps": 1}, {"validate_every": 7}, {"resume_seconds": 0.0}])
def test_noise_that_is_not_declared_is_a_function_of_the_seed_and_the_step_too(tmp_path, changes):
    first, again, other = family(cls=Undeclared), family(cls=Undeclared), family(cls=Undeclared, seed=1)
    fit(first, tmp_path / "first")
    before = torch.get_rng_state()
    if "resume_seconds" in changes:
        with pytest.raises(RuntimeError, match="power cut"):
            fit(family(cls=UndeclaredAndDying), tmp_path / "again", **changes)
        assert (tmp_path / "again" / "resume.ckpt").exists()
    fit(again, tmp_path / "again", **changes)
    assert torch.equal(torch.get_rng_state(), before)  # and the caller's own stream stays where it was
    fit(other, tmp_path / "other")
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_noise_is_a_function_of_the_step(tmp_path):
    chunked, single, other = (family(input_noise=0.5, seed=seed) for seed in (0, 0, 1))
    fit(chunked, tmp_path, chunk_steps=64)
    fit(single, tmp_path, chunk_steps=1)
    fit(other, tmp_path)
    assert all(map(torch.equal, chunked.parameters(), single.parameters()))
    assert not torch.equal(next(chunked.parameters()), next(other.parameters()))


def test_the_time_limit_fails_the_run(tmp_path):
    with pytest.raises(TimeLimitReached, match="max_minutes"):
        fit(family(), tmp_path, max_minutes=1e-9)


class Slow(Regression):
    """Takes a second for each loss."""

    now = 0.0

    def loss(self, batch, noise):
        Slow.now += 1.0
        return super().loss(batch, noise)


def test_with_more_time_a_run_goes_on_from_where_its_time_was_up(tmp_path, monkeypatch):
    """With the same time it is up again soon."""
    whole, first, again, longer = family(), *(family(cls=Slow) for _ in range(3))
    rows = fit(whole, tmp_path / "whole").rows
    monkeypatch.setattr(time, "monotonic", lambda: Slow.now)
    (tmp_path / "cut").mkdir()
    for each in (first, again):
        with pytest.raises(TimeLimitReached):
            fit(each, tmp_path / "cut", max_minutes=0.8, resume_seconds=0.0)
        assert 40 < each.step < 60
    begin = Slow.now
    assert fit(longer, tmp_path / "cut", max_minutes=3.0, resume_seconds=0.0).rows == rows
    assert all(map(torch.equal, whole.state_dict().values(), longer.state_dict().values()))
    assert Slow.now - begin < 60
    assert len({train_key({"trainer": {"max_steps": 9, "max_minutes": minutes}}) for minutes in (None, 1, 2.5)}) == 1


@pytest.mark.parametrize(("changes", "message"), [
    ({"max_steps": None}, "both null"),
    ({"max_steps": 0}, "max_steps is 0"),
    ({"clip_norm": 0.0}, "clip_norm is 0"),
    ({"chunk_steps": -1}, "chunk_steps is -1"),
    ({"patience": 0}, "patience is 0"),
    ({"resume_seconds": -5.0}, "resume_seconds is -5"),
    ({"resume_seconds": math.nan}, "resume_seconds is nan"),
])  # fmt: skip
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        training(**changes)


def test_bf16_steps_use_this_steps_weights(tmp_path):
    """Autocast keeps cast weights within its context, which spans a chunk: stale ones would show here."""
    chunked, single = family(), family()
    fit(chunked, tmp_path, precision="bf16-mixed", chunk_steps=64)
    fit(single, tmp_path, precision="bf16-mixed", chunk_steps=1)
    assert all(map(torch.equal, chunked.parameters(), single.parameters()))


def test_float64_is_float64(tmp_path):
    model = family()
    curves = fit(model, tmp_path, precision="64-true", save_checkpoint=True)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert all(math.isfinite(row["train/loss"]) for row in curves.rows.values())
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(state["network.hidden.0.0.weight"], dict(model.named_parameters())["network.hidden.0.0.weight"])


class Scripted(Regression):
    """Its validation losses are written down: at steps 10, 20, ..."""

    losses = (5.0, 4.0, 4.0, 3.5, 3.6, math.nan, 3.5, 3.0, 3.1)
    dies_at = -1

    def loss(self, batch, noise):
        if self.step == self.dies_at:
            raise RuntimeError("power cut")
        return super().loss(batch, noise)

    def validation_loss(self, batch):
        return Loss(torch.tensor(self.losses[self.step // 10 - 1]), {})


@pytest.mark.parametrize(("patience", "end"), [
    (1, 30),  # the third is equal to the second, so it is not lower
    (2, 60),  # 3.6 and NaN are not below 3.5
    (3, 70),
    (4, 90),  # 3.0 came in time, and 3.1 is one of four: the budget ends
    (None, 90),
])  # fmt: skip
def test_training_ends_when_the_validation_loss_has_not_fallen_for_long(tmp_path, patience, end):
    model, whole = family(cls=Scripted), family()
    curves = fit(model, tmp_path, validate_every=10, patience=patience)
    assert model.step == end
    assert max(curves.rows) == end
    assert [step for step, row in curves.rows.items() if "val/loss" in row] == list(range(10, end + 1, 10))
    fit(whole, tmp_path, validate_every=10, max_steps=end)
    assert all(map(torch.equal, model.parameters(), whole.parameters()))


def test_a_resumed_run_goes_on_counting(tmp_path):
    model = family(cls=Scripted)
    model.dies_at = 65  # the checkpoint is of step 60, two validations after the lowest
    with pytest.raises(RuntimeError, match="power cut"):
        fit(model, tmp_path, validate_every=10, patience=3, resume_seconds=0.0)
    resumed = family(cls=Scripted)
    curves = fit(resumed, tmp_path, validate_every=10, patience=3, resume_seconds=0.0)
    assert resumed.step == 70
    assert curves.rows.keys() == fit(family(cls=Scripted), tmp_path, validate_every=10, patience=3).rows.keys()


class DyingAtTheEnd(Scripted):
    """Is killed after its last checkpoint, before its record is written."""

    def on_fit_end(self):
        raise RuntimeError("power cut")


def test_a_run_that_was_killed_where_it_ended_takes_no_further_step(tmp_path):
    with pytest.raises(RuntimeError, match="power cut"):
        fit(family(cls=DyingAtTheEnd), tmp_path, validate_every=10, patience=3, resume_seconds=0.0)
    resumed = family(cls=Scripted)
    curves = fit(resumed, tmp_path, validate_every=10, patience=3, resume_seconds=0.0)
    assert resumed.step == 70
    assert max(curves.rows) == 70


def test_patience_needs_something_to_wait_for(tmp_path):
    with pytest.raises(UserError, match="no validation part"):
        fit(family(), tmp_path, sine(n_validation=0), patience=3)


def test_patience_is_part_of_what_identifies_a_run():
    keys = {train_key({"trainer": {"max_steps": 9, "patience": patience}}) for patience in (None, 1, 2)}
    assert len(keys) == 3


def test_nothing_is_left_of_a_checkpoint_for_which_there_is_no_room(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises((OSError, RuntimeError), match=r"too large|failed writing"):
            fit(family(), tmp_path, resume_seconds=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_checkpoints_to_resume_from_are_written_in_silence(tmp_path, caplog, capfd):
    with caplog.at_level(logging.INFO):
        fit(family(), tmp_path, resume_seconds=0.0)
    assert [each for each in caplog.messages if "weights_only" in each] == []
    assert capfd.readouterr() == ("", "")
