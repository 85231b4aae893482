# SPDX-License-Identifier: Apache-2.0
"""Medians and spreads of what was measured, and the CPU time of a stretch of a run."""

import bisect
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of a figure over rounds, and its least and greatest value."""
    median: float
    low: float
    high: float
    values: tuple

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high,
                "values": list(self.values)}


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def spread(values):
    """Spread of the values that are numbers; None when there is none."""
    known = tuple(v for v in values if v is not None and math.isfinite(v))
    if not known:
        return None
    return Spread(median(known), min(known), max(known), known)


def ratio(ours, theirs):
    """ours / theirs; None where one is missing or nothing can be divided by it."""
    if ours is None or theirs is None or theirs == 0:
        return None
    return ours / theirs


def value_at(samples, when):
    """A growing quantity at a moment, from samples [(time, value)] in order of time."""
    times = [t for t, _ in samples]
    right = bisect.bisect_left(times, when)
    if right == 0:
        return samples[0][1]
    if right == len(samples):
        return samples[-1][1]
    (t0, v0), (t1, v1) = samples[right - 1], samples[right]
    return v0 if t1 == t0 else v0 + (v1 - v0) * (when - t0) / (t1 - t0)


def slope(samples, begin, end):
    """Growth a second between two moments; None when the samples do not reach so far."""
    inside = [s for s in samples if begin <= s[0] <= end]
    if end <= begin or len(inside) < 2:
        return None
    return (value_at(samples, end) - value_at(samples, begin)) / (end - begin)


def certain_window(start, end, warmup, duration):
    """The part of a run that is measured traffic wherever its set-up and its end lie.

    A run from `start` to `end` has warm-up and measured time in one piece, with set-up
    before and an end after it. None when less than a third of it is certain.
    """
    slack = (end - start) - warmup - duration
    begin, finish = start + max(slack, 0) + warmup, start + warmup + duration
    if finish - begin < duration / 3:
        return None
    return begin, finish


def plateau(samples, length):
    """When the stretch of `length` seconds begins in which the quantity grows least."""
    best = None
    for at, value in samples:
        if at + length > samples[-1][0]:
            break
        growth = value_at(samples, at + length) - value
        if best is None or growth < best[0] - 1e-9:
            best = (growth, at)
    return None if best is None else best[1]


def highest_sustained(attempt, low, high, steps):
    """The highest rate for which `attempt(rate)` holds, by bisection of its logarithm; 0 when
    none does."""
    best = 0
    for _ in range(steps):
        rate = math.sqrt(low * high)
        if attempt(rate):
            best, low = rate, rate
        else:
            high = rate
    return best
