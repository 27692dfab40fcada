"""Noise is a function of the seed and the step, however it is asked for, and each number is drawn once."""

import math

import pytest
import torch

from paribus.noise import NoiseSpec, NoiseStream

BOTH = {"shift": NoiseSpec((3,)), "drop": NoiseSpec((2, 2), "uniform")}
LARGE = {"x": NoiseSpec((784,))}


@pytest.mark.parametrize(("spec", "batch"), [(BOTH, 5), (LARGE, 16), (LARGE, 128)])
def test_spans_are_the_steps_one_by_one(spec, batch):
    stream, like = NoiseStream(spec, batch, seed=3), torch.zeros(batch, 1)
    steps = [NoiseStream(spec, batch, seed=3).at(step, like) for step in range(70)]
    for first, stop in [(0, 70), (0, 1), (1, 2), (62, 66), (3, 70)]:
        for name, rows in stream.span(first, stop).items():
            assert torch.equal(rows, torch.stack([each[name] for each in steps[first:stop]]))


@pytest.mark.parametrize(("spec", "batch"), [(BOTH, 5), (LARGE, 16), (LARGE, 128)])
@pytest.mark.parametrize("length", [1, 3, 64])
def test_each_number_is_drawn_once(monkeypatch, spec, batch, length):
    """Steps 0 to 191 in spans of any length: not more than these steps' numbers, but for what ends a block."""
    drawn = []

    def counted(draw):
        def draws(*shape, generator):
            drawn.append(math.prod(shape))
            return draw(*shape, generator=generator)

        return draws

    monkeypatch.setattr(torch, "randn", counted(torch.randn))
    monkeypatch.setattr(torch, "rand", counted(torch.rand))
    stream = NoiseStream(spec, batch, seed=0)
    for first in range(0, 192, length):
        stream.span(first, first + length)
    assert 192 * stream.numbers <= sum(drawn) < (192 + max(stream.block_steps.values())) * stream.numbers


@pytest.mark.parametrize(("spec", "batch", "steps"), [(BOTH, 5, 64), (LARGE, 16, 5), (LARGE, 128, 1)])
def test_blocks_are_small_enough_to_keep(spec, batch, steps):
    """15 and 20 numbers a step; 12,544, of which 65,536 hold 5; 100,352, which are more than that."""
    assert set(NoiseStream(spec, batch, seed=0).block_steps.values()) == {steps}


def test_a_name_is_drawn_alike_whatever_else_is_needed():
    """In another place, beside noise so large that its own blocks are of a single step, by step and by span."""
    much = {"first": NoiseSpec((), "uniform"), "large": NoiseSpec((100_000,)), **BOTH}
    alone, beside, like = NoiseStream(BOTH, 5, seed=3), NoiseStream(much, 5, seed=3), torch.zeros(5, 1)
    assert beside.block_steps["large"] == 1
    for name in BOTH:
        assert all(torch.equal(alone.at(step, like)[name], beside.at(step, like)[name]) for step in (0, 1, 64, 65))
        assert torch.equal(alone.span(60, 70)[name], beside.span(60, 70)[name])


def test_names_of_one_kind_have_numbers_of_their_own():
    noise = NoiseStream({"a": NoiseSpec((3,)), "b": NoiseSpec((3,))}, 5, seed=0).span(0, 2)
    assert not torch.isclose(noise["a"], noise["b"]).any()


def test_moments_and_independence():
    """Of n = 192,000 numbers: a mean spreads by 1 / sqrt(n), a normal variance by sqrt(2 / n); 5 deviations pass."""
    noise = NoiseStream({"z": NoiseSpec((100,)), "u": NoiseSpec((100,), "uniform")}, 10, seed=1).span(0, 192)
    z, u, n = noise["z"].double(), noise["u"].double(), 192_000
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs(u.mean() - 1 / 2) < 5 * math.sqrt(1 / 12 / n)
    assert 0 <= u.min() < u.max() < 1
    assert abs((z[1:] * z[:-1]).mean()) < 5 / math.sqrt(n)  # of one step and the next
    other = NoiseStream({"z": NoiseSpec((100,))}, 10, seed=2).span(0, 192)["z"].double()
    assert abs((z * other).mean()) < 5 / math.sqrt(n)
