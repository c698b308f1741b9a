"""The real shift of ``lpft``: what each cell adapts and is tested on, and verdicts on made-up tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from carryover._core.errors import InputError
from carryover.adaptation.inputs import open_adaptation
from carryover.adaptation.phases import all_features
from carryover.adaptation.plans import PLANS
from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.entries.lpft.entry import SMALL, SMOKE
from carryover.experiments.entries.lpft.shift import (
    FT,
    INSIDE,
    LP,
    LP_FT,
    OUTSIDE,
    RANDOM_LP,
    RATE,
    RATES,
    ShiftCell,
    compare_shift,
    shift_part,
)
from carryover.experiments.entries.lpft.shift_cells import adaptation_spec, plan_at, run_shift
from carryover.experiments.inputs import Inputs
from carryover.measures.ridge import fit_ridge_path
from carryover.reports.catalogue_figures import FIGURES

ENTRY = CATALOGUE["lpft"]


def test_plans_are_the_librarys_but_for_the_rate_of_the_descent():
    assert plan_at(LP, None) == PLANS["linear_probe"]
    for name, plan in ((FT, PLANS["fine_tuning"]), (LP_FT, PLANS["lp_ft"])):
        found = plan_at(name, 0.02)
        assert found.phases[-1] == replace(plan.phases[-1], learning_rate=0.02)
        assert found.phases[:-1] == plan.phases[:-1]


def test_every_plan_is_tried_at_every_rate_on_seeds_that_are_not_reported():
    part = shift_part(SMALL, Inputs())
    tried = {}
    for cell in part.cells:
        if cell.parameters["role"] == "choosing":
            assert cell.spec.seed in ENTRY.chosen_on and cell.spec.domains == ()
            tried.setdefault((cell.spec.plan, cell.spec.seed), []).append(cell.spec.learning_rate)
        else:
            assert cell.spec.learning_rate == RATE.get(cell.spec.plan)
    assert set(tried) == {(plan, seed) for plan in (FT, LP_FT) for seed in ENTRY.chosen_on}
    assert all(tuple(rates) == RATES for rates in tried.values()) and set(RATE.values()) <= set(RATES)
    assert len({cell.id for cell in part.cells}) == len(part.cells)


def test_without_a_checkpoint_every_cell_says_so():
    part = shift_part(SMOKE, Inputs())
    rows = [{**cell.parameters, **run_shift(cell.spec)} for cell in part.cells]
    table = ENTRY.table(rows)
    assert (table["status"] == "failed").all() and len(table) == 4 * len(part.cells)
    assert table["reason"].str.startswith("the data folder has no checkpoint of the pretrained network").all()
    assert [one.verdict for one in compare_shift(table)] == ["cannot tell"] * 5 + ["not comparable"] * 6


def test_misuse_is_named():
    with pytest.raises(
        InputError, match="plan FT and learning_rate None do not go together: FT and LP-FT need one"
    ):
        ShiftCell("data", None, FT)
    with pytest.raises(InputError, match=r"plan LP and learning_rate 0\.1 do not go together"):
        ShiftCell("data", None, LP, learning_rate=0.1)


@pytest.fixture(scope="module")
def probe(data_root):
    """A probe of the pretrained network on a few photos."""
    inputs = Inputs(Path(data_root))
    return ShiftCell(
        inputs.data_set("pacs32"),
        inputs.checkpoint("resnet20-12fca82f.th"),
        LP,
        domains=("sketch",),
        labels=60,
        test_share=0.2,
        outside_images=50,
        seed=3,
    )


@pytest.mark.slow
def test_a_probe_is_ridge_on_the_networks_features(probe):
    row = run_shift(probe)
    inputs = open_adaptation(adaptation_spec(probe, "sketch"))
    network, split = inputs.make(), inputs.split
    path = fit_ridge_path(all_features(network, split.train.images), split.train.targets.numpy(), n_classes=7)
    for domain, examples in ((INSIDE, split.test), ("sketch", inputs.out_of_domain)):
        scores = path.predict_scores(all_features(network, examples.images))
        assert row[f"accuracy.{domain}"] == pytest.approx(
            (scores.argmax(axis=1) == examples.targets.numpy()).mean()
        )
    assert row["n_train"] == len(split.train)


@pytest.mark.slow
def test_plans_of_a_seed_see_the_same_photos_and_the_random_network_is_another(probe):
    first = open_adaptation(adaptation_spec(probe))
    tuned = open_adaptation(adaptation_spec(replace(probe, plan=FT, learning_rate=1e-3), "sketch"))
    other = open_adaptation(adaptation_spec(replace(probe, seed=4)))
    for role in ("train", "test"):
        images = getattr(first.split, role).images
        assert torch.equal(images, getattr(tuned.split, role).images)
        assert not torch.equal(images, getattr(other.split, role).images)
    random = open_adaptation(adaptation_spec(replace(probe, random_network=True)))
    again = open_adaptation(adaptation_spec(replace(probe, random_network=True, seed=4)))
    weights = [one.make().encoder.conv1.weight for one in (first, tuned, random, again)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[2], weights[3])


def made_up(inside, outside, *, noise=0.002):
    """The table of eight splits with these mean accuracies by plan."""
    generator, rows = np.random.default_rng(0), []
    for plan in inside:
        for seed in range(8):
            row = {
                "plan": plan,
                "seed": seed,
                "role": "reported",
                "learning_rate": None,
                "status": "ok",
                "reason": None,
            }
            means = dict.fromkeys(OUTSIDE, outside[plan]) | {INSIDE: inside[plan]}
            rows.append(
                row | {f"accuracy.{one}": mean + generator.normal(0, noise) for one, mean in means.items()}
            )
    return ENTRY.table(rows)


LIKE_LPFT = (
    {FT: 0.85, LP: 0.83, LP_FT: 0.86, RANDOM_LP: 0.3},
    {FT: 0.6, LP: 0.7, LP_FT: 0.74, RANDOM_LP: 0.2},
)


def orders(table):
    return [one.verdict for one in compare_shift(table) if one.matters == 0.0]


def test_a_table_like_theirs_agrees_and_its_opposite_differs():
    assert orders(made_up(*LIKE_LPFT)) == ["agrees"] * 5
    inside, outside = LIKE_LPFT
    turned = {FT: inside[LP], LP: inside[FT], LP_FT: 0.8, RANDOM_LP: 0.3}
    assert orders(made_up(turned, {FT: 0.75, LP: 0.7, LP_FT: 0.6, RANDOM_LP: 0.2})) == ["differs"] * 5
    assert orders(made_up(dict.fromkeys(inside, 0.8) | {RANDOM_LP: 0.3}, outside))[3:] == ["cannot tell"] * 2


def test_the_mean_over_domains_is_what_is_compared():
    table = made_up(*LIKE_LPFT, noise=0.0)
    found = next(one for one in compare_shift(table) if one.what.startswith("LP-FT out of"))
    assert found.ours.value == pytest.approx(74.0) and found.verdict == "not comparable"
    table.loc[(table["plan"] == LP_FT) & (table["domain"] == "sketch"), "accuracy"] = 0.44
    found = next(one for one in compare_shift(table) if one.what.startswith("LP-FT out of"))
    assert found.ours.value == pytest.approx(64.0)


def test_nothing_is_concluded_from_a_network_at_its_random_start():
    inside, outside = LIKE_LPFT
    found = orders(made_up(inside | {RANDOM_LP: inside[LP]}, outside))
    assert found == ["agrees"] * 3 + ["cannot tell"] * 2


def test_a_split_that_failed_leaves_its_claims_open():
    table = made_up(*LIKE_LPFT)
    lost = (table["plan"] == FT) & (table["seed"] == 1)
    table.loc[lost, "accuracy"], table.loc[lost, "status"] = np.nan, "failed"
    assert orders(table) == ["cannot tell", "agrees", "cannot tell", "cannot tell", "cannot tell"]


def test_choosing_seeds_decide_nothing_and_a_table_without_the_shift_has_none_of_it():
    table = made_up(*LIKE_LPFT)
    more = table.assign(role="choosing", accuracy=0.0, seed=100)
    assert compare_shift(pd.concat([table, more])) == compare_shift(table)
    assert compare_shift(table.drop(columns=["domain", "role"])) == ()


def test_the_figure_shows_what_there_is():
    assert len(FIGURES["lpft"](made_up(*LIKE_LPFT)).axes) == 1
