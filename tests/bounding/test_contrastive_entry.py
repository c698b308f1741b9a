"""The contrastive bound in the table: for contrastive encoders only, and about the mean classifier's loss."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from gaussian_case import gaussian_case

from carryover.bounding.contrastive import contrastive_entry
from carryover.diagnosis.candidates import Candidate
from carryover.objectives.specs import ObjectiveSpec


def _candidate(kind: str | None) -> Candidate:
    run = None if kind is None else SimpleNamespace(record=SimpleNamespace(objective=ObjectiveSpec(kind)))
    return Candidate("m", "pretrained", "f", "p", "w", chosen_without=True, run=run)


@pytest.mark.parametrize("kind", [None, "mae", "denoising"])
def test_other_encoders_have_none(kind):
    entry = contrastive_entry(_candidate(kind), gaussian_case())
    assert entry.found.status == "not_applicable" and "contrastive loss" in entry.found.reason


def test_the_bound_is_above_the_loss_computed_pair_by_pair():
    case = gaussian_case(2400, n_test=600, n_classes=4, apart=3.0)
    entry = contrastive_entry(_candidate("simclr"), case)
    rows = case.test.features / np.linalg.norm(case.test.features, axis=1, keepdims=True)
    classes = [rows[case.test.labels == one] for one in range(4)]
    losses = []
    for own, other in itertools.permutations(range(4), 2):
        for place, row in enumerate(classes[own]):
            mean = np.delete(classes[own], place, axis=0).mean(axis=0)  # of the others of its class
            losses.append((np.log2(1 + np.exp(-row @ (mean - classes[other].mean(axis=0)))), own))
    by_class = [np.mean([loss for loss, own in losses if own == one]) for one in range(4)]
    assert entry.truth.value == pytest.approx(np.mean(by_class), rel=1e-6)
    assert entry.truth.interval[0] < entry.truth.value < entry.truth.interval[1]
    assert entry.value > entry.truth.value
    assert entry.value == pytest.approx(sum(entry.found.terms.values()))
    assert {one.state for one in entry.found.assumptions if "latent class" in one.text} >= {"checked"}


def test_a_class_without_test_examples_has_none():
    case = gaussian_case(240)
    object.__setattr__(case.test, "labels", np.zeros(len(case.test), dtype=np.int64))
    entry = contrastive_entry(_candidate("spectral"), case)
    assert "every class needs" in entry.found.reason


def test_groups_have_none():
    case = gaussian_case(240)
    object.__setattr__(case.train, "groups", np.arange(240) // 2)
    assert "come in groups" in contrastive_entry(_candidate("curl"), case).found.reason
