"""The compression bound: its number recomputed from the code, order in n and risk, what is refused."""

import numpy as np
import pytest
from scipy.stats import binom

from carryover._core.errors import InputError
from carryover.bounds.compression import compression_bound, compression_terms, linear_predictions
from carryover.bounds.head_code import Codebook, decode, head_of
from carryover.bounds.heads import unit_rows
from carryover.bounds.reference_head import ReferenceHead, fit_reference_head, no_reference


def _sample(n=400, d=5, n_classes=3, *, seed=0, apart=1.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, n_classes, n)
    return apart * generator.normal(size=(n_classes, d))[labels] + generator.normal(size=(n, d)), labels


def _halves(n_classes=3, **sizes):
    features, labels = _sample(n_classes=n_classes, **sizes)
    half = len(features) // 2
    return (features[:half], labels[:half]), (features[half:], labels[half:])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fitted", [False, True])
def test_the_number_is_that_of_the_code(n_classes, fitted):
    """Decoded without the bound's help, the head errs as stated; the limit has the risk that its bits leave."""
    first, (features, labels) = _halves(n_classes, apart=0.5)
    reference = fit_reference_head(*first, n_classes=n_classes) if fitted else no_reference(n_classes, 5)
    bound = compression_bound(features, labels, reference=reference)
    coded = decode(bound.stats["code"], n_classes=n_classes, n_features=5, codebook=Codebook())
    coefficients, intercept = head_of(coded, reference=reference, codebook=Codebook())
    np.testing.assert_array_equal(coefficients, bound.stats["coefficients"])
    np.testing.assert_array_equal(intercept, bound.stats["intercept"])
    scores = unit_rows(features) @ coefficients.T + intercept
    errors = int((scores.argmax(axis=1) != labels).sum())
    assert bound.terms["training_error"] == errors / 200
    assert len(bound.stats["code"]) == bound.stats["bits"] and coded.symbols.size == bound.stats["k"]
    assert binom.cdf(errors, 200, bound.value) == pytest.approx(0.05 * 2.0 ** -bound.stats["bits"], rel=1e-6)
    assert bound.value == pytest.approx(sum(bound.terms.values()))
    assert min(bound.terms.values()) >= 0 and bound.value > errors / 200
    assert bound.bounded == "error rate of the compressed head"


def test_monotone_in_risk_bits_errors_and_examples():
    def value(n_errors=20, n=200, bits=30, risk=0.05):
        return sum(compression_terms(n_errors, n=n, bits=bits, risk=risk).values())

    assert value(risk=0.5) < value(risk=0.05) < value(risk=1e-9)
    assert value(bits=0) < value(bits=1) < value(bits=30) < value(bits=7300) < 1
    assert value(n_errors=0) < value() < value(n_errors=199) < value(n_errors=200) == 1
    assert value(40, 400) < value()
    assert compression_terms(20, n=200, bits=0, risk=0.05)["complexity"] == 0
    features, labels = _sample(4000, apart=0.7)
    few, many = (
        compression_bound(features[:n], labels[:n], reference=no_reference(3, 5)).value for n in (250, 4000)
    )
    assert many < few
    sure = compression_bound(features[:250], labels[:250], reference=no_reference(3, 5), confidence=0.999)
    assert few < sure.value


def test_a_reference_that_is_right_costs_its_header_and_a_shifted_one_a_few_bits():
    first, second = _halves(d=20, apart=3.0)
    fitted = fit_reference_head(*first, n_classes=3)
    kept = compression_bound(*second, reference=fitted)
    assert (kept.stats["bits"], kept.stats["k"]) == (5, 0)
    assert compression_bound(*second, reference=no_reference(3, 20)).stats["bits"] > 25
    scaled = ReferenceHead(1e6 * fitted.coefficients + 5, 1e6 * fitted.intercept + 5, fitted.seen)
    assert compression_bound(*second, reference=scaled).value == kept.value


def test_tuning_beats_a_reference_that_needs_it_and_a_wrong_one_is_survived():
    first, (features, labels) = _halves(2, n=4000, d=8, apart=0.5)
    fitted = fit_reference_head(*first, n_classes=2)
    generator = np.random.default_rng(3)
    rough = ReferenceHead(
        fitted.coefficients + 0.5 * np.abs(fitted.coefficients).max() * generator.normal(size=(2, 8)),
        fitted.intercept,
        None,
    )
    tuned = compression_bound(features, labels, reference=rough)
    kept = compression_bound(features, labels, reference=rough, codebook=Codebook(widths=(0,)))
    assert tuned.stats["k"] > 0 and tuned.value < kept.value
    wrong = ReferenceHead(-fitted.coefficients, -fitted.intercept, None)
    alone = compression_bound(features, labels, reference=no_reference(2, 8))
    assert compression_bound(features, labels, reference=wrong).value == pytest.approx(alone.value, abs=0.01)


def test_predictions_on_new_features():
    features, labels = _sample(800, apart=2.0)
    reference = ReferenceHead(np.zeros((3, 5)), np.zeros(3), frozenset(), unit=2.0)
    bound = compression_bound(features[:400], labels[:400], reference=reference)
    head = {name: bound.stats[name] for name in ("coefficients", "intercept")}
    wrong = linear_predictions(reference.rows(features[400:]), **head) != labels[400:]
    assert wrong.mean() < bound.value < 0.5


def test_a_codebook_of_wide_heads_only_and_one_class_of_labels():
    """More numbers than rows where the codebook has nothing smaller; nothing left to regress on."""
    features, _ = _sample(4)
    reference = ReferenceHead(np.zeros((3, 5)), np.array([1.0, 0.0, 0.0]), None)
    bound = compression_bound(
        features, np.zeros(4, dtype=int), reference=reference, codebook=Codebook(widths=(6,))
    )
    assert bound.stats["k"] == 12 and bound.terms["training_error"] == 0 and not bound.vacuous


def test_assumptions_and_misuse():
    first, second = _halves()
    reference = fit_reference_head(*first, n_classes=3)
    known = compression_bound(*second, reference=reference, representation_independent=True)
    assert [one.state for one in known.assumptions] == ["not_checkable", "checked", "checked", "checked"]
    unknown = compression_bound(
        *second,
        reference=ReferenceHead(reference.coefficients, reference.intercept, None),
        codebook=Codebook(seed=1),
        groups=second[1],
        representation_independent=False,
    )
    assert [one.state for one in unknown.assumptions] == [
        "violated", "violated", "not_checkable", "not_checkable"
    ]  # fmt: skip
    with pytest.raises(InputError, match="the prior has seen the bound's data: 200 of 200 rows"):
        compression_bound(*first, reference=reference)
    names = [f"id{i}" for i in range(200)]
    named = fit_reference_head(*first, n_classes=3, hashes=names)
    with pytest.raises(InputError, match="the prior has seen the bound's data: 1 of 200 rows"):
        compression_bound(*second, reference=named, hashes=["id7", *(f"x{name}" for name in names[1:])])
    with pytest.raises(InputError, match="hashes must have one entry for each of the 200 rows, got 1"):
        compression_bound(*second, reference=named, hashes=["a"])
    with pytest.raises(InputError, match="the reference head takes 2 features, got 5"):
        compression_bound(*second, reference=no_reference(3, 2))
    with pytest.raises(InputError, match="labels must be below n_classes = 2, got 2"):
        compression_bound(*second, reference=no_reference(2, 5))
    for level in (0.0, 1.0):
        with pytest.raises(InputError, match=rf"confidence must lie in \(0, 1\), got {level}"):
            compression_bound(*second, reference=reference, confidence=level)
    with pytest.raises(InputError, match=r"bits must lie in \[0, inf\), got -1"):
        compression_terms(1, n=10, bits=-1, risk=0.05)
    with pytest.raises(InputError, match=r"risk must lie in \(0, 1\), got 1.0"):
        compression_terms(1, n=10, bits=1, risk=1.0)
    with pytest.raises(InputError, match=r"count must lie in \[0, 10\], got 11"):
        compression_terms(11, n=10, bits=1, risk=0.5)
