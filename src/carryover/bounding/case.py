"""What the bounds of one classifier are computed from: labelled features, test features, and the classifier itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from carryover._core.errors import InputError
from carryover._core.results import Assumption
from carryover._core.seeding import derive_generator
from carryover.bounds.reference_head import ReferenceHead, fit_reference_head
from carryover.data.hashing import row_hashes


@dataclass(frozen=True)
class Sample:
    """Labelled examples: ``features`` (n, d), class codes ``labels`` (n,), ``groups`` (n,) or None.

    ``hashes`` name the examples by their contents.  Rows that belong together, or have one content, share a group.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    hashes: tuple[str, ...]
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def has_groups(self) -> bool:
        """Whether some rows belong together, so that single rows are not independent draws."""
        return self.groups is not None and len(np.unique(self.groups)) < len(self)

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
    hashes: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
) -> Sample:
    """A sample; without ``hashes`` its rows of features are hashed.  Rows of one content are put into one group."""
    names = tuple(row_hashes(features) if hashes is None else hashes)
    return Sample(features, labels, names, _units(names, groups))


def _units(names: tuple[str, ...], groups: np.ndarray | None) -> np.ndarray | None:
    """Groups in which rows of one content are together too; those given, or None, where no content repeats."""
    contents = np.unique(names, return_inverse=True)[1]
    if contents.max(initial=-1) + 1 == len(names):
        return groups
    if groups is None:
        return contents
    codes = np.unique(groups, return_inverse=True)[1]
    shape = (int(contents.max()) + 1, int(codes.max()) + 1)
    links = coo_array((np.ones(len(names)), (contents, codes)), shape=shape)
    both = coo_array((links.data, (links.row, links.col + shape[0])), shape=(sum(shape),) * 2)
    return connected_components(both, directed=False)[1][contents]


@dataclass(frozen=True)
class Pool:
    """Examples whose labels play no part: ``features`` (m, d), ``groups`` (m,) or None, ``words`` that say which.

    ``independent``: whether neither the features nor any classifier was chosen by looking at them (None: not known).
    """

    features: Float[np.ndarray, "m d"]
    words: str
    independent: bool | None = None
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Known:
    """What is known of where the features come from: True where it was checked, False where it fails, else None.

    They were chosen without the training examples, and without the test examples.  ``by_class``: labels were drawn, or
    split from the test examples, class by class, so that class shares are not random.
    """

    without_train: bool | None = None
    without_test: bool | None = None
    by_class: bool = False


@dataclass(frozen=True)
class Case:
    """A classifier on frozen features, the labels it was made from, and the examples it is judged on.

    ``predicted_test`` (t,) and ``predicted_pool`` (m,) are the classes it names.  ``n_left_out`` test examples were
    training examples too, by content, and are not in ``test``.  ``notes``: what a reader should know, in sentences.
    """

    train: Sample
    test: Sample
    n_classes: int
    pool: Pool
    predicted_test: Int[np.ndarray, " t"]
    predicted_pool: Int[np.ndarray, " m"]
    known: Known = field(default_factory=Known)
    confidence: float = 0.95
    seed: int = 0
    n_left_out: int = 0
    notes: tuple[str, ...] = ()

    @cached_property
    def halves(self) -> tuple[Sample, Sample]:
        """A random half of the training examples (of their groups, where there are any), and the other half.

        Not stratified: given a half of fixed class counts, the counts of the other would be known too, and a prior
        fitted to the one would not be independent of the other.
        """
        units = np.arange(len(self.train)) if self.train.groups is None else self.train.groups
        names, codes = np.unique(units, return_inverse=True)
        order = derive_generator(self.seed, "prior half").permutation(len(names))
        in_prior = np.isin(codes, order[: len(names) // 2])
        return self.train.take(np.flatnonzero(in_prior)), self.train.take(np.flatnonzero(~in_prior))

    @cached_property
    def reference(self) -> ReferenceHead:
        """The head fitted to the first half."""
        prior, _ = self.halves
        return fit_reference_head(prior.features, prior.labels, n_classes=self.n_classes, hashes=prior.hashes)

    @property
    def test_is_apart(self) -> Assumption:
        """Whether test examples had to be left out because they are training examples."""
        if not self.n_left_out:
            return Assumption("No test example is, by content, a training example.", "checked")
        whole = self.n_left_out + len(self.test)
        return Assumption(
            f"No test example is, by content, a training example: {self.n_left_out:,} of {whole:,} were and are left "
            "out, so that this is about examples unlike those of the training.",
            "violated",
        )


def classifier_case(
    train: Sample,
    test: Sample,
    *,
    n_classes: int,
    predict: Callable[[np.ndarray], np.ndarray],
    pool: Pool | None = None,
    known: Known | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    notes: tuple[str, ...] = (),
) -> Case:
    """The case of a classifier that predicts class codes from rows of features.

    Without a ``pool`` the test examples serve, without their labels.  Raises InputError where no test example is left
    that is not a training example.
    """
    known, judged = known or Known(), test.without(train)
    if len(judged) == 0:
        raise InputError("every test example is a training example too: there is nothing to judge a bound on")
    n_left_out = len(test) - len(judged)
    if n_left_out:
        left_out = (
            f"{n_left_out:,} of {len(test):,} test examples are training examples too and were left out."
        )
        notes = (*notes, left_out)
    if pool is None:
        words = f"the {len(judged):,} test examples, without their labels"
        pool = Pool(judged.features, words, known.without_test, judged.groups)
    return Case(
        train=train,
        test=judged,
        n_classes=n_classes,
        pool=pool,
        predicted_test=predict(judged.features),
        predicted_pool=predict(pool.features),
        known=known,
        confidence=confidence,
        seed=seed,
        n_left_out=n_left_out,
        notes=notes,
    )
