"""``carryover adapt --plan all`` and ``carryover predict`` on a ViT in transformers format."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from adapt_files import STRIPES_CONFIG, adapted, write_stripes
from safetensors.torch import load_file
from transformers import ViTConfig, ViTForImageClassification

from carryover.adaptation.plans import PLANS
from carryover.cli.main import run
from carryover.models.seeding import seeded_torch

pytestmark = pytest.mark.slow  # all plans on one network: some ten seconds
PROCESSOR = {
    "size": {"height": 16, "width": 16}, "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.5], "image_std": [0.25], "image_processor_type": "ViTImageProcessor",
}  # fmt: skip

TIGHT = '[[plans]]\nname = "tight"\n[[plans.phases]]\nname = "near"\nradius = 0.1'


@pytest.fixture(scope="module")
def adapted_vit(tmp_path_factory) -> SimpleNamespace:
    """The run's folder, its record, the folder it came from, and the images."""
    folder = tmp_path_factory.mktemp("vit")
    config, source = write_stripes(folder), folder / "source"
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    with seeded_torch(0):
        model = ViTForImageClassification(
            ViTConfig(**size, image_size=16, patch_size=4, num_channels=1, num_labels=5)
        )
    model.save_pretrained(source)
    (source / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    target = STRIPES_CONFIG[STRIPES_CONFIG.index("[target]") : STRIPES_CONFIG.index("[[plans]]")]
    config.write_text(f'plan = "all"\n[model]\npath = "{source}"\n\n{target}\n{TIGHT}')
    out = folder / "run"
    assert adapted(config, out, "--quiet") == 0
    record = json.loads((out / "result.json").read_text())
    return SimpleNamespace(out=out, record=record, source=source, images=folder / "stripes.parquet")


def pretrained(source: Path) -> dict[str, torch.Tensor]:
    """The network's weights as transformers reads them."""
    return ViTForImageClassification.from_pretrained(source).state_dict()


def last_weights(out: Path, plan: str) -> dict[str, torch.Tensor]:
    """What the plan's last phase left, by the names of the adapted network."""
    checkpoint = max((out / "plans" / plan).glob("phase-*/checkpoints/*"))
    return load_file(checkpoint / "weights.safetensors")


def test_every_plan_has_its_row(adapted_vit):
    rows = {row["plan"]: row for row in adapted_vit.record["plans"]}
    assert set(rows) == {*PLANS, "tight"} and adapted_vit.record["winner"] in rows
    for row in rows.values():
        assert row["status"] == "ok" and row["warnings"] == [] and row["test_accuracy"]["status"] == "ok"
        assert all(phase["diverged_at"] is None for phase in row["history"])


def test_low_rank_additions_leave_the_pretrained_weights(adapted_vit):
    before, after = pretrained(adapted_vit.source), last_weights(adapted_vit.out, "lora")
    added = {name for name in after if ".lora_" in name}
    kept = {
        name: value for name, value in after.items() if name not in added and not name.startswith("head.")
    }
    assert {name.replace(".base_layer", "").removeprefix("encoder.") for name in kept} == set(before)
    for name, value in kept.items():
        assert torch.equal(value, before[name.replace(".base_layer", "").removeprefix("encoder.")]), name
    layers = {name.partition(".lora_")[0] for name in added}
    assert {name.partition(".base_layer")[0] for name in kept if ".base_layer" in name} == layers
    moved = 0
    for layer in layers:
        pair = [after[f"{layer}.lora_{letter}.default.weight"].flatten(1) for letter in "BA"]
        assert {pair[0].shape[1], pair[1].shape[0]} == {8}
        moved += int(bool(pair[0].any()))
    # All but the head of the pretraining task, which has no part in the features.
    assert moved == len(layers) - 1 and after["head.weight"].any()


def test_the_ball_holds_what_it_should(adapted_vit):
    rows = {row["plan"]: row for row in adapted_vit.record["plans"]}
    before = pretrained(adapted_vit.source)
    lengths = {}
    for plan in ("fine_tuning", "ball", "tight"):
        after, stated = last_weights(adapted_vit.out, plan), rows[plan]["history"][-1]["distances"]
        gaps = {name: float((after[name] - before[name.removeprefix("encoder.")]).norm()) for name in stated}
        assert stated == pytest.approx(gaps, rel=1e-4, abs=1e-7)
        lengths[plan] = math.sqrt(sum(gap**2 for gap in gaps.values()))
    assert 0 < lengths["ball"] <= PLANS["ball"].phases[0].radius * (1 + 1e-5)
    assert lengths["tight"] == pytest.approx(0.1, rel=1e-4) and lengths["fine_tuning"] > 0.2


def test_the_winner_predicts(adapted_vit, tmp_path):
    table = tmp_path / "found.parquet"
    assert run(["predict", str(adapted_vit.out), str(adapted_vit.images), "--out", str(table)]) == 0
    found = pd.read_parquet(table).set_index("hash")
    stored = pd.read_parquet(adapted_vit.out / "predictions.parquet")
    names = ["wide", "middle", "narrow"]
    assert len(found) == 160
    for one in stored.itertuples():
        assert found.loc[one.hash, "label"] == names[int(np.argmax(one.logits))]
        assert one.logits[0] - one.logits[1] == pytest.approx(
            math.log(found.loc[one.hash, "probability wide"] / found.loc[one.hash, "probability middle"]),
            abs=1e-3,
        )
