"""How far a score orders the models as the probe's test result does."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import kendalltau

FEWEST_MODELS = 3


def ranking_agreement(record: Mapping[str, Any], score: str) -> float | None:
    """Kendall's tau-b between a score and the test result over the models that have both.

    In [-1, 1]; 1 is the same order.  None with fewer than three models, or if one of the two is constant.
    """
    results = {row["name"]: row["accuracy"] for row in record["ranking"]}
    pairs = []
    for model in record["models"]:
        result = results.get(model["name"])
        if model["status"] == "ok" and result and result["status"] == "ok":
            estimate = model["scores"][score]
            if estimate["status"] == "ok":
                pairs.append((estimate["value"], result["value"]))
    if len(pairs) < FEWEST_MODELS or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    return float(kendalltau(*zip(*pairs, strict=True)).statistic)
