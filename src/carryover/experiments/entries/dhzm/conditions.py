"""What varies between the encoders of ``dhzm_terms``, as data: objective, mask, region, length, strength, pool."""

from collections.abc import Iterable
from dataclasses import dataclass

BASE, MASKING, REGION, STRENGTH, POOL, LENGTH = "objective", "masking", "region", "strength", "pool", "length"
UNIT = "strength, features of unit scale"
OBJECTIVES = ("mae", "denoising", "context_encoder", "simclr", "spectral")
SHORT = 0.25
_POOL_SIZE, _POOL_STRENGTH = 500, 1e-2


@dataclass(frozen=True)
class Condition:
    """One encoder; ``axes`` are those that it is a point of.

    ``mask_ratio`` and ``mask_strategy`` for "mae", ``region`` as a share of the side for "context_encoder"; ``share``
    of the objective's steps; RadReg's ``strength`` (0: none), with ``normalize`` on features of unit scale, and the
    ``pool`` of downstream images without labels that it looks at.
    """

    name: str
    objective: str
    axes: tuple[str, ...]
    mask_ratio: float | None = None
    mask_strategy: str | None = None
    region: float | None = None
    share: float = 1.0
    strength: float = 0.0
    normalize: bool = False
    pool: int = _POOL_SIZE


def _conditions() -> Iterable[Condition]:
    """The first five are the objectives as they are; every other differs from its objective's in one thing."""
    yield Condition("mae", "mae", (BASE, MASKING, STRENGTH, UNIT, LENGTH), 0.75, "patch")
    yield Condition("denoising", "denoising", (BASE, LENGTH))
    yield Condition("context encoder", "context_encoder", (BASE, LENGTH, REGION), region=0.5)
    yield Condition("simclr", "simclr", (BASE, LENGTH))
    yield Condition("spectral", "spectral", (BASE, LENGTH))
    for ratio in (0.5, 0.9):
        yield Condition(f"mae, {ratio:.0%} masked", "mae", (MASKING,), ratio, "patch")
    for ratio in (0.5, 0.75, 0.9):
        yield Condition(f"mae, {ratio:.0%} masked in a block", "mae", (MASKING,), ratio, "block")
    for region in (0.25, 0.75):
        yield Condition(f"context encoder, region {region:.0%}", "context_encoder", (REGION,), region=region)
    for strength in (1e-3, 1e-2, 1.0, 100.0):
        axes = (STRENGTH, POOL) if strength == _POOL_STRENGTH else (STRENGTH,)
        yield Condition(f"mae, RadReg {strength:g}", "mae", axes, 0.75, "patch", strength=strength)
    for strength in (0.1, 1.0, 10.0):
        name = f"mae, RadReg {strength:g} of unit features"
        yield Condition(name, "mae", (UNIT,), 0.75, "patch", strength=strength, normalize=True)
    for pool in (32, 128, 4000):
        yield Condition(
            f"mae, RadReg {_POOL_STRENGTH:g} on {pool} images", "mae", (POOL,), 0.75, "patch",
            strength=_POOL_STRENGTH, pool=pool,
        )  # fmt: skip
    for objective in OBJECTIVES:
        words = objective.replace("_", " ")
        settings = {
            "mae": {"mask_ratio": 0.75, "mask_strategy": "patch"},
            "context_encoder": {"region": 0.5},
        }
        yield Condition(
            f"{words}, {SHORT:.0%} of the steps",
            objective,
            (LENGTH,),
            share=SHORT,
            **settings.get(objective, {}),
        )


CONDITIONS: tuple[Condition, ...] = tuple(_conditions())
BY_NAME = {one.name: one for one in CONDITIONS}
SMOKE = (
    "mae", "denoising", "context encoder", "simclr", "spectral", "mae, 90% masked", "mae, RadReg 1",
    "mae, RadReg 0.01 on 32 images", "mae, 25% of the steps",
)  # fmt: skip


def of_axis(axis: str, names: Iterable[str]) -> list[str]:
    """Conditions on an axis, of those ``names``, in the order of ``CONDITIONS``.

    >>> of_axis(REGION, BY_NAME)
    ['context encoder', 'context encoder, region 25%', 'context encoder, region 75%']
    """
    known = set(names)
    return [one.name for one in CONDITIONS if axis in one.axes and one.name in known]
