"""A26's three scales on a small Transformer that learns arithmetic modulo p.  The protocol is ours.

*Pretraining.*  All pairs (a, b) mod p; of 80 % of them the network learns a + b and a - b at once, as two groups of p
logits from one feature vector, so that its features serve several tasks.  There is no token for the operation: each
input is "a b =".  AdamW with weight decay, cross-entropy; the other 20 % of the pairs are held out for good.

*Fine-tuning.*  The readout is drawn anew for one task, all weights are trained, without decay, on the first n of the
pairs that pretraining saw, until their mean loss is below .01 nats.  "reuse": a + b, its p results renamed by a
random permutation, which needs half of the features.  "new": a^2 + b^2, renamed, which pretraining did not have.  Both
have the same inputs, samples and number of classes, and are tested on the pairs held out.  The logits at the start
are subtracted, so that the function starts at 0 as it does in A26's model.  "random": the same from the weights that
pretraining started from.

*Scales.*  Absolute, c: all initial weights.  Relative, kappa: embeddings of tokens and places on top of c.  Readout,
gamma: the new readout's weights, in units of 1 / sqrt(width).  One moves at a time, the others stay at c = kappa = 1
and the smallest gamma.  There is no normalisation, which would cancel scales: ``cancelled_layers`` says so of every
network.  In A26's linear model kappa changes fine-tuning alone; here c and kappa change how well pretraining itself
generalizes (``held_out_accuracy``), and the comparisons are of the whole pipeline.

*Measured.*  Accuracy on held-out pairs; a ridge probe on the encoder before and after pretraining, the same rows; the
debiased CKA of features before and after fine-tuning.  A26's final abstract names Transformers on modular arithmetic;
its protocol and numbers are not used here.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.a26.modular_claims import compare_modular
from carryover.experiments.entries.a26.modular_protocol import ModularCell
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

SPEC_VERSION = 1
SCALES = (2.0, 4.0)
EARLY_SCALES = (0.25, 0.5, 2.0)
READOUTS = (0.2, 1.0, 5.0)
"""The first is the one at which the other scales move."""
_SMOKE = {
    "modulus": 11,
    "width": 16,
    "samples": (12, 24),
    "steps": 40,
    "batch_size": 32,
    "finetuning_steps": 12,
}
_FULL = {"modulus": 59, "width": 128, "samples": (128, 256, 512, 1024), "steps": 8000, "batch_size": 512}
_COLUMNS = (
    "seed", "scale", "early_scale", "readout", "samples", "task", "start", "accuracy", "fitted", "steps",
    "similarity", "probe_pretrained", "probe_random", "held_out_accuracy", "held_out_sum", "held_out_difference",
    "cancelled_layers", "status", "reason",
)  # fmt: skip
_OF_CELL = ("seed", "scale", "early_scale", "status", "reason")
_MEASURED_ONCE = ("held_out_accuracy", "held_out_sum", "held_out_difference", "cancelled_layers")


def _parts(seeds: Sequence[int], recipe: dict, _: Inputs) -> tuple[Part, ...]:
    """For each seed a cell where all scales are at their base, with every readout, and one for each other scale."""
    from carryover.experiments.entries.a26.modular_cells import run_modular

    cells = []
    for seed in seeds:
        base = {"scale": 1.0, "early_scale": 1.0}
        settings = [base, *({**base, "scale": c} for c in SCALES)]
        settings += [{**base, "early_scale": kappa} for kappa in EARLY_SCALES]
        for setting in settings:
            readouts = READOUTS if setting == base else READOUTS[:1]
            spec = ModularCell(**setting, readouts=readouts, seed=seed, **recipe)
            ident = cell_id("modular arithmetic", spec, version=SPEC_VERSION)
            cells.append(Cell(ident, spec, {**setting, "seed": seed}))
    return (Part(tuple(cells), Compute(run_modular, uses_torch=True)),)


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each fine-tuning; for a cell that failed one that says why."""
    import pandas as pd

    points = [point for row in rows for point in _points(row)]
    return pd.DataFrame(points).reindex(columns=list(_COLUMNS))


def _points(row: Row) -> list[Row]:
    of_cell = {key: row.get(key) for key in _OF_CELL}
    if row["status"] != "ok":
        return [of_cell]
    of_cell |= {key: row[key] for key in _MEASURED_ONCE}
    found: dict[str, Row] = {}
    for key, value in row.items():
        condition, slash, what = key.rpartition("/")
        if slash and value is not None:
            found.setdefault(condition, {})[what] = value
    return [of_cell | _condition(name, row) | measured for name, measured in found.items()]


def _condition(name: str, row: Row) -> Row:
    task, samples, readout, start = name.split("/")
    probes = {f"probe_{one}": row[f"{task}_probe_{one}"] for one in ("pretrained", "random")}
    return {"task": task, "samples": int(samples), "readout": float(readout), "start": start, **probes}


A26_MODULAR = Entry(
    name="a26_modular",
    description="A small Transformer on a + b and a - b mod p, fine-tuned on a + b or a new rule, at three scales.",
    sizes={
        "smoke": Size(partial(_parts, range(2), _SMOKE), Cost(17.0), seeds=(0, 1)),
        "small": Size(partial(_parts, range(8), {}), Cost(1500.0), seeds=tuple(range(8))),
        "full": Size(
            partial(_parts, range(20), _FULL), Cost(87_000.0, measured=False), seeds=tuple(range(20))
        ),
    },
    table=_table,
    compare=compare_modular,
    chosen=(
        "Modulus, operations, initial scale, learning rates, weight decay and steps: by the accuracy on held-out "
        "pairs of pretraining and of fine-tuning at the base scales, and so that fine-tuning fits its samples. Also "
        "the values of the three scales and the numbers of samples; effects of the scales were seen while choosing, "
        "on the same seeds."
    ),
    chosen_on=(1000, 1001),
)
