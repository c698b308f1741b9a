"""What ``import carryover`` gives."""

import carryover


def test_all_public_names_are_there():
    for name in carryover.__all__:
        assert getattr(carryover, name) is not None
    assert {"adapt", "AdaptSpec", "AdaptOptions", "predict"} <= set(dir(carryover)) == set(carryover.__all__)
    assert set(carryover._HOME_OF) | {"__version__"} == set(carryover.__all__)
