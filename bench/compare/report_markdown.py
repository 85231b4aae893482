# SPDX-License-Identifier: Apache-2.0
"""compare.md: the verdicts and every table."""

from presentation import REMARKS, SHOWN, against, columns_of, heading, shown


def table(headings, rows):
    out = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    out += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(out)


def verdict_rows(lines):
    return [(line.figure, f"**{line.verdict}**" if line.is_fault else line.verdict, line.shown(),
             line.bound("must"), line.bound("aim"), line.note) for line in lines]


def scenario_section(results, scenario):
    out = [f"## {SHOWN[scenario][0]}", ""]
    if scenario in REMARKS:
        out += [REMARKS[scenario], ""]
    for cell in results.cells(scenario):
        columns = columns_of(results, scenario, cell)
        rows = []
        for who in results.contestants(scenario, cell):
            reason = results.failure(scenario, cell, who)
            if reason:
                rows.append([who, f"failed: {reason}"] + [""] * len(columns))
                continue
            lead = against(results, scenario, cell, who, columns)
            rows.append([who, *(shown(results.spread(scenario, cell, who, c.figure))
                                for c in columns), lead])
        out += [f"**{cell}**", "", table(["", *(heading(c) for c in columns), "ratio"], rows), ""]
    return "\n".join(out)


def to_markdown(comparison):
    """`comparison` is a main.Comparison."""
    results = comparison.results
    out = ["# millrace beside its peers", "", comparison.machine_line(), "",
           comparison.method_line(), ""]
    if comparison.faults:
        out += ["> **This comparison is not valid:**", ">"]
        out += [f"> - {fault}" for fault in comparison.faults] + [""]
    if comparison.skipped:
        out += ["Not taking part: " + "; ".join(f"{name} ({why})" for name, why
                                                in comparison.skipped.items()) + ".", ""]
    out += ["## What must come out", "",
            table(["figure", "", "measured", "must", "aim", ""],
                  verdict_rows(comparison.lines)), ""]
    out += [scenario_section(results, scenario) for scenario in results.scenarios()]
    return "\n".join(out).rstrip() + "\n"
