"""What a problem's neighbours in a batch are must not change its last digit: rows of sweeps rely on it."""

import numpy as np
import pytest

from carryover.theory import FineTuning, Network, Task
from carryover.theory.potentials import solve_coordinate

N = 24
FIELDS = ("generalization_error", "effective_noise", "effective_regularization", "residual")


def numbers(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    rho = 10 ** generator.uniform(-2, -0.7, N)
    return {
        "alpha": generator.uniform(0.02, 1.3, N),
        "scale": 10 ** generator.uniform(-5, 1, N),
        "relative": generator.uniform(-0.9999, 0.9, N),
        "readout": generator.choice([0.0, 1e-3, 1.0], N),
        "rho": rho,
        "overlap": generator.uniform(0, 1, N) * np.minimum(1, 0.1 / rho),
        "noise": generator.choice([0.0, 0.3], N),
    }


def model(given: dict, protocol: str, teacher: str, strength: float) -> FineTuning:
    task = Task(0.1, given["rho"], given["overlap"], given["noise"], teacher=teacher)
    return FineTuning(task, Network(given["scale"], given["relative"], given["readout"], protocol), strength)


@pytest.mark.parametrize(
    ("protocol", "teacher", "strength"),
    [("symmetrized", "gaussian", 0.0), ("kept", "fixed", 0.0), ("kept", "gaussian", 0.1)],
)
def test_predictions_are_the_same_bits_alone_and_in_any_batch(protocol, teacher, strength):
    given = numbers(1)
    whole = model(given, protocol, teacher, strength).predict(given["alpha"])
    order = np.random.default_rng(2).permutation(N)
    for rows in ([place] for place in range(N)), np.array_split(order, 3):
        for own in rows:
            taken = {name: values[own] for name, values in given.items()}
            found = model(taken, protocol, teacher, strength).predict(taken["alpha"])
            for name in FIELDS:
                np.testing.assert_array_equal(
                    getattr(found, name).view(np.uint64), getattr(whole, name)[own].view(np.uint64)
                )


def test_forgetting_is_the_same_bits_alone_and_in_a_batch():
    given = numbers(3)
    given["alpha"] = given["alpha"] / 1.4
    whole = model(given, "symmetrized", "gaussian", 0.0).by_group(given["alpha"])
    for place in range(4):
        taken = {name: values[place] for name, values in given.items()}
        found = model(taken, "symmetrized", "gaussian", 0.0).by_group(taken["alpha"])
        np.testing.assert_array_equal(found.forgetting, whole.forgetting[place])
        np.testing.assert_array_equal(found.error, whole.error[place])


def test_a_root_does_not_depend_on_how_long_the_others_take():
    position = np.geomspace(1e-12, 1e12, 200)
    together = solve_coordinate(np.full(200, 1e-3), np.full(200, 0.7), position)
    alone = [solve_coordinate(np.full(1, 1e-3), np.full(1, 0.7), one[None])[0] for one in position]
    np.testing.assert_array_equal(together, alone)
