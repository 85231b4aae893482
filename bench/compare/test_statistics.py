# SPDX-License-Identifier: Apache-2.0
import unittest

import statistics_of_runs as stats


def growth(begin, end, step, rate):
    return [(begin + i * step, i * step * rate) for i in range(int((end - begin) / step) + 1)]


class MedianAndSpread(unittest.TestCase):
    def test_median_of_odd_and_even_counts(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)

    def test_spread_keeps_least_and_greatest(self):
        found = stats.spread([5, 1, 9])
        self.assertEqual((found.low, found.median, found.high), (1, 5, 9))

    def test_spread_leaves_out_what_is_no_number(self):
        self.assertEqual(stats.spread([None, 2.0, float("nan"), float("inf")]).values, (2.0,))
        self.assertIsNone(stats.spread([None]))
        self.assertIsNone(stats.spread([]))

    def test_ratio_of_what_is_missing_is_missing(self):
        self.assertEqual(stats.ratio(6, 3), 2)
        self.assertIsNone(stats.ratio(None, 3))
        self.assertIsNone(stats.ratio(3, None))
        self.assertIsNone(stats.ratio(3, 0))


class Samples(unittest.TestCase):
    def test_value_between_two_samples_lies_on_their_line(self):
        self.assertAlmostEqual(stats.value_at([(0, 0), (2, 4)], 0.5), 1)

    def test_value_outside_is_that_of_the_end(self):
        self.assertEqual(stats.value_at([(1, 5), (2, 6)], 0), 5)
        self.assertEqual(stats.value_at([(1, 5), (2, 6)], 9), 6)

    def test_slope_is_growth_a_second(self):
        self.assertAlmostEqual(stats.slope(growth(0, 10, 0.1, 0.7), 2, 8), 0.7)

    def test_slope_of_too_few_samples_is_unknown(self):
        self.assertIsNone(stats.slope([(0, 0), (5, 1)], 1, 2))
        self.assertIsNone(stats.slope(growth(0, 1, 0.1, 1), 0.5, 0.5))

    def test_certain_window_leaves_set_up_and_end_out(self):
        # 0.4 s of set-up and end somewhere around 1 s of warm-up and 3 s measured.
        begin, end = stats.certain_window(100, 104.4, 1, 3)
        self.assertAlmostEqual(begin, 101.4)
        self.assertAlmostEqual(end, 104)

    def test_certain_window_of_a_slow_set_up_is_none(self):
        self.assertIsNone(stats.certain_window(0, 10, 1, 3))

    def test_plateau_is_where_growth_is_least(self):
        busy = growth(0, 3, 0.1, 1.0)
        still = [(3.1 + i * 0.1, 3.0) for i in range(20)]
        ending = [(5.1 + i * 0.1, 3.0 + i * 0.1) for i in range(10)]
        at = stats.plateau(busy + still + ending, 1)
        self.assertAlmostEqual(at, 3.1, delta=0.11)

    def test_plateau_longer_than_the_samples_is_none(self):
        self.assertIsNone(stats.plateau(growth(0, 1, 0.1, 1), 2))


class HighestSustained(unittest.TestCase):
    def test_finds_the_edge(self):
        found = stats.highest_sustained(lambda rate: rate <= 700, 100, 1300, 12)
        self.assertAlmostEqual(found, 700, delta=2)

    def test_is_0_when_nothing_is_sustained(self):
        self.assertEqual(stats.highest_sustained(lambda rate: False, 100, 1300, 6), 0)

    def test_never_returns_a_rate_that_failed(self):
        tried = {}

        def attempt(rate):
            tried[rate] = rate < 300
            return tried[rate]

        self.assertTrue(tried.get(stats.highest_sustained(attempt, 10, 1000, 7)))


if __name__ == "__main__":
    unittest.main()
