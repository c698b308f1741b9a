"""Laws on which every term of the transfer bound and the excess it bounds are known: atoms, and Gaussian inputs."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from carryover.bounds.transfer import Conditions, transfer_bound
from carryover.bounds.transfer_terms import Known
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.transfer_pairs import Lipschitz, transfer_pair
from carryover.measures.transferability import squared_score_error

CHECKED = Conditions(True, True, True, True, True)
RADIUS = 2.0


@dataclass(frozen=True)
class Atoms:
    """Inputs (m, v) in {-1, 1}^2 with probabilities under U and T; y = m + bend v; z = m + a fair sign * noise.

    Encoders h_t = m + t v for t in ``sizes`` (the first is 0: h* = m); heads |theta| <= RADIUS; loss |theta h -
    y|.
    """

    sizes: tuple[float, ...]
    bend: float
    pretraining: np.ndarray
    downstream: np.ndarray

    @property
    def inputs(self):
        return np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    @property
    def labels(self):
        return self.inputs @ np.array([1.0, self.bend])

    def features(self, size):
        return self.inputs @ np.array([1.0, size])

    @property
    def loss_range(self):
        largest = max(np.abs(self.features(size)).max() for size in self.sizes)
        return float(RADIUS * largest + np.abs(self.labels).max())

    def best_head(self, size, weights):
        """A minimiser of the weighted mean of |theta h - y| (it is linear between kinks), and its value."""
        features = self.features(size)
        kinks = [y / h for h, y in zip(features, self.labels, strict=True) if h != 0 and abs(y / h) <= RADIUS]
        heads = np.array([*kinks, -RADIUS, RADIUS])
        risks = np.abs(heads[:, None] * features - self.labels) @ weights
        return float(heads[risks.argmin()]), float(risks.min())

    def pretraining_excess(self, size):
        """min_W E (W h - m)^2 / 2 under U; m itself has 0, whatever the noise in z."""
        features, target = self.features(size), self.inputs[:, 0]
        second = self.pretraining @ features**2
        reached = (self.pretraining @ (features * target)) ** 2 / second
        return float(0.5 * (self.pretraining @ target**2 - reached))

    def pair(self):
        """The best head on h* under U, read through the decoder 1."""
        head, _ = self.best_head(0.0, self.pretraining)
        error = squared_score_error(
            np.array([[head]]),
            np.eye(1),
            head_radius=RADIUS,
            trained_decoder=np.eye(1),
            law_known=True,
        )
        return transfer_pair(error, Lipschitz(1.0))

    def pretrained(self, m, noise, generator):
        """The encoder with the least empirical pretraining loss on ``m`` pairs (x, z)."""
        drawn = generator.choice(4, size=m, p=self.pretraining)
        target = self.inputs[drawn, 0] + noise * generator.choice([-1.0, 1.0], size=m)
        shares = [
            (self.features(size)[drawn] @ target) ** 2 / (self.features(size)[drawn] ** 2).sum()
            for size in self.sizes
        ]
        return self.sizes[int(np.argmax(shares))]

    def draw(self, size, n, generator, *, measured, confidence):
        """The bound for the encoder ``size`` from n labels, and the true excess of the head they give."""
        counts = generator.multinomial(n, self.downstream)
        head, _ = self.best_head(size, counts / n)
        features = self.features(size)
        least = min(self.best_head(other, self.downstream)[1] for other in self.sizes)
        risk = float(np.abs(head * features - self.labels) @ self.downstream)
        if measured:
            rows = np.repeat(features, counts)[:, None]
            complexity = rademacher_complexity(
                rows, head="l2", n_outputs=1, radius=RADIUS, n_draws=20, generator=generator
            )
        else:
            complexity = Known(RADIUS * np.sqrt(counts @ features**2) / n, "its closed-form cap")
        bound = transfer_bound(
            self.pair(),
            pretraining_excess=Known(self.pretraining_excess(size), "a finite sum"),
            complexity=complexity,
            total_variation=Known(0.5 * np.abs(self.pretraining - self.downstream).sum(), "a finite sum"),
            residual=Known(self.best_head(0.0, self.downstream)[1] - least, "a finite sum"),
            n=n,
            lipschitz=1.0,
            loss_range=self.loss_range,
            conditions=CHECKED,
            confidence=confidence,
        )
        return bound, risk - least


@dataclass(frozen=True)
class Gaussian:
    """z = M x + noise and y = u^T M x + w^T x + noise_std * normal, w outside the row space of M."""

    target: np.ndarray
    readout: np.ndarray
    outside: np.ndarray
    stretch: float
    noise_std: float = 0.5
    clip: float = 3.0

    @property
    def coefficients(self):
        return self.readout @ self.target + self.outside

    @property
    def variances(self):
        return np.array([self.stretch**2] + [1.0] * (self.target.shape[1] - 1))

    def risk_of_variance(self, variance):
        """E min(|g|, B), g ~ N(0, variance)."""
        std = np.sqrt(variance)
        ratio = self.clip / std
        return std * 2 * (norm.pdf(0) - norm.pdf(ratio)) + 2 * self.clip * norm.sf(ratio)

    def risk(self, direction, variances):
        """Risk of the score direction^T x."""
        return float(
            self.risk_of_variance((self.coefficients - direction) ** 2 @ variances + self.noise_std**2)
        )

    def best_head(self, encoder, variances):
        """Least squares: the risk grows with the variance of s - y."""
        weighted = encoder * variances
        return np.linalg.solve(weighted @ encoder.T, weighted @ self.coefficients)

    @property
    def total_variation(self):
        """Between N(0, 1) and N(0, stretch^2), whose densities cross at +-crossing."""
        crossing = np.sqrt(2 * np.log(self.stretch) / (1 - self.stretch**-2))
        return float(2 * (norm.cdf(crossing) - norm.cdf(crossing / self.stretch)))

    def pretrained(self, m, generator):
        """Orthonormal rows (2, d) of the reduced-rank regression of z on m inputs."""
        inputs = generator.normal(size=(m, self.target.shape[1]))
        outputs = inputs @ self.target.T + generator.normal(size=(m, len(self.target)))
        fitted = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
        return np.linalg.svd(fitted.T)[2][:2]

    def draw(self, m, n, generator, *, confidence):
        encoder = self.pretrained(m, generator)
        missed = self.target - self.target @ encoder.T @ encoder
        inputs = generator.normal(size=(n, self.target.shape[1])) * np.sqrt(self.variances)
        labels = inputs @ self.coefficients + self.noise_std * generator.normal(size=n)
        features = inputs @ encoder.T
        found = np.linalg.lstsq(features, labels, rcond=None)[0]
        radius = 2 * float(np.linalg.norm(self.coefficients))
        found *= min(1.0, radius / np.linalg.norm(found))
        best = self.best_head(encoder, self.variances)
        losses, of_best = (np.minimum(np.abs(features @ head - labels), self.clip) for head in (found, best))
        h_star = np.linalg.svd(self.target)[2][:2]
        error = squared_score_error(
            (self.coefficients @ h_star.T)[None],
            self.target @ h_star.T,
            head_radius=radius,
            trained_decoder=self.target @ encoder.T,
            law_known=True,
        )
        assert np.linalg.norm(best) <= radius
        least = float(self.risk_of_variance(self.noise_std**2))
        on_h_star = self.risk(self.best_head(h_star, self.variances) @ h_star, self.variances)
        bound = transfer_bound(
            transfer_pair(error, Lipschitz(1.0)),
            pretraining_excess=Known(0.5 * float((missed**2).sum()), "closed form"),
            complexity=rademacher_complexity(
                features, head="l2", n_outputs=1, radius=radius, n_draws=20, generator=generator
            ),
            total_variation=Known(self.total_variation, "closed form"),
            residual=Known(on_h_star - least, "closed form"),
            optimization_gap=Known(max(0.0, float(losses.mean() - of_best.mean())), "the best head is known"),
            n=n,
            lipschitz=1.0,
            loss_range=self.clip,
            losses=losses,
            conditions=CHECKED,
            confidence=confidence,
        )
        return bound, self.risk(found @ encoder, self.variances) - least


def gaussian_law(seed, stretch):
    """A random law: six inputs, four pretraining targets of rank 2, part of the label outside their span."""
    generator = np.random.default_rng(seed)
    target = generator.normal(size=(4, 2)) @ generator.normal(size=(2, 6))
    outside = generator.normal(size=6)
    outside -= np.linalg.pinv(target) @ target @ outside
    return Gaussian(target, 0.3 * generator.normal(size=4), 0.3 * outside, stretch)


def atom_draw(generator, *, law, n, size=None, measured=False, confidence=0.95):
    """``size`` None: the encoder is pretrained on 60 noisy pairs."""
    encoder = law.pretrained(60, 3.0, generator) if size is None else size
    return law.draw(encoder, n, generator, measured=measured, confidence=confidence)


def gaussian_draw(generator, *, law, m, n, confidence=0.95):
    """An encoder from m pretraining inputs, a head on it from n labels."""
    return law.draw(m, n, generator, confidence=confidence)
