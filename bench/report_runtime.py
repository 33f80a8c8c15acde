# SPDX-License-Identifier: Apache-2.0
"""What the report says of the function runtime itself: each row one figure and its goal."""
from markup import at_most, table
from measure import median, percentile


def deploy_rows(d):
    """[what, measured, goal]"""
    upload = "upload of a %.1f KB function to the answer of its first search" % (d["bytes"] / 1000)
    for how, label, goal in (("new", upload, 10),
                             ("again", "the same for bytes that are registered, under another version", 2),
                             ("recalled", "the same when their code is in the native cache on disk only", 2)):
        whole = [register + search for register, search in d[how]]
        yield [label + ", ms, p50",
               "%.2f (p90 %.2f; registering %.2f, the search %.2f)" % (
                   median(whole), percentile(whole, 0.9), median([r for r, _ in d[how]]),
                   median([s for _, s in d[how]])), at_most(median(whole), goal, "ms")]
    yield ["the first search with such a function after a restart, its code from the cache, ms, p50",
           "%.2f (p90 %.2f)" % (median(d["restart"]), percentile(d["restart"], 0.9)),
           at_most(median(d["restart"]), 2, "ms")]
    yield ["processor time of the server for one registration, of new bytes, of registered ones, ms",
           "%.1f, %.1f" % (d["cpu_ms"]["new"], d["cpu_ms"]["again"]), ""]
    yield ["writing 4 KB to the same disk and waiting for it, ms (a registration does it twice: the store with the "
           "audit log, and its header)", "%.2f" % d["sync_ms"], ""]


def idle_rows(idle):
    for key, label in (("stored", "stored, not used since the start"),
                       ("loaded", "loaded from the cache and used once")):
        resident, anonymous = idle[key]
        yield ["memory per idle function (%d of them), %s, KB" % (idle["functions"], label),
               "%.1f (%.1f without pages of files)" % (resident, anonymous), at_most(resident, 200, "KB")]


def driver_rows(d):
    for key, label, bound in (("typed_ns", "typed", 5), ("handle_ns", "handle", 5), ("batch_ns", "batch", 5),
                              ("batch_simd_ns", "batch with SIMD", 5),
                              ("batch_simd_unrolled_ns", "batch with SIMD, 16 documents a turn", 5),
                              ("row_two_reads_ns", "row, two reads", 40)):
        yield ["two fields, %s, in blocks that lie ready, ns per document" % label, "%.2f" % d[key],
               at_most(d[key], bound, "ns")]
    yield ["the same C: called for each document, as a loop, as a loop with all that a batch is given, ns per document",
           "%.2f, %.2f, %.2f" % (d["c_ns"], d["c_loop_ns"], d["c_block_ns"]), ""]
    yield ["the typed and the handle function with epoch checks, ns per document",
           "%.2f, %.2f" % (d["typed_with_checks_ns"], d["handle_with_checks_ns"]), ""]
    yield ["how far past its deadline an endless function ran, ms: p50, p99, at worst; at worst of its own time",
           "%.2f, %.2f, %.2f; %.2f" % (d["overrun_p50_ms"], d["overrun_p99_ms"], d["overrun_ms"],
                                       d["overrun_own_ms"]), at_most(d["overrun_ms"], 5, "ms")]


def soak_rows(points):
    rest = [p["ns_per_call"] for p in points[1:]]
    yield ["%d calls of a function that allocates: ns per call in the first tenth, the least and the most of the others"
           % points[-1]["calls"], "%.1f, %.1f, %.1f" % (points[0]["ns_per_call"], min(rest), max(rest)), "flat"]
    yield ["resident memory after a tenth of them, and at the end, MB",
           "%.1f, %.1f" % (points[0]["resident_kib"] / 1024, points[-1]["resident_kib"] / 1024), "flat"]


def native_rows(native):
    for row in native:
        ratio = row["wasm_ns"] / row["c_ns"]
        yield [row["scorer"], "%.2f" % row["c_ns"], "%.2f" % row["wasm_ns"], "%.2f×" % ratio,
               at_most(ratio, 1.3, "×") if "batch" in row["scorer"] else ""]


def sections(results):
    rows = list(deploy_rows(results["deploys"]))
    for key, of in (("idle", idle_rows), ("driver", driver_rows), ("soak", soak_rows)):
        if results.get(key):
            rows += of(results[key])
    if results.get("rollouts"):
        rows.append(["deploys and rollbacks under load", results["rollouts"], "0 failed"])
    parts = ["The function runtime (`bench/deploys.py`, `driver.c`, `soak.c`, `tests/system/test_o_rollout.py`):",
             table(["what", "measured", "goal"], rows)]
    if results.get("native"):
        parts += ["The same scorers over the same columns, without a server (`bench/scorer.c`), one thread, copying of "
                  "the columns into the block included. A module that is known to be short runs without epoch checks; "
                  "the second row is what they cost:",
                  table(["how", "C, ns per document", "function", "against C", "goal"], native_rows(results["native"]))]
    return parts
