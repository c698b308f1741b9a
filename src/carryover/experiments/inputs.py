"""Where the catalogue's data sets and checkpoints are: a folder of this machine, or the hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from carryover._core.errors import InputError, did_you_mean

HUB_IDS: Mapping[str, str] = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "mnist": "ylecun/mnist",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "usps": "flwrlabs/usps",
    "pacs32": "flwrlabs/pacs",
    "stl10": "tanganke/stl10",
}
"""Data sets by the names that experiments use; columns are named as on the hub."""


@dataclass(frozen=True)
class Inputs:
    """A folder with a folder for each data set (or with data/ and checkpoints/); None: the hub."""

    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.folder is not None and not Path(self.folder).is_dir():
            raise InputError(f"--data: {self.folder} is not a folder")

    def data_set(self, name: str) -> str:
        """What ``load_splits`` takes: the folder of that name where there is one, else the id on the hub.

        Raises InputError for a name that is none of ``HUB_IDS``.
        """
        if name not in HUB_IDS:
            raise InputError(f"no data set is called {name!r}; {did_you_mean(name, HUB_IDS)}")
        found = self._found("data", name)
        return HUB_IDS[name] if found is None else str(found)

    def checkpoint(self, name: str) -> str | None:
        """The file of that name; None where the folder has none."""
        found = self._found("checkpoints", name)
        return None if found is None else str(found)

    def _found(self, kind: str, name: str) -> Path | None:
        if self.folder is None:
            return None
        folder = Path(self.folder).expanduser().resolve()
        return next((one for one in (folder / name, folder / kind / name) if one.exists()), None)
