"""Factories: found by file or module, and every way of missing them has its sentence."""

import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.models.factories import build_module, find_factory

SOURCE = """
from torch import nn
def tiny(width=2):
    return nn.Linear(3, width)
def not_a_module():
    return 3
def failing():
    raise RuntimeError("no luck")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nets.py"
    path.write_text(SOURCE)
    return path


def test_a_file_and_a_module_give_networks(file):
    module, _ = build_module(f"{file}:tiny", {"width": 5}, seed=0)
    assert isinstance(module, nn.Linear) and module.out_features == 5
    module, _ = build_module("carryover.models.backbones:cifar_resnet20", {}, seed=0)
    assert module.linear.out_features == 10


def test_initial_weights_follow_the_seed_only(file):
    before = torch.get_rng_state()
    weights = [build_module(f"{file}:tiny", {}, seed=seed)[0].weight for seed in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_source_hash_follows_the_file(file):
    _, first = find_factory(f"{file}:tiny")
    file.write_text(SOURCE + "# changed\n")
    assert find_factory(f"{file}:tiny")[1] != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{file}", "'file.py:function' or 'package.module:function'"),
        ("{file}:", "'file.py:function' or 'package.module:function'"),
        ("{file}:tinny", r"no function 'tinny' .* failing, not_a_module, tiny \(did you mean 'tiny'\?\)"),
        ("{folder}/net.py:tiny", r"net.py does not exist; there are: nets.py \(did you mean 'nets.py'\?\)"),
        ("no_such_package.nets:tiny", "could not be imported .*No module named"),
        ("{file}:not_a_module", r"must return a torch.nn.Module, got int"),
        ("{file}:failing", r"failing\(\) failed: RuntimeError: no luck"),
    ],
)
def test_each_error_says_what_and_where(file, text, message):
    with pytest.raises(InputError, match=message):
        build_module(text.format(file=file, folder=file.parent), {}, seed=0)


def test_wrong_arguments_are_named(file):
    with pytest.raises(InputError, match=r"tiny\(depth=3\) failed: TypeError.*depth"):
        build_module(f"{file}:tiny", {"depth": 3}, seed=0)


def test_a_file_that_fails_on_import_says_why(tmp_path):
    (tmp_path / "broken.py").write_text("def f(:\n")
    with pytest.raises(InputError, match=r"broken.py failed on import: SyntaxError"):
        build_module(f"{tmp_path / 'broken.py'}:f", {}, seed=0)
