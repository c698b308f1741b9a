"""The honest baseline: an exact binomial limit from examples that took no part in training."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, error_bound, sample_assumptions
from carryover.numerics.divergences import clopper_pearson_upper


def holdout_bound(
    correct: Bool[np.ndarray, " n"],
    *,
    confidence: float = 0.95,
    groups: Shaped[np.ndarray, " n"] | None = None,
    representation_independent: bool | None = None,
    test_untouched: bool | None = None,
) -> Bound:
    """Clopper-Pearson upper limit on the error rate of a fixed classifier from its test results ``correct`` (n,).

        value = test error + confidence width,    P(Binomial(n, value) <= errors) = 1 - confidence

    Exact for independent test examples.  ``groups`` that repeat, ``representation_independent`` and
    ``test_untouched`` (no choice of head, penalty or model looked at the test examples; None: not known) set the
    state of the assumptions, not the number.  Reference: Langford, JMLR 6 (2005), theorem 3.3.
    Raises InputError unless ``correct`` is a non-empty vector of booleans.

    >>> import numpy as np
    >>> round(holdout_bound(np.ones(10, dtype=bool)).value, 6)
    0.258866
    """
    check_confidence(confidence)
    results = _check_correct(correct)
    n, errors = len(results), int((~results).sum())
    limit = clopper_pearson_upper(errors, n, confidence=confidence)
    untouched = {True: "checked", False: "violated", None: "not_checkable"}[test_untouched]
    assumptions = sample_assumptions(
        n, groups=groups, representation_independent=representation_independent, sample="test"
    )
    return error_bound(
        {"test_error": errors / n, "confidence": limit - errors / n},
        confidence=confidence,
        assumptions=(
            *assumptions,
            Assumption("Nothing was chosen by looking at the test examples.", untouched),
        ),
        bounded="error rate of the trained classifier",
        stats={"n": n, "n_errors": errors},
    )


def _check_correct(correct: Any) -> np.ndarray:
    results = np.asarray(correct)
    if results.ndim != 1 or len(results) == 0 or results.dtype != np.bool_:
        raise InputError(
            f"correct must be a non-empty vector of booleans, got shape {results.shape}, dtype {results.dtype}"
        )
    return results
