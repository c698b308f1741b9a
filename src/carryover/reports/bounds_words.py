"""The words of all bounds on one classifier: names, what each is, what terms stand for, how tight it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from carryover.reports import numbers
from carryover.reports.wording import STATUSES, display_name

Entry = Mapping[str, Any]
NAMES = {
    "holdout": "Hold-out (Clopper-Pearson)",
    "rademacher": "Rademacher",
    "pac_bayes": "PAC-Bayes (data-free prior)",
    "pac_bayes_split": "PAC-Bayes (prior from half the labels)",
    "catoni_split": "Catoni (prior from half the labels)",
    "compression": "Compression of the head",
    "disagreement": "Disagreement certificate",
    "contrastive": "Contrastive (CURL)",
    "adapted_head": "Fine-tuned head (PAC-Bayes)",
    "loss_difference_cmi": "Loss-difference CMI",
    "prediction_cmi": "f-CMI",
    "xu_raginsky": "Xu-Raginsky",
    "transfer": "Transfer bound (estimate)",
}
SHORT_NAMES = {
    **NAMES,
    "holdout": "Hold-out",
    "pac_bayes": "PAC-Bayes, data-free prior",
    "pac_bayes_split": "PAC-Bayes, half as prior",
    "catoni_split": "Catoni, half as prior",
    "adapted_head": "Fine-tuned head",
    "transfer": "Transfer, estimate",
}
MEANINGS = {
    "holdout": "The largest error rate that would make so few errors on labels set aside likely enough; it uses "
    "labels that no other bound here sees.",
    "rademacher": "The margin loss on the training labels, plus how well linear heads of that norm could fit "
    "random signs on these features.",
    "pac_bayes": "The training error of a noisy head, plus how far it had to move from a prior that saw no data.",
    "pac_bayes_split": "The same with the prior centred on a head fitted to half of the labels, and the error "
    "counted on the other half.",
    "catoni_split": "The same prior with Catoni's inequality in place of the inverse of the binary divergence.",
    "compression": "The training error of a head written with few bits, plus what so many bits could describe.",
    "disagreement": "The bound of a reference classifier, plus how often the two differ on unlabelled examples.",
    "contrastive": "A mean classifier's loss on pairs of classes, from a contrastive loss on fresh tuples.",
    "adapted_head": "PAC-Bayes around the head after fine-tuning, by how far it moved from a reference head.",
    "loss_difference_cmi": "The expected training error, plus how much the losses on a pair of examples tell "
    "of which one was trained on.",
    "prediction_cmi": "The same from the predicted classes of both; never below the loss-difference bound.",
    "xu_raginsky": "The expected training error, plus the information that the weights hold about the training "
    "set.",
    "transfer": "What pretraining leaves, how rich the head is, chance, and the distance between the domains, "
    "added up; some of these can only be estimated.",
}
ROLES = {
    "fit": "error on the labels used",
    "capacity": "capacity, divergence or information",
    "chance": "confidence",
    "carried": "disagreement or collisions",
    "pretraining": "what pretraining leaves",
    "distance": "distance between the domains",
    "other": "other terms",
}
_ROLE_OF = {
    **dict.fromkeys(
        (
            "test_error",
            "training_error",
            "training_loss",
            "training_ramp_loss",
            "training_gibbs_error",
            "contrastive_loss",
            "apart",
        ),
        "fit",
    ),
    **dict.fromkeys(
        ("complexity", "divergence", "tilt", "information", "rademacher", "description", "generalization"),
        "capacity",
    ),
    "confidence": "chance",
    **dict.fromkeys(("disagreement", "collision", "least_collision"), "carried"),
    **dict.fromkeys(("transferability", "residual", "optimization"), "pretraining"),
    "total_variation": "distance",
}
_LARGEST_IN_PERCENT = 10.0


def role_of(term: str) -> str:
    """What a term stands for, a key of ``ROLES``; those of a reference's bound count as that bound's own.

    >>> role_of("reference_divergence"), role_of("luck")
    ('capacity', 'other')
    """
    return _ROLE_OF.get(term.removeprefix("reference_"), "other")


def level(value: float) -> str:
    """A bound or a term, in percent of the largest error rate; powers of ten where it is 10 times that or more.

    >>> level(0.4123), level(250000.0)
    ('41.2\\u202f%', '2.50 × 10⁷\\u202f%')
    """
    if abs(value) < _LARGEST_IN_PERCENT:
        return numbers.percent(value)
    return f"{numbers.significant(100 * value)}{numbers.THIN}%"


def times(ratio: float) -> str:
    """A ratio as people say it.

    >>> times(1.53), times(24.2)
    ('1.5 times', '24 times')
    """
    return f"{numbers.significant(ratio, 2)} times"


def status_words(entry: Entry) -> str:
    """Status and reason of what was not computed, as text."""
    return f"{STATUSES[entry['status']]}: {display_name(entry['reason'])}"


def is_contradicted(entry: Entry) -> bool:
    """Whether the bound lies below the whole interval of what it bounds, as measured on the test split."""
    truth = entry["truth"]
    if entry["status"] != "ok" or truth["status"] != "ok":
        return False
    low = truth["interval"][0] if truth["interval"] else truth["value"]
    return entry["value"] < low


def smallest(entries: Sequence[Entry]) -> Entry | None:
    """The smallest bound on an error rate at a confidence level, other than hold-out, not vacuous.

    Bounds that the test split contradicts do not count.  Where no error rate is bounded, the smallest of the others;
    None without any such bound.
    """
    usable = [
        entry
        for entry in entries
        if entry["kind"] == "confidence" and entry["status"] == "ok" and entry["name"] != "holdout"
    ]
    usable = [entry for entry in usable if not entry["vacuous"] and not is_contradicted(entry)]
    of_errors = [entry for entry in usable if _is_on_an_error_rate(entry)]
    return min(of_errors or usable, key=lambda entry: entry["value"], default=None)


def _is_on_an_error_rate(entry: Entry) -> bool:
    return entry["bounded"].startswith("error rate")


def smallest_sentence(entries: Sequence[Entry]) -> str:
    """Which bound besides hold-out is smallest, and how tight it is; or that there is none."""
    best = smallest(entries)
    others = [entry for entry in entries if entry["kind"] == "confidence" and entry["name"] != "holdout"]
    if best is None:
        computed = [entry for entry in others if entry["status"] == "ok"]
        if not computed:
            return "At a confidence level no bound besides hold-out could be computed."
        if all(entry["vacuous"] for entry in computed):
            return (
                "At a confidence level every bound besides hold-out is vacuous: it is true, and says nothing."
            )
        return "At a confidence level no bound besides hold-out is both below 100 % and borne out by the test split."
    said = f"The smallest bound at a confidence level besides hold-out is {NAMES[best['name']]}, {level(best['value'])}"
    if best["ratio"] is not None:
        other = f"what it bounds ({display_name(best['bounded'])})"
        what = "the test error it bounds" if _is_on_an_error_rate(best) else other
        said += f": {times(best['ratio'])} {what}"
    else:
        said += "; it has no ratio to a test error that is 0 or was not measured"
    violated = any(one["state"] == "violated" for one in best["assumptions"])
    return said + (", though one of its assumptions is violated." if violated else ".")
