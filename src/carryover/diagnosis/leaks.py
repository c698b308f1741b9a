"""What a pretrained encoder has already seen of the labelled examples, by the hashes that its run kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from carryover._core.errors import InputError, did_you_mean
from carryover.data.hash_tables import rows_in_table
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.target import Target

_SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """Labelled examples among those of one role of a run: places (m,) in the training and in the test part."""

    train: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        return len(self.train) + len(self.test)


def guard(
    candidates: Sequence[Candidate], target: Target, allowed: Sequence[str]
) -> tuple[list[Candidate], list[str]]:
    """The candidates, told what they were chosen without, and warnings about labelled examples they have seen.

    A regulariser's unlabelled pool that holds labelled examples is an InputError (model, counts, rows), unless the
    model's name is in ``allowed``; it is then a warning and a note.  Labelled examples among the pretraining images
    are a warning.  Either way the assumption of the bounds, a representation chosen without those examples, is then
    violated; where neither is found it is checked, for training and test examples each.  Held-out images play no part:
    nothing was fitted to them.  Raises InputError for a name in ``allowed`` that no candidate has.
    """
    names = [candidate.name for candidate in candidates]
    for name in allowed:
        if name not in names:
            raise InputError(f"allow_overlap names no model: {name!r}; {did_you_mean(name, names)}")
    if target.train.images is None or all(candidate.run is None for candidate in candidates):
        return list(candidates), []
    labelled = {"train": target.train.images.example_hashes, "test": target.test.images.example_hashes}
    guarded, warnings = [], []
    for candidate in candidates:
        if candidate.run is not None:
            candidate, more = _guard_one(candidate, labelled, target, is_allowed=candidate.name in allowed)
            warnings += more
        guarded.append(candidate)
    return guarded, warnings


def told_of_pool(candidates: Sequence[Candidate], target: Target, pool: Sequence[str]) -> list[Candidate]:
    """Candidates that were fitted to the unlabelled sample, told whether labelled examples are in it.

    ``pool``: the hashes of that sample.  Where it holds training (test) examples, the map was not chosen without them.
    """
    held = set(pool)
    without = [
        held.isdisjoint(part.images.example_hashes) if held and part.images is not None else None
        for part in (target.train, target.test)
    ]
    return [
        replace(one, chosen_without=without[0], chosen_without_test=without[1]) if one.fitted_to_pool else one
        for one in candidates
    ]


def _guard_one(
    candidate: Candidate, labelled: Mapping[str, Sequence[str]], target: Target, *, is_allowed: bool
) -> tuple[Candidate, list[str]]:
    pool, images = (_seen(candidate, role, labelled) for role in ("downstream", "train"))
    warnings = []
    if len(pool):
        what = _sentence(
            candidate.name, pool, target, "in the unlabelled pool that its regulariser looked at"
        )
        if not is_allowed:
            raise InputError(
                f"{what}. Results on them are too good: leave them out of the pool or of the target, or allow it by "
                f"name (allow_overlap = [{candidate.name!r}], --allow-overlap {candidate.name!r}), and every report "
                "says so"
            )
        warnings.append(f"{_capital(what)}. This was allowed by name; its results may be too good.")
    if len(images):
        what = _sentence(candidate.name, images, target, "among the images it was pretrained on")
        warnings.append(f"{_capital(what)}. Its results may be too good.")
    without = {part: not (len(getattr(pool, part)) or len(getattr(images, part))) for part in labelled}
    return replace(
        candidate,
        chosen_without=without["train"],
        chosen_without_test=without["test"],
        notes=(*candidate.notes, *warnings),
    ), warnings


def _seen(candidate: Candidate, role: str, labelled: Mapping[str, Sequence[str]]) -> Seen:
    table = candidate.run.seen.get(role, np.zeros((0, 32), dtype=np.uint8))
    return Seen(**{part: rows_in_table(hashes, table) for part, hashes in labelled.items()})


def _sentence(name: str, seen: Seen, target: Target, where: str) -> str:
    parts = []
    for part, word in (("train", "training"), ("test", "test")):
        places, whole = getattr(seen, part), getattr(target, part)
        if len(places):
            rows = ", ".join(map(str, whole.positions[places[:_SHOWN]].tolist()))
            first = "first rows" if len(places) > _SHOWN else "rows"
            parts.append(f"{len(places):,} of the {len(whole):,} {word} examples ({first} {rows})")
    verb = "was" if len(seen) == 1 else "were"
    return f"model {name!r}: {' and '.join(parts)} {verb} {where}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
