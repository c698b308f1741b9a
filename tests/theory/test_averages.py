"""Averages over one coordinate: brute force with the prox, linear limit, exact slopes, scale, both quadratures."""

from dataclasses import replace

import numpy as np
import pytest

from carryover.theory import HyperbolicEntropy
from carryover.theory.averages import Cells, averages, distances, estimate_nodes

FIELDS = ("response", "error")
# sqrt k, mean, variance, u_0, then s^2 and g: Gaussian, fixed, empty coordinates, with and without a start
CASES = np.array(
    [
        (1.0, 0.0, 1.0, 0.0, 0.3, 0.7),
        (1e-3, 0.0, 10.0, 0.0, 0.05, 0.4),
        (1e-9, 0.0, 10.0, 0.0, 1e-4, 1e-2),
        (1e4, 0.0, 100.0, 0.0, 2.0, 1e4),
        (0.1, 3.0, 0.0, 0.0, 0.2, 1.5),
        (1e-6, 3.0, 0.0, 0.0, 1e-3, 0.1),
        (1e-9, 0.0, 0.0, 0.0, 0.1, 0.05),
        (0.5, 0.0, 2.0, 0.8, 0.1, 1.0),
        (0.5, -2.0, 0.0, 0.8, 0.1, 1.0),
        (50.0, 1.0, 0.5, -0.1, 0.4, 20.0),
    ]
)
CELLS = Cells(*CASES[:, :4].T)
NOISE, STRENGTH = CASES[:, 4], CASES[:, 5]


def by_grids(cell: Cells, noise: float, strength: float) -> tuple[float, float]:
    """Response and error by two grids, over X and over V, with the prox and a difference quotient."""
    sqrt_k, mean, variance, origin = (
        float(getattr(cell, name)[0]) for name in ("sqrt_k", "mean", "variance", "origin")
    )
    potential = HyperbolicEntropy(sqrt_k, np.sinh(origin) * sqrt_k / 2)
    grid = np.linspace(-8, 8, 601)
    weight = np.exp(-(grid**2) / 2)
    weight /= weight.sum()
    teacher = mean + np.sqrt(variance) * grid[:, None] if variance else np.array([[mean]])
    by_teacher = weight[:, None] if variance else np.ones((1, 1))
    z = teacher + np.sqrt(noise) * grid
    estimate = potential.prox(z, strength)
    response = 1.0 / (1.0 + strength * potential.curvature(estimate))
    return tuple(float((by_teacher * weight * part).sum()) for part in (response, (estimate - teacher) ** 2))


@pytest.mark.parametrize("row", [0, 1, 3, 4, 7, 8, 9])
def test_averages_by_brute_force(row):
    found = averages(CELLS, NOISE, STRENGTH)
    response, error = by_grids(CELLS.take(np.array([row])), NOISE[row], STRENGTH[row])
    assert found.response[row] == pytest.approx(response, rel=1e-7, abs=0)
    assert found.error[row] == pytest.approx(error, rel=1e-7, abs=0)


def test_narrow_potentials_are_soft_thresholds_at_their_logarithm():
    """For sqrt k = 1e-300 the estimate of an empty coordinate is 0 below its threshold (g / 2) log(4 z / sqrt k)."""
    cell = Cells(np.array([1e-300]), np.zeros(1), np.zeros(1), np.zeros(1))
    noise, strength = 1.0, 2.0 / np.log(1e300)
    found = averages(cell, np.array([noise]), np.array([strength]))
    z = np.linspace(-9, 9, 200_001)
    law = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    estimate = HyperbolicEntropy(1e-300).prox(z, strength)
    assert found.error[0] == pytest.approx(law @ estimate**2, rel=1e-6, abs=0)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("along", ["noise", "strength"])
def test_slopes_are_exact(name, along):
    """Along log s^2 and log g, against central differences."""
    step = 1e-4
    sides = []
    for sign in (1, -1):
        factor = np.exp(sign * step)
        shifted = (NOISE * factor, STRENGTH) if along == "noise" else (NOISE, STRENGTH * factor)
        sides.append(getattr(averages(CELLS, *shifted), name))
    slope = (sides[0] - sides[1]) / (2 * step)
    found = averages(CELLS, NOISE, STRENGTH)
    size = np.abs(getattr(found, name))
    np.testing.assert_allclose(getattr(found, f"{name}_{along}") / size, slope / size, rtol=1e-6, atol=1e-8)


def test_wide_potentials_shrink_linearly():
    """sqrt k far above every coefficient: xhat = z sqrt k / (sqrt k + g)."""
    mean, variance, noise, strength, sqrt_k = 2.0, 3.0, 0.4, 5e7, 1e8
    kept = sqrt_k / (sqrt_k + strength)
    wide = Cells(*(np.array([x]) for x in (sqrt_k, mean, variance, 0.0)))
    found = averages(wide, np.array([noise]), np.array([strength]))
    assert found.response[0] == pytest.approx(kept, rel=1e-12, abs=0)
    bias = (1 - kept) ** 2 * (mean**2 + variance)
    assert found.error[0] == pytest.approx(bias + kept**2 * noise, rel=1e-12, abs=0)
    assert found.error_noise[0] == pytest.approx(kept**2 * noise, rel=1e-12, abs=0)


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e5])
def test_coefficients_k_noise_and_strength_scale_together(factor):
    scaled = replace(
        CELLS,
        sqrt_k=factor * CELLS.sqrt_k,
        mean=factor * CELLS.mean,
        variance=factor**2 * CELLS.variance,
    )
    before, after = averages(CELLS, NOISE, STRENGTH), averages(scaled, factor**2 * NOISE, factor * STRENGTH)
    np.testing.assert_allclose(after.response, before.response, rtol=1e-11)
    np.testing.assert_allclose(after.error, factor**2 * before.error, rtol=1e-11)


def test_sign_of_a_coefficient_and_its_start_is_immaterial():
    mirrored = replace(CELLS, mean=-CELLS.mean, origin=-CELLS.origin)
    for name in FIELDS:
        before, after = (getattr(averages(cells, NOISE, STRENGTH), name) for cells in (CELLS, mirrored))
        np.testing.assert_allclose(after, before, rtol=1e-12)


def test_half_and_whole_lines_agree():
    """Centred cells are summed over half the line; a mean of 1e-200 sends them down the other way."""
    centred = CELLS.take(np.flatnonzero(CELLS.centred))
    off = replace(centred, mean=np.full_like(centred.mean, 1e-200))
    noise, strength = NOISE[CELLS.centred], STRENGTH[CELLS.centred]
    assert centred.centred.all()
    assert not off.centred.any()
    for name in ("response", "error", "response_noise", "response_strength", "error_noise", "error_strength"):
        one, other = (getattr(averages(cells, noise, strength), name) for cells in (centred, off))
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_cells_do_not_see_each_other():
    together = averages(CELLS, NOISE, STRENGTH)
    for row in range(len(NOISE)):
        alone = averages(CELLS.take(np.array([row])), NOISE[[row]], STRENGTH[[row]])
        for name in FIELDS:
            assert getattr(alone, name)[0] == pytest.approx(getattr(together, name)[row], rel=1e-12, abs=0)


def test_distance_to_a_fixed_coefficient_is_the_error():
    fixed = CELLS.take(np.flatnonzero(CELLS.variance == 0.0))
    noise, strength = NOISE[CELLS.variance == 0.0], STRENGTH[CELLS.variance == 0.0]
    expected = averages(fixed, noise, strength).error
    np.testing.assert_allclose(distances(fixed, noise, strength, fixed.mean), expected, rtol=1e-9)


def test_values_that_stand_for_the_law_of_the_estimate_have_its_moments():
    values, weights = estimate_nodes(CELLS, NOISE, STRENGTH, 10**6)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-14)
    for point in (0.0, 1.0):
        expected = distances(CELLS, NOISE, STRENGTH, np.full(len(NOISE), point))
        np.testing.assert_allclose((weights * (values - point) ** 2).sum(axis=1), expected, rtol=1e-10)
    few, _ = estimate_nodes(CELLS, NOISE, STRENGTH, 16)
    assert few.shape[1] <= 17
