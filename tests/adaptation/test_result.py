"""What is said of the choice among plans."""

import numpy as np
import pytest

from carryover.adaptation.result import choice_record


def test_a_choice_is_clear_only_where_the_labels_set_aside_say_so():
    generator = np.random.default_rng(0)
    noise = generator.exponential(size=60)
    close = noise + 0.05 * generator.normal(size=60)
    found = choice_record(["far", "one", "other"], np.stack([noise + 0.5, noise, close]))
    best = "one" if noise.mean() < close.mean() else "other"
    assert found["sentence"].startswith(f"{best} has the least loss on the 60 labels set aside")
    assert set(found["cannot_be_told_apart"]) == {"one", "other"} and "cannot be told" in found["sentence"]
    assert found["excess"]["far"]["value"] == pytest.approx(
        0.5 + max(0, noise.mean() - close.mean()), rel=1e-9
    )
    clear = choice_record(["far", "one"], np.stack([noise + 0.5, noise]))
    assert clear["cannot_be_told_apart"] == ["one"] and "cannot be told" not in clear["sentence"]
    assert choice_record(["a"], noise[None])["sentence"] == "a is the only plan."
    left = choice_record(["a"], noise[None], n_failed=2)
    assert left["sentence"] == "a is the only plan that was finished."
