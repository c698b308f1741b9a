"""Two or more Gaussian classes of unit covariance: cases to bound, and laws whose test error is known by sampling."""

import numpy as np

from carryover.bounding.case import Case, classifier_case, sample_of
from carryover.measures.ridge import fit_ridge_path


def draw(n: int, *, seed: int, n_classes: int = 3, width: int = 6, apart: float = 2.0):
    """Features (n, width) around ``apart`` times unit vectors, and labels that run through the classes."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    centres = apart * np.eye(width)[:n_classes]
    return centres[labels] + generator.normal(size=(n, width)), labels


def gaussian_case(n: int = 240, *, seed: int = 0, n_test: int = 600, n_classes: int = 3, **known) -> Case:
    """The case of a ridge probe on n such examples; ``known`` goes to the case, or to :func:`draw`."""
    law = {"n_classes": n_classes, **{key: known.pop(key) for key in ("width", "apart") if key in known}}
    train = sample_of(*draw(n, seed=2 * seed, **law))
    test = sample_of(*draw(n_test, seed=2 * seed + 1, **law))
    path = fit_ridge_path(train.features, train.labels, n_classes=n_classes)
    return classifier_case(
        train,
        test,
        n_classes=n_classes,
        predict=lambda rows: path.predict_scores(rows).argmax(axis=1),
        seed=seed,
        **known,
    )
