"""The named experiments of ``carryover reproduce``."""

from collections.abc import Mapping

from carryover._core.errors import InputError, did_you_mean
from carryover.experiments.entries.a26.figures import A26_FIGURE3, A26_FIGURE5
from carryover.experiments.entries.a26.modular import A26_MODULAR
from carryover.experiments.entries.a26.regimes import A26_FIGURE2
from carryover.experiments.entries.a26.resnet import A26_RESNET
from carryover.experiments.entries.curl.pairs import CURL_PAIRS
from carryover.experiments.entries.dhzm.dense import DHZM_DENSE
from carryover.experiments.entries.dhzm.multitask import DHZM_MULTITASK
from carryover.experiments.entries.dhzm.radreg import DHZM_RADREG
from carryover.experiments.entries.dhzm.terms import DHZM_TERMS
from carryover.experiments.entries.lpft.entry import LPFT
from carryover.experiments.entries.ranking.small_n import RANKING_SMALL_N
from carryover.experiments.entry import Entry

# The modules load no torch: the list is quick.  What computes cells is imported when they are built.
CATALOGUE: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        A26_FIGURE2,
        A26_FIGURE3,
        A26_FIGURE5,
        A26_RESNET,
        A26_MODULAR,
        DHZM_RADREG,
        DHZM_TERMS,
        DHZM_DENSE,
        DHZM_MULTITASK,
        CURL_PAIRS,
        LPFT,
        RANKING_SMALL_N,
    )
}


def entry_named(name: str) -> Entry:
    """The entry; InputError names the nearest where there is none."""
    if name not in CATALOGUE:
        raise InputError(f"no experiment is called {name!r}; {did_you_mean(name, CATALOGUE)}")
    return CATALOGUE[name]
