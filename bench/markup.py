# SPDX-License-Identifier: Apache-2.0
"""Markdown, as far as the report needs it."""


def table(titles, rows):
    out = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join(out + ["| " + " | ".join(row) + " |" for row in rows])


def at_most(value, bound, unit):
    """The goal's cell: "≤ 5 ns met"."""
    return "≤ %g %s %s" % (bound, unit, "met" if value <= bound else "**missed**")
