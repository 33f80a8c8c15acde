/* SPDX-License-Identifier: Apache-2.0
 * `_source` in a search body: false, "a", ["a.*"], {"includes", "excludes"}. */
#include "query/body.h"

#define MAX_PATTERNS 1000

static qd_status parse_patterns(qd_parser *p, const qd_json_at *at, const json_t *v, qd_str **out, size_t *n)
{
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    if (count > MAX_PATTERNS)
        return qd_parse_fail(p, at, "[_source] has [%zu] patterns, more than [%d]", count, MAX_PATTERNS);
    qd_str *patterns = qd_arena_array(p->arena, count, sizeof *patterns);
    if (!patterns)
        return qd_parse_nomem(p);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_string(item))
            return qd_parse_fail(p, at, "[_source] expects patterns as strings, got %s", qd_json_type_name(item));
        patterns[i] = (qd_str){json_string_value(item), json_string_length(item)};
    }
    *out = patterns;
    *n = count;
    return QD_OK;
}

static qd_status parse_source_object(qd_parser *p, const qd_json_at *at, const json_t *v, qd_source_spec *s)
{
    const char *key;
    size_t n;
    json_t *member;
    json_object_keylen_foreach((json_t *)v, key, n, member)
    {
        const qd_json_at *at_key = qd_at_key(p, at, (qd_str){key, n});
        qd_status st;
        if (!at_key)
            return qd_parse_nomem(p);
        if (strcmp(key, "includes") == 0 || strcmp(key, "include") == 0)
            st = parse_patterns(p, at_key, member, &s->includes, &s->n_includes);
        else if (strcmp(key, "excludes") == 0 || strcmp(key, "exclude") == 0)
            st = parse_patterns(p, at_key, member, &s->excludes, &s->n_excludes);
        else
            st = qd_parse_fail(p, at_key,
                               "Unknown key for a VALUE_STRING in [%.100s]: [_source] has includes and excludes", key);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

qd_status qd_body_parse_source(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    b->source.is_given = true;
    if (json_is_boolean(v)) {
        b->source.is_wanted = json_is_true(v);
        return QD_OK;
    }
    if (json_is_object(v))
        return parse_source_object(p, at, v, &b->source);
    if (json_is_string(v) || json_is_array(v))
        return parse_patterns(p, at, v, &b->source.includes, &b->source.n_includes);
    return qd_parse_fail(p, at,
                         "[_source] expects one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT], got %s",
                         qd_json_type_name(v));
}
