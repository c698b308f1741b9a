"""What the bounds of one classifier are computed from: labelled features, test features, and the classifier itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.bounds.reference_head import ReferenceHead, fit_reference_head
from carryover.data.hashing import row_hashes
from carryover.data.splits import make_split


@dataclass(frozen=True)
class Sample:
    """Labelled examples: ``features`` (n, d), class codes ``labels`` (n,), ``groups`` (n,) or None.

    ``hashes`` name the examples by their contents.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    hashes: tuple[str, ...]
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Sample":
        """These rows of it."""
        return Sample(
            self.features[rows],
            self.labels[rows],
            tuple(self.hashes[row] for row in rows),
            None if self.groups is None else self.groups[rows],
        )

    def without(self, other: "Sample") -> "Sample":
        """The examples that are not, by content, in the other sample."""
        taken = set(other.hashes)
        return self.take(np.flatnonzero([name not in taken for name in self.hashes]))


def sample_of(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    hashes: list[str] | None = None,
    groups: np.ndarray | None = None,
) -> Sample:
    """A sample; without ``hashes`` its rows of features are hashed."""
    return Sample(features, labels, tuple(row_hashes(features) if hashes is None else hashes), groups)


@dataclass(frozen=True)
class Case:
    """A classifier on frozen features, the labels it was made from, and the examples it is judged on.

    ``predicted_test`` (t,) and ``predicted_unlabelled`` (m,) are the classes it names.  ``unlabelled`` (m, d) are
    features of examples that neither it nor any head fitted here has seen; ``unlabelled_words`` says which.
    ``representation_independent`` and ``test_independent``: whether the features were chosen without the training and
    without the test examples (None: not known).  ``notes``: what was left out, in sentences.
    """

    train: Sample
    test: Sample
    n_classes: int
    predicted_test: Int[np.ndarray, " t"]
    unlabelled: Float[np.ndarray, "m d"]
    predicted_unlabelled: Int[np.ndarray, " m"]
    unlabelled_words: str
    unlabelled_groups: np.ndarray | None = None
    confidence: float = 0.95
    seed: int = 0
    representation_independent: bool | None = None
    test_independent: bool | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def halves(self) -> tuple[Sample, Sample]:
        """Half of the training examples for a prior, and those of the other half that are not in it as well."""
        split = make_split(
            self.train.labels,
            generator=derive_generator(self.seed, "prior half"),
            test_fraction=0.5,
            groups=self.train.groups,
        )
        prior, rest = self.train.take(split.train), self.train.take(split.test)
        return prior, rest.without(prior)

    @cached_property
    def reference(self) -> ReferenceHead:
        """The head fitted to the prior's half."""
        prior, _ = self.halves
        return fit_reference_head(prior.features, prior.labels, n_classes=self.n_classes, hashes=prior.hashes)


def classifier_case(
    train: Sample,
    test: Sample,
    *,
    n_classes: int,
    predict: Callable[[np.ndarray], np.ndarray],
    unlabelled: Float[np.ndarray, "m d"] | None = None,
    **known: Any,
) -> Case:
    """The case of a classifier that predicts class codes from rows of features.

    Test examples that are training examples too (by content) are left out, and a note says so.  Without an
    ``unlabelled`` sample (m, d) the test examples without their labels serve.  ``known``: the other fields of
    :class:`Case`.  Raises InputError where no test example is left.
    """
    judged = test.without(train)
    if len(judged) == 0:
        raise InputError("every test example is a training example too: there is nothing to judge a bound on")
    notes = ()
    if len(judged) < len(test):
        notes = (
            f"{len(test) - len(judged):,} of {len(test):,} test examples are training examples too and were left out.",
        )
    pool, words, groups = (
        judged.features,
        f"the {len(judged):,} test examples, without their labels",
        judged.groups,
    )
    if unlabelled is not None:
        pool, words, groups = unlabelled, f"the {len(unlabelled):,} examples of the unlabelled sample", None
    return Case(
        train=train,
        test=judged,
        n_classes=n_classes,
        predicted_test=predict(judged.features),
        unlabelled=pool,
        predicted_unlabelled=predict(pool),
        unlabelled_words=words,
        unlabelled_groups=groups,
        notes=notes,
        **known,
    )
