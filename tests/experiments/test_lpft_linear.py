"""The linear example against gradient descent of small steps, and the limits that are known."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.experiments.entries.lpft.linear import FT, LP_FT, TIMES, LinearTransferCell, run_linear


def errors(row, where):
    return np.array([row[f"{where}_{at}"] for at in range(len(TIMES))])


@pytest.mark.parametrize("samples", [3, 10, 40])
def test_after_a_probe_nothing_is_lost_and_from_a_new_head_it_is(samples):
    for seed in range(3):
        kept = run_linear(LinearTransferCell(LP_FT, samples, seed=seed))
        bent = run_linear(LinearTransferCell(FT, samples, seed=seed))
        assert errors(kept, "outside").max() < 1e-18 and errors(kept, "inside").max() < 1e-18
        assert errors(bent, "outside").min() > 1e-3


def test_with_fewer_samples_than_features_the_probe_loses_too():
    assert all(
        errors(run_linear(LinearTransferCell(LP_FT, 2, seed=seed)), "outside").max() > 1e-4
        for seed in range(5)
    )


def test_with_data_in_every_direction_but_one_the_inside_is_learned():
    row = run_linear(LinearTransferCell(FT, 400, directions=19))
    assert errors(row, "inside")[-1] < 1e-12 < errors(row, "outside")[-1]


def test_gradient_descent_of_small_steps_ends_there():
    cell = LinearTransferCell(FT, 5, dimension=6, features=2, directions=3, seed=4)
    generator = derive_generator(cell.seed, "linear transfer", cell.samples)
    basis = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    features = np.linalg.qr(generator.normal(size=(6, 2)))[0].T
    truth = generator.normal(size=2)
    truth = features.T @ (truth / np.linalg.norm(truth))
    inputs = generator.normal(size=(5, 3)) @ basis[:, :3].T
    head = generator.normal(size=2)
    head = head / np.linalg.norm(head)
    step = 5e-4
    for _ in range(round(3.0 / step)):
        wrong = inputs @ (features.T @ head - truth) / cell.samples
        pull = inputs.T @ wrong
        features, head = features - step * np.outer(head, pull), head - step * features @ pull
    apart = (features.T @ head - truth) @ basis
    row, at = run_linear(cell), TIMES.index(3.0)
    assert row[f"outside_{at}"] == pytest.approx((apart[3:] ** 2).sum(), rel=2e-3)
    assert row[f"inside_{at}"] == pytest.approx((apart[:3] ** 2).sum(), rel=5e-3)


def test_misuse_is_named():
    with pytest.raises(InputError, match="1 <= features <= directions < dimension must hold, got 9, 8, 20"):
        LinearTransferCell(FT, 5, features=9)
    with pytest.raises(InputError, match="samples must be >= 1, got 0"):
        LinearTransferCell(FT, 0)
