"""The code of heads: prefix-free by brute force, Kraft's sum, every head comes back, no other code is read."""

import itertools

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.bounds.head_code import (
    Codebook,
    CodedHead,
    code_length,
    decode,
    directions,
    encode,
    head_of,
    unit_contrasts,
    used_width,
)
from carryover.bounds.reference_head import ReferenceHead, no_reference

TINY = Codebook(widths=(0, 1, 5), levels=(1, 2), steps=(0.5, 1.0, 2.0))


def _all_heads(codebook, *, n_classes, n_features):
    """Every head of a codebook; the step of one without a reference is not a choice."""
    places = itertools.product((False, True), range(len(codebook.widths)), range(len(codebook.levels)))
    for with_reference, width, level in places:
        shape = (n_classes - 1, used_width(codebook, width, n_features))
        size, largest = shape[0] * shape[1], codebook.levels[level]
        if size == 0 and level > 0:
            continue
        for step in range(len(codebook.steps) if with_reference and size else 1):
            for symbols in itertools.product(range(-largest, largest + 1), repeat=size):
                drawn = np.array(symbols, dtype=np.int64).reshape(shape)
                yield CodedHead(with_reference, width, level, step, drawn)


@pytest.mark.parametrize(("n_classes", "steps"), [(2, (0.5, 1.0, 2.0)), (3, (1.0,))])
def test_every_head_comes_back_and_no_code_begins_another(n_classes, steps):
    tiny = Codebook(widths=TINY.widths, levels=TINY.levels, steps=steps)
    heads = list(_all_heads(tiny, n_classes=n_classes, n_features=1))
    codes = [encode(head, tiny) for head in heads]
    assert len(heads) > 100 and len(set(codes)) == len(codes)
    assert [code_length(head, tiny) for head in heads] == [len(code) for code in codes]
    assert sum(2.0 ** -len(code) for code in codes) <= 1
    in_order = sorted(codes)
    assert not any(later.startswith(earlier) for earlier, later in itertools.pairwise(in_order))
    for head, code in zip(heads, codes, strict=True):
        back = decode(code, n_classes=n_classes, n_features=1, codebook=tiny)
        np.testing.assert_array_equal(back.symbols, head.symbols)
        assert (back.with_reference, back.width, back.level, back.step) == (
            head.with_reference,
            head.width,
            head.level,
            head.step,
        )


def test_kraft_is_an_equality_where_all_choices_are_powers_of_two():
    """No symbols: the reference or none, four widths (all of them 0)."""
    flat = Codebook(widths=(0, 0, 0, 0))
    codes = [encode(head, flat) for head in _all_heads(flat, n_classes=4, n_features=2)]
    empty = {code for code in codes if len(code) == 3}
    assert sum(2.0 ** -len(code) for code in empty) == 1


def test_long_heads_come_back_and_even_symbols_cost_their_entropy():
    """An even mixture of three symbols costs log2(3) bits each, and the counts a few more; a constant next to
    none."""
    generator, codebook = np.random.default_rng(0), Codebook()
    width = codebook.widths.index(64)
    symbols = generator.permutation(np.repeat([-1, 0, 1], 192)).reshape(9, 64)
    head = CodedHead(True, width, 0, 7, symbols)
    code = encode(head, codebook)
    back = decode(code, n_classes=10, n_features=80, codebook=codebook)
    np.testing.assert_array_equal(back.symbols, symbols)
    assert 576 * np.log2(3) < len(code) < 576 * np.log2(3) + 35
    assert code_length(CodedHead(True, width, 0, 7, np.ones_like(symbols)), codebook) < 35


def test_heads_are_the_reference_plus_steps_along_directions():
    generator = np.random.default_rng(1)
    reference = ReferenceHead(1e200 * generator.normal(size=(3, 4)), np.zeros(3), None)
    symbols = np.array([[1, -2], [0, 2]])
    one, two = (
        np.column_stack(head_of(CodedHead(True, 2, 1, step, symbols), reference=reference, codebook=book))
        for step, book in ((0, Codebook((0, 1, 2))), (2, Codebook((0, 1, 2))))
    )
    at_zero = np.column_stack(
        head_of(CodedHead(True, 2, 1, 0, 0 * symbols), reference=reference, codebook=Codebook((0, 1, 2)))
    )
    np.testing.assert_allclose(one - at_zero, 2 * (two - at_zero), atol=1e-12)
    assert np.linalg.norm(one - at_zero) == pytest.approx(16 * 3.0)
    np.testing.assert_allclose(one.sum(axis=0), 0, atol=1e-12)
    centred = reference.coefficients - reference.coefficients.mean(axis=0)
    np.testing.assert_allclose(at_zero[:, :-1], centred / np.linalg.norm(centred / 1e200) / 1e200, atol=1e-12)
    assert not unit_contrasts(no_reference(3, 4)).any()


def test_directions_are_orthonormal_and_fixed_by_their_seed():
    found = directions(6, Codebook())
    np.testing.assert_allclose(found.T @ found, np.eye(7), atol=1e-12)
    np.testing.assert_array_equal(found, directions(6, Codebook()))
    assert np.abs(found - directions(6, Codebook(seed=1))).max() > 0.1
    assert directions(6, Codebook(widths=(0, 3))).shape == (7, 3)


def test_what_is_no_code_is_refused():
    head = CodedHead(True, 1, 0, 2, np.array([[1]]))
    code = encode(head, TINY)
    assert decode(code, n_classes=2, n_features=1, codebook=TINY).step == 2
    with pytest.raises(InputError, match="code goes on after its end"):
        decode(code + "0", n_classes=2, n_features=1, codebook=TINY)
    with pytest.raises(
        InputError, match="code must be 0s and 1s and not end before its head, got '0' for a field"
    ):
        decode(code[:2], n_classes=2, n_features=1, codebook=TINY)
    with pytest.raises(InputError, match="code must be 0s and 1s and not end before its head, got '2' for"):
        decode("2" + code[1:], n_classes=2, n_features=1, codebook=TINY)
    with pytest.raises(InputError, match="code holds the number 3 where there are 3 choices"):
        decode("111", n_classes=2, n_features=1, codebook=TINY)


def test_misuse_of_the_codebook_is_named():
    with pytest.raises(InputError, match=r"widths must be one or more whole numbers >= 0, got \(1, -1\)"):
        Codebook(widths=(1, -1))
    with pytest.raises(InputError, match=r"levels must be one or more whole numbers >= 1, got \(\)"):
        Codebook(levels=())
    with pytest.raises(InputError, match=r"steps must be one or more finite numbers > 0, got \(0.0,\)"):
        Codebook(steps=(0.0,))
