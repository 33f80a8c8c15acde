/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/json_path.h"

#include "base/json.h"

#define MAX_NAME_BYTES 256

static const json_t *get_member(const json_t *obj, qd_str name)
{
    char text[MAX_NAME_BYTES + 1];
    if (name.n > MAX_NAME_BYTES || memchr(name.p, 0, name.n))
        return NULL;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    return json_object_get(obj, text);
}

/* Arrays without an index stand for their first value that is not null. Bounded: documents have a maximal depth. */
static const json_t *first_value(const json_t *v)
{
    while (json_is_array(v)) {
        const json_t *found = NULL;
        for (size_t i = 0; i < json_array_size(v) && !found; i++)
            if (!json_is_null(json_array_get(v, i)))
                found = json_array_get(v, i);
        v = found;
    }
    return json_is_null(v) ? NULL : v;
}

/* "[2]" at the front of *path: takes it off and steps into the array. */
static bool take_index(qd_str *path, const json_t **v)
{
    const char *end = memchr(path->p, ']', path->n);
    int64_t index;
    if (!end || !qd_str_to_i64((qd_str){path->p + 1, (size_t)(end - path->p) - 1}, &index) || index < 0)
        return false;
    *path = (qd_str){end + 1, path->n - (size_t)(end + 1 - path->p)};
    if (json_is_array(*v) || json_is_object(*v) || index > 0) /* a single value is the first of one */
        *v = json_array_get(*v, (size_t)index);
    return *v != NULL;
}

/* Where the name at the front ends at the latest: the next dot or bracket at or after `from`. */
static size_t name_end(qd_str path, size_t from)
{
    while (from < path.n && path.p[from] != '.' && path.p[from] != '[')
        from++;
    return from;
}

const json_t *qd_json_path_get(const json_t *root, qd_str path)
{
    const json_t *v = root;
    while (path.n > 0) {
        const json_t *next = NULL;
        size_t end = 0;
        if (path.p[0] == '[') {
            if (!take_index(&path, &v))
                return NULL;
            continue;
        }
        if (path.p[0] == '.')
            path = (qd_str){path.p + 1, path.n - 1};
        v = first_value(v);
        if (!json_is_object(v))
            return NULL;
        for (end = name_end(path, 0); !(next = get_member(v, (qd_str){path.p, end})) && end < path.n;)
            end = name_end(path, end + 1);
        if (!next)
            return NULL;
        v = next;
        path = (qd_str){path.p + end, path.n - end};
    }
    return first_value(v);
}

typedef struct walk {
    uint32_t wanted, seen;
    const json_t **out; /* may be NULL */
} walk;

/* Bounded: documents have a maximal depth. */
static void walk_values(walk *w, const json_t *v, qd_str path)
{
    bool has_index = path.n > 0 && path.p[0] == '[';
    if (json_is_array(v) && has_index) {
        if (take_index(&path, &v))
            walk_values(w, v, path);
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            walk_values(w, json_array_get(v, i), path);
    } else if (json_is_object(v)) {
        if (path.n > 0 && path.p[0] == '.')
            path = (qd_str){path.p + 1, path.n - 1};
        for (size_t end = name_end(path, 0); path.n > 0; end = name_end(path, end + 1)) {
            const json_t *member = get_member(v, (qd_str){path.p, end});
            if (member)
                walk_values(w, member, (qd_str){path.p + end, path.n - end});
            if (end >= path.n)
                return;
        }
    } else if (v && !json_is_null(v) && (path.n == 0 || qd_str_is(path, "[0]"))) {
        if (w->seen == w->wanted && w->out)
            *w->out = v;
        w->seen++;
    }
}

uint32_t qd_json_path_values(const json_t *root, qd_str path, uint32_t at, const json_t **out)
{
    walk w = {.wanted = at, .out = out};
    if (path.n > 0)
        walk_values(&w, root, path);
    return w.seen;
}

bool qd_json_to_value(const json_t *v, qd_value *out)
{
    if (json_is_string(v))
        *out = (qd_value){.type = QD_STRING, .as.s = {json_string_value(v), json_string_length(v)}};
    else if (json_is_integer(v))
        *out = (qd_value){.type = QD_I64, .as.i = json_integer_value(v)};
    else if (json_is_real(v))
        *out = (qd_value){.type = QD_F64, .as.f = json_real_value(v)};
    else if (json_is_boolean(v))
        *out = (qd_value){.type = QD_BOOL, .as.b = json_is_true(v)};
    else
        return false;
    return true;
}
