"""Views: functions of the example's id, within their ranges; pretraining on two of them."""

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.objectives.base import Objective
from carryover.objectives.contrastive import TwoViews, projection_head
from carryover.objectives.keyed import Key
from carryover.objectives.normalize import Normalize
from carryover.objectives.simclr import nt_xent
from carryover.objectives.spectral import spectral_contrastive
from carryover.objectives.views import Views, _cropped, _grey

IMAGES = torch.rand(64, 3, 12, 12, generator=torch.Generator().manual_seed(0))
KEY = Key(0, 1, torch.arange(64))
STILL = {"least_area": 1.0, "flip": 0.0, "jitter": 0.0, "grey": 0.0}


def test_a_view_is_a_function_of_the_example_the_step_and_its_name():
    views = Views()
    whole = views.draw(IMAGES, KEY, "first")
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(views.draw(IMAGES[order], Key(0, 1, order), "first"), whole[order])
    assert not torch.equal(views.draw(IMAGES, KEY, "second"), whole)
    assert not torch.equal(views.draw(IMAGES, KEY.at(2), "first"), whole)
    assert whole.shape == IMAGES.shape and whole.min() >= 0.0 and whole.max() <= 1.0


def test_a_crop_of_the_left_half_is_the_left_half():
    ramp = torch.linspace(0, 1, 12).expand(1, 1, 12, 12)
    half = torch.tensor([[-0.5, 0.0, 0.5, 1.0]])
    found = _cropped(ramp, half)[0, 0]
    centres = (np.arange(12) + 0.5) / 2 - 0.5  # of the new pixels, in old pixels
    expected = np.clip(centres, 0, None) / 11
    np.testing.assert_allclose(found[5].numpy(), expected, atol=1e-6)


def test_crops_keep_to_their_area_and_inside_the_image():
    boxes = Views(least_area=0.3)._boxes(Key(0, 0, torch.arange(4000)), "first")
    centre, half = boxes[:, :2], boxes[:, 2:]
    assert (centre.abs() + half <= 1.0 + 1e-6).all()
    area = half.prod(dim=1)
    assert area.min() >= 0.3 * 0.99 / (4 / 3) and area.max() <= 1.0
    assert abs(float(area.mean()) - 0.63) < 0.03  # the mean of 0.3..1, a little less where a side is cut


def test_flips_and_greys_come_as_often_as_asked():
    many, key = IMAGES.repeat(20, 1, 1, 1), Key(0, 0, torch.arange(1280))
    flipped = Views(**{**STILL, "flip": 0.3}).draw(many, key, "v")
    mirrored = (flipped == many.flip(3)).all(dim=(1, 2, 3))
    untouched = (flipped == many).all(dim=(1, 2, 3))
    assert (mirrored ^ untouched).all() and abs(float(mirrored.float().mean()) - 0.3) < 0.065
    grey = Views(**{**STILL, "grey": 0.6}).draw(many, key, "v")
    lost = (grey[:, 0] == grey[:, 1]).all(dim=(1, 2))
    assert abs(float(lost.float().mean()) - 0.6) < 0.07
    torch.testing.assert_close(grey[lost], _grey(many[lost]).expand(-1, 3, -1, -1))


def test_jitter_scales_a_grey_image_by_its_brightness_alone():
    flat = torch.full((500, 3, 4, 4), 0.3)
    found = Views(**{**STILL, "jitter": 0.5}).draw(flat, Key(0, 0, torch.arange(500)), "v")
    factor = found[:, 0, 0, 0] / 0.3
    torch.testing.assert_close(found, (0.3 * factor)[:, None, None, None].expand_as(found))
    assert 0.5 <= factor.min() < 0.55 and 1.45 < factor.max() <= 1.5


def pair() -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(432, 10)), projection_head(10, out=6)


@pytest.mark.parametrize(("loss", "function"), [("simclr", nt_xent), ("spectral", spectral_contrastive)])
@torch.no_grad()
def test_two_views_are_compared_after_projection(loss, function):
    encoder, projector = pair()
    normalize = Normalize([0.5] * 3, [0.25] * 3)
    objective = TwoViews(encoder, projector, loss=loss, normalize=normalize)
    assert isinstance(objective, Objective)
    drawn = [objective.views.draw(IMAGES, KEY, f"{name} view") for name in ("first", "second")]
    projected = projector(encoder(torch.cat([(view - 0.5) / 0.25 for view in drawn])))
    expected = function(projected[:64], projected[64:])
    torch.testing.assert_close(objective.loss(IMAGES, KEY), expected)
    torch.testing.assert_close(objective.encode(IMAGES), encoder((IMAGES - 0.5) / 0.25))


def test_features_of_the_head_alone_do_not_reach_the_encoder():
    encoder, projector = pair()
    TwoViews(encoder, projector).encode(IMAGES).sum().backward()
    assert all(weight.grad is None for weight in projector.parameters())
    assert encoder[1].weight.grad is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Views(least_area=0.0), r"least_area must lie in \(0, 1\], got 0"),
        (lambda: Views(flip=1.5), r"flip must lie in \[0, 1\], got 1.5"),
        (lambda: TwoViews(*pair(), loss="byol"), "loss must be one of"),
        (lambda: TwoViews(*pair(), temperature=-1.0), "temperature must be > 0"),
        (lambda: Normalize([0.5], [0.0]), "std > 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
