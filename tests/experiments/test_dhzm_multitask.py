"""dhzm_multitask: measures against closed forms, and what is concluded from made-up tables."""

import math

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.experiments.entries.dhzm.multitask import DHZM_MULTITASK
from carryover.experiments.entries.dhzm.multitask_cells import (
    MultitaskCell,
    multitask_data,
    of_features,
    radreg,
    side_by_side,
)
from carryover.experiments.entries.dhzm.multitask_claims import MATTERS, per_encoder, usable_encoders
from carryover.measures.dimensions import participation_ratio
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.specs import TrainSpec

TASKS = ("digit", "parity", "thickness", "slant")
DENOISING = ObjectiveSpec("denoising", encoder="fully_connected", width=4)
ENCODERS = [("denoising", source, steps) for source in ("digits", "clothes") for steps in (10, 20, 40)]


def test_radreg_of_orthonormal_features_is_known_and_scale_free():
    assert radreg(np.eye(50), 18, seed=0) == pytest.approx(math.sqrt(18 / 50), rel=1e-12)
    features = np.random.default_rng(0).normal(size=(50, 4))
    assert radreg(3.0 * features, 2, seed=0) == pytest.approx(radreg(features, 2, seed=0), rel=1e-12)
    assert radreg(np.zeros((5, 2)), 2, seed=0) is None


def test_side_by_side_encoders_count_alike():
    """Orthogonal directions of any scale: 2 + 2 of equal variance each make 4, the same ones twice make 2."""
    first, second = np.zeros((8, 2)), np.zeros((8, 2))
    first[:4] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    second[4:] = first[:4]
    dimensions = [
        participation_ratio(side_by_side({"a": one, "b": other})).value
        for one, other in ((first, 1000.0 * second), (first, first + 5.0))
    ]
    np.testing.assert_allclose(dimensions, [4.0, 2.0])


def test_features_that_stay_in_their_directions_share_all_of_them():
    before = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    found = of_features(before, before[:, :1], 3, seed=0)
    assert found["dimensions"] == pytest.approx(1.0) and found["share"] == pytest.approx(1.0)
    still = of_features(before, np.ones((4, 1)), 3, seed=0)
    assert still["dimensions"] is None and still["share"] is None


@pytest.mark.slow
def test_digits_of_the_parts_are_disjoint_and_the_same_for_a_seed(data_root):
    digits, clothes = (str(data_root / "data" / name) for name in ("mnist", "fashion_mnist"))
    given = {"n_pretraining": 300, "n_labels": 30, "n_pool": 40, "n_test": 50}
    first = multitask_data(MultitaskCell(digits, DENOISING, TrainSpec(), **given))
    other = multitask_data(
        MultitaskCell(digits, DENOISING, TrainSpec(), source="clothes", clothes=clothes, **given)
    )
    np.testing.assert_array_equal(first.labelled.images, other.labelled.images)
    np.testing.assert_array_equal(first.pool, other.pool)
    assert not np.array_equal(first.pretraining, other.pretraining)
    seen = {image.tobytes() for image in first.pretraining}
    labelled = {image.tobytes() for image in first.labelled.images}
    pool = {image.tobytes() for image in first.pool}
    assert len(seen) == 300 and not seen & labelled and not seen & pool and not labelled & pool
    assert set(first.labelled.targets) == set(TASKS) and len(first.test) == 50


def row_of(encoder, seed, *, multi=0.2, single=0.2, probe=0.3, start=0.5, level=0.0, **others):
    row = dict(zip(("objective", "source", "steps"), encoder, strict=True))
    row |= {"seed": seed, "held_out_loss": 1.0, "total_variation": 0.1 + 0.1 * level, "status": "ok",
            "reason": None, "frozen.radreg": 0.1 + 0.01 * level, "multi.radreg": 0.1 + 0.01 * level,
            "multi.dimensions": 3.0, "multi.share": 0.9, "singles.dimensions": 5.0}  # fmt: skip
    for task in TASKS:
        row |= {f"multi.{task}.error": multi, f"single.{task}.error": single, f"probe.{task}.error": probe,
                f"random.{task}.error": start, f"single.{task}.radreg": 0.05 + 0.01 * level}  # fmt: skip
    return row | others


def made_up(*, start=0.5, joint_gain=0.0, parity_gain=0.0, drop=None, slope=0.02):
    """Errors that grow with the terms by ``slope``; joint fine-tunes are better by ``joint_gain``."""
    generator, rows = np.random.default_rng(0), []
    for seed in range(6):
        rows.append(row_of(("nothing", "digits", 0), seed, multi=0.4, **{"multi.share": 0.5}))
        for place, encoder in enumerate(ENCODERS):
            error = 0.2 + slope * place + 0.001 * generator.normal()
            errors = {"multi": error - joint_gain, "single": error + 0.0005 * generator.normal()}
            row = row_of(encoder, seed, probe=error + 0.1, start=start, level=place, **errors)
            row["multi.parity.error"] -= parity_gain
            row["multi.dimensions"] += 0.1 * generator.normal()
            rows.append(row)
    return DHZM_MULTITASK.table([row for place, row in enumerate(rows) if place != drop])


def compared(**given):
    return DHZM_MULTITASK.compare(made_up(**given))


def verdicts(comparisons, what):
    return [one.verdict for one in comparisons if what in one.what]


def test_the_table_has_a_row_for_each_encoder_and_task():
    table = made_up()
    assert len(table) == 6 * 7 * 4
    assert {
        "multi_error",
        "single_error",
        "probe_error",
        "random_error",
        "single_radreg",
        "multi_radreg",
    } <= set(table.columns)
    sums = per_encoder(table)
    assert len(sums) == 42
    one = sums.loc[("nothing", "digits", 0, 0)]
    assert one["multi_error"] == pytest.approx(1.6) and one["single_radreg"] == pytest.approx(0.2)
    assert one["multi_dimensions"] == 3.0


def test_equal_errors_are_what_the_sum_predicts():
    found = compared()
    assert verdicts(found, "of the joint fine-tune less of the single-task fine-tunes") == ["agrees"]
    assert verdicts(found, "rank correlation over 6 encoders") == ["agrees"] * 6
    assert verdicts(found, "of the probes less of the joint") == ["agrees"]
    assert verdicts(found, "side by side") == ["agrees"] and verdicts(found, "had before") == ["agrees"]
    assert verdicts(found, "from the random start less from pretraining") == ["agrees"]


def test_joint_errors_that_are_lower_agree_with_shared_features_and_differ_from_the_sum():
    found = compared(joint_gain=2 * MATTERS)
    assert verdicts(found, "error of the single-task fine-tune less") == ["agrees"] * 4
    assert verdicts(found, "of the joint fine-tune less of the single-task fine-tunes") == ["differs"]
    worse = compared(joint_gain=-2 * MATTERS)
    assert verdicts(worse, "error of the single-task fine-tune less") == ["differs"] * 4


def test_a_gain_of_parity_alone_is_seen():
    assert verdicts(compared(parity_gain=0.05), "parity less the mean") == ["agrees"]
    assert verdicts(compared(parity_gain=-0.05), "parity less the mean") == ["differs"]


def test_errors_that_fall_with_the_terms_differ():
    found = verdicts(compared(slope=-0.02), "rank correlation over 6 encoders of RadReg")
    assert found == ["differs"] * 2


def test_encoders_that_do_not_beat_their_random_start_conclude_nothing():
    table = made_up(start=0.2)
    assert usable_encoders(per_encoder(table)) == []
    found = DHZM_MULTITASK.compare(table)
    others = [one for one in found if "probe errors" not in one.what]
    assert {one.verdict for one in others} == {"cannot tell"} and len(others) == 16
    assert all("so that nothing can be concluded" in one.sentence for one in others)
    assert verdicts(found, "probe errors") == ["differs"]


def test_a_missing_run_from_the_random_start_is_no_number():
    found = compared(drop=0)
    assert verdicts(found, "had before") == ["cannot tell"]
    assert verdicts(found, "thickness: error of the single-task fine-tune less") == verdicts(
        compared(), "thickness: e"
    )


def test_misuse_of_a_cell_is_named():
    with pytest.raises(InputError, match="source must be 'digits' or 'clothes', got 'cats'"):
        MultitaskCell("mnist", DENOISING, TrainSpec(), source="cats")
    with pytest.raises(InputError, match="source 'clothes' needs the data set clothes"):
        MultitaskCell("mnist", DENOISING, TrainSpec(), source="clothes")
