"""A covering number for masked autoencoders of residual blocks, from the perturbation of one block."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from carryover._core.checks import check_range
from carryover._core.errors import InputError, did_you_mean
from carryover.bounds.perturbation import BlockClass, Change, WeightClass
from carryover.bounds.transformer_weights import Arrays, WeightReader


@dataclass(frozen=True)
class TransformerCover:
    """``change``: how far predictions (longest token) move with each of the weights in ``classes``."""

    change: Change
    classes: Mapping[str, WeightClass]

    @property
    def n_parameters(self) -> int:
        return sum(one.count for one in self.classes.values())

    def log_covering_number(self, radius: float) -> float:
        """ln N <= sum over weights w of  p_w log(1 + 4 a_w L_w P / (radius p_w)).

        Predictions of all networks of the class, to within ``radius`` at every token of every example, by
        networks of the class.  p_w numbers at most a_w from their reference, L_w = change.weights[w], P = sum
        p_w: each weight is covered to radius p_w / (P L_w), by balls of half that size.  Raises InputError for
        a radius that is not positive.
        """
        check_range("radius", radius, 0, math.inf, open_low=True)
        total = self.n_parameters
        return math.fsum(
            one.count
            * math.log1p(4 * one.distance * self.change.weights[name] * total / (radius * one.count))
            for name, one in self.classes.items()
            if one.count
        )

    def rademacher(self, *, n: int, lipschitz: float, loss_range: float) -> float:
        """Rademacher complexity of the losses of the class on n examples: the least over e of

            G e + (B/2) sqrt(2 ln N(e) / n),    at most B / 2

        (Massart's lemma on a cover).  ``lipschitz`` G: of an example's loss in its longest change of a
        predicted token; ``loss_range`` B.
        """
        check_range("n", n, 1, math.inf, open_high=True)
        check_range("lipschitz", lipschitz, 0, math.inf, open_low=True, open_high=True)
        check_range("loss_range", loss_range, 0, math.inf, open_low=True, open_high=True)
        radii = loss_range / lipschitz * np.geomspace(1e-8, 0.5, 100)
        values = [
            lipschitz * radius + loss_range / 2 * math.sqrt(2 * self.log_covering_number(radius) / n)
            for radius in map(float, radii)
        ]
        return min(loss_range / 2, *values)


def mae_cover(
    networks: Sequence[Arrays],
    *,
    n_heads: int,
    n_decoder_heads: int,
    patch_radius: float,
    std_floors: Mapping[str, float] | None = None,
    eps: float = 1e-12,
    references: Arrays | None = None,
) -> TransformerCover:
    """:class:`TransformerCover` of the masked autoencoders whose weights are no larger than the largest in
    ``networks``.

    ``networks``: one or more states of a ViTMAE under its own names, as arrays (positions are fixed and not
    used). ``references``: arrays fixed before the data, from which distances are measured (None: zeros).
    ``patch_radius``: longest patch given to the network.  ``std_floors``: by name of a layer norm, a lower
    limit of sqrt(variance + eps) at its inputs, over the examples and all networks of the class: the cover is
    then one of the networks that obey it.  Without a floor sqrt(eps) is used, which is always true and makes
    the constants astronomic. Raises InputError for arrays that are missing, heads that do not divide a width,
    arguments outside their range, unknown names of norms, and constants that overflow.
    """
    check_range("patch_radius", patch_radius, 0, math.inf, open_low=True, open_high=True)
    check_range("eps", eps, 0, math.inf, open_low=True, open_high=True)
    reader = WeightReader(networks, references, dict(std_floors or {}), math.sqrt(eps))
    embedding = reader.linear("vit.embeddings.patch_embeddings.projection")
    change = embedding.change(patch_radius).plus(reader.token("vit.embeddings.cls_token"))
    change = _stack(reader, "vit.layers", change, n_heads)
    norm = reader.norm("vit.layernorm")
    change = norm.change().after(change)
    change = reader.linear("decoder.decoder_embed").change(norm.radius).after(change)
    change = change.plus(reader.token("decoder.mask_token"))
    change = _stack(reader, "decoder.decoder_layers", change, n_decoder_heads)
    norm = reader.norm("decoder.decoder_norm")
    change = reader.linear("decoder.decoder_pred").change(norm.radius).after(norm.change().after(change))
    unknown = sorted(set(reader.floors) - set(reader.norms))
    if unknown:
        raise InputError(
            f"std_floors names no layer norm by {unknown[0]!r}; {did_you_mean(unknown[0], reader.norms)}"
        )
    if not all(math.isfinite(value) for value in change.weights.values()):
        raise InputError(
            "the product of the blocks' constants overflows: give std_floors, or smaller weights"
        )
    return TransformerCover(change, reader.classes)


def block_class(
    networks: Sequence[Arrays],
    prefix: str,
    *,
    n_heads: int,
    std_floors: Mapping[str, float] | None = None,
    eps: float = 1e-12,
) -> BlockClass:
    """The class of one block, with arrays named ``prefix``.attention.q_proj.weight and so on as in a ViTMAE."""
    return WeightReader(networks, None, dict(std_floors or {}), math.sqrt(eps)).block(prefix, n_heads)


def _stack(reader: WeightReader, prefix: str, change: Change, n_heads: int) -> Change:
    """The blocks prefix.0, prefix.1, ... one after another."""
    at = 0
    while f"{prefix}.{at}.mlp.fc1.weight" in reader.networks[0]:
        change = reader.block(f"{prefix}.{at}", n_heads).change().after(change)
        at += 1
    if at == 0:
        raise InputError(f"networks must hold at least one block named {prefix}.0")
    return change
