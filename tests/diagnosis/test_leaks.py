"""The guard against labelled examples that a pretrained encoder has seen: found, refused, allowed by name, told."""

from types import SimpleNamespace

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.data.hashing import example_hash
from carryover.data.images import images_from_array
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.leaks import guard
from carryover.diagnosis.target import Part, Target

PIXELS = np.random.default_rng(0).integers(0, 256, size=(60, 4, 4), dtype=np.uint8)
TRAIN, TEST = np.arange(0, 20), np.arange(20, 30)
# Rows 30 to 59 are nobody's.


def _part(rows: np.ndarray) -> Part:
    return Part(rows + 100, np.zeros(len(rows), dtype=int), None, images_from_array(PIXELS[rows]))


def _target() -> Target:
    columns = {"label": "label", "image": "image", "group": None}
    return Target("t", "classification", ("a",), _part(TRAIN), _part(TEST), False, 30, 30, "a split", columns)


def _candidate(name: str, **seen: np.ndarray) -> Candidate:
    """A model whose run saw these rows of PIXELS, by role."""
    table = {
        role: np.stack(
            [np.frombuffer(bytes.fromhex(example_hash(PIXELS[row][..., None])), np.uint8) for row in rows]
        )
        for role, rows in seen.items()
    }
    return Candidate(name, "pretrained", "f", "p", "w", chosen_without=None, run=SimpleNamespace(seen=table))


def _without(candidate: Candidate) -> tuple[bool | None, bool | None]:
    return candidate.chosen_without, candidate.chosen_without_test


def test_an_encoder_that_saw_neither_is_known_to_be_chosen_without_them():
    (found,), warnings = guard([_candidate("m", train=[40, 41], downstream=[50])], _target(), [])
    assert _without(found) == (True, True) and not warnings and found.notes == ()


def test_labelled_examples_in_the_pool_are_an_error_that_names_model_counts_and_rows():
    seen = [*range(3, 12), 25, 50]
    with pytest.raises(InputError) as error:
        guard([_candidate("ours", train=[40], downstream=seen)], _target(), [])
    said = str(error.value)
    assert "model 'ours': 9 of the 20 training examples (first rows 103, 104, 105, 106, 107)" in said
    assert "1 of the 10 test examples (rows 125)" in said and "--allow-overlap 'ours'" in said


def test_an_overlap_that_is_allowed_by_name_is_told_and_breaks_the_assumption():
    candidates = [_candidate("ours", downstream=[5, 50]), _candidate("other", downstream=[51])]
    (ours, other), warnings = guard(candidates, _target(), ["ours"])
    assert _without(ours) == (False, True) and _without(other) == (True, True)
    assert len(warnings) == 1 and ours.notes == tuple(warnings) and other.notes == ()
    assert "1 of the 20 training examples (rows 105) was in the unlabelled pool" in warnings[0]
    assert "allowed by name" in warnings[0]


@pytest.mark.parametrize(
    ("rows", "without"),
    [([7, 8, 40], (False, True)), ([22, 40], (True, False)), ([7, 22], (False, False))],
)
def test_labelled_examples_among_the_pretraining_images_warn(rows, without):
    (found,), warnings = guard([_candidate("m", train=rows)], _target(), [])
    assert _without(found) == without
    assert len(warnings) == 1 and "among the images it was pretrained on" in warnings[0]


def test_held_out_images_were_not_learned_from():
    (found,), warnings = guard([_candidate("m", train=[40], held_out=[1, 2, 21])], _target(), [])
    assert _without(found) == (True, True) and not warnings


def test_allowing_one_model_does_not_allow_another():
    candidates = [_candidate("ours", downstream=[5]), _candidate("other", downstream=[5])]
    with pytest.raises(InputError, match="model 'other'"):
        guard(candidates, _target(), ["ours"])


def test_a_name_that_no_model_has_is_refused():
    with pytest.raises(InputError, match=r"allow_overlap names no model: 'our'.*did you mean 'ours'"):
        guard([_candidate("ours", train=[40])], _target(), ["our"])


def test_models_that_are_no_runs_pass_as_they_are():
    plain = Candidate("pixels", "baseline", "f", "p", "w", chosen_without=True, chosen_without_test=True)
    assert guard([plain], _target(), []) == ([plain], [])
