"""Which bounds that hold in expectation the benchmark draws, from which laws, how often."""

from dataclasses import replace
from functools import partial

from bound_cases import Case
from finite_laws import finite_law
from information_draws import (
    best_of_coins_draw,
    loss_difference_draw,
    noisy_sign_draw,
    prediction_draw,
)

DRAWS = 4000


def expectation_cases() -> list[Case]:
    """All of them."""
    laws = {
        "400 cells, labels from coins": finite_law(400, 2, certainty=0.5),
        "10 cells, .8 certain": finite_law(10, 2, certainty=0.8),
        "12 cells, 4 classes, .7 certain": finite_law(12, 4, certainty=0.7),
    }
    draws = {"loss-difference CMI": loss_difference_draw, "f-CMI": prediction_draw}
    cases = [
        Case(f"{bound}-{len(law.table)}", bound, words, "20 pairs, 30 masks", partial(draw, law=law))
        for bound, draw in draws.items()
        for words, law in laws.items()
    ]
    cases += [
        Case("known-information", "Xu-Raginsky, counted", "best of 20 coins", "50", best_of_coins_draw),
        Case(
            "noisy-weights",
            "Xu-Raginsky, noisy weights",
            "sign of a noisy mean",
            "10, 6 sets",
            noisy_sign_draw,
        ),
    ]
    return [replace(case, draws=DRAWS) for case in cases]
