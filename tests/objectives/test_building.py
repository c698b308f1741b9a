"""What a config says of its objective reaches the objective that is built."""

import pytest
import torch

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.models.encoders import ImageSize
from carryover.objectives.building import build_objective
from carryover.objectives.specs import ObjectiveSpec

SIZE = ImageSize(8, 8, 1)


def built(kind: str, **fields):
    return build_objective(ObjectiveSpec(kind, **fields), SIZE, mean=[0.5], std=[0.2], seed=0)


def test_what_a_curl_config_says_reaches_the_objective():
    found = built("curl", width=5, negatives=3, block=2, curl_loss="hinge", flip=0.1)
    assert (found.negatives, found.block, found.name, found.views.flip) == (3, 2, "hinge", 0.1)


@pytest.mark.parametrize("kind", ["simclr", "spectral", "curl"])
def test_a_projection_has_its_width_and_none_leaves_the_features(kind):
    features = torch.rand(4, 5)
    assert built(kind, width=5, projection=7).projector(features).shape == (4, 7)
    assert built(kind, width=5, projection=0).projector(features) is features


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "simclr", "projection": -1}, "objective projection must be >= 0, got -1"),
        ({"kind": "curl", "curl_loss": "square"}, "curl_loss must be one of 'hinge', 'logistic'"),
        ({"kind": "curl", "negatives": 0}, "negatives and block must be >= 1, got 0 and 1"),
    ],
)
def test_bad_input(table, message):
    with pytest.raises(InputError, match=message):
        build_objective(build(ObjectiveSpec, table), SIZE, mean=[0.5], std=[0.2], seed=0)
