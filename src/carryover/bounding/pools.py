"""The unlabelled examples that a disagreement is measured on, and whether anything was chosen by looking at them."""

import numpy as np

from carryover.bounding.case import Pool
from carryover.data.hash_tables import rows_in_table
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.gathering import ModelFeatures
from carryover.diagnosis.inputs import Inputs

FITTED_ROLES = ("train", "downstream")


def unlabelled_pool(candidate: Candidate, features: ModelFeatures, inputs: Inputs) -> Pool | None:
    """The unlabelled sample without the training examples in it; None where the test examples have to serve.

    Those serve without a sample, where rows come in groups, and where all of the sample are training examples.
    """
    if features.unlabelled is None or inputs.target.train.groups is not None:
        return None
    hashes = np.array(inputs.pools.unlabelled.images.example_hashes)
    kept = ~np.isin(hashes, np.array(inputs.target.train.images.example_hashes))
    if not kept.any():
        return None
    words = f"{kept.sum():,} examples of the unlabelled sample"
    if not kept.all():
        words += f", without the {np.sum(~kept):,} that are training examples"
    return Pool(features.unlabelled[kept], words, _looked_away(candidate, hashes[kept]))


def _looked_away(candidate: Candidate, hashes: np.ndarray) -> bool | None:
    """Whether the features are known to be chosen without these examples.

    Known of pretraining runs, by the hashes of the images they were fitted to; of networks with random weights and of
    fixed maps.  A PCA is fitted to the unlabelled sample itself.
    """
    if candidate.run is not None:
        seen = [candidate.run.seen[role] for role in FITTED_ROLES if role in candidate.run.seen]
        return not any(len(rows_in_table(hashes.tolist(), table)) for table in seen)
    if candidate.fitted_to_pool:
        return False
    return candidate.chosen_without
