"""The adapted network as a predictor that stands on its own: safetensors and JSON, and predictions of test examples."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file, save_file

from carryover._core.config import spec_as_table
from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover._core.strict import build
from carryover.adaptation.inputs import AdaptInputs
from carryover.adaptation.lora import add_low_rank
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import PlanOutcome
from carryover.adaptation.plans import Lora
from carryover.adaptation.specs import AdaptSpec
from carryover.data.atomic import folder_written_whole, written_whole
from carryover.data.hashing import path_hash
from carryover.diagnosis.candidates import open_networks
from carryover.diagnosis.specs import ModelSpec
from carryover.models.preprocessing import Preprocessing
from carryover.models.transformers_models import quiet_transformers

SCHEMA = "carryover.predictor/1"
WEIGHTS, RECORD, PREDICTIONS = "weights.safetensors", "predictor.json", "predictions.parquet"


@dataclass(frozen=True)
class Predictor:
    """``network`` in evaluation mode; ``classes`` are () for numbers; images are read at ``shape`` (h, w, c)."""

    network: AdaptedNetwork
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    plan: str


def save_predictor(
    winner: PlanOutcome, spec: AdaptSpec, inputs: AdaptInputs, *, folder: Path, run_id: str
) -> None:
    """Write ``folder/model`` whole (all weights, and how the network is built) and the test predictions.

    ``model/base`` is a copy of the model that was adapted, in its own format, so that the predictor needs nothing from
    where that was; only the code of a factory stays where it is.
    """
    images = inputs.target.train.images
    with folder_written_whole(folder / "model") as partial:
        base = _copy_base(spec.model, inputs, partial / "base")
        state = {name: value.cpu().contiguous() for name, value in winner.network.state_dict().items()}
        save_file(state, partial / WEIGHTS)
        record = {
            "schema": SCHEMA,
            "run_id": run_id,
            "plan": winner.plan.name,
            "model": spec_as_table(base),
            "model_weights_hash": inputs.candidate.weights_hash,
            "seed": spec.seed,
            "width": inputs.width,
            "n_outputs": winner.network.head.out_features,
            "classes": list(inputs.target.class_names),
            "shape": list(images.shape),
            "preprocessing": inputs.candidate.network.preprocessing.as_dict(),
            "lora": [
                dataclasses.asdict(phase.lora) for phase in winner.plan.phases if phase.lora is not None
            ],
            "weights_sha256": path_hash(partial / WEIGHTS),
        }
        (partial / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    with written_whole(folder / PREDICTIONS, overwrite=True) as path:
        _table(winner, inputs).to_parquet(path, index=False)


def load_predictor(folder: str | Path, *, device: str = "cpu") -> Predictor:
    """The predictor of an adaptation run's folder.

    Raises InputError where there is no predictor, where its weights are not those written with it or do not fit the
    network that it describes, and where the code of its factory is gone.
    """
    model = Path(folder).expanduser() / "model"
    try:
        record = json.loads((model / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} holds no finished run of carryover adapt: there is no {model / RECORD}"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{model / RECORD} could not be read: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{model / RECORD} is not of this version: its schema is not {SCHEMA!r}")
    weights = model / WEIGHTS
    if not weights.is_file() or path_hash(weights) != record["weights_sha256"]:
        raise InputError(f"{weights} is missing or corrupt: its sha256 is not the one written with it")
    spec = _from_here(build(ModelSpec, record["model"]), model)
    opened = open_networks([spec], images=None, images_are_labelled=True, seed=record["seed"])[0]
    network = AdaptedNetwork(opened.network, width=record["width"], n_outputs=record["n_outputs"])
    for lora in record["lora"]:
        given = {**lora, "layers": tuple(lora["layers"])}
        add_low_rank(network, Lora(**given), seed=derive_seed(0, "lora"))
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise InputError(
            f"{weights} does not fit the network that {RECORD} describes, as where its head has another width or the "
            f"code of a factory changed: {error}"
        ) from error
    preprocessing = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in record["preprocessing"].items()
    }
    return Predictor(
        network.to(device).eval().requires_grad_(False),
        Preprocessing(**preprocessing),
        tuple(record["classes"]),
        tuple(record["shape"]),
        record["plan"],
    )


def _copy_base(spec: ModelSpec, inputs: AdaptInputs, base: Path) -> ModelSpec:
    """Copy what the network is built from; the spec that finds it, with paths that count from ``base``'s parent."""
    candidate = inputs.candidate
    if spec.path is None and spec.weights is None:
        return spec
    base.mkdir()
    if candidate.run is not None:
        for file in candidate.run.model.iterdir():
            shutil.copy2(file, base / file.name)
    elif spec.path is not None:
        with quiet_transformers():
            candidate.network.module.save_pretrained(base)
    else:
        shutil.copy2(Path(spec.weights).expanduser(), base / Path(spec.weights).name)
    if spec.path is not None:
        return dataclasses.replace(spec, path=base.name)
    return dataclasses.replace(spec, weights=f"{base.name}/{Path(spec.weights).name}")


def _from_here(spec: ModelSpec, folder: Path) -> ModelSpec:
    """Paths of the copy, wherever the run's folder is now."""
    found = {
        key: str(folder / value) for key in ("path", "weights") if (value := getattr(spec, key)) is not None
    }
    return dataclasses.replace(spec, **found)


def _table(winner: PlanOutcome, inputs: AdaptInputs) -> pd.DataFrame:
    """Rows of test examples: hash, split, label and one logit a class (or the predicted number)."""
    test = inputs.target.test
    columns: dict[str, Any] = {"hash": test.images.example_hashes, "split": "test"}
    if inputs.target.class_names:
        columns["label"] = [inputs.target.class_names[code] for code in test.targets]
    else:
        columns["label"] = test.targets
    columns["logits"] = winner.scores.tolist()
    return pd.DataFrame(columns)
