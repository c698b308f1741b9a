"""The heads that bounds fit themselves, against scikit-learn's ridge regression."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from carryover.bounds.heads import PENALTIES, ridge_heads, unit_rows


@pytest.mark.parametrize("shape", [(60, 5), (8, 20)], ids=["n>d", "n<d"])
def test_ridge_path_agrees_with_scikit_learn(shape):
    generator = np.random.default_rng(0)
    rows, labels = unit_rows(generator.normal(size=shape)), generator.integers(0, 3, shape[0])
    codes = np.eye(3)[labels] - 1 / 3
    augmented = np.hstack([rows, np.ones((shape[0], 1))])
    for penalty, (coefficients, intercept) in zip(PENALTIES, ridge_heads(rows, labels, 3), strict=True):
        reference = Ridge(alpha=penalty * shape[0], fit_intercept=False).fit(augmented, codes)
        np.testing.assert_allclose(coefficients, reference.coef_[:, :-1], atol=1e-8)
        np.testing.assert_allclose(intercept, reference.coef_[:, -1], atol=1e-8)
        np.testing.assert_allclose(coefficients.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1.0, 1e8, 1e300])
def test_unit_rows_at_any_scale(scale):
    rows = unit_rows(scale * np.random.default_rng(1).normal(size=(5, 3)))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)


def test_a_row_of_zeros_stays():
    assert unit_rows(np.zeros((1, 2))).tolist() == [[0.0, 0.0]]
