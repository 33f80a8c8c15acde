/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/semver_range.h"

/* "1", "1.2", "1.x", "1.2.3-rc.1": the first `n` of the three numbers are given. */
typedef struct partial {
    qd_semver v;
    int n;
} partial;

typedef struct parser {
    qd_str text, rest;
    qd_semver_range *out;
    bool begins_set;
    qd_error *err;
} parser;

static qd_status fail(const parser *p, qd_str part, const char *expected)
{
    if (part.n == 0)
        return qd_fail_field(p->err, QD_EUDF_PARAMS, "version", "version range '%.*s': expected %s, got its end",
                             QD_STR_FMT(p->text), expected);
    return qd_fail_field(p->err, QD_EUDF_PARAMS, "version", "version range '%.*s': expected %s, got '%.*s'",
                         QD_STR_FMT(p->text), expected, QD_STR_FMT(part));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_spaces(parser *p)
{
    while (p->rest.n > 0 && is_space(*p->rest.p))
        p->rest = (qd_str){p->rest.p + 1, p->rest.n - 1};
}

static bool take(parser *p, const char *word)
{
    size_t n = strlen(word);
    if (!qd_str_starts(p->rest, word))
        return false;
    p->rest = (qd_str){p->rest.p + n, p->rest.n - n};
    return true;
}

static qd_status add(parser *p, qd_semver_op op, qd_semver v)
{
    if (p->out->n == QD_SEMVER_RANGE_MAX)
        return qd_fail_field(p->err, QD_EUDF_PARAMS, "version", "version range '%.*s': more than %d comparisons",
                             QD_STR_FMT(p->text), QD_SEMVER_RANGE_MAX);
    v.build = (qd_str){0};
    p->out->items[p->out->n].op = op;
    p->out->items[p->out->n].begins_set = p->begins_set;
    p->out->items[p->out->n++].version = v;
    p->begins_set = false;
    return QD_OK;
}

/* ---- numbers ---- */

/* A number or one of x, X, *; *given: it was a number. */
static bool take_part(qd_str *s, uint64_t *out, bool *given)
{
    size_t n = 0;
    uint64_t v = 0;
    if (s->n > 0 && (*s->p == 'x' || *s->p == 'X' || *s->p == '*')) {
        *s = (qd_str){s->p + 1, s->n - 1};
        *given = false;
        return true;
    }
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(s->p[n] - '0');
        /* The bound of a range may lie one higher. */
        if (v > (UINT64_MAX - 1 - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (n == 0 || (n > 1 && *s->p == '0'))
        return false;
    *s = (qd_str){s->p + n, s->n - n};
    *out = v;
    *given = true;
    return true;
}

static bool parse_partial(qd_str word, partial *out)
{
    partial p = {{0}, 0};
    uint64_t *const numbers[] = {&p.v.major, &p.v.minor, &p.v.patch};
    qd_semver whole;
    if (qd_semver_parse(word, &whole)) {
        *out = (partial){whole, 3};
        return whole.major < UINT64_MAX && whole.minor < UINT64_MAX && whole.patch < UINT64_MAX;
    }
    bool is_open = false; /* after an x no number can stand */
    for (int i = 0; i < 3; i++) {
        uint64_t v = 0;
        bool given = false;
        if (!take_part(&word, &v, &given))
            return false;
        if (is_open && given)
            return false;
        is_open |= !given;
        if (given) {
            *numbers[i] = v;
            p.n = i + 1;
        }
        if (word.n == 0) {
            *out = p;
            return true;
        }
        if (*word.p != '.')
            return false;
        word = (qd_str){word.p + 1, word.n - 1};
    }
    return false;
}

static qd_status take_partial(parser *p, partial *out)
{
    size_t n = 0;
    skip_spaces(p);
    while (n < p->rest.n && !is_space(p->rest.p[n]) && p->rest.p[n] != '|')
        n++;
    qd_str word = {p->rest.p, n};
    if (n == 0 || !parse_partial(word, out))
        return fail(p, n == 0 ? p->rest : word, "a version such as 1, 1.2, 1.x or 1.2.3");
    p->rest = (qd_str){p->rest.p + n, p->rest.n - n};
    return QD_OK;
}

/* The lowest version above all that begin with the first `n` numbers: with them, "-0" is below every pre-release. */
static qd_semver above(const partial *p, int n)
{
    qd_semver v = {.pre = QD_STR("0")};
    v.major = n == 1 ? p->v.major + 1 : p->v.major;
    v.minor = n < 2 ? 0 : n == 2 ? p->v.minor + 1 : p->v.minor;
    v.patch = n < 3 ? 0 : p->v.patch + 1;
    return v;
}

/* The same as a bound from below: releases only. */
static qd_semver next_of(const partial *p)
{
    qd_semver v = above(p, p->n);
    v.pre = (qd_str){0};
    return v;
}

static const qd_semver ZERO = {0};
static const qd_semver NOTHING = {.pre = {"0", 1}}; /* nothing is below 0.0.0-0 */

/* ---- one condition ---- */

static qd_status add_begins_so(parser *p, const partial *x)
{
    if (x->n == 3)
        return add(p, QD_SEMVER_EQ, x->v);
    qd_status st = add(p, QD_SEMVER_GE, x->v);
    return st == QD_OK && x->n > 0 ? add(p, QD_SEMVER_LT, above(x, x->n)) : st;
}

static qd_status add_less(parser *p, const partial *x)
{
    qd_semver v = x->v;
    if (x->n == 0)
        return add(p, QD_SEMVER_LT, NOTHING);
    if (x->n < 3)
        v.pre = QD_STR("0");
    return add(p, QD_SEMVER_LT, v);
}

static qd_status add_less_equal(parser *p, const partial *x)
{
    if (x->n == 0)
        return add(p, QD_SEMVER_GE, ZERO);
    return x->n == 3 ? add(p, QD_SEMVER_LE, x->v) : add(p, QD_SEMVER_LT, above(x, x->n));
}

static qd_status add_greater(parser *p, const partial *x)
{
    if (x->n == 0)
        return add(p, QD_SEMVER_LT, NOTHING);
    return x->n == 3 ? add(p, QD_SEMVER_GT, x->v) : add(p, QD_SEMVER_GE, next_of(x));
}

static qd_status add_greater_equal(parser *p, const partial *x)
{
    return add(p, QD_SEMVER_GE, x->v);
}

static qd_status add_tilde(parser *p, const partial *x)
{
    qd_status st = add(p, QD_SEMVER_GE, x->v);
    return st == QD_OK && x->n > 0 ? add(p, QD_SEMVER_LT, above(x, x->n < 2 ? x->n : 2)) : st;
}

static qd_status add_caret(parser *p, const partial *x)
{
    int fixed = 1; /* how many numbers must stay */
    if (x->v.major == 0 && x->n >= 2)
        fixed = x->v.minor == 0 && x->n == 3 ? 3 : 2;
    qd_status st = add(p, QD_SEMVER_GE, x->v);
    return st == QD_OK && x->n > 0 ? add(p, QD_SEMVER_LT, above(x, fixed)) : st;
}

/* Longer ones first. */
static const struct {
    const char *sign;
    qd_status (*add)(parser *p, const partial *x);
} OPERATORS[] = {
    {">=", add_greater_equal}, {"<=", add_less_equal}, {">", add_greater}, {"<", add_less},
    {"=", add_begins_so},      {"^", add_caret},       {"~", add_tilde},   {"", add_begins_so},
};

static qd_status add_condition(parser *p)
{
    size_t i = 0;
    partial from, to;
    skip_spaces(p);
    while (!take(p, OPERATORS[i].sign)) /* the last one always is there */
        i++;
    bool has_sign = *OPERATORS[i].sign != 0;
    qd_status st = take_partial(p, &from);
    if (st != QD_OK)
        return st;
    skip_spaces(p);
    if (has_sign || !(take(p, "- ") || take(p, "-\t")))
        return OPERATORS[i].add(p, &from);
    st = take_partial(p, &to);
    if (st == QD_OK)
        st = add_greater_equal(p, &from);
    return st == QD_OK ? add_less_equal(p, &to) : st;
}

qd_status qd_semver_range_parse(qd_str text, qd_semver_range *out, qd_error *err)
{
    parser p = {text, text, out, true, err};
    out->n = 0;
    if (text.n > QD_SEMVER_RANGE_MAX_BYTES)
        return qd_fail_field(err, QD_EUDF_PARAMS, "version", "a version range of %zu bytes: at most %d are accepted",
                             text.n, QD_SEMVER_RANGE_MAX_BYTES);
    for (;;) {
        qd_status st = add_condition(&p);
        if (st != QD_OK)
            return st;
        skip_spaces(&p);
        if (p.rest.n == 0)
            return QD_OK;
        p.begins_set = take(&p, "||");
    }
}

/* ---- asking ---- */

static bool holds(qd_semver_op op, int order)
{
    static const struct {
        bool less, equal, greater;
    } HOLDS[] = {
        [QD_SEMVER_EQ] = {false, true, false}, [QD_SEMVER_LT] = {true, false, false},
        [QD_SEMVER_LE] = {true, true, false},  [QD_SEMVER_GT] = {false, false, true},
        [QD_SEMVER_GE] = {false, true, true},
    };
    return order < 0 ? HOLDS[op].less : order > 0 ? HOLDS[op].greater : HOLDS[op].equal;
}

static bool is_same_release(const qd_semver *a, const qd_semver *b)
{
    return a->major == b->major && a->minor == b->minor && a->patch == b->patch;
}

bool qd_semver_range_has(const qd_semver_range *r, const qd_semver *v)
{
    for (size_t i = 0; i < r->n;) {
        bool has_all = true, names_pre = v->pre.n == 0;
        do {
            const qd_semver *bound = &r->items[i].version;
            has_all &= holds(r->items[i].op, qd_semver_cmp(v, bound));
            names_pre |= bound->pre.n > 0 && is_same_release(bound, v);
        } while (++i < r->n && !r->items[i].begins_set);
        if (has_all && names_pre)
            return true;
    }
    return false;
}
