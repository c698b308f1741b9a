"""All bounds on one classifier: every name, kind and status, as they stand in both records."""

from typing import Any

from example_estimates import est, missing
from example_record import example_record

LABELS = ("The labelled examples are independent draws from one law.", "not_checkable")
ENCODER = ("The representation was chosen without the labelled examples.", "checked")
PRIOR = ("No row of the bound was in the prior's half.", "checked")
VIEWS = ("x and x+ are independent draws from one latent class.", "violated")
MASKS = ("The masks are independent fair coins.", "checked")
NOT_BOUND = (
    "The term transferability is an estimate.",
    "The term total_variation is known from below only.",
    "Not checked: The losses lie in the declared range.",
)
_GIBBS = "error rate of the Gibbs classifier, which draws a noisy head for every prediction"
_EXPECTED = "expected error rate, over draws of the examples, masks and training"


def entry(name: str, kind: str, terms: dict[str, float], **extras: Any) -> dict[str, Any]:
    """An entry that is ok, with the sum, the ratio and the verdict that follow from its terms and its truth."""
    value = sum(terms.values())
    truth = extras.pop("truth", est(0.21, 0.012))
    listed = extras.pop("assumptions", (LABELS, ENCODER))
    return {
        "name": name,
        "kind": kind,
        "status": "ok",
        "reason": None,
        "value": value,
        "confidence": None if kind == "expectation" else 0.95,
        "terms": terms,
        "assumptions": [{"text": text, "state": state} for text, state in listed],
        "vacuous": value >= 1,
        "bounded": "error rate of the linear head",
        "truth": truth,
        "ratio": value / truth["value"] if truth["value"] else None,
        "seconds": 0.42,
        **extras,
    }


def not_computed(name: str, status: str, reason: str, **extras: Any) -> dict[str, Any]:
    """A bound at a confidence level that has no value."""
    found = entry(name, "confidence", {}, assumptions=())
    return {
        **found,
        "status": status,
        "reason": reason,
        "value": None,
        "vacuous": None,
        "ratio": None,
        **extras,
    }


def _at_confidence() -> list[dict[str, Any]]:
    gibbs = {"bounded": _GIBBS, "truth": est(0.26, 0.013)}
    split = {**gibbs, "assumptions": (LABELS, ENCODER, PRIOR)}
    half = {"training_gibbs_error": 0.24, "divergence": 0.094, "confidence": 0.046}
    tilted = {"training_gibbs_error": 0.24, "tilt": 0.031, "divergence": 0.09, "confidence": 0.05}
    ramp = {"training_ramp_loss": 0.31, "complexity": 1.92, "confidence": 0.12}
    pairs = "loss of the mean classifier on pairs of distinct classes, no less than its error rate there"
    tuples = {"contrastive_loss": 0.71, "least_collision": -0.053, "confidence": 0.04}
    free = {"training_gibbs_error": 0.25, "divergence": 0.52, "confidence": 0.05}
    reference = {f"reference_{key}": value for key, value in half.items()}
    reference |= {"disagreement": 0.11, "confidence": 0.02}
    return [
        entry("holdout", "confidence", {"test_error": 0.21, "confidence": 0.024}),
        entry("rademacher", "confidence", ramp),
        entry("pac_bayes", "confidence", free, **gibbs),
        entry("pac_bayes_split", "confidence", half, **split),
        entry("catoni_split", "confidence", tilted, **split, seconds=75.0),
        not_computed("compression", "failed", "the head could not be rounded to any <grid>"),
        entry("disagreement", "confidence", reference, assumptions=(LABELS, ENCODER, PRIOR)),
        entry(
            "contrastive", "confidence", tuples, bounded=pairs, assumptions=(VIEWS,), truth=est(0.33, 0.02)
        ),
        not_computed("adapted_head", "not_applicable", "the head was not fine-tuned"),
    ]


def _in_expectation() -> list[dict[str, Any]]:
    common = {"bounded": _EXPECTED, "assumptions": (LABELS, MASKS), "n_repeats": 32, "seconds": 31.0}
    differences = {"training_error": 0.12, "information": 0.28}
    predictions = {"training_error": 0.12, "information": 0.52}
    weights = {"training_error": 0.12, "information": 245_000.0}
    return [
        entry("loss_difference_cmi", "expectation", differences, null=0.19, null_high=0.22, **common),
        entry("prediction_cmi", "expectation", predictions, null=0.41, null_high=0.44, **common),
        entry("xu_raginsky", "expectation", weights, null=None, null_high=None, **common),
    ]


def transfer(*, complete: bool = True) -> dict[str, Any]:
    """The estimate of the transfer bound; when not complete, it lacks a term and has no value."""
    terms = {"transferability": 0.18, "rademacher": 0.4, "confidence": 0.29, "total_variation": 1.72}
    notes = {
        "transferability": "C = 1.2, beta = 0.5, an envelope measured over 9 checkpoints",
        "rademacher": "2.83 times the limit above the mean over 100 draws of signs",
        "confidence": "bounded differences of 500 labelled examples",
        "total_variation": "total variation 0.86, what a linear test separates",
        "residual": "the best head found on the best encoder at hand",
    }
    terms |= {"residual": 0.11} if complete else {}
    found = entry(
        "transfer",
        "estimate",
        terms,
        bounded="estimate of a bound on the excess downstream risk over the best head and encoder of their classes",
        truth=missing("not_applicable", "the best encoder of the class is not known"),
        term_notes=notes,
        not_a_bound_because=list(NOT_BOUND),
    )
    if complete:
        return found
    notes["residual"] = "not known: no other encoder is at hand"
    lost = {"value": None, "vacuous": None, "ratio": None, "status": "abstained"}
    return {**found, **lost, "reason": "residual is not known: no other encoder is at hand"}


def all_bounds(*, complete: bool = True) -> list[dict[str, Any]]:
    """Thirteen entries."""
    return [*_at_confidence(), *_in_expectation(), transfer(complete=complete)]


def vacuous_bounds() -> list[dict[str, Any]]:
    """A hold-out bound beside one that is vacuous and one in expectation."""
    entries = all_bounds()
    return [entries[0], entries[1], entries[9]]


ALL_BOUNDS_OF = {
    "n_bound": 500,
    "n_prior": 250,
    "n_test": 400,
    "n_unlabelled": 5000,
    "unlabelled": "images of cifar100-train that no model saw",
    "confidence": 0.95,
    "seconds": 141.0,
}


def compared_record() -> dict[str, Any]:
    """A diagnosis of three models: all bounds of the first, the vacuous ones of the second, none of the third."""
    record = example_record(3)
    record["models"][0]["all_bounds"] = all_bounds()
    record["models"][1]["all_bounds"] = [*vacuous_bounds(), transfer(complete=False)]
    record["all_bounds_of"] = dict(ALL_BOUNDS_OF)
    return record


def bounds_record() -> dict[str, Any]:
    """The record of ``carryover bounds`` on an adaptation run."""
    return {
        "schema": "carryover.bounds/1",
        "carryover_version": "0.1.0",
        "created": "2026-11-21T01:43:45+00:00",
        "run": {"id": "c0ffee" * 10 + "abcd", "seed": 0, "threads": 1, "seconds": 151.0},
        "target": {"name": "cifar100-coarse", "n_train": 500, "n_test": 400, "classes": ["fish", "flowers"]},
        "model": "resnet56-cifar10",
        "plan": "lora-8",
        "all_bounds_of": dict(ALL_BOUNDS_OF),
        "all_bounds": all_bounds(),
        "warnings": ["The test split has 400 examples."],
    }
