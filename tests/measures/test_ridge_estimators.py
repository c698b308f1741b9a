"""The estimators keep scikit-learn's contract, and predict as the path they wrap."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from carryover.measures.ridge_estimators import RidgeProbeClassifier, RidgeProbeRegressor


@parametrize_with_checks([RidgeProbeClassifier(), RidgeProbeRegressor()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_regressor_is_sklearn_ridge_at_the_chosen_penalty():
    features, targets = load_diabetes(return_X_y=True)
    ours = RidgeProbeRegressor().fit(features, targets)
    theirs = Ridge(alpha=ours.penalty_, solver="svd").fit(features, targets)
    np.testing.assert_allclose(ours.predict(features), theirs.predict(features), rtol=1e-9)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8)


def test_classifier_takes_names_and_gives_probabilities():
    features, labels = load_wine(return_X_y=True)
    names = np.array(["barolo", "grignolino", "barbera"])[labels]
    fitted = RidgeProbeClassifier().fit(features, names)
    probabilities = fitted.predict_proba(features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert fitted.score(features, names) > 0.98
    assert set(fitted.predict(features)) == set(names)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes, got one class"):
        RidgeProbeClassifier().fit(np.eye(3), [1, 1, 1])
