# SPDX-License-Identifier: Apache-2.0
"""The results as text: a line while it runs, a Markdown table at the end."""
import datetime
import os
import platform
from fractions import Fraction

import report_runtime
from markup import table


def one_line(case, by):
    parts = ["%s %.3f ms" % (label, r["p50"]) for label, r in by.items()]
    busy = max(r["foreign"] for r in by.values())
    return "%-44s %7d hits  %s%s" % (case.name, by["Quidditch"]["hits"], ", ".join(parts),
                                     "  (other work took %.0f %% of the machine)" % (100 * busy) if busy > 0.12 else "")


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    memory = int(open("/proc/meminfo", encoding="ascii").readline().split()[1]) / 2**20
    return "%d cores of %s, %.0f GB of memory, Linux %s" % (os.cpu_count(), model, memory, platform.release())


def as_ratio(ours, theirs):
    """Ours as a share of theirs: "1/4.2" when we take less, "1.3" when we take more."""
    return "1/%.1f" % (theirs / ours) if ours <= theirs else "%.2f" % (ours / theirs)


def verdict(ours, theirs, goal):
    if not goal:
        return "–"
    return "%s %s" % (goal, "met" if ours <= theirs * float(Fraction(goal)) else "**missed**")


def added_ns(results, case, label, docs):
    """The cost per document that the function adds to the same query without it."""
    base = results["cases"].get(case.base, {}).get("by")
    if not base:
        return ""
    plain = base["Quidditch" if label == "Quidditch" else "OpenSearch"]["p50"]
    visited = docs if case.all_documents else base["Quidditch"]["hits"]
    return "%.1f" % ((results["cases"][case.name]["by"][label]["p50"] - plain) * 1e6 / max(1, visited))


def added_cell(added, case):
    if not added or not case.added_goal:
        return added
    return "%s (≤ %g %s)" % (added, case.added_goal, "met" if float(added) <= case.added_goal else "**missed**")


def case_rows(results):
    for entry in results["cases"].values():
        case, by = entry["case"], entry["by"]
        ours = by["Quidditch"]
        ours_added = added_ns(results, case, "Quidditch", results["docs"])
        peers = [(label, r) for label, r in by.items() if label != "Quidditch"] or [("", None)]
        for label, theirs in peers:
            yield [case.name + (", against " + label.split(" ", 1)[1] if " " in label else ""), "%d" % ours["hits"],
                   "%.3f" % theirs["p50"] if theirs else "–", "%.3f" % ours["p50"],
                   as_ratio(ours["p50"], theirs["p50"]) if theirs else "–",
                   verdict(ours["p50"], theirs["p50"], case.goal) if theirs else case.goal,
                   added_ns(results, case, label, results["docs"]) if theirs else "",
                   added_cell(ours_added, case),
                   "%.3f / %.3f" % (ours["p90"], ours["p99"])]


def other_rows(results):
    """[what, theirs, ours, ratio, goal]"""
    names = list(results["versions"])
    theirs, ours = ("OpenSearch" if "OpenSearch" in names else None), "Quidditch"

    def row(what, of, fmt, goal, more_is_better=False):
        a, b = of(ours), of(theirs) if theirs else None
        if b is None:
            return [what, "–", fmt % a, "–", goal]
        x, y = (b, a) if more_is_better else (a, b)
        ratio = "%.1f×" % (a / b) if more_is_better else as_ratio(a, b)
        bound = float(Fraction(goal.strip("×"))) if goal else None
        met = "" if not goal else (a >= bound * b if more_is_better else x <= y * bound)
        return [what, fmt % b, fmt % a, ratio, goal and "%s %s" % (goal, "met" if met else "**missed**")]

    yield row("bulk load, documents/s, first", lambda n: results["loads"][n][0], "%.0f", "4×", True)
    yield row("bulk load, documents/s, best of %d" % len(results["loads"][ours]), lambda n: max(results["loads"][n]),
              "%.0f", "4×", True)
    yield row("start to ready, s", lambda n: results["start_s"][n], "%.3f", "")
    yield row("memory after the loads, MB", lambda n: results["resident_mb"][n], "%.0f", "1/5")
    yield row("memory at the end, MB", lambda n: results["resident_end_mb"][n], "%.0f", "1/5")
    yield row("index on disk, MB", lambda n: results["index"][n]["store_mb"], "%.1f", "")
    yield row("segments searched", lambda n: results["index"][n]["segments"], "%d", "")


def markdown(results, options):
    titles = ["case", "hits", "OpenSearch p50, ms", "Quidditch p50, ms", "ratio", "goal", "OpenSearch added ns/doc",
              "Quidditch added ns/doc", "Quidditch p90 / p99, ms"]
    versions = ", ".join("%s %s" % item for item in results["versions"].items())
    busy = max([r["foreign"] for e in results["cases"].values() for r in e["by"].values()] or [0])
    parts = [
        "# Benchmark",
        "Made by `bench/run` on %s, on %s.\n%s. %d documents; per case %d passes of %d requests each, the servers in "
        "turn, one request at a time over one connection; times are the client's (Python). %sOther work took at "
        "most %.0f %% of the machine during a pass." % (
            datetime.date.today().isoformat(), machine(), versions, results["docs"], options.passes, options.runs,
            "" if options.no_peer else "Both gave the same totals, scores and top hits. ", 100 * busy),
        table(titles, list(case_rows(results))),
        "“Added” is the difference to the same query without the function, per document that the function saw. "
        "“Ratio” is our time as a share of theirs.",
        table(["what", "OpenSearch", "Quidditch", "ratio", "goal"], list(other_rows(results)))]
    parts += report_runtime.sections(results)
    return "\n\n".join(parts) + "\n"
