"""The scores of thuml/Transfer-Learning-Library as released: the package tllib.ranking, without the rest of tllib."""

import sys
import warnings
from pathlib import Path

from answering import answer

sys.path.insert(0, str(Path(sys.argv[1]) / "tllib"))
from ranking import h_score, log_expected_empirical_prediction, log_maximum_evidence
from ranking.hscore import regularized_h_score
from ranking.transrate import transrate

warnings.simplefilter("ignore")
answer(
    {
        "logme": log_maximum_evidence,
        "h_score": h_score,
        "h_score_regularized": regularized_h_score,
        "transrate": transrate,
    },
    of_source={"leep": log_expected_empirical_prediction},
)
