"""The entry dhzm_radreg on made-up rows: strengths that are chosen, verdicts, encoders at random."""

from dataclasses import replace

import numpy as np
import pytest

from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.entries.dhzm.radreg_claims import WORDS
from carryover.experiments.rows import failed_row

RADREG = CATALOGUE["dhzm_radreg"]
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


def compared(rows):
    return {one.what: one for one in RADREG.compare(RADREG.table(rows))}


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
    said = "No conclusion: none (usps, linear probe) does not beat its own random start ("
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
    for entry in (RADREG, CATALOGUE["dhzm_terms"]):
        for size in entry.sizes.values():
            assert size.seeds and not set(size.seeds) & set(entry.chosen_on)
    with pytest.raises(ValueError, match=r"seeds \[10, 11\] are reported"):
        replace(RADREG, chosen_on=(10, 11))
