"""The pretraining terms of candidates: who is compared with whom, and what is said where nobody is."""

from types import SimpleNamespace

import numpy as np
import pytest

from carryover._core.results import Estimate
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.pretraining_terms import pretraining_terms
from carryover.measures.probe import mean_loss_estimate
from carryover.objectives.finished import PretrainingLosses
from carryover.objectives.specs import ObjectiveSpec


def _candidate(name: str, level: float, *, held_out: str | None = "h", seed: int = 0, batch: int = 256,
               mean: float = 0.5, **objective) -> Candidate:  # fmt: skip
    """A run whose loss on held-out image i is ``level`` plus what image i costs every model."""
    spec = ObjectiveSpec(**{"kind": "mae", **objective})
    of_examples = level + np.random.default_rng(7).exponential(size=90)
    measured = mean_loss_estimate(of_examples)
    if held_out is None:
        of_examples, measured = np.zeros(0), Estimate.missing("not_applicable", "no images were held out")
    train = mean_loss_estimate(level - 0.2 + np.random.default_rng(8).exponential(size=200))
    losses = PretrainingLosses(train, measured, of_examples, held_out, batch, seed)
    record = SimpleNamespace(objective=spec, mean=(mean,), std=(0.2,))
    run = SimpleNamespace(record=record, losses=losses)
    return Candidate(name, "pretrained", "f", "p", "w", chosen_without=True, run=run)


def test_runs_that_differ_in_network_or_regulariser_are_one_family():
    rows = [
        _candidate("wide", 1.0, width=96),
        _candidate("narrow", 1.3, width=12, heads=2),
        _candidate("best", 0.9),
    ]
    terms = pretraining_terms(rows)
    assert all(terms[name].family == ("wide", "narrow", "best") for name in terms)
    assert [terms[name].excess.value for name in ("wide", "narrow", "best")] == pytest.approx([0.1, 0.4, 0.0])
    # The examples' own spread is common to all, so that pairs differ by a constant: nothing is uncertain.
    assert terms["narrow"].excess.interval == pytest.approx((0.4, 0.4))


def test_the_gap_is_held_out_less_training_with_errors_in_quadrature():
    candidate = _candidate("m", 1.0)
    losses, terms = candidate.run.losses, pretraining_terms([candidate])["m"]
    assert terms.gap.value == pytest.approx(losses.held_out.value - losses.train.value)
    assert terms.gap.std_error == pytest.approx(np.hypot(losses.held_out.std_error, losses.train.std_error))


@pytest.mark.parametrize(
    "changes",
    [
        {"held_out": "other images"},
        {"seed": 1},
        {"batch": 128},
        {"mean": 0.4},
        {"mask_ratio": 0.5},
        {"kind": "simclr"},
    ],
)
def test_another_loss_or_other_images_are_another_family(changes):
    terms = pretraining_terms([_candidate("a", 1.0), _candidate("b", 0.5, **changes)])
    assert terms["a"].family == ("a",) and terms["b"].family == ("b",)
    assert (
        terms["a"].excess.status == "not_applicable" and "nothing to compare with" in terms["a"].excess.reason
    )
    assert terms["a"].gap.ok


def test_what_is_no_run_says_so_and_what_was_not_held_out_too():
    plain = Candidate("pixels", "baseline", "f", "p", "w", chosen_without=True)
    record = SimpleNamespace(objective=ObjectiveSpec("mae"))
    alone = Candidate(
        "alone", "pretrained", "f", "p", "w", None, run=SimpleNamespace(losses=None, record=record)
    )
    terms = pretraining_terms([plain, alone, _candidate("none", 1.0, held_out=None)])
    assert "not a pretraining run" in terms["pixels"].train.reason and terms["pixels"].objective is None
    assert "only the encoder" in terms["alone"].gap.reason and terms["alone"].objective == "mae"
    none = terms["none"]
    assert none.train.ok and {none.held_out.reason, none.gap.reason, none.excess.reason} == {
        "no images were held out"
    }
