"""The report as one HTML file that opens offline: no script, no font, no request to anywhere."""

from collections.abc import Mapping
from typing import Any

from carryover.reports import adaptation_view, adaptation_words, wording
from carryover.reports.agreement import ranking_agreement
from carryover.reports.bounds_section import all_bounds_section
from carryover.reports.bounds_view import bounds_of_models
from carryover.reports.figure_scores import PERCENT_SCORES
from carryover.reports.figures import draw_figures
from carryover.reports.metric import largest_class_share, metric_of
from carryover.reports.record import check_record
from carryover.reports.schema import BOUNDS, CAUSES
from carryover.reports.summaries import (
    assumptions_of,
    curve_counts,
    family_words,
    noted_models,
    pretrained_models,
    scores_by_availability,
)
from carryover.reports.templating import environment, picture_markup

CLASSES_SHOWN_OPEN = 12


def render_report(record: Mapping[str, Any]) -> str:
    """The diagnosis as a self-contained HTML page.

    Every name of the record is escaped, in the page and in its figures; a content security policy forbids any
    request; what has a status other than ok shows its reason where its value would stand.

    Raises:
        InputError: when the record does not meet its schema.
    """
    check_record(record)
    order = _in_order(record)
    shown, absent = scores_by_availability(record)
    target = record["data"]["target"]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            target=target,
            run=record["run"],
            headline=wording.headline(record),
            metric=metric_of(record),
            regression=target["task"] == "regression",
            baseline=largest_class_share(record),
            models=order,
            measured=[model for model in order if model["status"] == "ok"],
            pictures={name: picture_markup(picture) for name, picture in draw_figures(record).items()},
            shown_scores=shown,
            absent_scores=absent,
            percent_scores=PERCENT_SCORES,
            agreement={score: ranking_agreement(record, score) for score in shown},
            counts=curve_counts(record),
            pretrained=[model for model in order if model in pretrained_models(record)],
            noted=noted_models(record),
            family_words=family_words,
            bounds=BOUNDS,
            causes=CAUSES,
            assumptions={name: assumptions_of(record, name) for name in BOUNDS},
            classes_open=len(target["classes"] or ()) <= CLASSES_SHOWN_OPEN,
            words=wording,
            **_adaptation(record),
            **_all_bounds(record),
        )
    )


def _in_order(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Models as they are ranked, then those without a rank."""
    models = {model["name"]: model for model in record["models"]}
    ranked = [row["name"] for row in record["ranking"]]
    unranked = [model for model in record["models"] if model["name"] not in ranked]
    return [models[name] for name in ranked] + unranked


def _all_bounds(record: Mapping[str, Any]) -> dict[str, Any]:
    shown = bounds_of_models(record)
    return all_bounds_section(shown, record.get("all_bounds_of")) | {"bounds_titled": True}


def _adaptation(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the sections on adaptation runs are made of; both lists are empty where there are none."""
    runs, placed = adaptation_view.adapted_runs(record), adaptation_view.regime_runs(record)
    return {
        "runs": runs,
        "placed_runs": placed,
        "adapted": adaptation_view,
        "adaptation_words": adaptation_words,
        "has_forecasts": any(plan["forecast"] is not None for one in runs for plan in one.plans),
        "has_borders": any(adaptation_view.has_border(one) for one in placed),
    }
