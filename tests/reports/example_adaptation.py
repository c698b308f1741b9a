"""A diagnosis record with adaptation runs of two models: one with all that can be measured, one without."""

from typing import Any

from adaptation_results import NO_POOL, est, result, run_json
from example_record import example_record

from carryover.diagnosis.adaptation_record import adaptation_record
from carryover.diagnosis.adaptations import Adaptation, AdaptationRun

__all__ = ["NO_POOL", "adapted_record", "as_numbers", "shown_run"]


def shown_run(found: dict[str, Any], *, folder: str = "adapted", same_test: bool = True) -> dict[str, Any]:
    """The entry of report.json that a diagnosis makes of such a result."""
    run = run_json(ident=folder)
    read = AdaptationRun(folder, run["id"], "w1", "t1", found, "0" * 64)
    return adaptation_record(Adaptation("model", read, same_test))


def adapted_record() -> dict[str, Any]:
    """Two models: the first with a whole run, the second with a plain one on other test examples."""
    record = example_record(2)
    first, second = record["models"]
    first["adaptation"] = [shown_run(result())]
    plain = result(pool=False, whole=False)
    second["adaptation"] = [shown_run(plain, folder="adapted-plainly", same_test=False)]
    return record


def as_numbers(record: dict[str, Any]) -> dict[str, Any]:
    """A regression record with a run of which every plan has an R2."""
    found = result(pool=False, whole=False)
    found["target"] |= {"task": "regression", "classes": []}
    for plan in found["plans"]:
        plan["test_r2"] = plan.pop("test_accuracy")
        plan["out_of_domain_r2"] = est(0.2, 0.1)
    record["models"][0]["adaptation"] = [shown_run(found)]
    return record
