"""Similar and dissimilar examples drawn from labelled classes, as the contrastive theory supposes (Arora et al. 2019).

A tuple is an anchor x, a block of s examples x+ of the anchor's class c, and for each of k negatives a class c- drawn
independently of c and a block of s examples of it.  Classes are drawn by their share of the examples, so that c- = c,
a collision, happens with probability tau = sum_c rho(c)^2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key

_NOWHERE = 1 << 62


@dataclass(frozen=True)
class Tuples:
    """Positions of examples: ``anchor`` (m,), ``positives`` (m, s), ``negatives`` (m, k, s)."""

    anchor: Tensor
    positives: Tensor
    negatives: Tensor


class ClassTuples:
    """Tuples from class labels (n,), for blocks of ``block`` examples.

    In a tuple the anchor and its positives are distinct, and so are they and any one negative block, so that with
    examples drawn independently within classes each is a fresh draw of its class.  Two negative blocks of a tuple
    may share an example.  Raises InputError for a class of fewer than 2 ``block`` + 1 examples.
    """

    def __init__(self, labels: Tensor, *, block: int = 1) -> None:
        if labels.ndim != 1 or labels.is_floating_point() or len(labels) == 0:
            raise InputError(f"labels must be whole numbers (n,), got {labels.dtype} {tuple(labels.shape)}")
        if block < 1:
            raise InputError(f"block must be >= 1, got {block}")
        names, self._classes, self._sizes = labels.unique(return_inverse=True, return_counts=True)
        smallest = int(self._sizes.argmin())
        if int(self._sizes[smallest]) < 2 * block + 1:
            raise InputError(
                f"class {int(names[smallest])} has {int(self._sizes[smallest])} examples; blocks of {block} need at "
                f"least {2 * block + 1}: an anchor, its block and another's"
            )
        self.block = block
        self._members = self._classes.argsort(stable=True)  # positions of the examples, class after class
        self._starts = self._sizes.cumsum(0) - self._sizes

    @property
    def collision(self) -> float:
        """tau: the probability that a negative has the anchor's class."""
        shares = self._sizes.to(torch.float64) / self._sizes.sum()
        return float(shares.square().sum())

    def draw(self, key: Key, *, negatives: int = 1) -> Tuples:
        """One tuple for each id of the key, a function of its seed, step and id.

        >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
        >>> drawn = ClassTuples(labels).draw(Key(0, 0, torch.arange(4)), negatives=2)
        >>> drawn.negatives.shape, torch.equal(labels[drawn.anchor], labels[drawn.positives[:, 0]])
        (torch.Size([4, 2, 1]), True)
        """
        if negatives < 1:
            raise InputError(f"negatives must be >= 1, got {negatives}")
        m, n, s = len(key.ids), len(self._members), self.block
        place = key.integers("curl anchor", 1, below=n)
        anchor_class = self._classes[self._members[place]]
        own = place - self._starts[anchor_class]
        own = self._places(key.uniform("curl positives", s), anchor_class[:, 0], taken=own)
        of_negative = self._classes[self._members[key.integers("curl negative class", negatives, below=n)]]
        taken = torch.where((of_negative == anchor_class)[:, :, None], own[:, None, :], _NOWHERE)
        uniform = key.uniform("curl negatives", negatives * s).reshape(m, negatives, s)
        other = self._places(uniform, of_negative, taken=taken)[..., -s:]
        own = self._members[self._starts[anchor_class] + own]
        return Tuples(own[:, 0], own[:, 1:], self._members[self._starts[of_negative][..., None] + other])

    def _places(self, uniform: Tensor, of_class: Tensor, *, taken: Tensor) -> Tensor:
        """``taken`` (..., q) and after it one new place within the class (...) for each number of ``uniform`` (..., s).

        New places are distinct from each other and from those taken; every choice is as likely.
        """
        for number in uniform.unbind(dim=-1):
            ordered = taken.sort(dim=-1).values
            free = self._sizes[of_class] - (ordered < _NOWHERE).sum(dim=-1)
            place = (number.to(torch.float64) * free).floor().to(torch.int64)
            for earlier in ordered.unbind(dim=-1):
                place = place + (place >= earlier)  # skip what is taken, from the lowest up
            taken = torch.cat([taken, place[..., None]], dim=-1)
        return taken
