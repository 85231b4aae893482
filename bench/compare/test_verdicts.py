# SPDX-License-Identifier: Apache-2.0
import types
import unittest

import scenarios
import verdicts
from contestants import Load
from results import Results
from verdicts import Line, Table, number, peer_faults

RO = verdicts.RELIABLE_ORDERED
EXPECTED = {
    "machine": {"reference_goodput_mbps": 40000},
    "peers": {"pion": [{"scenario": "bulk", "cell": RO, "figure": "goodput_mbps", "value": 500}],
              "libdatachannel": [{"scenario": "ping-pong", "cell": "block", "figure": "p50_us",
                                  "value": 160, "less_is_better": True}]},
}


def bulk(results, who, *values, cell=RO, lost=0):
    for round_, value in enumerate(values, 1):
        results.add("bulk", cell, who, round_, {"goodput_mbps": value, "lost_messages": lost})


def line_of(results, beginning):
    found = [line for line in Table(results).lines() if line.figure.startswith(beginning)]
    assert len(found) == 1, beginning
    return found[0]


class Lines(unittest.TestCase):
    def test_bounds_from_below(self):
        for value, verdict in ((0.29, "not met"), (0.30, "met"), (0.44, "met"),
                               (0.45, "aim reached")):
            self.assertEqual(Line("x", value, must=0.30, aim=0.45).verdict, verdict)

    def test_bounds_from_above(self):
        for value, verdict in ((2.01, "not met"), (2, "met"), (1.5, "aim reached")):
            self.assertEqual(Line("x", value, must=2, aim=1.5, at_least=False).verdict, verdict)

    def test_what_is_compared_is_what_is_shown(self):
        self.assertEqual(Line("x", 2.003, must=2, at_least=False).verdict, "met")
        self.assertEqual(Line("x", 2.006, must=2, at_least=False).verdict, "not met")

    def test_a_bound_of_nothing_is_met_by_nothing_alone(self):
        self.assertEqual(Line("x", 0, must=0, at_least=False).verdict, "met")
        self.assertEqual(Line("x", 1, must=0, at_least=False).verdict, "not met")

    def test_what_was_not_measured_is_no_fault_and_what_failed_is(self):
        self.assertFalse(Line("x", None, must=1).is_fault)
        self.assertTrue(Line("x", None, must=1, note="failed: it did not start").is_fault)

    def test_a_figure_without_a_bound_is_reported(self):
        self.assertEqual(Line("x", 7).verdict, "reported")
        self.assertEqual(Line("x", 7).bound("must"), "report")

    def test_a_storm_stands_beside_what_the_machine_takes_from_plain_sockets(self):
        results, cell = Results(), "echo at 1,000/s, 300 handshakes a second"
        results.add("handshake storm", cell, "millrace", 1, {"p99.9_us": 900})
        beginning = "spin: p99.9 of an echo"
        self.assertEqual(line_of(results, beginning).note, "")
        results.add("handshake storm", cell, "reference", 1, {"p99.9_us": 400})
        line = line_of(results, beginning)
        self.assertEqual((line.verdict, line.value), ("met", 0.9))
        self.assertEqual(line.note, "plain sockets without a handshake: 0.40 ms")

    def test_numbers_have_three_digits_that_count(self):
        for value, text in ((0, "0"), (0.0123, "0.012"), (0.305, "0.30"), (12.34, "12.3"),
                            (123.4, "123"), (3_000_000, "3,000,000"), (None, "–")):
            self.assertEqual(number(value), text)


class OverDpdk(unittest.TestCase):
    def test_both_bounds_of_goodput_are_ratios_of_the_same_run(self):
        results = Results()
        bulk(results, "millrace", 12_000, 13_000)
        bulk(results, verdicts.KERNEL, 10_000, 10_000)
        bulk(results, verdicts.REFERENCE, 100_000, 100_000)
        lines = {line.figure: line for line in Table(results).lines_over_dpdk()}
        frames = lines["reliable ordered, 16 KiB, goodput against bare frames"]
        kernel = lines["reliable ordered, 16 KiB, goodput against the engine over the kernel"]
        self.assertEqual((frames.verdict, kernel.verdict), ("met", "met"))
        self.assertAlmostEqual(kernel.value, 1.25)
        self.assertNotIn("raw UDP", kernel.note)

    def test_what_the_device_has_ahead_of_the_kernel_is_told_of(self):
        results = Results()
        bulk(results, "millrace", 9_000)
        bulk(results, verdicts.KERNEL, 10_000)
        bulk(results, verdicts.REFERENCE, 45_000)
        bulk(results, verdicts.RAW_UDP, 50_000)
        line = [one for one in Table(results).lines_over_dpdk() if "over the kernel" in one.figure][0]
        self.assertIn("bare frames are 0.90 × raw UDP", line.note)

    def test_a_slower_path_than_the_kernels_is_a_fault(self):
        results = Results()
        bulk(results, "millrace", 11_000)
        bulk(results, verdicts.KERNEL, 10_000)
        line = [one for one in Table(results).lines_over_dpdk() if "over the kernel" in one.figure][0]
        self.assertTrue(line.is_fault)


class TheTable(unittest.TestCase):
    def test_goodput_is_set_against_the_reference_of_the_same_run(self):
        results = Results()
        bulk(results, "reference", 44000, 22000, 40000)  # The machine slows down for a while.
        bulk(results, "millrace", 14000, 7000, 14000)
        line = line_of(results, "reliable ordered, 16 KiB, goodput")
        self.assertAlmostEqual(line.value, 14 / 44)
        self.assertEqual(line.verdict, "met")

    def test_the_best_peer_counts(self):
        results = Results()
        bulk(results, "millrace", 9000)
        bulk(results, "pion", 400)
        bulk(results, "libdatachannel", 600)
        line = line_of(results, "same against the best peer")
        self.assertAlmostEqual(line.value, 15)
        self.assertIn("libdatachannel", line.note)

    def test_a_peer_with_a_failed_run_has_no_figure(self):
        results = Results()
        bulk(results, "millrace", 9000)
        bulk(results, "pion", 400)
        bulk(results, "libdatachannel", 600)
        results.add("bulk", RO, "libdatachannel", 2, failed="3 lost")
        self.assertAlmostEqual(line_of(results, "same against the best peer").value, 22.5)
        self.assertEqual(results.failure("bulk", RO, "libdatachannel"), "3 lost (1 of 2 runs)")

    def test_a_millrace_run_that_failed_is_a_fault(self):
        results = Results()
        bulk(results, "reference", 38000)
        results.add("bulk", RO, "millrace", 1, failed="5 lost")
        line = line_of(results, "reliable ordered, 16 KiB, goodput")
        self.assertEqual(line.verdict, "failed")
        self.assertTrue(line.is_fault)

    def test_one_lost_message_in_one_round_is_loss(self):
        results = Results()
        cell = "unreliable ordered, 1 KiB"
        bulk(results, "millrace", 5000, 5000, cell=cell)
        bulk(results, "millrace", 5000, cell=cell, lost=1)
        self.assertEqual(line_of(results, "loss on a clean").verdict, "not met")

    def test_the_worst_of_the_other_modes_counts(self):
        results = Results()
        for cell, ratio in zip(verdicts.OTHER_MODES, (1.2, 0.99, 1.1)):
            results.add("bulk", cell, "millrace", 1, {"against_reliable_ordered": ratio})
        line = line_of(results, "the least of the other")
        self.assertAlmostEqual(line.value, 0.99)
        self.assertEqual(line.verdict, "not met")

    def test_what_is_compared_is_what_is_shown(self):
        for value, shown, verdict in ((0.996, "1.00 ×", "met"), (0.994, "0.99 ×", "not met")):
            line = Line("a", value, " ×", 1.0)
            self.assertEqual((line.shown(), line.verdict), (shown, verdict))
        self.assertEqual(Line("a", 2_999_999.6, "", 3e6).verdict, "met")
        self.assertEqual(Line("a", 2_999_999.4, "", 3e6).verdict, "not met")

    def test_a_mode_that_failed_is_told(self):
        results = Results()
        for cell in verdicts.OTHER_MODES[:2]:
            results.add("bulk", cell, "millrace", 1, {"against_reliable_ordered": 1.1})
        results.add("bulk", verdicts.OTHER_MODES[2], "millrace", 1, failed="5 lost")
        self.assertEqual(line_of(results, "the least of the other").verdict, "failed")

    def test_a_mode_is_held_against_the_runs_around_it(self):
        # A machine that slows down, and has one bad moment: plain, mode; mode, plain; ...
        speeds = iter((1000, 1000, 900, 900, 800, 100, 700, 700))

        def outcome(speed):
            return types.SimpleNamespace(
                report={"goodput_mbps": speed, "messages_per_second": 1,
                        "delivered": {"messages": 1}, "config": {"warmup": 0, "duration": 1},
                        "faults": {"lost": int(speed == 100)}},
                server_stats={}, both_cores=lambda: 1, cores=lambda side: 1)

        measuring = types.SimpleNamespace(load=lambda who, load: outcome(next(speeds)))
        load = Load("upload", 16384, reliable=False, ordered=False)
        figures = scenarios.beside_reliable_ordered(measuring, None, load, 4)
        self.assertAlmostEqual(figures["against_reliable_ordered"], 1.0)
        self.assertEqual(figures["goodput_mbps"], 800)
        self.assertEqual(figures["lost_messages"], 1)

    def test_a_table_of_nothing_has_every_line_and_no_fault(self):
        lines = list(Table(Results()).lines())
        self.assertEqual(len(lines), 21)
        self.assertEqual({line.verdict for line in lines}, {"not measured"})

    def test_set_up_is_judged_by_its_dearest_side(self):
        results = Results()
        for cell, client, server in (("sequential", 1.5, 1.7), ("64 in flight", 1.4, 2.1)):
            results.add("set-up", cell, "millrace", 1,
                        {"client_times_bare": client, "server_times_bare": server,
                         "client_us_per_connection": 300, "server_us_per_connection": 300})
        line = line_of(results, "set-up: CPU")
        self.assertAlmostEqual(line.value, 2.1)
        self.assertEqual(line.verdict, "not met")

    def test_set_up_of_which_a_half_failed_is_not_judged_by_the_other(self):
        for bad, good in (("sequential", "64 in flight"), ("64 in flight", "sequential")):
            results = Results()
            results.add("set-up", good, "millrace", 1,
                        {"client_times_bare": 1.5, "server_times_bare": 1.4,
                         "client_us_per_connection": 300, "server_us_per_connection": 300})
            results.add("set-up", bad, "millrace", 1, failed="12 of 256 opened")
            line = line_of(results, "set-up: CPU")
            self.assertEqual(line.verdict, "failed")
            self.assertTrue(line.is_fault)
            self.assertIn("12 of 256", line.note)


class Validity(unittest.TestCase):
    def test_a_peer_under_its_figure_makes_it_invalid(self):
        results = Results()
        bulk(results, "reference", 40000)
        bulk(results, "pion", 399)
        self.assertEqual(len(peer_faults(results, EXPECTED, ["pion"])), 1)

    def test_a_peer_near_its_figure_does_not(self):
        results = Results()
        bulk(results, "reference", 40000)
        bulk(results, "pion", 401)
        self.assertEqual(peer_faults(results, EXPECTED, ["pion"]), [])

    def test_a_slower_machine_is_no_fault_of_the_peer(self):
        results = Results()
        bulk(results, "reference", 20000)
        bulk(results, "pion", 250)
        self.assertEqual(peer_faults(results, EXPECTED, ["pion"]), [])

    def test_a_faster_machine_asks_no_more(self):
        results = Results()
        bulk(results, "reference", 90000)
        bulk(results, "pion", 450)
        self.assertEqual(peer_faults(results, EXPECTED, ["pion"]), [])

    def test_a_failed_peer_makes_it_invalid_and_an_absent_one_does_not(self):
        results = Results()
        bulk(results, "reference", 40000)
        results.add("bulk", RO, "pion", 1, failed="it did not end in time")
        self.assertEqual(len(peer_faults(results, EXPECTED, ["pion"])), 1)
        self.assertEqual(peer_faults(results, EXPECTED, []), [])

    def test_a_machine_that_is_not_quiet_makes_it_invalid(self):
        results = Results()
        results.add("bulk", RO, "millrace", 1, {"goodput_mbps": 1}, foreign=0.04)
        self.assertEqual(verdicts.disturbances(results, 0.15), [])
        results.add("bulk", RO, "millrace", 2, {"goodput_mbps": 1}, foreign=0.8)
        self.assertIn("1 of 2 runs", verdicts.disturbances(results, 0.15)[0])

    def test_latency_is_bounded_from_above(self):
        results = Results()
        for p50, count in ((199, 0), (201, 1)):
            results.runs.clear()
            results.add("ping-pong", "block", "libdatachannel", 1, {"p50_us": p50})
            self.assertEqual(len(peer_faults(results, EXPECTED, ["libdatachannel"])), count)


if __name__ == "__main__":
    unittest.main()
