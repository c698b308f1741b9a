"""dhzm_dense: measures against closed forms, rows against loops, and what is concluded from made-up tables."""

import math
from dataclasses import replace

import numpy as np
import pytest

from carryover._core.errors import InputError, NotComputedError
from carryover.experiments.entries.dhzm.dense import DHZM_DENSE
from carryover.experiments.entries.dhzm.dense_cells import Rows, TaskRows, _reported, diagnosed, measured
from carryover.experiments.entries.dhzm.dense_claims import TERMS, correlations, usable_encoders
from carryover.experiments.entries.dhzm.dense_data import DenseCell, DenseSizes, dense_data
from carryover.experiments.entries.dhzm.digit_scenes import Layout
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.specs import TrainSpec

MAE = ObjectiveSpec("mae", width=16, depth=1, heads=2, patch_size=8)
ENCODERS = [("mae", source, steps) for source in ("scenes", "clothes") for steps in (10, 20, 40)]


def task_of(features, targets):
    """The first half trains, the second tests; the pool is all of it, the source the same moved far away."""
    half = len(features) // 2
    image = np.arange(len(features))
    parts = (Rows(features[part], image[part], targets[part]) for part in (slice(half), slice(half, None)))
    return TaskRows(*parts, Rows(features, image), Rows(features + 100.0, image))


def test_the_terms_of_orthonormal_features_are_known():
    """Every sign gives ||H^T S||_F = sqrt(n K) where H is the identity; far samples are told apart."""
    found = measured(task_of(np.eye(40), np.arange(40) % 5), seed=0)
    assert found["radreg"] == pytest.approx(math.sqrt(5 / 40), rel=1e-12)
    assert found["total_variation"] == pytest.approx(1.0) and 0.5 < found["total_variation_low"] < 1.0


def test_neither_scale_nor_width_enters_and_the_error_is_that_of_unseen_rows():
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 3, 200)
    features = np.eye(3)[targets] + 0.01 * generator.normal(size=(200, 3))
    found = measured(task_of(features, targets), seed=1)
    assert found["error"] == 0.0
    padded = np.concatenate([7.0 * features, np.zeros((200, 5))], axis=1)
    again = measured(task_of(padded, targets), seed=1)
    assert again["radreg"] == pytest.approx(found["radreg"], rel=1e-9)
    noise = measured(task_of(generator.normal(size=(200, 3)), targets), seed=1)
    assert 0.4 < noise["error"] < 0.9


@pytest.mark.slow
def test_a_features_file_is_diagnosed_as_a_user_would(tmp_path):
    generator = np.random.default_rng(2)
    features, image = generator.normal(size=(240, 4)), np.arange(240) // 4
    targets = features @ [1.0, -2.0, 0.5, 0.0] + 0.1 * generator.normal(size=240)
    halves = (slice(120), slice(120, None))
    tasks = {}
    for name, given in (("good", features), ("noise", generator.normal(size=(240, 4)))):
        train, test = (Rows(given[part], image[part], targets[part]) for part in halves)
        tasks[name] = TaskRows(train, test, test, Rows(given + 50.0, image))
    found = diagnosed(tasks, tmp_path / "features", seed=0)
    assert found["good"]["error"] == pytest.approx(0.01 / 5.26, abs=0.003)
    assert found["noise"]["error"] == pytest.approx(1.0, abs=0.15)
    assert found["good"]["total_variation"] > 0.8 and found["good"]["total_variation_low"] > 0.5


def test_a_diagnosis_without_r2_fails_with_its_reason():
    with pytest.raises(NotComputedError, match="the diagnosis of 'a' has no R2: too narrow"):
        _reported({"name": "a", "status": "failed", "reason": "too narrow"})


@pytest.mark.slow
def test_all_but_the_pretraining_images_is_the_same_for_a_seed(data_root):
    digits, clothes = (str(data_root / "data" / name) for name in ("mnist", "fashion_mnist"))
    sizes = DenseSizes(20, 5, 5, 5, 2, 6, 6, 6)
    cells = [
        DenseCell(digits, MAE, TrainSpec(), source=source, clothes=clothes, sizes=sizes)
        for source in ("scenes", "singles", "clothes")
    ]
    scenes, singles, others = map(dense_data, cells)
    for name in ("labelled", "pool", "test", "whole_labelled"):
        np.testing.assert_array_equal(getattr(scenes, name).images, getattr(others, name).images)
    assert not np.array_equal(scenes.labelled.images, scenes.pool.images)
    assert scenes.pretraining.shape == singles.pretraining.shape == (20, 40, 40)
    assert others.pretraining.shape == (20, 28, 28)
    another = dense_data(replace(cells[0], seed=1))
    assert not np.array_equal(another.labelled.images, scenes.labelled.images)


def table_of(rows):
    """The entry's table of rows as cells give them, all three tasks alike."""
    return DHZM_DENSE.table(rows)


def row_of(encoder, seed, *, error, loss, radreg=0.05, variation=0.5, start=0.8, **others):
    measures = {"radreg": radreg, "total_variation": variation, "total_variation_low": 0.0}
    row = dict(zip(("objective", "source", "steps"), encoder, strict=True))
    row |= {"seed": seed, "held_out_loss": loss, "status": "ok", "reason": None}
    for task in ("segmentation", "offset", "whole"):
        row |= {f"trained.{task}.{key}": value for key, value in (measures | {"error": error}).items()}
        row |= {f"random.{task}.{key}": value for key, value in (measures | {"error": start}).items()}
    return row | others


def made_up(*, slope=1.0, start=0.8, seeds=6, whole_slope=None):
    """The error grows with loss, RadReg and total variation (``slope`` < 0: falls), a little otherwise by seed."""
    generator, rows = np.random.default_rng(3), []
    for seed in range(seeds):
        for place, encoder in enumerate(ENCODERS):
            level = place % 3 + 3 * (place // 3)
            values = {"loss": 0.1 * level, "radreg": 0.05 + 0.01 * level, "variation": 0.1 * level}
            error = 0.4 + 0.03 * slope * level + 0.001 * generator.normal()
            row = row_of(encoder, seed, error=error, start=start, **values)
            if whole_slope is not None:
                row["trained.whole.error"] = 0.4 + 0.03 * whole_slope * level + 0.001 * generator.normal()
            rows.append(row)
    return table_of(rows)


def verdicts(comparisons, what):
    return [one.verdict for one in comparisons if what in one.what]


def test_the_table_has_a_row_for_each_encoder_and_task_with_its_excess():
    table = made_up(seeds=2)
    assert len(table) == 2 * 6 * 3 and (table["excess"] >= 0).all()
    own = table[(table["seed"] == 1) & (table["task"] == "whole")]
    np.testing.assert_allclose(own["excess"], [0.0, 0.1, 0.2, 0.0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(own["gain"], 0.8 - own["error"])


def test_errors_that_grow_with_the_terms_agree_for_patches_as_for_images():
    found = DHZM_DENSE.compare(made_up())
    assert verdicts(found, "error of the random start") == ["agrees"] * 3
    assert verdicts(found, "mean over seeds") == ["agrees"] * 9
    assert verdicts(found, "less whole images") == ["agrees"] * 6


def test_errors_that_fall_with_the_terms_differ():
    assert verdicts(DHZM_DENSE.compare(made_up(slope=-1.0)), "mean over seeds") == ["differs"] * 9


def test_another_order_for_whole_images_is_seen():
    found = DHZM_DENSE.compare(made_up(whole_slope=-1.0))
    assert verdicts(found, "less whole images") == ["differs"] * 6


def test_encoders_that_do_not_beat_their_random_start_conclude_nothing():
    table = made_up(start=0.3)
    assert usable_encoders(table, "whole") == []
    found = DHZM_DENSE.compare(table)
    comparisons = [one for one in found if "error of the random" not in one.what]
    assert {one.verdict for one in comparisons} == {"cannot tell"} and len(comparisons) == 15
    assert all("so that nothing can be concluded" in one.sentence for one in comparisons)
    assert verdicts(found, "error of the random start") == ["differs"] * 3


def test_only_the_encoders_that_beat_it_are_compared():
    """With a start between the errors of the third and fourth encoder three are left."""
    table = made_up(start=0.475)
    assert usable_encoders(table, "offset") == ENCODERS[:3]
    found = DHZM_DENSE.compare(table)
    assert verdicts(found, "offset: rank correlation of pretraining excess") == ["agrees"]
    assert verdicts(found, "offset: rank correlation of RadReg") == ["cannot tell"]


def test_a_run_that_failed_leaves_its_encoder_out():
    rows = [row_of(one, seed, error=0.4 + 0.01 * place, loss=0.1 * place)
            for seed in range(3) for place, one in enumerate(ENCODERS)]  # fmt: skip
    labels = {key: rows[1][key] for key in ("objective", "source", "steps", "seed")}
    rows[1] = labels | {"status": "failed", "reason": "the loss is NaN"}
    table = table_of(rows)
    assert ENCODERS[1] not in usable_encoders(table, "whole") and len(usable_encoders(table, "whole")) == 5
    assert verdicts(DHZM_DENSE.compare(table), "whole: error of the random start") == ["cannot tell"]
    constant = correlations(table, "whole", "radreg", encoders=[ENCODERS[0], *ENCODERS[2:]])
    assert constant == f"for some seed {TERMS['radreg']} is the same for all encoders, or missing"


def test_misuse_of_a_cell_is_named():
    with pytest.raises(
        InputError, match=r"source must be one of \('scenes', 'singles', 'clothes'\), got 'cats'"
    ):
        DenseCell("mnist", MAE, TrainSpec(), source="cats")
    with pytest.raises(InputError, match="source 'clothes' needs the data set clothes"):
        DenseCell("mnist", MAE, TrainSpec(), source="clothes")
    with pytest.raises(InputError, match="patch_size must be that of the layout, 10, got 8"):
        DenseCell("mnist", MAE, TrainSpec(), layout=Layout(patch=10))
