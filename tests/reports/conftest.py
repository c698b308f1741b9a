"""Example records and their rendered pages, made once for all tests of the reports."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from carryover.reports.bounds_page import render_bounds
from carryover.reports.html import render_report


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# In this order: each imports those before it.
_NAMES = (
    "example_estimates",
    "example_record",
    "example_pretraining",
    "example_adaptation",
    "example_all_bounds",
    "example_troubles",
)
_EXAMPLES = [_load(name) for name in _NAMES][-1]


@pytest.fixture(scope="session")
def examples() -> ModuleType:
    """The example records and what makes trouble in them."""
    return _EXAMPLES


@pytest.fixture(scope="session")
def pages(examples) -> dict[str, str]:
    """Rendered reports: several models with troubles, one model, twelve with 100 classes, regression, pretraining,
    adaptation, all bounds, and all bounds on a page of their own."""
    records = {
        "troubled": examples.troubled_record(),
        "one": examples.example_record(1),
        "twelve": examples.example_record(12, n_classes=100, n_train=12_000),
        "regression": examples.example_record(3, task="regression"),
        "pretrained": examples.pretrained_record(),
        "adapted": examples.adapted_record(),
        "nothing": examples.fail_model(examples.example_record(1), 0, "the file is truncated"),
    }
    records["compared"] = examples.compared_record()
    pages = {name: render_report(record) for name, record in records.items()}
    return pages | {"bounds": render_bounds(examples.bounds_record())}
