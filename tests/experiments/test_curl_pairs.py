"""``curl_pairs``: accuracies by brute force and in closed form, pretraining on colours, verdicts on made-up tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow
from scipy.stats import norm
from sklearn.linear_model import Ridge

from carryover._core.errors import InputError
from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.entries.curl import pairs as curl_pairs
from carryover.experiments.entries.curl.pairs import CONDITIONS, IMAGES, Recipe, tuples_a_step
from carryover.experiments.entries.curl.pairs_cells import (
    average_accuracies,
    draw_tasks,
    encoded,
    run_pairs,
)
from carryover.experiments.entries.curl.pairs_spec import PairsCell, images_of_tuple
from carryover.experiments.inputs import Inputs
from carryover.measures.ridge import fit_ridge_path
from carryover.objectives.normalize import Normalize
from carryover.reports.catalogue_figures import FIGURES

ENTRY = CATALOGUE["curl_pairs"]


def gaussian_classes(means, n, seed):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(means)), n)
    return means[labels] + generator.normal(size=(len(labels), means.shape[1])), labels


def test_accuracies_are_those_of_every_task_by_itself():
    means = np.random.default_rng(0).normal(size=(5, 4))
    heads, test = gaussian_classes(means, 12, 1), gaussian_classes(means, 9, 2)
    tasks = {2: np.array([[4, 1], [0, 3]]), 3: np.array([[2, 0, 4]])}
    found = average_accuracies(heads, test, tasks)
    for k, drawn in tasks.items():
        by_mean, by_ridge = [], []
        for task in drawn:
            centres = {c: heads[0][heads[1] == c].mean(axis=0) for c in task}
            judged = [(x, c) for x, c in zip(*test, strict=True) if c in task]
            by_mean.append(np.mean([max(task, key=lambda one: x @ centres[one]) == c for x, c in judged]))
            own = np.isin(heads[1], task)
            order = np.sort(task)
            penalty = fit_ridge_path(heads[0][own], np.searchsorted(order, heads[1][own])).penalty
            ridge = Ridge(alpha=penalty).fit(heads[0][own], heads[1][own][:, None] == order)
            scores = ridge.predict(np.array([x for x, _ in judged]))
            by_ridge.append(np.mean(order[scores.argmax(axis=1)] == [c for _, c in judged]))
        assert found["mean", k] == pytest.approx(np.mean(by_mean))
        assert found["trained", k] == pytest.approx(np.mean(by_ridge))


def test_the_mean_classifier_of_two_gaussians_errs_as_their_distance_says():
    """Means of one length: x goes to the nearer one, right with probability Phi(|mu - mu'| / 2)."""
    means = np.array([[1.2, 0.0], [0.0, 1.2]])
    heads, test = gaussian_classes(means, 20_000, 3), gaussian_classes(means, 20_000, 4)
    found = average_accuracies(heads, test, {2: np.array([[0, 1]])})
    assert found["mean", 2] == pytest.approx(norm.cdf(1.2 * np.sqrt(2.0) / 2.0), abs=0.01)
    assert found["trained", 2] == pytest.approx(found["mean", 2], abs=0.01)


def test_features_that_say_nothing_give_chance():
    rows = np.ones((30, 3)), np.arange(30) % 3
    found = average_accuracies(rows, rows, {3: np.array([[0, 1, 2]])})
    assert list(found.values()) == pytest.approx([1 / 3, 1 / 3])


def test_tasks_have_distinct_classes_and_are_the_same_for_every_condition():
    cell = PairsCell("data", tasks=((2, 50), (6, 1)), seed=3)
    found = draw_tasks(cell, n_classes=6)
    assert found[2].shape == (50, 2) and (found[2][:, 0] != found[2][:, 1]).all()
    assert sorted(found[6][0]) == list(range(6))
    other = draw_tasks(replace(cell, negatives=4, block=2), n_classes=6)
    assert all(np.array_equal(found[k], other[k]) for k in found)
    assert not np.array_equal(draw_tasks(replace(cell, seed=4), n_classes=6)[2], found[2])
    with pytest.raises(InputError, match="a task of 6 classes cannot be drawn from 5"):
        draw_tasks(cell, n_classes=5)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_as_many_images_is_the_most_that_fit(condition):
    n, each = tuples_a_step(IMAGES, *condition, tuples=64), images_of_tuple(*condition)
    assert n * each <= 64 * 3 < (n + 1) * each


def test_features_do_not_depend_on_the_batch():
    pixels = torch.arange(700 * 12, dtype=torch.int64).reshape(700, 3, 2, 2).remainder(256).to(torch.uint8)
    network = torch.nn.Sequential(Normalize([0.5] * 3, [0.25] * 3), torch.nn.Flatten()).double()
    network.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    expected = (pixels.numpy().reshape(700, 12) / 255.0 - 0.5) / 0.25
    np.testing.assert_allclose(encoded(network, pixels), expected, atol=1e-6)


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Four classes of noisy images 8 x 8 that differ in hue alone."""
    folder, generator = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    hues = np.array([[150, 110, 110], [110, 150, 110], [110, 110, 150], [150, 150, 110]])
    for split, n in (("train", 40), ("test", 10)):
        labels = np.repeat(np.arange(4), n)
        noise = generator.normal(0, 25, (4 * n, 8, 8, 3))
        images = np.clip(hues[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
        columns = {"img": [Pillow.fromarray(one) for one in images], "fine_label": labels.tolist()}
        kinds = Features({"img": Image(), "fine_label": Value("int64")})
        Dataset.from_dict(columns, features=kinds).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return str(folder)


TINY = {
    "tuples": 8,
    "steps": 40,
    "encoder": "convolutional",
    "width": 8,
    "side": 8,
    "tasks": ((2, 6), (4, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("negatives", "block"), [(3, 1), (1, 3)])
def test_pretraining_teaches_the_mean_classifier(colours, tmp_path, negatives, block):
    cell = PairsCell(colours, negatives=negatives, block=block, **TINY)
    row = run_pairs(cell, tmp_path)
    assert row["after.mean.4"] > row["before.mean.4"] + 0.2 and row["after.mean.2"] > 0.75
    assert row["tuples"] == 8 and row["images_seen"] == 40 * 8 * (1 + block * (1 + negatives))
    assert list(tmp_path.iterdir()) == []
    assert run_pairs(replace(cell, steps=2), tmp_path) == run_pairs(replace(cell, steps=2), tmp_path)


def test_misuse_is_named():
    with pytest.raises(InputError, match="block must be >= 1, got 0"):
        PairsCell("data", block=0)


def test_runs_that_two_ways_of_matching_share_are_computed_once():
    (part,) = curl_pairs._parts(Recipe(2), Inputs())
    reported = [cell for cell in part.cells if cell.parameters["role"] == "reported"]
    assert len(reported) == 2 * 12 and len({cell.id for cell in reported}) == 2 * 11
    assert {cell.spec.seed for cell in part.cells} - {0, 1} == set(ENTRY.chosen_on)


def made_up(*, start=50.0, closeness=1.0, gains=None):
    """Rows of five runs: AVG-2 75 % after pretraining, more by ``gains`` of a condition; ``start`` % before it."""
    generator, rows = np.random.default_rng(0), []
    for matched in ("tuples", "images"):
        for negatives, block in CONDITIONS:
            gain = (gains or {}).get((negatives, block), 0.0)
            for seed in range(5):
                row = {
                    "matched": matched,
                    "negatives": negatives,
                    "block": block,
                    "seed": seed,
                    "role": "reported",
                }
                noise = generator.normal(0, 0.05, 2)
                for classes in (2, 10):
                    for place, (name, lead) in enumerate((("mean", 0.0), ("trained", closeness))):
                        row[f"before.{name}.{classes}"] = (start + lead) / 100.0
                        row[f"after.{name}.{classes}"] = (75.0 + gain + lead + noise[place]) / 100.0
                rows.append({**row, "learning_rate": 1e-3, "status": "ok", "reason": None})
    return ENTRY.table(rows)


def verdicts(table):
    return {one.what: one.verdict for one in ENTRY.compare(table)}


def of(found, *words):
    (verdict,) = {verdict for what, verdict in found.items() if all(word in what for word in words)}
    return verdict


def test_claims_agree_where_the_table_has_them():
    found = verdicts(made_up(gains={(4, 1): 1.0, (1, 5): 1.5, (1, 10): 1.6}))
    assert of(found, "k = 4 (equal tuples) less k = 10") == "agrees"
    assert of(found, "less blocks of 2") == "agrees"
    assert of(found, "2 less the lead") == "agrees"
    assert of(found, "AVG-2 of the mean classifier, %") == "not comparable"


def test_claims_differ_where_the_table_has_the_opposite():
    found = verdicts(made_up(closeness=4.0, gains={(10, 1): 1.0, (1, 2): 1.5}))
    assert {of(found, word) for word in ("less k = 10", "less blocks of 2", "2 less the lead")} == {"differs"}


def test_nothing_is_concluded_from_encoders_at_their_random_start():
    table = made_up(start=75.0, gains={(4, 1): 1.0})
    found = [one for one in ENTRY.compare(table) if "k = 4 (equal tuples) less" in one.what]
    assert [one.verdict for one in found] == ["cannot tell"]
    said = "No conclusion: the encoder of k = 10 (equal tuples) with the mean classifier does not beat its own random"
    assert found[0].sentence.startswith(said)


def test_a_run_that_failed_leaves_its_claims_open_and_others_as_they_are():
    table = made_up(gains={(1, 5): 1.5, (1, 10): 1.5})
    lost = (table["negatives"] == 4) & (table["seed"] == 2)
    table.loc[lost, "status"], table.loc[lost, "accuracy"] = "failed", np.nan
    found = verdicts(table)
    assert of(found, "less k = 10") == "cannot tell" and of(found, "less blocks of 2") == "agrees"
    assert len(FIGURES["curl_pairs"](table).axes) == 3


def test_choosing_runs_decide_nothing():
    table = made_up(gains={(4, 1): 1.0})
    other = table.assign(role="choosing", seed=100, accuracy=0.0)
    assert ENTRY.compare(pd.concat([table, other])) == ENTRY.compare(table)


def test_the_row_of_a_run_that_failed_is_in_the_table():
    row = {
        "matched": "tuples",
        "negatives": 1,
        "block": 1,
        "learning_rate": 1.0,
        "seed": 0,
        "role": "reported",
    }
    table = ENTRY.table([{**row, "status": "failed", "reason": "it diverged"}])
    assert (table["reason"] == "it diverged").all() and table["accuracy"].isna().all() and len(table) == 4
