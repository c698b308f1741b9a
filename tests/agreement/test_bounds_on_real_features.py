"""Bounds on a probe of a real network: labels and judgement from images that the network never saw."""

from dataclasses import replace

import numpy as np
import pytest

from carryover.bounding.case import Known, classifier_case, sample_of
from carryover.bounding.labelled import labelled_bounds, split_prior_bounds
from carryover.bounding.retrained import retrained_bounds
from carryover.diagnosis.config import read_config
from carryover.diagnosis.gathering import gather_features
from carryover.diagnosis.inputs import open_inputs
from carryover.diagnosis.options import RunOptions
from carryover.measures.ridge import fit_ridge_path

# CIFAR-10's training images trained the network: labels are from its test images, half of them, judged on the others.
CONFIG = """
[target]
path = "{root}/data/cifar10"
split = "test"
label = "label"
test_fraction = 0.5

[[models]]
name = "ResNet-56"
factory = "carryover.models.backbones:cifar_resnet56"
weights = "{root}/checkpoints/resnet56-4bfd9763.th"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


@pytest.fixture(scope="module")
def found(data_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resnet56")
    (folder / "config.toml").write_text(CONFIG.format(root=data_root))
    spec = read_config(folder / "config.toml")
    options = RunOptions(cache_dir=folder / "cache")
    inputs = open_inputs(spec, options)
    target = inputs.target
    features = gather_features(inputs.candidates[0], target, inputs.pools, options=options)
    train, test = (
        sample_of(rows, part.targets, hashes=part.images.example_hashes)
        for rows, part in ((features.train.all(), target.train), (features.test, target.test))
    )
    path = fit_ridge_path(train.features, train.labels, n_classes=10)
    case = classifier_case(
        train,
        test,
        n_classes=10,
        predict=lambda rows: path.predict_scores(rows).argmax(axis=1),
        known=Known(without_train=True, without_test=True, by_class=True),
    )
    return case, {entry.name: entry for entry in [*labelled_bounds(case), *retrained_bounds(case)]}


@pytest.mark.slow
def test_bounds_other_than_hold_out_are_within_twice_the_error(found):
    """However the labels are halved: over 20 seeds the ratios are 1.35 to 1.95 (docs/bounds.md)."""
    case, _ = found
    assert len(case.train) == len(case.test) == 2500
    error = np.mean(case.predicted_test != case.test.labels)
    assert 0.05 < error < 0.08  # the network's own head errs on 6.6 % of all test images
    for seed in range(4):
        halved = split_prior_bounds(replace(case, seed=seed))
        entries = {entry.name: entry for entry in halved}
        for name in ("pac_bayes_split", "catoni_split", "compression"):
            entry = entries[name]
            assert not entry.found.vacuous and 1.0 < entry.ratio < 2.0, (name, seed, entry.ratio)
        # The certificate is about the probe itself, at little more than twice its error.
        assert entries["disagreement"].truth.value == pytest.approx(error)
        assert not entries["disagreement"].found.vacuous and entries["disagreement"].ratio < 2.3


@pytest.mark.slow
def test_no_bound_is_below_the_error_it_bounds(found):
    _, entries = found
    for name, entry in entries.items():
        assert entry.value >= entry.truth.interval[0], name
    assert entries["rademacher"].found.vacuous and not entries["pac_bayes"].found.vacuous
