# SPDX-License-Identifier: Apache-2.0
"""compare.html: one page that needs nothing else. It looks as engine/report's page does."""

import html
import os
import re

from presentation import REMARKS, SHOWN, against, columns_of, heading, shown
from results import MILLRACE, REFERENCE
from verdicts import number

HERE = os.path.dirname(os.path.abspath(__file__))
REPORT_PAGE = os.path.join(HERE, "..", "..", "engine", "report", "report.html")
MORE_STYLE = """
.verdict td { white-space: normal; text-align: left; }
.verdict td:nth-child(n+2):nth-child(-n+5) { white-space: nowrap; }
.verdict th { text-align: left; }
.verdict td:first-child { min-width: 11rem; }
.verdict td:last-child { min-width: 14rem; }
.note { color: var(--soft); font-size: .85rem; }
.banner { border: 2px solid var(--b); border-radius: .6rem; padding: .75rem 1rem; margin: 1rem 0; }
.banner p, .banner li { color: var(--ink); }
svg text.who { fill: var(--ink); font-size: 13px; }
svg text.value { fill: var(--ink); font-size: 12px; font-variant-numeric: tabular-nums; }
"""
COLOURS = {MILLRACE: "var(--a)", REFERENCE: "var(--soft)"}
PEER_COLOUR = "var(--b)"
KINDS = {"met": "good", "aim reached": "good", "not met": "bad", "failed": "bad"}

WIDTH = 360
ROW = 38
LABEL = 16  # Height of the label above its bar.
ROOM = WIDTH - 80  # For the longest bar: its number stands behind it.


def escape(text):
    return html.escape(str(text), quote=True)


def page_style():
    """The style sheet of engine/report's page, and what this one needs besides."""
    with open(REPORT_PAGE, encoding="utf-8") as text:
        style = re.search(r"<style>(.*?)</style>", text.read(), re.DOTALL)[1]
    return style + MORE_STYLE


def colour_of(who):
    for name, colour in COLOURS.items():
        if who.startswith(name):
            return colour
    return PEER_COLOUR


def bars(title, unit, rows):
    """A chart of horizontal bars: rows of (who, Spread or None, reason of failure)."""
    known = [spread for _, spread, _ in rows if spread is not None]
    if not known:
        return ""
    top_value = max(spread.high for spread in known) or 1

    def width_of(value):
        return max(2, ROOM * value / top_value)

    parts = []
    for i, (who, spread, reason) in enumerate(rows):
        top = i * ROW
        parts.append(f'<text class="who" x="0" y="{top + 12}">{escape(who)}</text>')
        if spread is None:
            parts.append(f'<text x="0" y="{top + LABEL + 13}">{escape((reason or "–")[:48])}</text>')
            continue
        wide = width_of(spread.median)
        parts.append(f'<rect x="0" y="{top + LABEL}" width="{wide:.1f}" height="15" rx="2" '
                     f'fill="{colour_of(who)}"><title>{escape(who)}: {shown(spread)} {unit}</title>'
                     "</rect>")
        low, high, middle = width_of(spread.low), width_of(spread.high), top + LABEL + 7.5
        if high - low > 3:
            parts.append(f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8'
                         f'M{high:.1f} {middle - 4}v8" stroke="var(--ink)" fill="none"/>')
        parts.append(f'<text class="value" x="{max(wide, high) + 6:.1f}" y="{top + LABEL + 12}">'
                     f"{number(spread.median)}</text>")
    return (f"<figure><figcaption>{escape(title)}<small>{escape(unit)}</small></figcaption>"
            f'<svg viewBox="0 0 {WIDTH} {len(rows) * ROW}" role="img" '
            f'aria-label="{escape(title)}">{"".join(parts)}</svg></figure>')


def charts(results, scenario):
    out = []
    for column in columns_of(results, scenario):
        if not column.chart:
            continue
        for cell in results.cells(scenario):
            rows = [(who, results.spread(scenario, cell, who, column.figure),
                     results.failure(scenario, cell, who))
                    for who in results.contestants(scenario, cell)]
            better = "less is better" if column.less_is_better else ""
            unit = ", ".join(filter(None, [column.unit, better]))
            out.append(bars(f"{cell}: {column.title}", unit, rows))
    return f'<div class="charts">{"".join(out)}</div>' if any(out) else ""


def html_table(headings, rows, kind=""):
    """Rows of cells; a cell is text, or (text, class)."""
    def cell(each):
        text, name = each if isinstance(each, tuple) else (each, "")
        return f'<td class="{name}">{escape(text)}</td>' if name else f"<td>{escape(text)}</td>"

    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    body = "".join("<tr>" + "".join(cell(c) for c in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table class="{kind}"><tr>{head}</tr>{body}</table></div>'


def tables(results, scenario):
    columns = columns_of(results, scenario)
    rows = []
    for cell in results.cells(scenario):
        for who in results.contestants(scenario, cell):
            reason = results.failure(scenario, cell, who)
            if reason:
                rows.append([f"{cell}: {who}", (f"failed: {reason}", "bad")]
                            + [""] * len(columns))
                continue
            lead = against(results, scenario, cell, who, columns)
            rows.append([f"{cell}: {who}", *(shown(results.spread(scenario, cell, who, c.figure))
                                            for c in columns), lead])
    return html_table(["", *(heading(c) for c in columns), "ratio"], rows)


def verdicts(lines):
    rows = [(line.figure, (line.verdict, KINDS.get(line.verdict, "")), line.shown(),
             line.bound("must"), line.bound("aim"), (line.note, "note")) for line in lines]
    return html_table(["figure", "", "measured", "must", "aim", ""], rows, "verdict")


def banner(faults):
    if not faults:
        return ""
    items = "".join(f"<li>{escape(fault)}</li>" for fault in faults)
    return f'<div class="banner"><p class="bad">This comparison is not valid</p><ul>{items}</ul></div>'


def to_html(comparison):
    """`comparison` is a main.Comparison."""
    results = comparison.results
    skipped = "".join(f"<p>{escape(name)} takes no part: {escape(why)}</p>"
                      for name, why in comparison.skipped.items())
    sections = []
    for scenario in results.scenarios():
        remark = REMARKS.get(scenario, "")
        sections.append(f"<h2>{escape(SHOWN[scenario][0])}</h2>"
                        + (f"<p>{escape(remark)}</p>" if remark else "")
                        + charts(results, scenario) + tables(results, scenario))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>millrace beside its peers</title>
<style>{page_style()}</style>
</head>
<body>
<h1>millrace beside its peers</h1>
<p>{escape(comparison.machine_line())}</p>
<p>{escape(comparison.method_line())}</p>
{skipped}
{banner(comparison.faults)}
<h2>What must come out</h2>
{verdicts(comparison.lines)}
{"".join(sections)}
</body>
</html>
"""
