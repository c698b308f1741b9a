"""Other implementations as programs: what they print is what is used, whatever it is."""

import sys
from pathlib import Path

import numpy as np
import pytest

from carryover._core.errors import InputError, NotComputedError
from carryover.experiments.entries.ranking import rivals as rivals
from carryover.experiments.entries.ranking.scores import Pool, their_scores
from carryover.experiments.entries.ranking.specs import EVERY, WITH_SOURCE

RUNNERS = Path(__file__).resolve().parents[2] / "benchmarks" / "rivals"
RUNNER = """
import sys
sys.path.insert(0, {runners!r})
from answering import answer

def first(features, labels):
    return features[0, 0]

def odd(features, labels):
    if features.shape[1] > 2:
        raise ValueError("too wide")
    return float("nan")

answer({{"logme": first, "h_score": odd, "transrate": lambda f, y: f.shape[0]}}, of_source={{"leep": first}})
"""


def install(folder: Path, name: str, program: str) -> None:
    own = folder / name
    own.mkdir(parents=True)
    (own / "score.py").write_text(program)
    (own / "score").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{own / "score.py"}" - "$1"\n')
    (own / "score").chmod(0o755)
    (own / "version").write_text("abc\n")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(rivals.VARIABLE, str(tmp_path / "rivals"))
    (tmp_path / "rivals").mkdir()
    return tmp_path / "rivals"


@pytest.fixture
def pool() -> Pool:
    features = {"a, narrow": np.arange(8.0).reshape(4, 2), "b": np.arange(12.0).reshape(4, 3) + 100}
    return Pool(features, {"b": np.full((4, 2), 0.5)}, np.array([0, 1, 0, 1]))


def test_a_release_answers_for_each_candidate_and_draw(folder, pool, tmp_path):
    install(folder, "tllib", RUNNER.format(runners=str(RUNNERS)))
    draws = {(2, 0): np.array([1, 2]), (3, 1): np.array([2, 3, 0])}
    found = their_scores("tllib", pool, draws, tmp_path)
    assert found.ok and rivals.installed() == (("tllib", "abc"),)
    assert found.value[EVERY, "tllib.logme"][2, 0].tolist() == [2.0, 103.0]
    assert found.value[EVERY, "tllib.transrate"][3, 1].tolist() == [3.0, 3.0]
    assert np.isnan(found.value[EVERY, "tllib.h_score"][2, 0]).all()
    assert found.value[WITH_SOURCE, "tllib.leep"][3, 1].tolist() == [0.5]
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('no numba here')", "tllib ended with 1: no numba here"),
        ("print('hello')", "tllib did not print scores"),
        ("", "tllib did not print scores"),
        ("print('[1]')", "tllib did not print scores"),
    ],
)
def test_a_release_that_does_not_answer_is_a_result_with_the_reason(folder, pool, tmp_path, program, reason):
    install(folder, "tllib", program)
    found = their_scores("tllib", pool, {(2, 0): np.array([0, 1])}, tmp_path)
    assert found.status == "failed" and found.reason.startswith(reason)


def test_a_program_that_cannot_be_run_is_a_result_with_the_reason(folder, tmp_path):
    install(folder, "thuml", "")
    (folder / "thuml" / "score").chmod(0o644)
    assert rivals.ask("thuml", tmp_path / "none.npz").reason.startswith("thuml gave no answer: ")


def test_a_candidate_that_was_left_out_is_named(folder, pool, tmp_path):
    install(folder, "thuml", 'print(\'{"b": {"2-0": {"logme": 1.0}}}\')')
    with pytest.raises(NotComputedError, match="no answer for 'a, narrow'"):
        their_scores("thuml", pool, {(2, 0): np.array([0, 1])}, tmp_path)


def test_without_a_folder_nothing_is_installed(monkeypatch, tmp_path):
    monkeypatch.delenv(rivals.VARIABLE, raising=False)
    assert rivals.installed() == ()
    assert (
        rivals.ask("thuml", tmp_path).reason
        == "thuml is not installed: CARRYOVER_RIVALS names no folder with it"
    )
    monkeypatch.setenv(rivals.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"CARRYOVER_RIVALS: .*nowhere is not a folder"):
        rivals.installed()
