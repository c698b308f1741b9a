"""Where data sets and checkpoints are looked for."""

import pytest

from carryover._core.errors import InputError
from carryover.experiments.inputs import HUB_IDS, Inputs


@pytest.mark.parametrize("kind", ["", "data"])
def test_a_folder_of_that_name_stands_before_the_hub(tmp_path, kind):
    (tmp_path / kind / "mnist").mkdir(parents=True)
    inputs = Inputs(tmp_path)
    assert inputs.data_set("mnist") == str(tmp_path / kind / "mnist")
    assert inputs.data_set("usps") == HUB_IDS["usps"] == Inputs().data_set("usps")


def test_a_checkpoint_that_is_not_there_is_none(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "a.th").touch()
    assert Inputs(tmp_path).checkpoint("a.th") == str(tmp_path / "checkpoints" / "a.th")
    assert Inputs(tmp_path).checkpoint("b.th") is None and Inputs().checkpoint("a.th") is None


def test_misuse_is_said(tmp_path):
    with pytest.raises(InputError, match="did you mean 'cifar100'"):
        Inputs().data_set("cifar1000")
    with pytest.raises(InputError, match="none is not a folder"):
        Inputs(tmp_path / "none")
