"""The estimators of transformer-ranker as released."""

import warnings

import torch
from answering import answer
from transformer_ranker.estimators import HScore, LogME, NearestNeighbors

warnings.simplefilter("ignore")
torch.set_num_threads(1)


def asked(estimator):
    """A score of arrays."""
    return lambda features, labels: estimator().fit(
        embeddings=torch.from_numpy(features), labels=torch.from_numpy(labels)
    )


answer({"logme": asked(LogME), "h_score": asked(HScore), "knn": asked(NearestNeighbors)})
