"""Chunks of minibatches against a plain loop over a permutation."""

import pytest
import torch

from paribus.data.chunks import Chunk, ChunkLoader, epoch_order

EXAMPLES = 23


def loader(batch_size: int = 5, chunk_steps: int = 4, start: int = 0, end: int = 17, seed: int = 3) -> ChunkLoader:
    rows = {"x": torch.arange(EXAMPLES * 2.0).reshape(EXAMPLES, 2), "y": torch.arange(EXAMPLES * 1.0) * 10}
    return ChunkLoader(rows, batch_size, seed, position=lambda: start, stop=lambda _: end, chunk_steps=chunk_steps)


def minibatches(chunks: ChunkLoader) -> list[dict[str, torch.Tensor]]:
    return [batch for chunk in chunks for batch in chunk]


def naive_loop(chunks: ChunkLoader, steps: int, seed: int = 3) -> list[dict[str, torch.Tensor]]:
    """What the loader must equal: epochs one by one, each a permutation, cut into batches with `range`."""
    batches = []
    epoch = 0
    while len(batches) < steps:
        order = epoch_order(seed, epoch, EXAMPLES).tolist()
        for start in range(0, EXAMPLES, chunks.batch_size):
            index = order[start : start + chunks.batch_size]
            batches.append({name: torch.stack([rows[i] for i in index]) for name, rows in chunks.rows.items()})
        epoch += 1
    return batches[:steps]


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
@pytest.mark.parametrize("chunk_steps", [1, 4, 1000])
def test_chunks_equal_a_plain_loop_bit_by_bit(batch_size: int, chunk_steps: int) -> None:
    chunks = loader(batch_size, chunk_steps)
    for got, expected in zip(minibatches(chunks), naive_loop(chunks, 17), strict=True):
        assert got.keys() == expected.keys()
        assert all(torch.equal(got[name], expected[name]) for name in expected)


def test_an_epoch_covers_each_example_once_and_ends_in_a_shorter_batch() -> None:
    chunks = loader(end=5)
    batches = minibatches(chunks)
    assert [len(batch["x"]) for batch in batches] == [5, 5, 5, 5, 3]
    assert chunks.steps_per_epoch == 5
    assert torch.cat([batch["y"] for batch in batches]).sort().values.tolist() == [10.0 * i for i in range(EXAMPLES)]


def test_epochs_differ_in_order_and_so_do_seeds() -> None:
    assert not torch.equal(epoch_order(0, 0, 50), epoch_order(0, 1, 50))
    assert not torch.equal(epoch_order(0, 0, 50), epoch_order(1, 0, 50))
    assert torch.equal(epoch_order(0, 7, 50), epoch_order(0, 7, 50))


def test_chunks_run_on_over_the_ends_of_epochs_and_are_about_as_long() -> None:
    sizes = [chunk.sizes for chunk in loader(chunk_steps=7, end=17)]
    assert sizes == [(5, 5, 5, 5, 3), (5, 5, 5, 5, 3, 5), (5, 5, 5, 3, 5, 5)]


@pytest.mark.parametrize(("end", "lengths"), [(64, [64]), (65, [32, 33]), (200, [50] * 4), (1, [1]), (0, [])])
def test_spans_are_even(end: int, lengths: list[int]) -> None:
    spans = list(loader(chunk_steps=64, end=end).spans())
    assert [len(span) for span in spans] == lengths
    assert [step for span in spans for step in span] == list(range(end))


@pytest.mark.parametrize("start", [0, 1, 4, 5, 12, 16])
def test_a_resumed_loader_gives_the_remaining_minibatches(start: int) -> None:
    whole, resumed = minibatches(loader()), minibatches(loader(start=start))
    assert len(resumed) == 17 - start
    for got, expected in zip(resumed, whole[start:], strict=True):
        assert torch.equal(got["x"], expected["x"])


def test_a_pass_that_has_arrived_yields_nothing() -> None:
    assert minibatches(loader(start=17)) == []


def test_the_position_is_asked_at_each_pass() -> None:
    reached = [0]
    rows = {"x": torch.arange(EXAMPLES)}
    chunks = ChunkLoader(rows, 5, 0, position=lambda: reached[0], stop=lambda start: start + 5, chunk_steps=2)
    first = torch.cat([batch["x"] for batch in minibatches(chunks)])
    reached[0] = 5
    second = torch.cat([batch["x"] for batch in minibatches(chunks)])
    assert torch.equal(first, epoch_order(0, 0, EXAMPLES))
    assert torch.equal(second, epoch_order(0, 1, EXAMPLES))


def test_a_chunk_stays_below_the_limit_of_bytes() -> None:
    rows = {"x": torch.zeros(100, 10_000), "y": torch.zeros(100)}
    chunks = ChunkLoader(rows, 10, 0, position=lambda: 0, stop=lambda _: 100, chunk_steps=64)
    batch_bytes = 10 * (10_000 + 1) * 4
    assert chunks.chunk_steps == ChunkLoader.CHUNK_BYTES // batch_bytes == 19
    gathered = [sum(tensor.nbytes for tensor in chunk.rows.values()) for chunk in chunks]
    assert 16 * batch_bytes <= max(gathered) <= ChunkLoader.CHUNK_BYTES
    assert len(gathered) == 6


def test_a_minibatch_above_the_limit_is_a_chunk_of_its_own() -> None:
    rows = {"x": torch.zeros(4, 1_500_000)}
    chunks = ChunkLoader(rows, 2, 0, position=lambda: 0, stop=lambda _: 4, chunk_steps=64)
    assert [chunk.sizes for chunk in chunks] == [(2,)] * 4


def test_loading_leaves_the_global_stream_where_it_was() -> None:
    before = torch.get_rng_state()
    minibatches(loader())
    assert torch.equal(torch.get_rng_state(), before)


def test_moving_a_chunk_keeps_its_minibatches() -> None:
    chunk = Chunk({"x": torch.arange(5)}, (3, 2)).to(torch.device("meta"))
    assert [batch["x"].shape for batch in chunk] == [(3,), (2,)]
    assert all(batch["x"].device.type == "meta" for batch in chunk)
