"""What a run says beside its numbers, and what it makes of images of several sizes and colours."""

import io

import numpy as np
import pytest
from datasets import Dataset, Features, Image
from PIL import Image as Picture

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.pretraining.data import load_run_data
from carryover.pretraining.result import _whether_it_learned
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import PretrainSpec


def encoded(shape: tuple[int, ...], seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Picture.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def stored(path, images: list[bytes]) -> str:
    rows = {"image": [{"bytes": one, "path": None} for one in images]}
    Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(path)
    return str(path)


def spec_of(path: str, **changes) -> PretrainSpec:
    table = {"data": {"path": path}, "objective": {"kind": "denoising", "width": 4},
             "train": {"steps": 2, "batch_size": 8, "downstream_batch": 4}}  # fmt: skip
    return build(PretrainSpec, {**table, **changes})


@pytest.fixture
def grey(tmp_path) -> str:
    return stored(tmp_path / "grey.parquet", [encoded((8, 8), seed) for seed in range(20)])


@pytest.fixture
def colour(tmp_path) -> str:
    return stored(tmp_path / "colour.parquet", [encoded((8, 8, 3), seed) for seed in range(10)])


def test_images_that_were_resized_unasked_are_said(tmp_path, grey):
    sizes = [encoded((8, 8), seed) for seed in range(15)] + [encoded((12, 9), seed) for seed in range(3)]
    path = stored(tmp_path / "sizes.parquet", sizes)
    said = pretrain(spec_of(path), tmp_path / "run").record["notes"]
    assert len(said) == 1 and said[0].startswith("3 of 18 [data] images had another size: 8 x 8 grey")
    assert not pretrain(spec_of(path, image_size=8), tmp_path / "asked").record["notes"]
    pool = spec_of(grey, downstream={"path": path})
    assert "3 of 18 [downstream] images" in pretrain(pool, tmp_path / "pool").record["notes"][0]


def test_a_strength_of_zero_is_said(tmp_path, grey):
    spec = spec_of(grey, downstream={"path": grey}, regularizer={"kind": "radreg"})
    said = pretrain(spec, tmp_path / "run").record["notes"]
    assert said == ["The strength of the regularizer radreg was 0: it was computed, and changed nothing."]


def test_a_finished_run_that_is_run_again_says_the_same(tmp_path, grey):
    first = pretrain(spec_of(grey), tmp_path / "run").record
    assert first["last"]["step"] == 2 and pretrain(spec_of(grey), tmp_path / "run").record == first


def test_grey_and_colour_meet_where_channels_say_so(tmp_path, grey, colour):
    with pytest.raises(InputError, match=r"with 3 channels, those of \[data\] .* 1 channel.*channels = 3 in"):
        load_run_data(spec_of(grey, downstream={"path": colour}))
    found = load_run_data(spec_of(grey, data={"path": grey, "channels": 3}, downstream={"path": colour}))
    pixels = found.train.pixels
    assert pixels.shape[1] == found.downstream.pixels.shape[1] == 3 and (pixels == pixels[:, :1]).all()
    mixed = stored(tmp_path / "mixed.parquet", [encoded((8, 8), 0), encoded((8, 8, 3), 1)])
    assert load_run_data(spec_of(mixed)).train.pixels.shape[1] == 3
    with pytest.raises(
        InputError, match=r"^\[data\] .* in row 1 .*in colour where grey images were declared"
    ):
        load_run_data(spec_of(mixed, data={"path": mixed, "channels": 1}))


def test_a_broken_image_is_named_by_role_and_row(tmp_path, grey):
    images = [encoded((8, 8), seed) for seed in range(20)]
    whole = images[7]
    images[7] = whole[: len(whole) // 2]
    broken = stored(tmp_path / "broken.parquet", images)
    with pytest.raises(InputError, match=r"^\[downstream\] the image in row 7 of broken.parquet"):
        load_run_data(spec_of(grey, downstream={"path": broken}))


@pytest.mark.parametrize(("held_out", "word"), [(0.43, "near"), (0.73, "above")])
def test_a_run_that_learned_nothing_says_on_which_side_it_ended(held_out, word):
    assert f"{held_out:.3f} is {word} 0.438" in _whether_it_learned(held_out, 0.438)[0]
    assert _whether_it_learned(0.2, 0.438) == []
