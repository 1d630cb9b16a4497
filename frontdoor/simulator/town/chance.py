"""Chance that gives the same on every Python: only `random()` is promised to, so all else is made from it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Chance(Random):
    """A stream of chance with a name, such as ``7:child:41``; streams of other names are independent of it."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """One of them, each as likely."""
        return seq[int(self.random() * len(seq))]

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """A whole number from `start` (0 where only one is given) up to but not `stop`."""
        low, high = (0, start) if stop is None else (start, stop)
        return low + step * int(self.random() * ((high - low + step - 1) // step))

    def happens(self, share: float) -> bool:
        """True in this share of cases."""
        return self.random() < share

    def one_of(self, shares: Mapping[T, float]) -> T:
        """One of them by its weight; weights need not add up to one."""
        names, sums = list(shares), list(accumulate(shares.values()))
        return names[min(bisect_right(sums, self.random() * sums[-1]), len(names) - 1)]

    def count(self, mean: float) -> int:
        """How often something happens that happens so often on average and each time by itself (Poisson)."""
        if mean > 30:
            return self.count(mean / 2) + self.count(mean - mean / 2)
        limit, product, found = math.exp(-mean), self.random(), 0
        while product > limit:
            product *= self.random()
            found += 1
        return found

    def days(self, mean: float) -> int:
        """A time until something that can happen any day alike, in whole days, at least one."""
        return 1 + int(-math.log(1.0 - self.random()) * mean)


def stream(seed: int, *name: Any) -> Chance:
    """The stream of that name."""
    return Chance(":".join(map(str, (seed, *name))))
