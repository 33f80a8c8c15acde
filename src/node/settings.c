/* SPDX-License-Identifier: Apache-2.0 */
#include "node/settings.h"

#include <stdio.h>

#include "base/number.h"

#define MAX_NAME 128

typedef enum kind { KIND_COUNT, KIND_TIME, KIND_BOOL } kind;

static const struct setting {
    const char *name; /* without "index." */
    kind kind;
    int64_t min, max;
    const char *shown; /* when not given; NULL: not shown then */
} SETTINGS[] = {
    {"number_of_shards", KIND_COUNT, 1, 1024, "1"},
    {"number_of_replicas", KIND_COUNT, 0, 1024, "0"},
    {"refresh_interval", KIND_TIME, -1, INT64_C(86400000), NULL},
    {"mapping.total_fields.limit", KIND_COUNT, 1, 10000, NULL},
    {"queries.cache.enabled", KIND_BOOL, 0, 1, NULL},
    {"requests.cache.enable", KIND_BOOL, 0, 1, NULL},
};
#define SETTING_COUNT (sizeof SETTINGS / sizeof *SETTINGS)

typedef struct reader {
    qd_settings *s;
    qd_error *err;
} reader;

/* "-1", "500ms", "1s", "2m", "1h". */
static bool parse_time(qd_str s, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = 0;
    if (qd_str_is(s, "-1") || qd_str_is(s, "0"))
        return qd_str_to_i64(s, ms);
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    if (digits == 0 || digits > 12 || !qd_str_to_i64((qd_str){s.p, digits}, ms))
        return false;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (qd_str_is((qd_str){s.p + digits, s.n - digits}, UNITS[i].unit)) {
            *ms *= UNITS[i].ms;
            return true;
        }
    }
    return false;
}

static bool parse_bool(qd_str s, int64_t *out)
{
    *out = qd_str_is(s, "true");
    return *out || qd_str_is(s, "false");
}

static bool parse_as(kind k, qd_str text, int64_t *out)
{
    switch (k) {
    case KIND_TIME:
        return parse_time(text, out);
    case KIND_BOOL:
        return parse_bool(text, out);
    default:
        return qd_str_to_i64(text, out);
    }
}

static const char *expected(kind k)
{
    return k == KIND_TIME ? "a time such as 1s or 500ms, or -1" : k == KIND_BOOL ? "true or false" : "a whole number";
}

static void use(qd_settings *s, const char *name, int64_t value)
{
    if (strcmp(name, "refresh_interval") == 0)
        s->refresh_interval_ms = value;
    else if (strcmp(name, "mapping.total_fields.limit") == 0)
        s->max_fields = (uint32_t)value;
}

static qd_status read_one(reader *r, const char *name, const json_t *v)
{
    char number[QD_NUMBER_SIZE];
    qd_str text = {json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
    const struct setting *setting = NULL;
    int64_t value;
    for (size_t i = 0; i < SETTING_COUNT && !setting; i++)
        if (strcmp(SETTINGS[i].name, name) == 0)
            setting = &SETTINGS[i];
    if (!setting)
        return qd_fail_field(
            r->err, QD_EINVAL, name,
            "unknown setting [index.%.100s] please check that it is one of those that the documentation lists", name);
    if (json_is_integer(v))
        text = (qd_str){number, qd_number_i64(json_integer_value(v), number)};
    else if (json_is_boolean(v))
        text = json_is_true(v) ? QD_STR("true") : QD_STR("false");
    if (!text.p || !parse_as(setting->kind, text, &value))
        return qd_fail_field(r->err, QD_EINVAL, name,
                             "Failed to parse value [%.*s] for setting [index.%s]: expected %s", QD_STR_FMT(text), name,
                             expected(setting->kind));
    if (value < setting->min || value > setting->max)
        return qd_fail_field(r->err, QD_EINVAL, name,
                             "Failed to parse value [%.*s] for setting [index.%s] must be between %lld and %lld",
                             QD_STR_FMT(text), name, (long long)setting->min, (long long)setting->max);
    use(r->s, name, value);
    return json_object_set_new(r->s->texts, name, json_stringn(text.p, text.n)) == 0 ? QD_OK : qd_fail_nomem(r->err);
}

/* Recurses as deep as the JSON, of which the longest known name needs little. */
static qd_status read_level(reader *r, const char *prefix, const json_t *body)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)body, key, v)
    {
        char name[MAX_NAME];
        int n = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (n < 0 || (size_t)n >= sizeof name)
            return qd_fail(r->err, QD_EINVAL, "unknown setting [%.100s…]: the name is too long", name);
        const char *bare = strncmp(name, "index.", 6) == 0 ? name + 6 : name;
        qd_status st;
        if (json_is_object(v))
            st = read_level(r, strcmp(bare, "index") == 0 ? "" : bare, v);
        else
            st = read_one(r, bare, v);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

qd_status qd_settings_read(const json_t *body, int64_t default_refresh_interval_ms, qd_settings *out, qd_error *err)
{
    qd_settings s = {.texts = json_object(), .refresh_interval_ms = default_refresh_interval_ms, .max_fields = 1000};
    reader r = {&s, err};
    qd_status st = s.texts ? QD_OK : qd_fail_nomem(err);
    if (st == QD_OK && body && !json_is_object(body))
        st = qd_fail(err, QD_EINVAL, "settings: expected an object, got %s", qd_json_type_name(body));
    for (size_t i = 0; i < SETTING_COUNT && st == QD_OK; i++)
        if (SETTINGS[i].shown && json_object_set_new(s.texts, SETTINGS[i].name, json_string(SETTINGS[i].shown)) != 0)
            st = qd_fail_nomem(err);
    if (st == QD_OK && body)
        st = read_level(&r, "", body);
    if (st == QD_OK)
        *out = s;
    else
        json_decref(s.texts);
    return st;
}

void qd_settings_deinit(qd_settings *s)
{
    json_decref(s->texts);
    s->texts = NULL;
}

/* "mapping.total_fields.limit" as {"mapping":{"total_fields":{"limit":…}}}. No two names of the table share a first
 * part. */
static void write_nested(const char *name, const char *text, qd_json *w)
{
    const char *dot = strchr(name, '.');
    if (!dot) {
        qd_json_kv_z(w, name, text);
        return;
    }
    qd_json_key_str(w, (qd_str){name, (size_t)(dot - name)});
    qd_json_begin_object(w);
    write_nested(dot + 1, text, w);
    qd_json_end_object(w);
}

void qd_settings_write(const qd_settings *s, qd_json *w)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *text = json_string_value(json_object_get(s->texts, SETTINGS[i].name));
        if (text)
            write_nested(SETTINGS[i].name, text, w);
    }
}
