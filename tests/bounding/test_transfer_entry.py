"""The transfer estimate in the table: a planted family gives its constants, and whatever is missing is said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gaussian_case import draw

from carryover._core.results import Estimate
from carryover.bounding.case import classifier_case, sample_of
from carryover.bounding.entry import entry_record
from carryover.bounding.transfer import transfer_estimates
from carryover.bounds.heads import fit_ridge_head
from carryover.bounds.transfer import TransferBoundEstimate
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.pretraining_terms import PretrainingTerms
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.objectives.specs import ObjectiveSpec

NOISES = (0.05, 0.5, 0.8, 1.2, 1.8, 2.6, 4.0)


def _case(noise: float, *, flip: float = 0.0):
    """Gaussian classes whose features are blurred: the more, the worse the head."""
    samples = []
    for n, seed in ((300, 0), (2000, 1)):
        features, labels = draw(n, seed=seed, apart=6.0)
        blurred = features + noise * np.random.default_rng(seed + 10).normal(size=features.shape)
        samples.append(sample_of(blurred, labels))
    return classifier_case(*samples, n_classes=3, predict=lambda rows: np.zeros(len(rows), dtype=np.int64))


def _terms(excess: float, family: tuple[str, ...]) -> PretrainingTerms:
    loss, found = Estimate(1.0 + excess, 0.0, None), Estimate(excess, 1e-6, (excess, excess))
    return PretrainingTerms(loss, loss, found, found, "denoising", family)


def _candidate(name: str, decoder: np.ndarray | None = None) -> Candidate:
    spec = ObjectiveSpec("denoising", decoder_hidden=0 if decoder is not None else 8)
    objective = None
    if decoder is not None:
        layer = torch.nn.Linear(decoder.shape[1] - 1, len(decoder)).requires_grad_(False)
        layer.weight.copy_(torch.from_numpy(decoder[:, :-1]))
        layer.bias.copy_(torch.from_numpy(decoder[:, -1]))
        objective = SimpleNamespace(decoder=[layer])
    run = SimpleNamespace(
        record=SimpleNamespace(objective=spec), encoder=SimpleNamespace(objective=objective)
    )
    return Candidate(name, "pretrained", "f", "p", "w", chosen_without=True, run=run)


def _family(power: float):
    """Runs whose pretraining excess is the downstream one to the power 1/beta, times 10."""
    names = tuple(f"run {noise}" for noise in NOISES)
    cases = {name: _case(noise) for name, noise in zip(names, NOISES, strict=True)}
    risks = {}
    for name, case in cases.items():
        unit = np.sqrt((case.train.features**2).sum(axis=1).mean())
        weights, intercept = fit_ridge_head(case.train.features / unit, case.train.labels, n_classes=3)
        scores = case.test.features / unit @ weights.T + intercept
        own = scores[np.arange(len(scores)), case.test.labels]
        scores[np.arange(len(scores)), case.test.labels] = -np.inf
        risks[name] = np.clip(1 - (own - scores.max(axis=1)), 0, 1).mean()
    least = risks[names[0]]
    excess = {name: 10 * (risk - least) ** (1 / power) for name, risk in risks.items()}
    return cases, risks, {name: _terms(value, names) for name, value in excess.items()}


@pytest.fixture(scope="module")
def family():
    return _family(0.5)


def _estimates(family, *, variation=None):
    cases, _, terms = family
    return transfer_estimates([(_candidate(name), case, variation) for name, case in cases.items()], terms)


def test_the_terms_are_what_they_are_said_to_be(family):
    cases, risks, _ = family
    features, _ = draw(400, seed=9, apart=6.0)
    name = "run 1.8"
    variation = total_variation_lower_bound(
        features, cases[name].train.features, generator=np.random.default_rng(0)
    )
    entry = _estimates(family, variation=variation)[name]
    found = {term.name: term for term in entry.found.terms}
    # beta = 1/2 was planted, so C E^beta is the downstream excess itself, raised to the envelope.
    excess = risks[name] - risks["run 0.05"]
    assert found["transferability"].value == pytest.approx(excess, rel=0.05)
    exponent = float(found["transferability"].how.split("beta = ")[1].split(",")[0])
    assert exponent == pytest.approx(0.5, abs=0.01)
    assert found["residual"].value == pytest.approx(risks["run 0.05"])
    assert found["total_variation"].value == pytest.approx(2 * variation.estimate.value)
    assert found["confidence"].value == pytest.approx(4 * np.sqrt(np.log(1 / 0.045) / 600))
    assert entry.value == pytest.approx(sum(term.value for term in found.values()))
    record = entry_record(entry)
    assert record["kind"] == "estimate" and record["bounded"].startswith("estimate of a bound")
    assert any("known from below only" in reason for reason in record["not_a_bound_because"])
    assert f"{risks[name]:.3f}" in record["truth"]["reason"]
    # The shares of the risk are said with the terms that take them, and add up to that of the whole.
    shares = [
        float(note.split("at most ")[-1]) for note in record["term_notes"].values() if "fails with" in note
    ]
    assert len(shares) == 2 and sum(shares) == pytest.approx(1 - record["confidence"])
    low, high = found["residual"].estimate.interval
    assert f"interval {low:.4g} to {high:.4g}" in record["term_notes"]["residual"]


def test_without_a_pretraining_sample_it_abstains_and_says_so(family):
    entry = _estimates(family)["run 1.8"]
    assert entry.value is None and "no sample of the pretraining data" in entry.found.reason
    assert entry_record(entry)["status"] == "abstained"


def test_a_model_that_was_not_pretrained_here_has_none(family):
    cases, _, _ = family
    absent = Estimate.missing("not_applicable", "elsewhere")
    plain = PretrainingTerms(absent, absent, absent, absent)
    candidate = Candidate("other", "transformers", "f", "p", "w", chosen_without=None)
    entry = transfer_estimates([(candidate, cases["run 1.8"], None)], {"other": plain})["other"]
    record = entry_record(entry)
    assert record["kind"] == "estimate" and record["status"] == "not_applicable"
    assert "only for a pretraining run" in record["reason"]


def test_a_family_of_three_has_no_measured_constants(family):
    cases, _, terms = family
    names = tuple(cases)[:3]
    few = {name: replace(terms[name], family=names) for name in names}
    models = [(_candidate(name), cases[name], None) for name in names]
    entry = transfer_estimates(models, few)[names[2]]
    assert "5 are needed" in entry.found.reason


def test_a_linear_decoder_gives_the_constants_that_are_proved(family):
    """A run alone with its own decoder: C = sqrt 2 R_u sqrt p with R_u from least squares of the head on its rows."""
    cases, _, terms = family
    case, name = cases["run 0.05"], "run 0.05"
    decoder = np.random.default_rng(0).normal(size=(40, 7))
    unit = np.sqrt((case.train.features**2).sum(axis=1).mean())
    weights, intercept = fit_ridge_head(case.train.features / unit, case.train.labels, n_classes=3)
    head = np.column_stack([weights, intercept])
    head -= head.mean(axis=0)
    on_unit = np.column_stack([unit * decoder[:, :-1], decoder[:, -1]])
    readout = np.linalg.norm(head @ np.linalg.pinv(on_unit), 2)
    alone = {name: replace(terms[name], family=(name,), excess=Estimate(0.01, 1e-3, (0.008, 0.012)))}
    found = transfer_estimates([(_candidate(name, decoder.astype(np.float32)), case, None)], alone)[
        name
    ].found
    term = next(one for one in found.terms if one.name == "transferability")
    assert term.value == pytest.approx(np.sqrt(2) * readout * np.sqrt(40) * np.sqrt(0.01), rel=1e-4)
    assert "beta = 0.5" in term.how and isinstance(found, TransferBoundEstimate)
