"""Sums of shards give the measures of the rows held whole; what is asked of a sweep over shards is checked."""

import itertools
from functools import reduce

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.feature_rows import MemoryRows
from carryover.experiments.shards.spec import FeaturesSpec, over_all_shards
from carryover.experiments.shards.sums import ShardSums, sums_of
from carryover.experiments.spec import read_sweep
from carryover.measures.hscore import h_score, h_score_from_moments
from carryover.measures.leep import leep
from carryover.measures.logme import logme, logme_from_moments
from carryover.measures.nce import nce, nce_from_counts
from carryover.measures.rademacher import frobenius_cap, rademacher_complexity
from carryover.measures.ridge_loo import LooSums, ridge_loo, ridge_loo_from_sums
from carryover.measures.spectrum import spectrum_from_moments

RNG = np.random.default_rng(0)
N, NAMES = 150, np.array(["ant", "bee", "cat", "dog"])
CODES = np.repeat([0, 2, 1, 3], (20, 40, 50, 40))  # sorted by class: every shard lacks some
FEATURES = (RNG.normal(size=(4, 12))[CODES] + RNG.normal(size=(N, 12)) + 30.0).astype(np.float32)
SOURCE = RNG.dirichlet(np.ones(5), N)
TARGETS = FEATURES @ RNG.normal(size=12) + RNG.normal(size=N)
CUTS = [(0, 50, 100, 150), (0, 20, 21, 150), (0, 64, 150)]


def shards(labels, source, cuts):
    return [
        sums_of(MemoryRows(FEATURES[a:b]), labels[a:b], None if source is None else MemoryRows(source[a:b]))
        for a, b in itertools.pairwise(cuts)
    ]


def whole(labels, source, cuts) -> ShardSums:
    return reduce(ShardSums.merge, shards(labels, source, cuts))


@pytest.mark.parametrize("cuts", CUTS)
def test_measures_from_sums_are_those_of_the_rows(cuts):
    sums = whole(NAMES[CODES], SOURCE, cuts)
    assert sums.class_names == tuple(NAMES) and sums.moments.class_counts.tolist() == [20, 50, 40, 40]
    found = {
        "logme": logme_from_moments(sums.moments),
        "h_score": h_score_from_moments(sums.moments),
        "nce": nce_from_counts(sums.source.predicted),
    }
    direct = {
        "logme": logme(FEATURES, CODES),
        "h_score": h_score(FEATURES, CODES),
        "nce": nce(SOURCE.argmax(axis=1), CODES),
    }
    for name, result in direct.items():
        assert found[name].value == pytest.approx(result.value, rel=1e-10, abs=1e-12), name
    likelihoods = [
        sums.source.probabilities.log_likelihoods(SOURCE[a:b], CODES[a:b]).sum()
        for a, b in itertools.pairwise(cuts)
    ]
    assert sum(likelihoods) / N == pytest.approx(leep(SOURCE, CODES).value, rel=1e-10)
    measured = rademacher_complexity(FEATURES, n_outputs=4, n_draws=2, generator=np.random.default_rng(0))
    assert frobenius_cap(sums.moments) == pytest.approx(measured.upper_cap, rel=1e-10)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_leave_one_out_adds_up_in_a_second_look(cuts, task):
    labels, values = (NAMES[CODES], CODES) if task == "classification" else (TARGETS, TARGETS[:, None])
    sums = whole(labels, None, cuts)
    spectrum = spectrum_from_moments(sums.moments)
    errors = [
        LooSums.from_blocks(spectrum, [(FEATURES[a:b], values[a:b])]) for a, b in itertools.pairwise(cuts)
    ]
    found = ridge_loo_from_sums(spectrum, reduce(LooSums.merge, errors))
    direct = ridge_loo(FEATURES, labels if task == "regression" else CODES, task=task)
    assert found.value == pytest.approx(direct.value, rel=1e-10)
    assert found.stats["squared_error"] == pytest.approx(direct.stats["squared_error"], rel=1e-10)
    assert found.stats["penalty"] == pytest.approx(direct.stats["penalty"], rel=1e-10)
    with pytest.raises(InputError, match="sums must be of the 150 rows of the spectrum, got"):
        ridge_loo_from_sums(spectrum, errors[0])


def test_sums_are_written_and_read_to_the_bit(tmp_path):
    for name, sums in (
        ("a", shards(NAMES[CODES], SOURCE, CUTS[0])[0]),
        ("b", shards(TARGETS, None, CUTS[0])[0]),
    ):
        path, again = tmp_path / f"{name}.npz", tmp_path / f"{name}2.npz"
        sums.save(path)
        read = ShardSums.load(path)
        read.save(again)
        assert path.read_bytes() == again.read_bytes() and read.class_names == sums.class_names
        assert type(read.moments.n_rows) is int and read.moments.fourth_moment == sums.moments.fourth_moment
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(InputError, match=rf"the sums in .*{name}.npz cannot be read .*sweep again"):
            ShardSums.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        ShardSums.load(tmp_path / "none.npz")


def test_shards_that_do_not_belong_together_are_named():
    first = shards(NAMES[CODES], SOURCE, CUTS[0])[0]
    with pytest.raises(InputError, match=r"one shard has class labels and one numbers: say data\.task"):
        first.merge(shards(TARGETS, SOURCE, CUTS[0])[1])
    with pytest.raises(InputError, match="outputs of a source head and one has none"):
        first.merge(shards(NAMES[CODES], None, CUTS[0])[1])
    with pytest.raises(InputError, match="other must have 12 features"):
        first.merge(sums_of(MemoryRows(FEATURES[:, :5]), NAMES[CODES], MemoryRows(SOURCE)))


MODEL = {"baseline": "pixels"}


@pytest.mark.parametrize(
    ("n", "shards", "batch_size"), [(95, 3, 10), (1000, 7, 16), (256, 1, 256), (31, 4, 8)]
)
def test_shards_cover_the_rows_and_begin_with_a_batch(n, shards, batch_size):
    cells = [
        build(FeaturesSpec, {"model": MODEL, "data": {"path": "x"}, "shards": shards, "shard": place,
                             "batch_size": batch_size})
        for place in range(shards)
    ]  # fmt: skip
    ranges = [cell.rows(n) for cell in cells]
    assert [row for first, after in ranges for row in range(first, after)] == list(range(n))
    assert all(first % batch_size == 0 and after > first for first, after in ranges)
    sizes = [-(-(after - first) // batch_size) for first, after in ranges]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"shards": 0}, "shards must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"shards": 2, "shard": 2}, r"shard must lie in 0\.\.1, got 2"),
        ({"model": {"features": "x.npz"}}, "model gives features, which are extracted already"),
        ({"model": {"baseline": "pca"}}, "baseline 'pca' is fitted to all images and has no shards"),
        ({"data": {}}, "data must give exactly one of path, the whole data set, and part, a file of it"),
        ({"data": {"path": "x", "part": "y"}}, "exactly one of path"),
        ({"data": {"path": "x", "task": "ranking"}}, "data.task must be 'classification' or 'regression'"),
    ],
)
def test_options_out_of_range_are_named(table, said):
    with pytest.raises(InputError, match=said):
        build(FeaturesSpec, {"model": MODEL, "data": {"path": "x"}, **table})


def test_more_shards_than_batches_are_refused():
    with pytest.raises(InputError, match="shards must be at most 2, the batches of 256 in 300 rows, got 3"):
        build(FeaturesSpec, {"model": MODEL, "data": {"path": "x"}, "shards": 3}).rows(300)


def sweep(base, over, **more):
    return over_all_shards(read_sweep({"sweep": {"command": "features", **more}, "base": base, "over": over}))


def test_every_shard_is_a_cell_unless_the_sweep_names_them():
    over = {"model.path": ["a", "b"]}
    assert [one["shard"] for one in sweep({"shards": 3}, over).assignments()] == [0, 1, 2, 0, 1, 2]
    assert [one["shard"] for one in sweep({"shards": 3}, {"shard": [1]}).assignments()] == [1]
    assert sweep({"shards": 3, "shard": 2}, over).assignments() == [{"model.path": "a"}, {"model.path": "b"}]
    assert sweep({}, over).assignments() == [{"model.path": "a"}, {"model.path": "b"}]
    with pytest.raises(
        InputError, match=r"over.shards: the number of shards cannot vary; give it in \[base\]"
    ):
        sweep({}, {"shards": [2, 3]})
    with pytest.raises(InputError, match=r"sweep\.kind must be 'grid' for command 'features', got 'zip'"):
        sweep({"shards": 3}, over, kind="zip")
