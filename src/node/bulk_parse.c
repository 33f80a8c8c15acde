/* SPDX-License-Identifier: Apache-2.0
 *
 * Nearly all action lines are {"index":{"_id":"…"}} and the like: a small scanner takes those, and leaves every other
 * line to the JSON parser, which also words the errors. */
#include "node/bulk_parse.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/number.h"
#include "node/index.h"

static const char *const ACTIONS[] = {
    [QD_BULK_INDEX] = "index", [QD_BULK_CREATE] = "create", [QD_BULK_DELETE] = "delete", [QD_BULK_UPDATE] = "update"};
#define ACTION_COUNT (sizeof ACTIONS / sizeof *ACTIONS)

const char *qd_bulk_action_name(qd_bulk_action a)
{
    return ACTIONS[a];
}

static bool find_action(qd_str name, qd_bulk_action *out)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (qd_str_is(name, ACTIONS[i])) {
            *out = (qd_bulk_action)i;
            return true;
        }
    }
    return false;
}

/* ---- the usual line ---- */

typedef struct scanner {
    const char *p, *end;
} scanner;

static void skip_blanks(scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
}

static bool accept(scanner *s, char c)
{
    skip_blanks(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* A string of printable ASCII without escapes. */
static bool plain_string(scanner *s, qd_str *out)
{
    if (!accept(s, '"'))
        return false;
    const char *start = s->p;
    while (s->p < s->end && *s->p != '"' && *s->p != '\\' && *s->p >= 0x20 && *s->p < 0x7F)
        s->p++;
    *out = (qd_str){start, (size_t)(s->p - start)};
    return s->p < s->end && *s->p++ == '"';
}

static bool scan_member(scanner *s, qd_bulk_item *item)
{
    qd_str key, value;
    if (!plain_string(s, &key) || !accept(s, ':') || !plain_string(s, &value) || value.n == 0)
        return false;
    qd_str *field = qd_str_is(key, "_id") ? &item->id : qd_str_is(key, "_index") ? &item->index : NULL;
    if (!field || field->n > 0)
        return false;
    *field = value;
    return true;
}

/* False: let the JSON parser look at it. */
static bool scan_action(qd_str line, qd_bulk_item *item)
{
    scanner s = {line.p, line.p + line.n};
    qd_str name;
    if (!accept(&s, '{') || !plain_string(&s, &name) || !find_action(name, &item->action) || !accept(&s, ':') ||
        !accept(&s, '{'))
        return false;
    if (!accept(&s, '}')) {
        do
            if (!scan_member(&s, item))
                return false;
        while (accept(&s, ','));
        if (!accept(&s, '}'))
            return false;
    }
    if (!accept(&s, '}'))
        return false;
    skip_blanks(&s);
    return s.p == s.end;
}

/* ---- every other line ---- */

typedef struct action_reader {
    qd_bulk_item *item;
    qd_arena *arena;
    uint32_t line;
    qd_error *err;
} action_reader;

typedef qd_status member_fn(const action_reader *r, const char *key, const json_t *v);

static qd_status fail_line(const action_reader *r, const char *what, const char *found)
{
    return qd_fail_at(r->err, QD_EPARSE, r->line, 1,
                      "Malformed action/metadata line [%u], expected %s but found [%.64s]", r->line, what, found);
}

static qd_status read_text(const action_reader *r, const char *key, const json_t *v, qd_str *out)
{
    char number[QD_NUMBER_SIZE], what[96];
    qd_str s = {json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
    if (json_is_null(v))
        return QD_OK;
    if (json_is_integer(v))
        s = (qd_str){number, qd_number_i64(json_integer_value(v), number)};
    if (!s.p) {
        snprintf(what, sizeof what, "a simple value for field [%.60s]", key);
        return fail_line(r, what, qd_json_type_name(v));
    }
    *out = qd_arena_str(r->arena, s);
    return out->p ? QD_OK : qd_fail_nomem(r->err);
}

static qd_status read_number(const action_reader *r, const char *key, const json_t *v, int64_t *out)
{
    char what[96];
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return QD_OK;
    }
    snprintf(what, sizeof what, "a whole number for field [%.60s]", key);
    return fail_line(r, what, qd_json_type_name(v));
}

static qd_status member_index(const action_reader *r, const char *key, const json_t *v)
{
    return read_text(r, key, v, &r->item->index);
}

static qd_status member_id(const action_reader *r, const char *key, const json_t *v)
{
    qd_status st = read_text(r, key, v, &r->item->id);
    if (st == QD_OK && json_is_string(v) && r->item->id.n == 0)
        r->item->refused = "if _id is specified it must not be empty";
    return st;
}

static qd_status member_if_seq_no(const action_reader *r, const char *key, const json_t *v)
{
    return read_number(r, key, v, &r->item->if_seq_no);
}

static qd_status member_if_primary_term(const action_reader *r, const char *key, const json_t *v)
{
    return read_number(r, key, v, &r->item->if_primary_term);
}

static qd_status member_op_type(const action_reader *r, const char *key, const json_t *v)
{
    qd_str type = {"", 0};
    qd_status st = read_text(r, key, v, &type);
    if (st != QD_OK)
        return st;
    if (qd_str_is(type, "create") && r->item->action == QD_BULK_INDEX)
        r->item->action = QD_BULK_CREATE;
    else if (!qd_str_is(type, "index") && !qd_str_is(type, "create"))
        return fail_line(r, "[index] or [create] for field [op_type]", type.p);
    return QD_OK;
}

/* One shard takes everything: routing changes nothing. */
static qd_status member_ignored(const action_reader *r, const char *key, const json_t *v)
{
    qd_str ignored;
    return json_is_boolean(v) ? QD_OK : read_text(r, key, v, &ignored);
}

static qd_status member_version(const action_reader *r, const char *key, const json_t *v)
{
    (void)key, (void)v;
    r->item->refused = "versions given from outside are not supported yet: use if_seq_no and if_primary_term";
    return QD_OK;
}

static qd_status member_pipeline(const action_reader *r, const char *key, const json_t *v)
{
    qd_str name = {"", 0};
    qd_status st = read_text(r, key, v, &name);
    if (st == QD_OK && name.n > 0 && !qd_str_is(name, "_none"))
        r->item->refused = "ingest pipelines are not supported yet";
    return st;
}

static const struct member {
    const char *name;
    member_fn *read;
} MEMBERS[] = {
    {"_index", member_index},       {"_id", member_id},
    {"if_seq_no", member_if_seq_no}, {"if_primary_term", member_if_primary_term},
    {"op_type", member_op_type},    {"routing", member_ignored},
    {"_routing", member_ignored},   {"require_alias", member_ignored},
    {"retry_on_conflict", member_ignored},
    {"version", member_version},    {"_version", member_version},
    {"version_type", member_version}, {"_version_type", member_version},
    {"pipeline", member_pipeline},
};

static qd_status read_members(const action_reader *r, const json_t *members)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)members, key, v)
    {
        const struct member *found = NULL;
        for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS && !found; i++)
            if (strcmp(MEMBERS[i].name, key) == 0)
                found = &MEMBERS[i];
        if (!found)
            return qd_fail_at(r->err, QD_EPARSE, r->line, 1,
                              "Action/metadata line [%u] contains an unknown parameter [%.64s]", r->line, key);
        qd_status st = found->read(r, key, v);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

static qd_status read_action(const action_reader *r, const json_t *body)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)body));
    const json_t *members = name ? json_object_get(body, name) : NULL;
    if (!json_is_object(body))
        return fail_line(r, "START_OBJECT", qd_json_type_name(body));
    if (!name)
        return fail_line(r, "FIELD_NAME", "END_OBJECT");
    if (!find_action(qd_str_of(name), &r->item->action))
        return fail_line(r, "field [create], [delete], [index] or [update]", name);
    if (!json_is_object(members))
        return fail_line(r, "START_OBJECT", qd_json_type_name(members));
    if (json_object_size(body) > 1)
        return fail_line(r, "END_OBJECT", "FIELD_NAME");
    return read_members(r, members);
}

static qd_status parse_action(qd_str line, const action_reader *r)
{
    json_t *body = NULL;
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_json_parse(line, &body, &why);
    if (st == QD_EPARSE)
        return qd_fail_at(r->err, QD_EPARSE, r->line, why.column, "Malformed action/metadata line [%u]: %s", r->line,
                          why.message);
    if (st != QD_OK) {
        if (r->err)
            *r->err = why;
        return st;
    }
    st = read_action(r, body);
    json_decref(body);
    return st;
}

/* ---- lines ---- */

typedef struct lines {
    qd_str rest;
    uint32_t number; /* of the line that was taken last, from 1 */
} lines;

/* The body ends with a newline, so every line does. False at the end. */
static bool take_line(lines *l, qd_str *line)
{
    if (l->rest.n == 0)
        return false;
    const char *end = memchr(l->rest.p, '\n', l->rest.n);
    size_t n = (size_t)(end - l->rest.p);
    *line = (qd_str){l->rest.p, n};
    if (n > 0 && line->p[n - 1] == '\r')
        line->n--;
    l->rest = (qd_str){end + 1, l->rest.n - n - 1};
    l->number++;
    return true;
}

static bool reserve(qd_bulk_item **items, size_t n, size_t *capacity)
{
    if (n < *capacity)
        return true;
    size_t grown = *capacity ? *capacity * 2 : 256;
    qd_bulk_item *p = realloc(*items, grown * sizeof *p);
    if (!p)
        return false;
    *items = p;
    *capacity = grown;
    return true;
}

static qd_status parse_item(lines *l, qd_str line, qd_str default_index, qd_arena *arena, qd_bulk_item *item,
                            qd_error *err)
{
    const qd_bulk_item blank = {.if_seq_no = QD_SEQ_ANY, .if_primary_term = QD_SEQ_ANY};
    action_reader r = {item, arena, l->number, err};
    *item = blank;
    if (!scan_action(line, item)) {
        *item = blank;
        qd_status st = parse_action(line, &r);
        if (st != QD_OK)
            return st;
    }
    if (item->index.n == 0)
        item->index = default_index;
    if (item->action != QD_BULK_DELETE && !take_line(l, &item->source))
        return qd_fail_at(
            err, QD_EPARSE, r.line, 1,
            "Malformed bulk request: the action in line [%u] needs a source in the next line, and there is none",
            r.line);
    if (item->action == QD_BULK_UPDATE && !item->refused)
        item->refused = "update is not supported yet";
    if ((item->if_seq_no == QD_SEQ_ANY) != (item->if_primary_term == QD_SEQ_ANY) && !item->refused)
        item->refused = "Validation Failed: 1: if_seq_no and if_primary_term must be given together;";
    return QD_OK;
}

qd_status qd_bulk_parse(qd_str body, qd_str default_index, qd_arena *arena, qd_bulk_item **items, size_t *n,
                        qd_error *err)
{
    lines l = {body, 0};
    qd_bulk_item *parsed = NULL;
    size_t count = 0, capacity = 0;
    qd_status st = QD_OK;
    qd_str line;
    if (body.n == 0)
        return qd_fail(err, QD_EPARSE, "request body is required");
    if (body.p[body.n - 1] != '\n')
        return qd_fail(err, QD_EINVAL, "The bulk request must be terminated by a newline [\\n]");
    while (st == QD_OK && take_line(&l, &line)) {
        if (line.n == 0)
            continue;
        if (count == QD_BULK_MAX_ITEMS)
            st = qd_fail(err, QD_ELIMIT, "the bulk request has more than %d actions: send it in parts",
                         QD_BULK_MAX_ITEMS);
        else if (!reserve(&parsed, count, &capacity))
            st = qd_fail_nomem(err);
        else
            st = parse_item(&l, line, default_index, arena, &parsed[count], err);
        if (st == QD_OK && parsed[count++].index.n == 0)
            st = qd_fail(err, QD_EINVAL, "Validation Failed: 1: index is missing;");
    }
    if (st == QD_OK && count == 0)
        st = qd_fail(err, QD_EINVAL, "Validation Failed: 1: no requests added;");
    if (st != QD_OK) {
        free(parsed);
        return st;
    }
    *items = parsed;
    *n = count;
    return QD_OK;
}
