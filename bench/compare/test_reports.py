# SPDX-License-Identifier: Apache-2.0
import html.parser
import json
import os
import unittest

import main
import report_html
import report_markdown
import scenarios
from measuring import fault_of
from presentation import SHOWN
from results import Results
from verdicts import RELIABLE_ORDERED

HERE = os.path.dirname(os.path.abspath(__file__))
VOID = {"meta", "path", "rect"}


class Balance(html.parser.HTMLParser):
    """Notes elements that do not close, and what a page would fetch."""

    def __init__(self, page):
        super().__init__()
        self.open, self.faults, self.fetches = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID or tag == "rect":
            self.open.append(tag)
        self.fetches += [value for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def comparison_of(results, stopped=False):
    made = main.Comparison(results, {"cpu": "a <cpu>", "cpus": 2, "kernel": "Linux 6", "time": "t"},
                           {"quick": False, "rounds": 3, "io": "auto", "only": []},
                           {"webrtc-rs": "no cargo"}, stopped)
    with open(os.path.join(HERE, "expected.json"), encoding="utf-8") as text:
        made.conclude(json.load(text), ["pion"])
    return made


def filled():
    results = Results()
    for round_ in (1, 2, 3):
        results.add("bulk", RELIABLE_ORDERED, "reference", round_, {"goodput_mbps": 38000 + round_})
        results.add("bulk", RELIABLE_ORDERED, "millrace", round_,
                    {"goodput_mbps": 9876 + round_, "gbit_per_cpu_second": 5.5})
        results.add("bulk", RELIABLE_ORDERED, "pion", round_, {"goodput_mbps": 123.4 + round_})
    results.add("bulk", RELIABLE_ORDERED, "libdatachannel", 1, {"goodput_mbps": 777})
    results.add("bulk", RELIABLE_ORDERED, "libdatachannel", 2, failed="12 <lost>")
    return results


class Reports(unittest.TestCase):
    def setUp(self):
        self.comparison = comparison_of(filled())
        self.page = report_html.to_html(self.comparison)
        self.text = report_markdown.to_markdown(self.comparison)

    def test_a_failed_run_is_never_shown_as_a_number(self):
        for report in (self.page, self.text):
            self.assertNotIn("777", report)
            self.assertIn("failed: 12", report)

    def test_an_invalid_comparison_says_so_before_any_figure(self):
        for report in (self.page, self.text):
            self.assertIn("not valid", report)
            self.assertLess(report.index("not valid"), report.index("What must come out"))

    def test_an_invalid_comparison_exits_4(self):
        self.assertEqual(main.exit_code(self.comparison), main.EXIT_INVALID)

    def test_one_that_was_stopped_says_so_and_is_never_taken_for_a_whole(self):
        stopped = comparison_of(Results(), stopped=True)
        self.assertEqual(main.exit_code(stopped), main.EXIT_STOPPED)
        self.assertFalse(stopped.as_json()["valid"])
        for report in (report_html.to_html(stopped), report_markdown.to_markdown(stopped)):
            self.assertIn("stopped before all was measured", report)

    def test_what_contestants_were_told_to_do_is_no_ratio(self):
        results = Results()
        for who, count, memory in (("millrace", 10_000, 11), ("pion", 200, 110)):
            results.add("idle", "idle connections", who, 1,
                        {"connections": count, "kib_per_connection": memory})
        text = report_markdown.to_markdown(comparison_of(results))
        self.assertIn("10.0 × pion", text)
        self.assertNotIn("50.0 × pion", text)

    def test_the_page_is_well_formed_and_fetches_nothing(self):
        balance = Balance(self.page)
        self.assertEqual((balance.faults, balance.open, balance.fetches), ([], [], []))
        self.assertNotIn("a <cpu>", self.page)
        self.assertIn("prefers-color-scheme: dark", self.page)
        self.assertIn('name="viewport"', self.page)

    def test_a_peer_that_takes_no_part_is_named(self):
        for report in (self.page, self.text):
            self.assertIn("no cargo", report)

    def test_every_line_of_the_table_is_in_both(self):
        for line in self.comparison.lines:
            self.assertIn(line.figure, self.text)
            self.assertIn(report_html.escape(line.figure), self.page)

    def test_json_has_the_runs_and_the_verdicts(self):
        data = json.loads(json.dumps(self.comparison.as_json()))
        self.assertFalse(data["valid"])
        self.assertEqual(len(data["runs"]), 11)
        self.assertEqual(data["summary"]["bulk"][RELIABLE_ORDERED]["millrace"]["goodput_mbps"]["median"],
                         9878)
        self.assertIn("failed", data["summary"]["bulk"][RELIABLE_ORDERED]["libdatachannel"])


class Plans(unittest.TestCase):
    def cells(self, quick):
        class Someone:
            kind, name = "peer", "pion"
        plan = main.Plan(quick=quick, rounds=3, reference=(main.Reference(),), millrace=(Someone(),),
                         large_datagrams=(Someone(),), peers=(Someone(),))
        return [cell for make in scenarios.SCENARIOS.values() for cell in make(plan)]

    def test_every_scenario_has_a_place_in_the_reports(self):
        for quick in (False, True):
            self.assertEqual({cell.scenario for cell in self.cells(quick)}, set(SHOWN))

    def test_bulk_has_four_modes_and_three_sizes(self):
        self.assertEqual(sum(cell.scenario == "bulk" for cell in self.cells(False)), 12)

    def test_what_is_expected_of_peers_is_measured(self):
        with open(os.path.join(HERE, "expected.json"), encoding="utf-8") as text:
            expected = json.load(text)
        for quick in (False, True):
            known = {(cell.scenario, cell.key) for cell in self.cells(quick)}
            for wanted in expected["peers"].values():
                for each in wanted:
                    self.assertIn((each["scenario"], each["cell"]), known)


class Faults(unittest.TestCase):
    def report(self, **changes):
        return {"connections": {"requested": 2, "opened": 2, "dropped": 0}, "good": True,
                "faults": {"lost": 0}, "errors": [], "config": {"pattern": "echo"},
                "delivered": {"messages": 5}, **changes}

    def test_a_good_report_has_none(self):
        self.assertIsNone(fault_of(self.report()))

    def test_each_fault_is_seen(self):
        for change in ({"connections": {"requested": 2, "opened": 1, "dropped": 0}},
                       {"connections": {"requested": 2, "opened": 2, "dropped": 1}},
                       {"good": False, "faults": {"lost": 3}}, {"delivered": {"messages": 0}}):
            self.assertTrue(fault_of(self.report(**change)), change)

    def test_idle_connections_deliver_nothing(self):
        self.assertIsNone(fault_of(self.report(config={"pattern": "idle"},
                                               delivered={"messages": 0})))


if __name__ == "__main__":
    unittest.main()
