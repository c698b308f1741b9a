"""What a sweep's config may say, and the cells that it means."""

import math
from collections import Counter

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.experiments.spec import overlaid, read_sweep

THEORY = {"command": "theory"}


def spec(over, **sweep):
    return read_sweep({"sweep": {**THEORY, **sweep}, "over": over})


def test_grid_is_every_combination_and_zip_one_after_the_other():
    over = {"a": [1, 2], "b.c": ["x", "y"]}
    assert spec(over).assignments() == [
        {"a": 1, "b.c": "x"}, {"a": 1, "b.c": "y"}, {"a": 2, "b.c": "x"}, {"a": 2, "b.c": "y"},
    ]  # fmt: skip
    assert spec(over, kind="zip").assignments() == [{"a": 1, "b.c": "x"}, {"a": 2, "b.c": "y"}]
    assert spec({}).assignments() == [{}]


def test_keys_may_be_quoted_or_not(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text('[sweep]\ncommand = "theory"\n[over]\nnetwork.scale = [1.0]\n"task.overlap" = [0.5]\n')
    assert read_sweep(path).assignments() == [{"network.scale": 1.0, "task.overlap": 0.5}]


def test_draws_lie_in_their_ranges_with_the_law_asked_for():
    over = {
        "plain": {"low": -1.0, "high": 3.0},
        "log": {"low": 1e-6, "high": 1.0, "log": True},
        "whole": {"low": 1, "high": 3},
        "list": ["a", "b"],
    }
    drawn = spec(over, kind="random", samples=2000).assignments()
    plain, logs = (np.array([one[key] for one in drawn]) for key in ("plain", "log"))
    # Means of uniform laws, within four standard errors.
    assert abs(plain.mean() - 1.0) < 4 * 4 / math.sqrt(12 * 2000) and plain.min() >= -1 and plain.max() <= 3
    assert abs(np.log10(logs).mean() + 3.0) < 4 * 6 / math.sqrt(12 * 2000)
    assert logs.min() >= 1e-6 and logs.max() <= 1.0
    for key, values in (("whole", [1, 2, 3]), ("list", ["a", "b"])):
        counts = Counter(one[key] for one in drawn)
        assert sorted(counts) == values and min(counts.values()) > 2000 / len(values) * 0.85
    assert all(type(one["whole"]) is int for one in drawn)


def test_whole_numbers_even_in_logarithms():
    over = {"width": {"low": 1, "high": 1024, "log": True}}
    drawn = [one["width"] for one in spec(over, kind="random", samples=500).assignments()]
    assert all(type(one) is int and 1 <= one <= 1024 for one in drawn)
    assert 16 < float(np.median(drawn)) < 64


def test_draws_depend_on_the_seed_and_the_key_only():
    a, b = {"low": 0.0, "high": 1.0}, {"low": 0.0, "high": 1.0}
    first = spec({"a": a, "b": b}, kind="random", samples=5).assignments()
    more = spec({"b": b, "a": a}, kind="random", samples=9).assignments()
    assert more[:5] == first
    assert all(one["a"] != one["b"] for one in first)
    assert spec({"a": a, "b": b}, kind="random", samples=5, seed=1).assignments() != first


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"sweep": {"command": "theory"}, "overs": {}}, "unknown key overs.*did you mean 'over'"),
        ({"sweep": {"command": "train"}}, "sweep.command must be one of 'theory', 'pretrain'"),
        ({"sweep": {"command": "theory", "kind": "cube"}}, "sweep.kind must be one of 'grid'"),
        ({"sweep": {"command": "theory", "seed": "x"}}, "sweep.seed must be a whole number"),
        ({"over": {}}, "key sweep is missing"),
        ({"sweep": THEORY, "over": {"a": 3}}, "over.a must be a list, or a table with low and high, got 3"),
        ({"sweep": THEORY, "over": {"a": []}}, "over.a must have at least one value"),
        ({"sweep": THEORY, "over": {"a": {"low": 0, "high": 1}}}, "over.a is a range, which needs"),
        ({"sweep": {**THEORY, "samples": 3}}, "samples goes with kind 'random'"),
        ({"sweep": {**THEORY, "kind": "random"}}, "samples goes with kind 'random'"),
        ({"sweep": {**THEORY, "kind": "random", "samples": 0}}, "samples must be >= 1, got 0"),
        (
            {"sweep": {**THEORY, "kind": "zip"}, "over": {"a": [1], "b": [1, 2]}},
            "equally long: a has 1, b has 2",
        ),
    ],
)
def test_what_cannot_be_used_is_named(tables, said):
    with pytest.raises(InputError, match=said):
        read_sweep(tables)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"low": 2, "high": 1}, "over.a: low must be below high"),
        ({"low": "x", "high": 1}, "low must be a finite number"),
        ({"low": 0.0, "high": math.inf}, "high must be a finite number"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low must be > 0 with log = true"),
        ({"low": 0.0, "high": 1.0, "logs": True}, "unknown key logs"),
        ({"low": 0.0}, "key high is missing"),
    ],
)
def test_what_is_no_range_is_named(table, said):
    with pytest.raises(InputError, match=said):
        spec({"a": table}, kind="random", samples=1)


def test_values_are_laid_over_tables_and_lists():
    base = {"models": [{"path": "a"}, {"path": "b"}], "target": {"n": 1}}
    found = overlaid(base, {"models.1.path": "c", "target.m": 2, "new.key": 3})
    assert found == {
        "models": [{"path": "a"}, {"path": "c"}], "target": {"n": 1, "m": 2}, "new": {"key": 3},
    }  # fmt: skip
    assert base["models"][1] == {"path": "b"}
    with pytest.raises(InputError, match=r"over\.models\.2.path: '2' must be a place from 0 to 1"):
        overlaid(base, {"models.2.path": "c"})
    with pytest.raises(InputError, match=r"over\.target\.n\.x leads through 1, which is no table"):
        overlaid(base, {"target.n.x": 2})


def test_paths_count_from_the_files_folder(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    path = tmp_path / "sweep.toml"
    path.write_text(
        '[sweep]\ncommand = "pretrain"\n[base]\ndownstream.path = "a"\n'
        '[over]\n"data.path" = ["b", "c", "hub/id"]\nname = ["a"]\n'
    )
    found = read_sweep(path, path_keys=("path",))
    assert found.base["downstream"]["path"] == str(tmp_path / "a")
    assert found.over == {"data.path": (str(tmp_path / "b"), str(tmp_path / "c"), "hub/id"), "name": ("a",)}
