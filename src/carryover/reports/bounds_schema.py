"""The part of the schema about all bounds on one classifier, and the record of ``carryover bounds``.

``carryover.bounds/1`` and the keys ``all_bounds`` and ``all_bounds_of`` are documented in docs/report_schema.md.
"""

import math
from collections.abc import Mapping
from typing import Any

from carryover._core.conditions import (
    between,
    choice,
    count,
    every,
    fields,
    flag,
    items,
    mapping,
    nullable,
    number,
    text,
)
from carryover._core.errors import InputError
from carryover._core.estimate_conditions import estimate, value_when_ok, when_ok

BOUNDS_SCHEMA = "carryover.bounds/1"
KINDS = ("confidence", "expectation", "estimate")
KIND_OF = {
    "holdout": "confidence",
    "rademacher": "confidence",
    "pac_bayes": "confidence",
    "pac_bayes_split": "confidence",
    "catoni_split": "confidence",
    "compression": "confidence",
    "disagreement": "confidence",
    "contrastive": "confidence",
    "adapted_head": "confidence",
    "loss_difference_cmi": "expectation",
    "prediction_cmi": "expectation",
    "xu_raginsky": "expectation",
    "transfer": "estimate",
}
_TOLERANCE = 1e-9
_KEYS_OF_A_KIND = {
    "null": "expectation",
    "null_high": "expectation",
    "n_repeats": "expectation",
    "not_a_bound_because": "estimate",
    "term_notes": "estimate",
}
_not_negative = between(0, math.inf)
assumption_check = fields({"text": text, "state": choice("checked", "not_checkable", "violated")})
_entry = when_ok(
    {"vacuous": flag},
    {
        "name": choice(*KIND_OF),
        "kind": choice(*KINDS),
        "value": nullable(number),
        "confidence": nullable(between(0, 1)),
        "terms": mapping(number),
        "assumptions": items(assumption_check),
        "vacuous": nullable(flag),
        "bounded": text,
        "truth": estimate,
        "ratio": nullable(number),
        "seconds": _not_negative,
    },
    optional={
        "term_notes": nullable(mapping(text)),
        "null": nullable(number),
        "null_high": nullable(number),
        "n_repeats": nullable(count),
        "not_a_bound_because": nullable(items(text)),
    },
)


def _close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _sum_of_terms(entry: Any, path: str) -> None:
    """The value of an entry that is ok is the sum of its terms, to 1e-9."""
    if entry["status"] != "ok":
        return
    total = math.fsum(entry["terms"].values())
    if not _close(entry["value"], total):
        raise InputError(
            f"record{path}.value must be the sum of its terms, {total!r}, got {entry['value']!r}"
        )


def _ratio_of_parts(entry: Any, path: str) -> None:
    """The ratio is the value divided by the truth, and null where one is missing or the truth is 0."""
    value, truth = entry["value"], entry["truth"]["value"]
    wanted = value / truth if value is not None and truth else None
    found = entry["ratio"]
    if (wanted is None) != (found is None) or (wanted is not None and not _close(found, wanted)):
        raise InputError(f"record{path}.ratio must be value / truth.value, {wanted!r}, got {found!r}")


def _keeps_to_its_kind(entry: Any, path: str) -> None:
    """A bound has its own kind, and only what that kind has: no confidence level in expectation."""
    name, kind = entry["name"], entry["kind"]
    if kind != KIND_OF[name]:
        raise InputError(f"record{path}.kind must be {KIND_OF[name]!r} for {name!r}, got {kind!r}")
    if kind == "expectation" and entry["confidence"] is not None:
        raise InputError(
            f"record{path}.confidence must be null for a bound in expectation, got {entry['confidence']!r}"
        )
    if kind == "confidence" and entry["status"] == "ok" and entry["confidence"] is None:
        raise InputError(f"record{path}.confidence must be a number in [0, 1], got None")
    for key, owner in _KEYS_OF_A_KIND.items():
        if kind != owner and entry.get(key) not in (None, [], {}):
            raise InputError(
                f"record{path}.{key} must be null or absent for kind {kind!r}, got {entry[key]!r}"
            )
    if kind == "estimate" and entry["status"] == "ok" and not entry.get("not_a_bound_because"):
        raise InputError(f"record{path}.not_a_bound_because must say why the estimate is not a bound")


def _each_once(entries: Any, path: str) -> None:
    names = [entry["name"] for entry in entries]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"record{path}: each bound may stand once, repeated: {', '.join(repeated)}")


all_bounds_check = every(
    items(every(_entry, value_when_ok, _sum_of_terms, _ratio_of_parts, _keeps_to_its_kind)), _each_once
)
"""The check of ``all_bounds``, a list of entries."""

all_bounds_of_check = fields(
    {
        **dict.fromkeys(("n_bound", "n_prior", "n_test", "n_unlabelled"), count),
        "unlabelled": text,
        "confidence": between(0, 1),
        "seconds": _not_negative,
    }
)
"""The check of ``all_bounds_of``, what every bound was computed from."""

_record = fields(
    {
        "carryover_version": text,
        "created": text,
        "run": fields(
            {"id": text, "seed": number, "threads": nullable(count), "seconds": nullable(_not_negative)}
        ),
        "target": fields({"name": text, "n_train": count, "n_test": count, "classes": items(text)}),
        "model": text,
        "plan": text,
        "all_bounds_of": all_bounds_of_check,
        "all_bounds": all_bounds_check,
        "warnings": items(text),
    }
)


def check_bounds_record(record: Mapping[str, Any]) -> None:
    """Check the record of ``carryover bounds`` against the schema ``carryover.bounds/1``.

    Raises:
        InputError: naming the path of the first offending field, for example ``record.all_bounds[0].value``.
    """
    found = record.get("schema") if isinstance(record, Mapping) else None
    if found != BOUNDS_SCHEMA:
        raise InputError(
            f"record.schema must be {BOUNDS_SCHEMA!r}, got {found!r}: `carryover bounds` of this version writes it"
        )
    _record(record, "")
