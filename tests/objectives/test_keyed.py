"""Keyed random numbers: a function of their names, uniform, independent across names."""

import numpy as np
import pytest
import torch
from scipy import stats

from carryover.objectives.keyed import Key, _stream_number

MASK = (1 << 64) - 1


def splitmix(word: int) -> int:
    """The published output function, in Python's own integers."""
    word = (word + 0x9E3779B97F4A7C15) & MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def test_words_are_those_of_integer_arithmetic():
    seed, step, ids = 11, 5, [0, 3, 2**40, -7]
    found = Key(seed, step, torch.tensor(ids)).uniform("noise", 3)
    root = splitmix(_stream_number(seed, "noise") & MASK)
    for row, example in zip(found.tolist(), ids, strict=True):
        own = splitmix(splitmix(root ^ step) ^ (example & MASK))
        expected = [
            (splitmix((own + (1 + place) * 0x9E3779B97F4A7C15) & MASK) >> 40) / 2**24 for place in range(3)
        ]
        assert row == expected


def test_an_example_draws_the_same_in_any_batch_and_order():
    ids = torch.arange(20)
    whole = Key(3, 9, ids).normal("noise", 5)
    shuffled = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Key(3, 9, ids[shuffled]).normal("noise", 5), whole[shuffled])
    assert torch.equal(Key(3, 9, ids[4:7]).normal("noise", 5), whole[4:7])
    # Asking for more numbers leaves the first ones as they are.
    assert torch.equal(Key(3, 9, ids).normal("noise", 8)[:, :5], whole)


@pytest.mark.parametrize("other", [Key(1, 0, torch.arange(2000)), Key(0, 1, torch.arange(2000)), None])
def test_names_that_differ_give_independent_numbers(other):
    base = Key(0, 0, torch.arange(2000)).uniform("a", 4).double().numpy().ravel()
    key, stream = (Key(0, 0, torch.arange(2000)), "b") if other is None else (other, "a")
    found = key.uniform(stream, 4).double().numpy().ravel()
    assert abs(np.corrcoef(base, found)[0, 1]) < 5.0 / np.sqrt(len(base))
    assert (base == found).mean() < 1e-3


def test_laws():
    key = Key(0, 0, torch.arange(5000))
    assert stats.kstest(key.uniform("u", 8).double().numpy().ravel(), "uniform").pvalue > 1e-3
    assert stats.kstest(key.normal("n", 8).double().numpy().ravel(), "norm").pvalue > 1e-3
    signs = key.signs("s", 8)
    assert set(signs.unique().tolist()) == {-1.0, 1.0} and abs(float(signs.mean())) < 5.0 / 200.0
    counts = torch.bincount(key.integers("i", 8, below=7).ravel(), minlength=7).numpy()
    assert len(counts) == 7 and stats.chisquare(counts).pvalue > 1e-3
    # Among a great many, too: 24 random bits would make every third one twice as likely.
    residues = torch.bincount(key.integers("many", 8, below=3 << 22).ravel() % 3).numpy()
    assert stats.chisquare(residues).pvalue > 1e-3
    # Neighbouring ids and places are as unrelated as any.
    grid = key.uniform("u", 8).double().numpy()
    assert abs(np.corrcoef(grid[:-1, 0], grid[1:, 0])[0, 1]) < 0.07
    assert abs(np.corrcoef(grid[:, 0], grid[:, 1])[0, 1]) < 0.07


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    Key(0, 0, torch.arange(4)).normal("x", 4)
    assert torch.equal(before, torch.get_rng_state())
