"""Plans as data: what goes together, and patterns that must match."""

import math

import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.adaptation.plans import PLANS, Lora, Phase, Plan
from carryover.adaptation.selection import train_only
from carryover.models.patterns import matching


def test_the_named_plans_differ_in_their_phases_alone():
    assert set(PLANS) == {"linear_probe", "fine_tuning", "lp_ft", "l2_sp", "ball", "lora"}
    assert [phase.solve for phase in PLANS["lp_ft"].phases] == ["ridge", "descent"]
    plain = PLANS["fine_tuning"].phases[0]
    assert (plain.l2_sp, plain.radius, plain.lora) == (0.0, math.inf, None)
    assert PLANS["l2_sp"].phases[0].l2_sp > 0 and PLANS["ball"].phases[0].is_bounded


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Phase("a", l2_sp=-1.0), "phase 'a': l2_sp must be >= 0, got -1"),
        (lambda: Phase("a", radius=-0.5), "radius must be >= 0"),
        (lambda: Phase("a", share=0.0), r"share must lie in \(0, 1\]"),
        (lambda: Phase("a", learning_rate=0.0), "learning_rate be > 0"),
        (lambda: Phase("a", solve="ridge"), "sets the head alone"),
        (lambda: Phase("a", trains=()), "trains nothing"),
        (lambda: Phase("a", lora=Lora(), l2_sp=1.0), "say nothing"),
        (lambda: Lora(rank=0), "rank >= 1"),
        (lambda: Plan("p", ()), "has no phase"),
        (lambda: Plan("p", (Phase("a", share=0.5), Phase("a", share=0.5))), "two phases of one name"),
        (lambda: Plan("p", (Phase("a", share=0.7), Phase("b", share=0.7))), "add up to 1.4"),
    ],
)
def test_what_does_not_go_together_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def network() -> nn.Module:
    return nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), "head": nn.Linear(2, 2)}
    )


def test_patterns_choose_parameters():
    model = network()
    assert train_only(model, ["head.*", "encoder.2.bias"]) == ["encoder.2.bias", "head.bias", "head.weight"]
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {"encoder.2.bias", "head.bias", "head.weight"}
    assert train_only(model, ["*"]) == sorted(name for name, _ in model.named_parameters())


def test_a_pattern_that_matches_nothing_names_near_matches():
    with pytest.raises(InputError, match=r"'encodr.2.\*' matches no parameter; near matches: .*encoder.2"):
        train_only(network(), ["head.*", "encodr.2.*"])
    with pytest.raises(InputError, match="matches no layer"):
        matching(["a", "b"], ["c"], what="layer")


def test_a_failed_selection_changes_nothing():
    model = network()
    before = [weight.requires_grad for weight in model.parameters()]
    with pytest.raises(InputError):
        train_only(model, ["nothing"])
    assert before == [weight.requires_grad for weight in model.parameters()] and torch.is_grad_enabled()
