"""Plans keep to their budget, cover every weight once, and take no more passes than the memory asks for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.models.ntk_plan import KernelSize, StreamPlan, stream_plan


def _size(
    weights: list[int], *, n: int = 10, outputs: int = 4, kept: int = 1000, full: bool = False
) -> KernelSize:
    return KernelSize(n, outputs, {f"w{i}": entries for i, entries in enumerate(weights)}, kept, 4, full)


def _bytes_held(size: KernelSize, plan: StreamPlan) -> int:
    """Kernel, rows of the widest slice, and a chunk: its passes, and its gradients twice."""
    widest = max(sum(size.weights[name] for name in names) for names in plan.slices)
    chunk = plan.chunk * size.working_bytes(plan.outputs_together)
    rows = (size.n_examples + 2 * plan.chunk) * plan.outputs_together * widest * size.item_bytes
    return size.kernel_bytes + chunk + rows


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=12),
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(0, 10_000),
    st.booleans(),
    st.integers(0, 24),
)
def test_plan_keeps_to_its_budget_or_says_what_is_needed(weights, n, outputs, kept, full, power):
    size, budget = _size(weights, n=n, outputs=outputs, kept=kept, full=full), 2**power
    try:
        plan = stream_plan(size, budget)
    except InputError as refusal:
        needed = int(str(refusal).split("at least ")[1].split()[0])
        assert needed > budget
        plan, budget = stream_plan(size, needed), needed
    assert _bytes_held(size, plan) <= budget
    assert [name for names in plan.slices for name in names] == list(size.weights)
    assert 1 <= plan.chunk <= n
    assert plan.outputs_together == outputs if full else 1 <= plan.outputs_together <= outputs


def test_memory_buys_fewer_passes():
    size = _size([300, 300, 300, 300])
    passes = []
    for budget in (20_000, 40_000, 100_000, 200_000, 1_000_000):
        plan = stream_plan(size, budget)
        passes.append(len(plan.slices) * math.ceil(size.n_outputs / plan.outputs_together))
    assert passes == sorted(passes, reverse=True)
    assert passes[0] == 16 and passes[-1] == 1


def test_refusal_names_the_largest_weight():
    with pytest.raises(InputError, match="gradients by the largest weight, w1"):
        stream_plan(_size([10, 500, 20]), 5000)
