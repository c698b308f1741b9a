"""The named experiments of ``carryover reproduce``."""

from collections.abc import Mapping

from carryover._core.errors import InputError, did_you_mean
from carryover.experiments.entries.a26.figures import FIGURE3, FIGURE5
from carryover.experiments.entries.a26.modular import MODULAR
from carryover.experiments.entries.a26.regimes import FIGURE2
from carryover.experiments.entries.a26.resnet import RESNET
from carryover.experiments.entries.curl.pairs import CURL_PAIRS
from carryover.experiments.entries.dhzm.dense import DHZM_DENSE
from carryover.experiments.entries.dhzm.multitask import DHZM_MULTITASK
from carryover.experiments.entries.dhzm.radreg import RADREG_ENTRY
from carryover.experiments.entries.dhzm.terms import TERMS_ENTRY
from carryover.experiments.entries.lpft.entry import LPFT
from carryover.experiments.entries.ranking.small_n import RANKING
from carryover.experiments.entry import Entry

# The modules load no torch: the list is quick.  What computes cells is imported when they are built.
CATALOGUE: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        FIGURE2,
        FIGURE3,
        FIGURE5,
        RESNET,
        MODULAR,
        RADREG_ENTRY,
        TERMS_ENTRY,
        DHZM_DENSE,
        DHZM_MULTITASK,
        CURL_PAIRS,
        LPFT,
        RANKING,
    )
}


def entry_named(name: str) -> Entry:
    """The entry; InputError names the nearest where there is none."""
    if name not in CATALOGUE:
        raise InputError(f"no experiment is called {name!r}; {did_you_mean(name, CATALOGUE)}")
    return CATALOGUE[name]
