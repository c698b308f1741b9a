"""Tuples from classes: their law by enumeration, what is distinct, and the loss they estimate without bias."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from carryover._core.errors import InputError
from carryover.objectives.curl import curl_loss
from carryover.objectives.curl_pairs import ClassTuples
from carryover.objectives.keyed import Key

LABELS = torch.tensor(
    [5, 2, 5, 2, 2, 5, 5, 9, 9, 9, 2, 5]
)  # classes 2, 5, 9 with 4, 5 and 3 examples, mixed up
SHARES = {2: 4 / 12, 5: 5 / 12, 9: 3 / 12}


def test_positives_are_of_the_anchors_class_and_nothing_stands_twice():
    labels = torch.arange(60) % 4
    drawn = ClassTuples(labels, block=3).draw(Key(0, 0, torch.arange(500)), negatives=5)
    assert drawn.anchor.shape == (500,) and drawn.positives.shape == (500, 3)
    assert drawn.negatives.shape == (500, 5, 3)
    for anchor, positives, negatives in zip(drawn.anchor, drawn.positives, drawn.negatives, strict=True):
        own = {int(anchor), *positives.tolist()}
        assert len(own) == 4 and len({int(labels[one]) for one in own}) == 1
        for block in negatives.tolist():
            assert len({int(labels[one]) for one in block}) == 1
            assert len(own | set(block)) == 7


def test_a_tuple_follows_its_id():
    tuples, ids = ClassTuples(LABELS), torch.arange(30)
    whole = tuples.draw(Key(3, 1, ids), negatives=4)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    again = tuples.draw(Key(3, 1, ids[order]), negatives=4)
    for one, other in zip(vars(whole).values(), vars(again).values(), strict=True):
        assert torch.equal(one[order], other)
    later = tuples.draw(Key(3, 2, ids), negatives=4)
    assert not torch.equal(later.anchor, whole.anchor)
    fewer = tuples.draw(Key(3, 1, ids), negatives=2)
    assert torch.equal(fewer.positives, whole.positives)
    assert torch.equal(LABELS[fewer.negatives], LABELS[whole.negatives[:, :2]])


def test_collisions_come_as_often_as_the_theory_says():
    tuples = ClassTuples(LABELS)
    tau = sum(share**2 for share in SHARES.values())
    assert tuples.collision == pytest.approx(tau, rel=1e-12)
    drawn = tuples.draw(Key(0, 0, torch.arange(20_000)), negatives=2)
    same = (LABELS[drawn.negatives[..., 0]] == LABELS[drawn.anchor][:, None]).double()
    assert abs(float(same.mean()) - tau) < 5.0 * np.sqrt(tau * (1 - tau) / 40_000)
    # Classes of the two negatives are independent of each other too.
    joint = float((same[:, 0] * same[:, 1]).mean())
    expected = sum(share**3 for share in SHARES.values())
    assert abs(joint - expected) < 5.0 * np.sqrt(expected * (1 - expected) / 20_000)


def law() -> dict[tuple[int, int, int], float]:
    """P(x, x+, x-) by enumeration: c and c- by their shares, then every choice without an example twice."""
    members = {name: np.flatnonzero(LABELS.numpy() == name).tolist() for name in SHARES}
    found = {}
    for own, other in itertools.product(SHARES, repeat=2):
        choices = [
            (x, positive, negative)
            for x, positive in itertools.permutations(members[own], 2)
            for negative in members[other]
            if negative not in (x, positive)
        ]
        for choice in choices:
            found[choice] = SHARES[own] * SHARES[other] / len(choices)
    return found


def test_every_tuple_comes_as_often_as_it_should():
    expected = law()
    assert sum(expected.values()) == pytest.approx(1.0)
    drawn = ClassTuples(LABELS).draw(Key(1, 0, torch.arange(100_000)))
    counts = dict.fromkeys(expected, 0)
    for choice in zip(
        drawn.anchor.tolist(), drawn.positives[:, 0].tolist(), drawn.negatives.ravel().tolist(), strict=True
    ):
        counts[choice] += 1  # a tuple of probability 0 is a KeyError
    predicted = 100_000 * np.array(list(expected.values()))
    assert stats.chisquare(list(counts.values()), predicted).pvalue > 1e-4


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
def test_the_loss_of_tuples_is_the_enumerated_one(loss):
    features = torch.randn(12, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def one(x: int, positive: int, negative: int) -> float:
        margin = float(features[x] @ (features[positive] - features[negative]))
        return max(0.0, 1.0 - margin) if loss == "hinge" else float(np.log2(1.0 + np.exp(-margin)))

    expected = sum(weight * one(*choice) for choice, weight in law().items())
    spread = np.sqrt(sum(weight * one(*choice) ** 2 for choice, weight in law().items()) - expected**2)
    drawn = ClassTuples(LABELS).draw(Key(2, 0, torch.arange(100_000)))
    found = curl_loss(features[drawn.anchor], features[drawn.positives], features[drawn.negatives], loss=loss)
    assert abs(float(found) - expected) < 5.0 * spread / np.sqrt(100_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ClassTuples(LABELS, block=2), "class 9 has 3 examples; blocks of 2 need at least 5"),
        (lambda: ClassTuples(LABELS, block=0), "block must be >= 1, got 0"),
        (lambda: ClassTuples(LABELS.float()), "labels must be whole numbers"),
        (lambda: ClassTuples(LABELS[:0]), "labels must be whole numbers"),
        (lambda: ClassTuples(LABELS).draw(Key(0, 0, torch.arange(2)), negatives=0), "negatives must be >= 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
