/* SPDX-License-Identifier: Apache-2.0
 *
 * The YAML file: one mapping, nested ("http: {port: 9200}") or with dotted keys ("http.port: 9200"), scalars at the
 * end. It is read as libyaml's events, so nothing is built and depth is bounded by the longest key. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#define MAX_NAME  256
#define MAX_DEPTH 8

typedef struct reader {
    qd_config *config;
    const char *path;
    yaml_parser_t parser;
    char name[MAX_NAME];       /* the dotted key so far */
    size_t lengths[MAX_DEPTH]; /* of `name` at each depth of mappings */
    size_t depth;
    bool expects_value;
} reader;

static qd_status fail_at(const reader *r, const yaml_mark_t *mark, const char *what, qd_error *err)
{
    return qd_fail_at(err, QD_EPARSE, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1, "%s, line %zu: %s", r->path,
                      mark->line + 1, what);
}

static qd_status take_key(reader *r, const yaml_event_t *event, qd_error *err)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t n = event->data.scalar.length, at = r->lengths[r->depth - 1];
    if (n == 0 || at + n + 2 > sizeof r->name || memchr(text, '\0', n))
        return fail_at(r, &event->start_mark, "a key is empty or too long", err);
    if (at)
        r->name[at++] = '.';
    memcpy(r->name + at, text, n);
    r->name[at + n] = '\0';
    r->expects_value = true;
    return QD_OK;
}

static qd_status take_scalar(reader *r, const yaml_event_t *event, qd_error *err)
{
    char source[512];
    if (r->depth == 0)
        return fail_at(r, &event->start_mark, "expected a mapping of keys to values", err);
    if (!r->expects_value)
        return take_key(r, event, err);
    const char *value = (const char *)event->data.scalar.value;
    if (strlen(value) != event->data.scalar.length)
        return fail_at(r, &event->start_mark, "a value holds a zero byte", err);
    snprintf(source, sizeof source, "%s, line %zu", r->path, event->start_mark.line + 1);
    r->expects_value = false;
    qd_status status = qd_config_set(r->config, r->name, value, source, err);
    if (status != QD_OK && err)
        err->line = (uint32_t)event->start_mark.line + 1;
    return status;
}

static qd_status begin_mapping(reader *r, const yaml_event_t *event, qd_error *err)
{
    if (r->depth == MAX_DEPTH || (r->depth > 0 && !r->expects_value))
        return fail_at(r, &event->start_mark, "a mapping does not belong here", err);
    r->lengths[r->depth] = r->depth ? strlen(r->name) : 0;
    r->depth++;
    r->expects_value = false;
    return QD_OK;
}

/* One event; *is_done at the end of the stream. */
static qd_status take_event(reader *r, const yaml_event_t *event, bool *is_done, qd_error *err)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        /* An empty document is a scalar of no length. */
        if (r->depth == 0 && event->data.scalar.length == 0)
            return QD_OK;
        return take_scalar(r, event, err);
    case YAML_MAPPING_START_EVENT:
        return begin_mapping(r, event, err);
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return QD_OK;
    case YAML_SEQUENCE_START_EVENT:
        return fail_at(r, &event->start_mark, "a list does not belong here: every key has one value", err);
    case YAML_ALIAS_EVENT:
        return fail_at(r, &event->start_mark, "aliases are not understood here", err);
    case YAML_STREAM_END_EVENT:
        *is_done = true;
        return QD_OK;
    default:
        return QD_OK;
    }
}

static qd_status read_events(reader *r, qd_error *err)
{
    qd_status status = QD_OK;
    bool is_done = false;
    while (status == QD_OK && !is_done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            const char *problem = r->parser.problem ? r->parser.problem : "it cannot be read";
            return fail_at(r, &r->parser.problem_mark, problem, err);
        }
        status = take_event(r, &event, &is_done, err);
        yaml_event_delete(&event);
    }
    return status;
}

qd_status qd_config_read_yaml(qd_config *c, const char *path, qd_error *err)
{
    reader r = {.config = c, .path = path};
    FILE *file = fopen(path, "re");
    if (!file)
        return qd_fail(err, QD_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    if (!yaml_parser_initialize(&r.parser)) {
        fclose(file);
        return qd_fail_nomem(err);
    }
    yaml_parser_set_input_file(&r.parser, file);
    qd_status status = read_events(&r, err);
    yaml_parser_delete(&r.parser);
    fclose(file);
    return status;
}
