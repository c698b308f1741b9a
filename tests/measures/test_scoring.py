"""All scores together: the table is whole, notes and reasons are kept, the same generator gives the same answer."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import t as student_t

from carryover._core.errors import InputError
from carryover.measures import scoring
from carryover.measures.catalogue import CATALOGUE, why_not
from carryover.measures.knn import knn
from carryover.measures.leep import leep
from carryover.measures.scoring import score_all

NAMES = ["logme", "h_score", "leep", "nleep", "nce", "transrate", "pactran", "knn", "ridge_loo"]


def _problem(n=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, 5)) + np.eye(5)[labels]
    return features, labels, softmax(features, axis=1)


def _scores(features, labels, **options):
    defaults = {"task": "classification", "n_draws": 6, "generator": np.random.default_rng(1)}
    return score_all(features, labels, **(defaults | options))


def test_every_score_has_a_value_and_an_interval_around_it():
    features, labels, source = _problem()
    seen = []
    estimates = _scores(features, labels, source_probabilities=source, progress=lambda *at: seen.append(at))
    assert list(estimates) == NAMES == list(CATALOGUE)
    for name, estimate in estimates.items():
        assert estimate.ok and estimate.interval[0] <= estimate.value <= estimate.interval[1], name
        score = CATALOGUE[name]
        assert score.low is None or estimate.interval[0] >= score.low
        assert score.high is None or estimate.interval[1] <= score.high
    assert estimates["leep"].value == leep(source, labels).value
    assert estimates["knn"].value == knn(features, labels).value
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_the_generator_alone_decides():
    features, labels, _ = _problem()
    first, second = _scores(features, labels), _scores(features, labels)
    assert first == second
    assert first["knn"] != _scores(features, labels, generator=np.random.default_rng(2))["knn"]


def test_what_does_not_apply_says_why():
    features, labels, _ = _problem()
    estimates = _scores(features, labels)
    assert estimates["leep"].status == estimates["nce"].status == "not_applicable"
    assert "source head" in estimates["nce"].reason
    regression = _scores(features, features[:, 0] + 0.1, task="regression")
    applies = {name for name, estimate in regression.items() if estimate.status != "not_applicable"}
    assert applies == {"logme", "knn", "ridge_loo"}
    assert all(regression[name].interval is not None for name in applies)
    assert "the task is regression" in regression["nleep"].reason
    with pytest.raises(InputError, match="score must be one of logme"):
        why_not("lep", task="classification", has_source=True)


def test_pactran_has_its_interval_on_the_log_scale():
    features, labels, _ = _problem()
    estimate = _scores(features, labels)["pactran"]
    low, high = np.log(-np.array(estimate.interval))
    half_width = (low - high) / 2
    assert (low + high) / 2 == pytest.approx(np.log(-estimate.value))
    assert half_width == pytest.approx(student_t.ppf(0.975, 5) * estimate.std_error / -estimate.value)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_of_the_features_is_no_matter(scale):
    features, labels, _ = _problem()
    plain, scaled = _scores(features, labels), _scores(scale * features, labels)
    for name in ("nleep", "transrate", "pactran", "knn"):
        assert scaled[name].value == pytest.approx(plain[name].value, rel=1e-4, abs=1e-9), name


def test_degenerate_features_and_classes_never_give_nan():
    features, labels, source = _problem(24)
    constant = _scores(np.full((24, 4), 2.0), labels, source_probabilities=source)
    for name in ("nleep", "transrate", "pactran"):
        assert constant[name].status == "failed" and "no feature varies" in constant[name].reason
    assert constant["leep"].ok
    alone = np.where(np.arange(24) == 5, 3, labels)
    wide = np.random.default_rng(3).normal(size=(24, 40))
    for inputs in [(features, alone), (wide, alone), (np.repeat(features[:, :1], 3, axis=1), labels)]:
        for name, estimate in _scores(*inputs).items():
            assert estimate.status != "failed" or estimate.reason, name
            assert estimate.value is None or np.isfinite(estimate.value), name
    many = np.arange(24) % 14  # more classes than n / 2
    assert all(e.value is None or np.isfinite(e.value) for e in _scores(features, many).values())


def test_a_perfect_probe_says_why_it_has_no_interval():
    labels = np.arange(60) % 3
    features = 50 * np.eye(3)[labels] + np.random.default_rng(4).normal(size=(60, 3))
    estimate = _scores(features, labels)["knn"]
    assert estimate.value == 1.0 and estimate.interval is None and "the same value" in estimate.reason


def test_groups_widen_the_interval():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(20), 12)
    labels = (np.arange(20) % 2)[groups]
    own = rng.normal(size=(20, 4))[groups]
    features = own + 0.8 * labels[:, None] + 0.1 * rng.normal(size=(240, 4))
    apart = _scores(features, labels, groups=groups, n_draws=30)
    pretended = _scores(features, labels, n_draws=30)
    for name in ("logme", "h_score"):
        assert apart[name].std_error > 2 * pretended[name].std_error, name


def test_large_data_is_subsampled_and_says_so(monkeypatch):
    monkeypatch.setattr(scoring, "INTERVAL_ROWS", 120)
    features, labels, source = _problem(600)
    estimates = _scores(features, labels, source_probabilities=source, max_rows=300, n_draws=20)
    assert estimates["leep"].value == leep(source, labels).value
    assert "300 of 600 examples" in estimates["knn"].reason
    assert "subsample" not in (estimates["leep"].reason or "").split("interval")[0]
    assert "interval from subsamples of 120 examples" in estimates["leep"].reason
    whole = _scores(features, labels, source_probabilities=source, max_rows=600, n_draws=20)
    assert estimates["leep"].std_error == whole["leep"].std_error
    monkeypatch.setattr(scoring, "INTERVAL_ROWS", 600)
    direct = _scores(features, labels, source_probabilities=source, n_draws=50)["leep"]
    assert direct.reason is None and estimates["leep"].std_error == pytest.approx(direct.std_error, rel=0.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "ranking"}, "task must be one of classification, regression"),
        ({"targets": np.arange(60) % 3 * 2}, "class 1 has no example"),
        ({"targets": np.zeros(60, dtype=int)}, "there is one class only"),
        ({"targets": np.zeros(7, dtype=int)}, "targets must be a vector of length 60"),
        ({"groups": np.arange(5)}, "groups must be a vector of length 60"),
        ({"source_probabilities": np.full((5, 2), 0.5)}, "source_probabilities must have 60 rows"),
        ({"task": "regression", "targets": np.full(60, np.nan)}, "60 finite numbers"),
        ({"max_rows": 1}, "max_rows must lie in"),
    ],
)
def test_misuse_is_named(change, message):
    features, labels, _ = _problem()
    options = {"targets": labels, "task": "classification"} | change
    with pytest.raises(InputError, match=message):
        score_all(features, options.pop("targets"), generator=np.random.default_rng(0), **options)
