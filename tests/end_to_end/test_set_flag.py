"""``--set``: any key of a config from the command line."""

import pytest

from carryover._core.errors import InputError
from carryover.cli.commands import parse
from carryover.cli.main import run
from carryover.cli.overrides import assigned
from carryover.pretraining.config import read_recipe

RECIPE = """
[data]
path = "nowhere"
[objective]
kind = "mae"
[train]
steps = 50
"""


def test_a_key_without_a_flag_of_its_own_reaches_the_spec(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    command = parse(
        ["pretrain", str(tmp_path / "recipe.toml"), "--out", "x", "--set", "train.warmup_steps=7",
         "--set", "objective.width=48", "--train.steps", "60"]
    )  # fmt: skip
    spec = read_recipe(command.config, overrides=command._overrides())
    assert (spec.train.warmup_steps, spec.train.steps, spec.objective.width) == (7, 60, 48)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("a=1", 1), ("a=1e-3", 1e-3), ("a=true", True), ("a=[1, 2]", [1, 2]), ("a='x'", "x"), ("a=x/y z", "x/y z"),
        ("a=b=c", "b=c"), ("a={ k = 'v' }", {"k": "v"}), ("a=", ""),
    ],
)  # fmt: skip
def test_values_are_toml_where_they_are_toml(pair, value):
    assert assigned([pair]) == {"a": value} and type(assigned([pair])["a"]) is type(value)


@pytest.mark.parametrize("pair", ["train.steps", "=3", "a..b=1", "a b=1"])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(InputError, match="--set must be KEY=VALUE"):
        assigned([pair])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("train.warmup_steps=70", r"warmup_steps must lie in [0, steps] = [0, 50], got 70"),
        ("train.warmup=7", "unknown key train.warmup"),
        ("train.steps.more=7", "key more leads through 50, which is no table"),
    ],
)
def test_bad_values_end_with_2_before_a_folder_is_made(given, said, tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert (
        run(["pretrain", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run"), "--set", given]) == 2
    )
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_adapt_and_diagnose_take_it_too(tmp_path):
    for command in ("adapt", "diagnose"):
        found = parse([command, "--set", "target.drop_rare=true"])
        assert found._overrides()["target.drop_rare"] is True
