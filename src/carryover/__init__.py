"""carryover: what does pretraining carry over to fine-tuning?

The main job is :func:`diagnose`: which checkpoint, what accuracy to expect now and with more
labels, what limits it, and how sure we are.  Names are imported on first use, so that
``import carryover`` stays fast and loads no torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME_OF = {
    "AdaptOptions": "carryover.adaptation.run",
    "AdaptSpec": "carryover.adaptation.specs",
    "Bound": "carryover._core.results",
    "BoundsOptions": "carryover.bounding.options",
    "Estimate": "carryover._core.results",
    "Result": "carryover._core.results",
    "InputError": "carryover._core.errors",
    "RunOptions": "carryover.diagnosis.options",
    "PretrainOptions": "carryover.pretraining.run",
    "PretrainSpec": "carryover.pretraining.specs",
    "adapt": "carryover.adaptation.run",
    "bounds_of_report": "carryover.bounding.report",
    "bounds_of_run": "carryover.bounding.adapted",
    "diagnose": "carryover.diagnosis.pipeline",
    "diagnose_features": "carryover.diagnosis.in_memory",
    "load_encoder": "carryover.objectives.saved",
    "predict": "carryover.adaptation.predicting",
    "pretrain": "carryover.pretraining.run",
    "write_report": "carryover.reports.publish",
}

__all__ = [
    "AdaptOptions",
    "AdaptSpec",
    "Bound",
    "BoundsOptions",
    "Estimate",
    "InputError",
    "PretrainOptions",
    "PretrainSpec",
    "Result",
    "RunOptions",
    "__version__",
    "adapt",
    "bounds_of_report",
    "bounds_of_run",
    "diagnose",
    "diagnose_features",
    "load_encoder",
    "predict",
    "pretrain",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'carryover' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
