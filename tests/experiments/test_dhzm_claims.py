"""The DHZM24 entries on made-up rows: strengths that are chosen, verdicts, encoders at random, ranks and exponents."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from carryover._core.results import Estimate
from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.entries.dhzm_claims import at_random, rank_correlations
from carryover.experiments.entries.dhzm_conditions import BASE, BY_NAME, CONDITIONS, MASKING, SMOKE, of_axis
from carryover.experiments.entries.dhzm_radreg_claims import WORDS
from carryover.experiments.entries.dhzm_terms_claims import PREDICTORS, Runs, exponent, rank_estimate
from carryover.experiments.rows import failed_row

RADREG, TERMS = CATALOGUE["dhzm_radreg"], CATALOGUE["dhzm_terms"]
STRENGTHS = (0.1, 1.0)
SEEDS = {0: "choosing", 1: "choosing", 10: "reported", 11: "reported", 12: "reported"}


def radreg_rows(effects, *, start=0.5, best=1.0):
    """Rows of one target: accuracy .7 + the regulariser's effect at strength ``best``, .02 less at the other."""
    rows, rng = [], np.random.default_rng(0)
    noise = {seed: rng.normal(scale=0.01) for seed in SEEDS}
    for kind in WORDS:
        for strength in (0.0,) if kind == "none" else STRENGTHS:
            for seed, role in SEEDS.items():
                own = rng.normal(scale=1e-3)
                reached = 0.7 + effects.get(kind, 0.0) + noise[seed] + own
                reached -= 0.02 * (strength not in (0.0, best))
                measures = {
                    f"{way}_{name}": reached
                    for way in ("probe", "tuned")
                    for name in ("accuracy", "validation")
                }
                measures |= {f"start_{name}": start + noise[seed] for name in measures}
                if kind != "none":
                    measures = {key: value for key, value in measures.items() if "start_tuned" not in key}
                labels = {
                    "regularizer": kind,
                    "strength": strength,
                    "role": role,
                    "seed": seed,
                    "targets": "usps",
                }
                rows.append(
                    {
                        **labels,
                        "status": "ok",
                        "reason": None,
                        **{f"usps.{k}": v for k, v in measures.items()},
                    }
                )
    return rows


def compared(rows, entry=RADREG):
    return {one.what: one for one in entry.compare(entry.table(rows))}


def test_a_regulariser_that_helps_and_one_that_harms_are_told_apart():
    found = compared(radreg_rows({"radreg": 0.05, "l2": 0.08, "uniformity": -0.03}))
    verdicts = {what: one.verdict for what, one in found.items()}
    assert verdicts["usps, linear probe: RadReg less no regulariser, test accuracy"] == "agrees"
    assert verdicts["usps, fine-tuning: RadReg less L2 on the weights, test accuracy"] == "differs"
    assert verdicts["usps, linear probe: uniformity less no regulariser, test accuracy"] == "differs"
    assert verdicts["usps, linear probe: RadReg less the Frobenius penalty, test accuracy"] == "differs"
    assert verdicts["mean of 2 of 2 settings: RadReg less no regulariser, test accuracy"] == "agrees"
    helps = found["mean of 2 of 2 settings: RadReg less no regulariser, test accuracy"].ours
    assert helps.value == pytest.approx(0.05, abs=3e-3) and helps.n_samples == 3
    assert len(found) == 2 + 4 + 4 + 2 + 2


def test_regularisers_that_do_alike_agree_with_frobenius_and_leave_the_claims_open():
    found = compared(radreg_rows({}))
    assert found["usps, linear probe: RadReg less the Frobenius penalty, test accuracy"].verdict == "agrees"
    assert (
        found["mean of 2 of 2 settings: RadReg less no regulariser, test accuracy"].verdict == "cannot tell"
    )


def test_intervals_of_several_settings_hold_jointly():
    found = compared(radreg_rows({"radreg": 0.05}))
    assert found["usps, linear probe: RadReg less no regulariser, test accuracy"].ours.confidence == 0.975
    assert found["mean of 2 of 2 settings: RadReg less no regulariser, test accuracy"].ours.confidence == 0.95


def test_no_conclusion_from_an_encoder_that_does_not_beat_its_random_start():
    found = compared(radreg_rows({"radreg": 0.05}, start=0.7))
    one = found["usps, linear probe: RadReg less no regulariser, test accuracy"]
    assert one.verdict == "cannot tell" and one.ours.interval[0] > 0.0
    said = "No conclusion: none (usps, linear probe) does not beat its own random initialisation ("
    assert one.sentence.startswith(said)
    assert (
        found["mean of 0 of 2 settings: RadReg less no regulariser, test accuracy"].verdict == "cannot tell"
    )


def test_the_strength_is_chosen_on_the_choosing_seeds_alone():
    """On the reported seeds the other strength is better by far: it is not taken."""
    rows = radreg_rows({"radreg": 0.05}, best=0.1)
    for row in rows:
        if row["regularizer"] == "radreg" and row["strength"] == 1.0 and row["role"] == "reported":
            row["usps.probe_accuracy"] = row["usps.probe_validation"] = 0.99
    table = RADREG.table(rows)
    chosen = table[table["chosen_for_probe"] & (table["regularizer"] == "radreg")]
    assert set(chosen["strength"]) == {0.1} and len(chosen) == len(SEEDS)
    found = {one.what: one for one in RADREG.compare(table)}
    gap = found["usps, linear probe: RadReg less no regulariser, test accuracy"].ours.value
    assert gap == pytest.approx(0.05, abs=3e-3)


def test_a_strength_with_a_failed_choosing_cell_is_not_chosen_and_a_failed_reported_cell_gives_no_verdict():
    rows = radreg_rows({"radreg": 0.05}, best=1.0)
    for row in rows:
        if row["regularizer"] != "radreg":
            continue
        if (row["strength"], row["seed"]) in ((1.0, 0), (0.1, 11)):
            for key in [key for key in row if key.startswith("usps.")]:
                del row[key]
            row |= failed_row("the loss is NaN")
    table = RADREG.table(rows)
    assert set(table["strength"][table["chosen_for_tuned"] & (table["regularizer"] == "radreg")]) == {0.1}
    found = {one.what: one for one in RADREG.compare(table)}
    one = found["usps, fine-tuning: RadReg less no regulariser, test accuracy"]
    assert one.verdict == "cannot tell" and "a run failed" in one.sentence
    assert list(table["reason"].dropna()) == ["the loss is NaN"] * 2


def test_fine_tuning_from_random_weights_is_taken_from_the_cell_without_regulariser():
    table = RADREG.table(radreg_rows({}))
    for _, rows in table.groupby("seed"):
        assert rows["start_tuned_accuracy"].nunique() == 1 and rows["start_tuned_accuracy"].notna().all()


def test_no_reported_seed_was_chosen_on():
    for entry in (RADREG, TERMS):
        for size in entry.sizes.values():
            assert size.seeds and not set(size.seeds) & set(entry.chosen_on)
    with pytest.raises(ValueError, match=r"seeds \[10, 11\] are reported"):
        replace(RADREG, chosen_on=(10, 11))


def test_weak_encoders_are_named_with_their_interval():
    strong, weak = Estimate(0.1, interval=(0.05, 0.15)), Estimate.missing("failed", "a run failed")
    assert at_random({"a": strong}) == ""
    assert at_random({"a": strong, "b": weak}) == (
        "no conclusion: b does not beat its own random initialisation (a run failed)"
    )


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
    found = compared(rows, TERMS)
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
    found = compared(rows, TERMS)
    assert any(what.startswith(f"all encoders (10 of {len(CONDITIONS)} beat") for what in found)
    few = rank_estimate(runs, "complexity", list(BY_NAME)[:3])
    assert few.reason == "3 encoders beat their own random initialisation, a rank correlation needs 4"
    weak = compared(terms_rows(lambda _: 0.5, {"complexity": lambda _: 9.0}), TERMS)
    verdicts = {one.verdict for what, one in weak.items() if "random weights" not in what}
    assert verdicts == {"cannot tell"}


def test_the_smoke_size_s_conditions_give_comparisons_too():
    found = compared(terms_rows(lambda place: 0.1 + 0.01 * place, {}, names=SMOKE, seeds=(10, 11)), TERMS)
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


def test_rank_correlations_are_spearman_s_of_each_seed():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (5, 9)).astype(float), rng.normal(size=(5, 9))
    wanted = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlations(first, second), wanted)
    first[0], second[1, 3] = 1.0, np.nan
    assert np.isnan(rank_correlations(first, second)).tolist() == [True, True, False, False, False]


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
