"""How cells are put into batches: each once, about so many, and batches that take alike long."""

import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_examples import theory_sweep

from carryover.experiments.batch import Batch
from carryover.experiments.batching import LEAST_IN_BATCH, RUNS_IN_BATCH, batch_size, dealt
from carryover.experiments.compute import Cell, Compute

OWN = [cell.spec for cell in theory_sweep().cells]


def cells(n):
    return [Cell(f"{place:06d}", place) for place in range(n)]


def nothing(*_):
    """Stands for what computes cells; it is not called."""


@given(n=st.integers(1, 20_000), workers=st.integers(1, 64), at_most=st.sampled_from([64, 4096]))
def test_every_worker_has_as_many_batches_of_at_most_so_many_cells(n, workers, at_most):
    size = batch_size(Compute(nothing, nothing, at_most=at_most), n, workers)
    n_batches = len(dealt(cells(n), size))
    assert LEAST_IN_BATCH <= size <= at_most
    if size > LEAST_IN_BATCH:
        least = workers * max(2, -(-n // (workers * at_most)))
        assert least - workers < n_batches <= least


def test_cells_that_are_not_put_together_come_one_by_one():
    assert batch_size(Compute(nothing), 10_000, 2) == 1


@given(n=st.integers(0, 3000), size=st.integers(1, 1100))
def test_every_cell_is_in_one_part_of_about_the_size(n, size):
    parts = dealt(cells(n), size)
    assert sorted(cell.spec for part in parts for cell in part) == list(range(n))
    assert all(parts) and len(parts) <= -(-n // size)
    assert max(map(len, parts), default=0) <= size + size // RUNS_IN_BATCH + 1


def test_parts_of_a_grid_whose_cells_take_ever_longer_take_alike_long():
    seconds = [sum(cell.spec for cell in part) for part in dealt(cells(10_000), 1000)]
    in_a_row = [sum(range(start, start + 1000)) for start in range(0, 10_000, 1000)]
    assert max(in_a_row) > 10 * min(in_a_row)
    assert max(seconds) < 1.15 * min(seconds)


def test_neighbours_stay_together_so_that_what_they_share_is_sent_once():
    part = dealt(cells(10_000), 1000)[0]
    apart = sum(after.spec != before.spec + 1 for before, after in pairwise(part))
    assert apart <= RUNS_IN_BATCH + 1


@pytest.mark.parametrize("specs", [OWN, [0, 1, 2], [*OWN, 0], []], ids=["own", "others", "both", "none"])
def test_a_batch_arrives_as_it_was_sent(specs):
    given = [Cell(f"{n}", spec, {"n": n}) for n, spec in enumerate(specs)]
    batch = Batch.of(given, "b", {"a"})
    assert pickle.loads(pickle.dumps(batch)) == batch
    assert batch.cells == given


def test_a_cell_that_lacks_what_varies_in_others_has_no_value_there():
    given = [Cell("a", 0, {"scale": 1.0}), Cell("b", 1, {"alpha": 2.0}), Cell("c", 2)]
    sent = Batch.of(given, "x").cells
    assert [cell.parameters for cell in sent] == [
        {"scale": 1.0, "alpha": None},
        {"scale": None, "alpha": 2.0},
        {"scale": None, "alpha": None},
    ]
    assert Batch.of(given[2:], "x").cells == given[2:]
