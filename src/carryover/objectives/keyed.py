"""Random numbers that are a function of names: seed, stream, step and the id of an example.

An example draws the same mask, noise and signs whatever batch, process or device it lands in, so that runs on one and
on several processes agree, and a resumed run goes on as the undisturbed one.  Counter-based: each number is a hash
(splitmix64: Steele, Lea and Flood, OOPSLA 2014) of its names; no generator holds a state, torch's is never touched.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as signed 64-bit integers, which wrap around
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)


@dataclass(frozen=True)
class Key:
    """Names of a batch's random numbers: the run's seed, the step (or epoch) and the examples' ids (b,) int64."""

    seed: int
    step: int
    ids: Tensor

    def uniform(self, stream: str, count: int) -> Tensor:
        """(b, count) numbers in [0, 1), float32, multiples of 2^-24; another ``stream`` is independent.

        >>> key = Key(0, 1, torch.tensor([7, 8]))
        >>> torch.equal(key.uniform("mask", 3)[1], Key(0, 1, torch.tensor([8])).uniform("mask", 3)[0])
        True
        """
        return _shifted(self._words(stream, count), 40).to(torch.float32) * 2.0**-24

    def normal(self, stream: str, count: int) -> Tensor:
        """(b, count) standard normal numbers, float32, by the inverse of their distribution function."""
        words = self._words(stream, count)
        inside = (_shifted(words, 11).to(torch.float64) + 0.5) * 2.0**-53
        return torch.special.ndtri(inside).to(torch.float32)

    def signs(self, stream: str, count: int) -> Tensor:
        """(b, count) fair signs -1 or 1, float32."""
        return _shifted(self._words(stream, count), 63).to(torch.float32) * 2.0 - 1.0

    def integers(self, stream: str, count: int, *, below: int) -> Tensor:
        """(b, count) integers 0..below-1, int64; uniform up to below * 2^-53 relative."""
        inside = _shifted(self._words(stream, count), 11).to(torch.float64) * 2.0**-53
        return (inside * below).floor().to(torch.int64)

    def at(self, step: int) -> "Key":
        """The same examples and seed at another step."""
        return Key(self.seed, step, self.ids)

    def _words(self, stream: str, count: int) -> Tensor:
        root = _hashed(torch.tensor(_stream_number(self.seed, stream), device=self.ids.device))
        own = _hashed(_hashed(root ^ self.step) ^ self.ids.to(torch.int64))
        return _hashed(own[:, None] + torch.arange(1, count + 1, device=self.ids.device) * _GOLDEN)


def _stream_number(seed: int, stream: str) -> int:
    digest = hashlib.sha256(f"{int(seed)}\x1f{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """A logical shift to the right: torch's keeps the sign."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _hashed(words: Tensor) -> Tensor:
    """splitmix64's output function of each word."""
    words = words + _GOLDEN
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)
