"""Scenes against loops over their pixels, attributes of digits against shapes that are known."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.experiments.entries.dhzm.digit_attributes import attribute_classes, slant, tertiles, thickness
from carryover.experiments.entries.dhzm.digit_scenes import (
    BACKGROUND,
    Layout,
    chosen_patches,
    compose_scenes,
    inked_patches,
    patch_targets,
)
from carryover.experiments.entries.dhzm.grey_images import shares


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def scenes():
    generator = np.random.default_rng(1)
    digits = (generator.random((30, 28, 28)) ** 4 * 255).astype(np.uint8)
    return compose_scenes(
        digits, np.arange(30) % 10, n=40, counts=(1, 4), layout=Layout(jitter=5), generator=generator
    )


def test_a_scene_shows_whole_digits_in_quadrants_of_their_own(rng):
    """Digits of one grey level each: the level tells which was pasted, its box where."""
    levels = np.arange(20, 220, 20, dtype=np.uint8)
    digits = np.broadcast_to(levels[:, None, None], (10, 28, 28))
    layout = Layout(jitter=0)
    found = compose_scenes(digits, np.arange(10), n=30, counts=(2, 3), layout=layout, generator=rng)
    numbers = (found.classes >= 0).sum(axis=1)
    assert set(numbers) == {2, 3}
    for scene in range(30):
        shown = np.zeros((40, 40))
        for place in range(numbers[scene]):
            row, column = found.centres[scene, place].astype(int)
            box = (slice(row - 10, row + 10), slice(column - 10, column + 10))
            assert row in (10, 30) and column in (10, 30) and not shown[box].any()
            shown[box] = levels[found.classes[scene, place]]
            assert (found.owner[scene][box] == place).all()
        np.testing.assert_array_equal(found.images[scene], shown)
        assert np.isnan(found.centres[scene, numbers[scene] :]).all()


def test_where_digits_overlap_the_brighter_pixel_is_seen(scenes):
    assert ((scenes.owner >= 0) == (scenes.images > 0)).all()
    reach = np.abs(scenes.centres - np.where(scenes.centres < 20, 10, 30))
    assert np.nanmax(reach) == 5.0  # of the jitter
    assert len(scenes) == 40


def test_patch_targets_are_those_of_a_loop(scenes):
    layout = Layout(jitter=5)
    found = patch_targets(scenes, layout)
    assert (found.classes == BACKGROUND).any() and len(np.unique(found.classes)) == 11
    for scene in range(len(scenes)):
        for row in range(5):
            for column in range(5):
                box = (slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
                ink = scenes.images[scene][box] >= 64
                own, offset = found.classes[scene, 5 * row + column], found.offsets[scene, 5 * row + column]
                if ink.sum() < 8:
                    assert own == BACKGROUND and np.isnan(offset)
                    continue
                counts = [int((ink & (scenes.owner[scene][box] == place)).sum()) for place in range(4)]
                best = int(np.argmax(counts))
                assert own == scenes.classes[scene, best]
                assert offset == scenes.centres[scene, best, 1] - (8 * column + 4)


def test_all_inked_patches_and_a_few_others_are_chosen(scenes, rng):
    inked = inked_patches(scenes.images, Layout())
    image, patch = chosen_patches(inked, rng, background=2)
    assert len(set(zip(image, patch, strict=True))) == len(image)
    others = ~inked[image, patch]
    assert (~others).sum() == inked.sum()
    np.testing.assert_array_equal(
        np.bincount(image[others], minlength=40), np.minimum(2, (~inked).sum(axis=1))
    )


def test_shares_are_disjoint_and_as_large_as_asked(rng):
    parts = shares(10, (0.3, 0.5, 0.2), rng)
    assert [len(part) for part in parts] == [3, 5, 2]
    assert sorted(np.concatenate(parts)) == list(range(10))


def test_misuse_of_scenes_is_named(rng):
    digits, labels = np.zeros((3, 28, 28), np.uint8), np.zeros(3, int)
    with pytest.raises(InputError, match=r"side must be even and >= 40, room for four digits, got 32"):
        Layout(side=32)
    with pytest.raises(InputError, match="patch must divide side = 40, got 7"):
        Layout(patch=7)
    with pytest.raises(InputError, match="jitter must be >= 0 pixels, got -1"):
        Layout(jitter=-1)
    with pytest.raises(InputError, match=r"digits must be \(m, 28, 28\) with m >= 1, got \(3, 8, 8\)"):
        compose_scenes(digits[:, :8, :8], labels, n=1, counts=(1, 1), layout=Layout(), generator=rng)
    with pytest.raises(InputError, match=r"counts must be \(fewest, most\) digits in 1..4, got \(2, 5\)"):
        compose_scenes(digits, labels, n=1, counts=(2, 5), layout=Layout(), generator=rng)


def test_thickness_of_a_bar_is_area_over_half_its_boundary():
    images = np.zeros((3, 28, 28), np.uint8)
    images[0, 4:24, 10:13] = 255
    images[1, 0:28, 0:2] = 255  # at the edge the boundary counts, too
    np.testing.assert_allclose(thickness(images), [2 * 60 / 46, 2 * 56 / 60, 0.0])


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.25, 1.0])
def test_slant_of_a_sheared_line_is_its_shear(lean):
    image = np.zeros((1, 41, 61), np.uint8)
    for row in range(0, 41, 4):  # columns that are whole numbers
        image[0, row, round(30 - lean * (row - 20))] = 200
    assert slant(image)[0] == pytest.approx(lean, abs=1e-12)
    assert slant(np.zeros((1, 5, 5), np.uint8))[0] == 0.0


def test_attributes_are_cut_at_tertiles_of_other_images(scenes):
    cuts = tertiles(scenes.images)
    digits = np.arange(40) % 10
    found = attribute_classes(scenes.images, digits, cuts)
    assert list(found) == ["digit", "parity", "thickness", "slant"]
    np.testing.assert_array_equal(found["parity"], [0, 1] * 20)
    for name in ("thickness", "slant"):
        assert sorted(np.bincount(found[name])) == [13, 13, 14]
    order = np.argsort(slant(scenes.images))
    assert (np.diff(found["slant"][order]) >= 0).all()
    with pytest.raises(InputError, match="tertiles need at least one image, got none"):
        tertiles(scenes.images[:0])
