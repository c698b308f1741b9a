"""The entry dhzm_terms on made-up rows: terms that order encoders or do not, encoders at random, exponents."""

import numpy as np
import pytest

from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.entries.dhzm.conditions import BASE, BY_NAME, CONDITIONS, MASKING, SMOKE, of_axis
from carryover.experiments.entries.dhzm.terms_claims import PREDICTORS, Runs, exponent, rank_estimate

TERMS = CATALOGUE["dhzm_terms"]


def compared(rows):
    return {one.what: one for one in TERMS.compare(TERMS.table(rows))}


def terms_rows(error, predictors, *, start=0.5, names=BY_NAME, seeds=(10, 11, 12)):
    """Rows of ``names``: ``error(place)`` of the condition at that place, and each predictor's function of it."""
    rows, rng = [], np.random.default_rng(0)
    for place, name in enumerate(names):
        one = BY_NAME[name]
        for seed in seeds:
            noise = rng.normal(scale=1e-4)
            accuracy = 1.0 - error(place) + noise
            measures = {
                "probe_accuracy": accuracy,
                "start_probe_accuracy": start,
                "soft_error": 1.0 - accuracy,
            }
            given = {key: make(place) for key, make in predictors.items()}
            labels = {"condition": name, "objective": one.objective, "seed": seed, "targets": "usps",
                      "mask_ratio": one.mask_ratio, "mask_strategy": one.mask_strategy,
                      "region": one.region}  # fmt: skip
            whole = {
                **labels,
                "status": "ok",
                "reason": None,
                "loss": given.pop("loss", 1.0),
                "gap": given.pop("gap", 0.0),
            }
            rows.append({**whole, **{f"usps.{key}": value for key, value in {**measures, **given}.items()}})
    return rows


def test_a_term_that_orders_encoders_agrees_and_one_that_reverses_them_differs():
    rows = terms_rows(
        lambda place: 0.1 + 0.01 * place,
        {"complexity": lambda place: 2.0 + place, "total_variation": lambda place: 1.0 - 0.01 * place,
         "gap": lambda _: 0.0},
    )  # fmt: skip
    found = compared(rows)
    n = len(CONDITIONS)
    begins = f"all encoders ({n} of {n} beat their random start): rank correlation of "
    assert found[f"{begins}{PREDICTORS['complexity']} with the probe's error"].verdict == "agrees"
    reversed_ = found[f"{begins}{PREDICTORS['total_variation']} with the probe's error"]
    assert reversed_.verdict == "differs" and reversed_.ours.value == pytest.approx(-1.0)
    constant = found[f"{begins}{PREDICTORS['gap']} with the probe's error"]
    assert constant.verdict == "cannot tell" and "the term is the same for all encoders" in constant.sentence
    vacuous = found[f"mae: {'the complexity term for heads of the probe' + chr(39) + 's norm'} less 1"]
    assert vacuous.verdict == "agrees" and vacuous.ours.value == pytest.approx(1.0)


def test_encoders_at_random_are_left_out_of_ranks_and_make_contrasts_void():
    """From the 10th place on the error is that of random weights."""
    rows = terms_rows(
        lambda place: 0.1 if place < 10 else 0.5 + 0.001 * place,
        {"complexity": lambda place: float(place)},
    )
    runs = Runs(TERMS.table(rows))
    found = compared(rows)
    assert any(what.startswith(f"all encoders (10 of {len(CONDITIONS)} beat") for what in found)
    few = rank_estimate(runs, "complexity", list(BY_NAME)[:3])
    assert few.reason == "3 encoders beat their own random start, a rank correlation needs 4"
    weak = compared(terms_rows(lambda _: 0.5, {"complexity": lambda _: 9.0}))
    verdicts = {one.verdict for what, one in weak.items() if "random weights" not in what}
    assert verdicts == {"cannot tell"}


def test_the_smoke_size_s_conditions_give_comparisons_too():
    found = compared(terms_rows(lambda place: 0.1 + 0.01 * place, {}, names=SMOKE, seeds=(10, 11)))
    assert sum(what.endswith("random weights") for what in found) == 5
    failure = found["probe's error: mae, RadReg 1 less mae"]
    assert failure.verdict == "agrees" and failure.ours.value == pytest.approx(0.06, abs=2e-3)


def test_the_excess_is_over_the_least_loss_of_runs_of_one_loss_and_seed():
    losses = np.linspace(2.0, 1.0, len(CONDITIONS))
    table = TERMS.table(terms_rows(lambda _: 0.1, {"loss": lambda place: losses[place]}))
    same = [
        one.name
        for one in CONDITIONS
        if (one.objective, one.mask_ratio, one.mask_strategy) == ("mae", 0.75, "patch")
    ]
    of_loss = dict(zip(BY_NAME, losses, strict=True))
    least = min(of_loss[name] for name in same)
    found = dict(zip(table["condition"], table["excess"], strict=True))
    assert [found[name] for name in same] == pytest.approx([of_loss[name] - least for name in same])
    assert found["mae, 50% masked"] == 0.0 and found["simclr"] > 0.0


def test_the_exponent_of_a_law_is_found_and_runs_without_one_abstain():
    rng = np.random.default_rng(0)
    excess = np.array([0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
    losses = 1.0 + excess + 1e-5 * rng.normal(size=(5, 7))
    law = exponent(losses, 0.3 + excess**0.5 + 1e-5 * rng.normal(size=(5, 7)))
    assert law.ok and law.value == pytest.approx(0.5, abs=0.01)
    none = exponent(losses, 0.3 + 1e-3 * rng.normal(size=(5, 7)))
    assert none.status == "abstained"
    assert exponent(np.full((5, 7), np.nan), losses).status == "failed"


def test_each_condition_differs_from_its_objective_s_in_one_thing():
    assert len(BY_NAME) == len(CONDITIONS) and set(SMOKE) <= set(BY_NAME)
    varying = ("mask_ratio", "mask_strategy", "region", "share", "strength")
    base = {BY_NAME[name].objective: BY_NAME[name] for name in of_axis(BASE, BY_NAME)}
    assert len(base) == 5
    for one in CONDITIONS:
        differing = [name for name in varying if getattr(one, name) != getattr(base[one.objective], name)]
        both = {"mask_ratio", "mask_strategy"}
        assert len(differing) == (one.name not in {b.name for b in base.values()}) or (
            MASKING in one.axes and set(differing) == both
        )
