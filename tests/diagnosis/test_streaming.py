"""Rows that do not fit in memory: the probe from sums over blocks is the probe of the whole."""

import numpy as np
import pytest
from planted_features import planted

from carryover import diagnose_features
from carryover.diagnosis.specs import MeasureSpec

QUICK = {"n_draws": 8, "n_partitions": 4}


@pytest.fixture(scope="module")
def both() -> tuple[dict, dict]:
    """Records of the same features, held whole and streamed (only 120 training rows may be held)."""
    features, labels = planted(400, 8, strength=0.5)
    test, test_labels = planted(100, 8, strength=0.5, seed=3)
    models = []
    for measure in (MeasureSpec(**QUICK), MeasureSpec(**QUICK, max_rows=120)):
        diagnosis = diagnose_features(
            {"m": features}, labels, test_features={"m": test}, test_labels=test_labels, measure=measure
        )
        models.append(diagnosis.record["models"][0])
    return tuple(models)


def test_the_probe_sees_all_rows(both):
    whole, streamed = both
    assert streamed["probe"]["penalty"] == pytest.approx(whole["probe"]["penalty"], rel=1e-10)
    for key in ("accuracy", "balanced_accuracy", "log_loss"):
        assert streamed["probe"][key]["value"] == pytest.approx(whole["probe"][key]["value"], rel=1e-9)
    for key in ("value", "cap"):
        first, second = (model["terms"]["rademacher"][key] for model in both)
        assert first == pytest.approx(second, rel=1e-9)


def test_what_cannot_merge_says_what_it_used(both):
    whole, streamed = both
    assert whole["notes"] == []
    assert any("120 of 400 training rows" in note for note in streamed["notes"])
    assert streamed["learning_curve"]["n"][-1] == 120
    assert np.isfinite(streamed["scores"]["logme"]["value"])


def test_scores_from_sums_are_those_of_all_rows(both):
    whole, streamed = both
    for score in ("logme", "h_score", "ridge_loo"):
        assert streamed["scores"][score]["value"] == pytest.approx(whole["scores"][score]["value"], rel=1e-8)
        assert "400" in streamed["scores"][score]["reason"]
        low, high = streamed["scores"][score]["interval"]
        assert low <= streamed["scores"][score]["value"] <= high
    assert streamed["scores"]["knn"]["value"] != whole["scores"]["knn"]["value"]
