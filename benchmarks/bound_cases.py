"""Which high-probability bounds the benchmark draws, from which laws, how often."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from carryover.bounds.contrastive import largest_contrastive_loss, named_loss
from carryover.bounds.head_code import Codebook
from carryover.bounds.inequalities import Catoni, KlInverse

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from bound_draws import (
    certificate_draw,
    gibbs_to_head_draw,
    holdout_draw,
    memorising_draw,
    pac_bayes_draw,
    pac_bayes_head_draw,
    rademacher_draw,
)
from compressed_heads import every_rule, fitted_draw, searched_draw
from finite_laws import finite_law
from latent_classes import contrastive_draw, spread_classes, two_directions
from network_draws import random_points, spectral_draw
from transfer_laws import Atoms, atom_draw, gaussian_draw, gaussian_law

DRAWS = 1000


@dataclass(frozen=True)
class Case:
    """``draw`` takes a generator and gives (bound with a ``value``, truth); ``law`` and ``n`` as shown."""

    key: str
    bound: str
    law: str
    n: str
    draw: Callable[[np.random.Generator], tuple[Any, float]]
    draws: int = DRAWS

    @property
    def words(self) -> str:
        return f"{self.bound} | {self.law} | {self.n}"


def high_probability_cases() -> list[Case]:
    """All of them."""
    return [
        *_heads(),
        *_pac_bayes_heads(),
        *_certificates(),
        *_compressions(),
        *_contrastive(),
        *_transfer(),
        *_spectral(),
    ]


def _heads() -> Iterator[Case]:
    binary, noisy = finite_law(10, 2, certainty=0.8), finite_law(60, 2, certainty=0.9)
    rule, coins = np.arange(10) % 2, "labels from coins"
    yield Case(
        "holdout",
        "hold-out",
        "10 cells, .8 certain",
        "100",
        partial(holdout_draw, law=binary, n=100, rule=rule),
    )
    for n_classes in (2, 3):
        law = finite_law(80, n_classes, certainty=1 / n_classes)
        yield Case(
            f"rademacher-{n_classes}",
            "Rademacher, ridge head",
            f"80 cells, {n_classes} classes, {coins}",
            "40",
            partial(rademacher_draw, law=law, n=40),
        )
    yield Case(
        "rademacher-4-cells",
        "Rademacher, ridge head",
        "4 cells, .9 certain",
        "1,000",
        partial(rademacher_draw, law=finite_law(4, 2, certainty=0.9), n=1000),
    )
    memory = finite_law(600, 2, certainty=0.5)
    yield Case(
        "rademacher-memory",
        "Rademacher, head that memorises",
        f"600 cells, {coins}",
        "400",
        partial(memorising_draw, law=memory, n=400),
    )
    yield Case(
        "pac-bayes-2",
        "PAC-Bayes, data-free",
        "60 cells, .9 certain",
        "150",
        partial(pac_bayes_draw, law=noisy, n=150),
    )
    yield Case(
        "pac-bayes-3",
        "PAC-Bayes, data-free",
        "12 cells, 3 classes, .8 certain",
        "60",
        partial(pac_bayes_draw, law=finite_law(12, 3, certainty=0.8), n=60),
    )


def _pac_bayes_heads() -> Iterator[Case]:
    laws = {
        2: (finite_law(20, 2, certainty=0.8), 150, "20 cells, .8 certain"),
        3: (finite_law(12, 3, certainty=0.8), 60, "12 cells, 3 classes, .8 certain"),
    }
    priors = {"none": "zero", "other half": "split", "given": "given"}
    for prior, called in priors.items():
        for inequality in (KlInverse(), Catoni()):
            for n_classes, (law, n, words) in laws.items():
                yield Case(
                    f"pac-bayes-head-{called}-{type(inequality).__name__}-{n_classes}",
                    f"PAC-Bayes, {called} reference, {type(inequality).__name__}",
                    words,
                    str(n),
                    partial(pac_bayes_head_draw, law=law, n=n, inequality=inequality, prior=prior),
                )


def _certificates() -> Iterator[Case]:
    for m in (3000, 100):
        yield Case(
            f"certificate-{m}",
            "disagreement certificate",
            "10 cells, half of them certain",
            f"100, {m:,} unlabelled",
            partial(certificate_draw, n=100, m=m),
        )
    yield Case(
        "certificate-gibbs",
        "disagreement certificate, Gibbs to head",
        "10 cells, half of them certain",
        "100, 300 unlabelled",
        partial(gibbs_to_head_draw, n=100, m=300),
    )


def _compressions() -> Iterator[Case]:
    for reference, called in (("none", "zero"), ("other half", "split")):
        for n_classes, cells in ((2, 20), (3, 12)):
            law = finite_law(cells, n_classes, certainty=0.8)
            yield Case(
                f"compression-{called}-{n_classes}",
                f"compression, {called} reference",
                f"{cells} cells, {n_classes} classes, .8 certain",
                "60",
                partial(fitted_draw, law=law, n=60, reference=reference),
            )
    rules, bits = every_rule(100, Codebook(widths=(6,), levels=(1,)))
    coins = finite_law(100, 2, certainty=0.5)
    yield Case(
        "compression-searched",
        "compression, best of a whole codebook",
        "100 cells, labels from coins",
        "60",
        partial(searched_draw, law=coins, n=60, rules=rules, bits=bits),
    )


def _contrastive() -> Iterator[Case]:
    ends = two_directions()
    yield Case(
        "contrastive-ends",
        "contrastive, hinge",
        "4 classes at two ends",
        "300 tuples",
        partial(contrastive_draw, law=ends, true=1 / 3, m=300, largest_loss=1.0),
    )
    law = spread_classes(np.random.default_rng(5), noise=0.3, radius=2.0)
    for loss in ("hinge", "logistic"):
        true = law.exact_losses(named_loss(loss).of_gap)[2]
        largest = largest_contrastive_loss(2.0, loss=loss)
        for block in (1, 5):
            yield Case(
                f"contrastive-{loss}-{block}",
                f"contrastive, {loss}, blocks of {block}",
                "4 classes with spread",
                "500 tuples",
                partial(
                    contrastive_draw, law=law, true=true, m=500, largest_loss=largest, loss=loss, block=block
                ),
            )


def _transfer() -> Iterator[Case]:
    even, tilted = np.full(4, 0.25), np.array([0.30, 0.25, 0.20, 0.25])
    atoms = {
        "all": ("atoms, all terms at work", Atoms((0.0, 0.3, 0.6, 0.9), 0.4, even, tilted), 100, None),
        "constant": ("atoms, m + v/5", Atoms((0.0, 0.2), 0.0, even, even), 2_000_000, 0.2),
        "residual": ("atoms, bent target", Atoms((0.0, 1.0), 0.9, even, even), 2_000_000, 0.0),
    }
    for key, (words, law, n, size) in atoms.items():
        draw = partial(atom_draw, law=law, n=n, size=size, measured=size is None)
        yield Case(f"transfer-{key}", "transfer", words, f"{n:,}", draw)
    for n, stretch in ((50, 1.0 + 1e-9), (400, 1.3)):
        yield Case(
            f"transfer-gaussian-{n}",
            "transfer",
            f"Gaussian, stretched by {stretch:.1f}",
            str(n),
            partial(gaussian_draw, law=gaussian_law(0, stretch), m=30, n=n),
        )


def _spectral() -> Iterator[Case]:
    for n, steps in ((1_000_000, 5), (4_000_000, 20)):
        yield Case(
            f"spectral-{steps}",
            "spectral",
            f"8 points, hidden layer of 4, {steps} steps",
            f"{n:,}",
            partial(spectral_draw, points=random_points(0), n=n, steps=steps),
        )
