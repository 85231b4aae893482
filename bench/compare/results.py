# SPDX-License-Identifier: Apache-2.0
"""What all runs gave, and what is asked of it."""

import statistics_of_runs as stats

REFERENCE = "reference"
MILLRACE = "millrace"


class Results:
    """Runs in the order in which they took place."""

    def __init__(self, runs=()):
        self.runs = list(runs)

    def add(self, scenario, cell, contestant, round_, figures=None, failed=None, foreign=0.0):
        self.runs.append({"scenario": scenario, "cell": cell, "contestant": contestant,
                          "round": round_, "figures": figures or {}, "failed": failed,
                          "foreign_processors": round(foreign, 3)})

    def disturbed(self, limit):
        """Runs beside which others kept more of the processors busy than that."""
        return [run for run in self.runs if run["foreign_processors"] > limit]

    def of(self, scenario, cell, contestant):
        return [r for r in self.runs if r["scenario"] == scenario and r["cell"] == cell
                and r["contestant"] == contestant]

    def spread(self, scenario, cell, contestant, figure):
        """None when there is no such figure, or when a run failed: a failed run is no number,
        and the median of those that were left would flatter."""
        runs = self.of(scenario, cell, contestant)
        if any(run["failed"] for run in runs):
            return None
        return stats.spread([run["figures"].get(figure) for run in runs])

    def median(self, scenario, cell, contestant, figure):
        found = self.spread(scenario, cell, contestant, figure)
        return None if found is None else found.median

    def failure(self, scenario, cell, contestant):
        """Why there is no figure: the first reason and how many runs failed; None if none did."""
        runs = self.of(scenario, cell, contestant)
        reasons = [run["failed"] for run in runs if run["failed"]]
        if not reasons:
            return None
        share = f" ({len(reasons)} of {len(runs)} runs)" if len(runs) > 1 else ""
        return reasons[0] + share

    def scenarios(self):
        return list(dict.fromkeys(run["scenario"] for run in self.runs))

    def cells(self, scenario):
        return list(dict.fromkeys(r["cell"] for r in self.runs if r["scenario"] == scenario))

    def contestants(self, scenario, cell=None):
        return list(dict.fromkeys(r["contestant"] for r in self.runs if r["scenario"] == scenario
                                  and cell in (None, r["cell"])))

    def peers(self):
        return [who for who in dict.fromkeys(run["contestant"] for run in self.runs)
                if who != REFERENCE and not who.startswith(MILLRACE)]

    def best_peer(self, scenario, cell, figure, least=False):
        """(name, median) of the best peer; None when no peer has the figure."""
        known = [(who, self.median(scenario, cell, who, figure)) for who in self.peers()]
        known = [each for each in known if each[1] is not None]
        if not known:
            return None
        return (min if least else max)(known, key=lambda each: each[1])

    def reference_goodput(self):
        """Median of all runs of the raw reference, which carries no modes."""
        values = [run["figures"].get("goodput_mbps") for run in self.runs
                  if run["scenario"] == "bulk" and run["contestant"] == REFERENCE
                  and not run["failed"]]
        return stats.spread(values)

    def ratios(self, scenario, ours, theirs, figure):
        """Spread of ours / theirs, round by round; each is (cell, contestant).

        The machine's speed drifts: what was measured in one round, one after the other, can be
        compared better than two medians. None when a run of either failed.
        """
        if self.failure(scenario, *ours) or self.failure(scenario, *theirs):
            return None
        other = {run["round"]: run["figures"].get(figure) for run in self.of(scenario, *theirs)}
        return stats.spread([stats.ratio(run["figures"].get(figure), other.get(run["round"]))
                             for run in self.of(scenario, *ours)])

    def against_reference(self, scenario, cell, figure):
        """Spread of millrace / reference."""
        return self.ratios(scenario, (cell, MILLRACE), (cell, REFERENCE), figure)

    def against_best_peer(self, scenario, cell, figure, least=False, who=MILLRACE):
        """(peer, Spread of ours / its), of the peer with the best median; None without one."""
        best = self.best_peer(scenario, cell, figure, least)
        found = best and self.ratios(scenario, (cell, who), (cell, best[0]), figure)
        return (best[0], found) if found else None

    def summary(self):
        """Every figure of every contestant, as JSON."""
        out = {}
        for scenario in self.scenarios():
            for cell in self.cells(scenario):
                row = out.setdefault(scenario, {}).setdefault(cell, {})
                for who in self.contestants(scenario, cell):
                    reason = self.failure(scenario, cell, who)
                    if reason:
                        row[who] = {"failed": reason}
                        continue
                    figures = dict.fromkeys(name for run in self.of(scenario, cell, who)
                                            for name in run["figures"])
                    spreads = {name: self.spread(scenario, cell, who, name) for name in figures}
                    row[who] = {name: found.as_json() for name, found in spreads.items() if found}
        return out
