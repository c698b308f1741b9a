"""The cache of ``datasets`` goes to a temporary folder, so that tests leave nothing behind and do not meet."""

import pytest


@pytest.fixture(scope="session")
def cached(tmp_path_factory):
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets_cache"))
        yield
