/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/rating.h"

#include <stdarg.h>
#include <stdio.h>

#define US                1e3 /* in nanoseconds */
#define HOST_CALL_NS      25  /* what a field read by a host function costs (bench/driver.c) */
#define MIN_CALLS         100 /* fewer say nothing about speed */
#define MIN_TAIL_CALLS    10000
#define MIN_BASELINE_CALL 100000

typedef struct rule_input {
    const qd_stats_summary *s;
    const qd_rating_facts *facts; /* all false and 0 when not known */
    double calls, tries;
    char *advice;
    size_t size;
} rule_input;

static void say(const rule_input *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const rule_input *in, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(in->advice, in->size, fmt, args);
    va_end(args);
}

/* "1234" below 10,000, then "12.3 thousand", "4.5 million". */
static const char *count_text(double n, char out[32])
{
    if (n < 1e4)
        snprintf(out, 32, "%.0f", n);
    else if (n < 1e6)
        snprintf(out, 32, "%.1f thousand", n / 1e3);
    else
        snprintf(out, 32, "%.1f million", n / 1e6);
    return out;
}

static uint64_t errors_of(const qd_stats_summary *s, qd_status kind)
{
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++)
        if (qd_stats_error_kind(i) == kind)
            return s->errors_by_kind[i];
    return 0;
}

/* ---- the rules: what the rating is at best, EXCELLENT when a rule has nothing to say ---- */

static qd_rating rate_errors(const rule_input *in)
{
    const qd_stats_summary *s = in->s;
    char all[32];
    size_t most = 0;
    double share = in->tries > 0 ? (double)s->errors / in->tries : 0;
    if (s->errors == 0)
        return QD_RATING_EXCELLENT;
    for (size_t i = 1; i < QD_STATS_ERROR_KINDS; i++)
        if (s->errors_by_kind[i] > s->errors_by_kind[most])
            most = i;
    say(in, "%.3g %% of %s calls failed, most often with %s: see last_error, and check for such documents first",
        100 * share, count_text(in->tries, all), qd_status_describe(qd_stats_error_kind(most))->api_code);
    return share >= 0.05 ? QD_RATING_POOR : share >= 0.001 ? QD_RATING_FAIR : QD_RATING_GOOD;
}

static qd_rating rate_timeouts(const rule_input *in)
{
    uint64_t n = errors_of(in->s, QD_EUDF_TIMEOUT);
    char limit[64] = "";
    if (n == 0)
        return QD_RATING_EXCELLENT;
    if (in->facts->call_ms > 0)
        snprintf(limit, sizeof limit, " of %u ms for one document", in->facts->call_ms);
    say(in,
        "%llu call%s stopped at the limit%s: look for a loop whose end depends on the document, or raise "
        "limits.call_ms in the manifest",
        (unsigned long long)n, n == 1 ? " was" : "s were", limit);
    return (double)n >= 0.001 * in->tries ? QD_RATING_POOR : QD_RATING_FAIR;
}

static qd_rating rate_memory(const rule_input *in)
{
    uint64_t n = errors_of(in->s, QD_EUDF_MEMORY);
    if (n == 0)
        return QD_RATING_EXCELLENT;
    say(in,
        "%llu call%s ran into the memory limit of %zu KiB: free what a call allocates, or raise "
        "limits.memory_bytes in the manifest",
        (unsigned long long)n, n == 1 ? "" : "s", in->facts->memory_bytes >> 10);
    return QD_RATING_FAIR;
}

static qd_rating rate_speed(const rule_input *in)
{
    double ns = in->s->avg_ns;
    char docs[32];
    if (in->calls < MIN_CALLS || ns < 1 * US)
        return QD_RATING_EXCELLENT;
    if (ns >= 10 * US)
        say(in,
            "slow per document: %.3g us on average, so that %s documents take %.3g s of one processor; let cheaper "
            "clauses of the query narrow the documents first, and move what does not depend on the document out of "
            "the call",
            ns / US, count_text(1e6, docs), ns / 1e3);
    return ns >= 100 * US ? QD_RATING_POOR : ns >= 10 * US ? QD_RATING_FAIR : QD_RATING_GOOD;
}

static qd_rating rate_tail(const rule_input *in)
{
    const qd_stats_summary *s = in->s;
    if (in->calls < MIN_TAIL_CALLS || s->p99_ns < 10 * US || s->p99_ns < 20 * s->p50_ns)
        return QD_RATING_EXCELLENT;
    say(in,
        "uneven: one call in a hundred takes %.3g us or more, the middle one %.3g us; blocks of few documents pay "
        "for an instance each, and large documents for their size",
        s->p99_ns / US, s->p50_ns / US);
    return QD_RATING_GOOD;
}

static qd_rating rate_host_calls(const rule_input *in)
{
    double each = in->calls > 0 ? (double)in->s->host_calls / in->calls : 0;
    if (!in->facts->is_row_shape || in->calls < MIN_CALLS || each < 2)
        return QD_RATING_EXCELLENT;
    say(in,
        "row shape with %.3g host calls per document, some %.0f ns of its %.0f ns: declare the fields as "
        "parameters of a typed function, which gets them as arguments without any call, or read them through "
        "handles",
        each, each * HOST_CALL_NS, in->s->avg_ns);
    return each >= 8 ? QD_RATING_FAIR : QD_RATING_GOOD;
}

static qd_rating rate_strings(const rule_input *in)
{
    double each = in->calls > 0 ? (double)in->s->string_bytes / in->calls : 0;
    if (in->calls < MIN_CALLS || each < 64)
        return QD_RATING_EXCELLENT;
    say(in,
        "copies %.0f bytes of strings per document into the function's memory: read shorter fields, index what it "
        "looks for as a keyword or a number, or ask for it in the query instead",
        each);
    return each >= 1024 ? QD_RATING_FAIR : QD_RATING_GOOD;
}

static qd_rating rate_tier(const rule_input *in)
{
    char calls[32];
    if (in->facts->code.tier != QD_TIER_BASELINE || in->calls < MIN_BASELINE_CALL)
        return QD_RATING_EXCELLENT;
    say(in,
        "%s calls, and its code is still that of the baseline compiler: optimizing is queued, or failed (see its "
        "status)",
        count_text(in->calls, calls));
    return QD_RATING_GOOD;
}

static qd_rating rate_no_calls(const rule_input *in)
{
    if (in->tries > 0)
        return QD_RATING_EXCELLENT;
    say(in, "it was not called yet: there is nothing to rate");
    return QD_RATING_EXCELLENT;
}

static qd_rating (*const RULES[])(const rule_input *in) = {
    rate_no_calls, rate_errors,     rate_timeouts, rate_memory, rate_speed,
    rate_tail,     rate_host_calls, rate_strings,  rate_tier,
};
_Static_assert(sizeof RULES / sizeof *RULES <= QD_RATING_MAX_ADVICE, "each rule may give one piece of advice");

const char *qd_rating_name(qd_rating r)
{
    static const char *const NAMES[] = {"excellent", "good", "fair", "poor"};
    return NAMES[r];
}

qd_rating_facts qd_rating_facts_of(const qd_udf *u)
{
    qd_rating_facts facts = {.is_row_shape = u->manifest->abi == QD_ABI_ROW,
                             .call_ms = u->manifest->limits.call_ms,
                             .memory_bytes = u->manifest->limits.memory_bytes};
    qd_wasm_module_read_status(u->module, &facts.code);
    return facts;
}

qd_status qd_rating_facts_read(qd_registry *r, qd_str name, qd_str version, qd_rating_facts *out, qd_error *err)
{
    qd_udf *u = NULL;
    qd_udf_abi abi;
    qd_status st = qd_registry_peek(r, name, version, &u, &abi, err);
    if (st != QD_OK)
        return st;
    *out = u ? qd_rating_facts_of(u) : (qd_rating_facts){.is_row_shape = abi == QD_ABI_ROW};
    qd_udf_unref(u);
    return QD_OK;
}

void qd_rating_judge(const qd_stats_summary *s, const qd_rating_facts *facts, qd_verdict *out)
{
    static const qd_rating_facts unknown = {0};
    uint64_t tries = s->calls > s->errors ? s->calls : s->errors;
    *out = (qd_verdict){.rating = QD_RATING_EXCELLENT};
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        char *advice = out->advice[out->n];
        rule_input in = {s, facts ? facts : &unknown, (double)s->calls, (double)tries, advice, sizeof out->advice[0]};
        qd_rating r = RULES[i](&in);
        out->rating = r > out->rating ? r : out->rating;
        out->n += advice[0] != '\0';
    }
}
