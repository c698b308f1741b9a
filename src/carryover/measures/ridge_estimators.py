"""The ridge probe as scikit-learn estimators, for pipelines and cross-validation.

scikit-learn's base classes are its contract for estimators; nothing else of ours inherits behaviour.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from carryover.measures.ridge import fit_ridge_path


class RidgeProbeClassifier(ClassifierMixin, BaseEstimator):
    """Ridge on one-hot labels, its penalty chosen by exact leave-one-out accuracy (:func:`fit_ridge_path`).

    ``penalties``: positive numbers, or None for 30 relative to the features' scale.  After ``fit``: ``classes_``,
    ``path_`` (the :class:`RidgePath`), ``penalty_``, ``coef_`` (K, d), ``intercept_`` (K,).  Labels may be anything
    scikit-learn accepts.  ValueError for fewer than two classes.
    """

    def __init__(self, penalties: Any = None) -> None:
        self.penalties = penalties

    def fit(self, X: Any, y: Any) -> "RidgeProbeClassifier":
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least 2 classes, got one class: {self.classes_[0]!r}")
        n_classes = len(self.classes_)
        self.path_ = fit_ridge_path(X, codes.astype(np.int64), n_classes=n_classes, penalties=self.penalties)
        self.penalty_ = self.path_.penalty
        self.coef_, self.intercept_ = self.path_.coefficients.T, self.path_.intercept
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (n, K); for two classes the difference second - first, (n,)."""
        check_is_fitted(self)
        scores = self.path_.predict_scores(validate_data(self, X, dtype=np.float64, reset=False))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """softmax(scores / temperature), (n, K)."""
        check_is_fitted(self)
        return self.path_.predict_probabilities(validate_data(self, X, dtype=np.float64, reset=False))

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


class RidgeProbeRegressor(RegressorMixin, BaseEstimator):
    """Ridge, its penalty chosen by the exact leave-one-out squared error (:func:`fit_ridge_path`).

    ``y`` is (n,) or (n, k).  After ``fit``: ``path_``, ``penalty_``, ``coef_`` (d,) or (k, d), ``intercept_``.
    """

    def __init__(self, penalties: Any = None) -> None:
        self.penalties = penalties

    def fit(self, X: Any, y: Any) -> "RidgeProbeRegressor":
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, multi_output=True, y_numeric=True
        )
        y = np.asarray(y, dtype=np.float64)
        self.path_ = fit_ridge_path(X, y, task="regression", penalties=self.penalties)
        self.penalty_, self._flat = self.path_.penalty, y.ndim == 1
        self.coef_ = self.path_.coefficients[:, 0] if self._flat else self.path_.coefficients.T
        self.intercept_ = float(self.path_.intercept[0]) if self._flat else self.path_.intercept
        return self

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        scores = self.path_.predict_scores(validate_data(self, X, dtype=np.float64, reset=False))
        return scores[:, 0] if self._flat else scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
