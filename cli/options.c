/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>

#include "suggest.h"

#define USAGE "command line"

qd_status usage_error(qd_error *err, const char *fmt, ...)
{
    char text[400];
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    return qd_fail_field(err, QD_EINVAL, USAGE, "%s", text);
}

bool is_usage_error(const qd_error *err)
{
    return strcmp(err->field, USAGE) == 0;
}

static const option *find(const option *table, const char *name, size_t n)
{
    for (; table && table->name; table++) {
        if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
            return table;
    }
    return NULL;
}

/* Those few options that people write with one letter everywhere, where a command has them. */
static const struct {
    char letter;
    const char *name;
} LETTERS[] = {{'h', "help"}, {'f', "follow"}, {'q', "quiet"}};

static const option *find_letter(const char *text, const option *mine, const option *global)
{
    for (size_t i = 0; text[1] == '\0' && i < sizeof LETTERS / sizeof *LETTERS; i++) {
        const char *name = LETTERS[i].name;
        if (LETTERS[i].letter != text[0])
            continue;
        const option *o = find(mine, name, strlen(name));
        return o ? o : find(global, name, strlen(name));
    }
    return NULL;
}

static qd_status fail_unknown(const char *text, size_t n, const option *mine, const option *global, qd_error *err)
{
    suggestion s = {NULL, 0};
    for (const option *o = mine; o && o->name; o++)
        suggest(&s, text, n, o->name);
    for (const option *o = global; o && o->name; o++)
        suggest(&s, text, n, o->name);
    return usage_error(err, "there is no option --%.*s here%s%s%s", (int)n, text, s.word ? "; did you mean --" : "",
                       s.word ? s.word : "", s.word ? "?" : "");
}

static qd_status take_option(args *a, int argc, char **argv, int *i, const option *mine, const option *global,
                             qd_error *err)
{
    bool is_long = argv[*i][1] == '-';
    const char *text = argv[*i] + 1 + is_long, *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const option *o = is_long ? find(mine, text, n) : find_letter(text, mine, global);
    if (!o && is_long)
        o = find(global, text, n);
    if (!o && is_long)
        return fail_unknown(text, n, mine, global, err);
    if (!o)
        return usage_error(err, "there is no option %s (write -- before an argument that starts with a dash)",
                           argv[*i]);
    if (a->n_given == OPTIONS_MAX)
        return usage_error(err, "more than %d options", OPTIONS_MAX);
    const char *value = "";
    if (o->value && equals)
        value = equals + 1;
    else if (o->value && *i + 1 < argc)
        value = argv[++*i];
    else if (o->value)
        return usage_error(err, "option --%s needs a value: --%s %s", o->name, o->name, o->value);
    else if (equals)
        return usage_error(err, "option --%s takes no value", o->name);
    a->given[a->n_given].name = o->name;
    a->given[a->n_given].value = value;
    a->n_given++;
    return QD_OK;
}

qd_status args_parse(args *a, int argc, char **argv, const option *mine, const option *global, qd_error *err)
{
    bool only_words = false;
    memset(a, 0, sizeof *a);
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            qd_status rc = take_option(a, argc, argv, &i, mine, global, err);
            if (rc)
                return rc;
        } else if (a->n_words == ARGS_MAX) {
            return usage_error(err, "too many arguments, from '%s' on", argv[i]);
        } else {
            a->words[a->n_words++] = argv[i];
        }
    }
    return QD_OK;
}

const char *args_text(const args *a, const char *name, const char *otherwise)
{
    for (int i = a->n_given; i-- > 0;) {
        if (strcmp(a->given[i].name, name) == 0)
            return a->given[i].value;
    }
    return otherwise;
}

bool args_has(const args *a, const char *name)
{
    return args_text(a, name, NULL) != NULL;
}

qd_status args_i64(const args *a, const char *name, int64_t min, int64_t max, int64_t *out, qd_error *err)
{
    const char *text = args_text(a, name, NULL);
    int64_t value;
    if (!text)
        return QD_OK;
    if (!qd_str_to_i64(qd_str_of(text), &value) || value < min || value > max) {
        return usage_error(err, "option --%s: expected a whole number from %lld to %lld, got '%s'", name,
                           (long long)min, (long long)max, text);
    }
    *out = value;
    return QD_OK;
}
