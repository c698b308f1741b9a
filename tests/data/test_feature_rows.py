import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.data.feature_rows import FeatureRows, MemoryRows

X = np.random.default_rng(0).standard_normal((100, 7)).astype(np.float32)


def test_memory_rows_follow_the_protocol():
    rows = MemoryRows(X)
    assert isinstance(rows, FeatureRows)
    assert rows.shape == (100, 7)
    assert len(rows) == 100
    starts, blocks = zip(*rows.blocks(33), strict=True)
    assert starts == (0, 33, 66, 99)
    assert (np.concatenate(blocks) == X).all()
    assert (rows.take([5, 5, 2]) == X[[5, 5, 2]]).all()
    assert (rows.all() == X).all()


def test_what_is_handed_out_is_the_readers():
    rows = MemoryRows(X.copy())
    for _, block in rows.blocks():
        block[:] = 0
    rows.all()[:] = 0
    rows.take([0])[:] = 0
    assert (rows.all() == X).all()


def test_content_hash_names_values_and_dtype():
    assert MemoryRows(X).content_hash == MemoryRows(np.asfortranarray(X)).content_hash
    assert MemoryRows(X).content_hash == MemoryRows(X.astype(">f4")).content_hash
    others = {
        MemoryRows(one).content_hash for one in (X, X[:99], X + 1, X.astype(np.float64), X.reshape(70, 10))
    }
    assert len(others) == 5


def test_half_precision_becomes_single():
    assert MemoryRows(X.astype(np.float16)).all().dtype == np.float32
    assert MemoryRows(X.astype(np.float64)).all().dtype == np.float64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemoryRows(X[0]), r"must be a matrix \(examples, features\), got shape \(7,\)"),
        (lambda: MemoryRows(X.astype(int)), "must be float16, float32 or float64, got dtype int64"),
        (lambda: next(MemoryRows(X).blocks(0)), "rows must be at least 1, got 0"),
        (lambda: MemoryRows(X).take([100]), "indices must lie in 0..99, got 100"),
        (lambda: MemoryRows(X).take([-1]), "indices must lie in 0..99, got -1"),
        (lambda: MemoryRows(X).take(np.ones(100, bool)), "vector of whole row numbers, got bool"),
    ],
)
def test_misuse_is_said(make, message):
    with pytest.raises(InputError, match=message):
        make()
