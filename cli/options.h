/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines: `--name value`, `--name=value`, flags, `--` before arguments that start with a dash. */
#ifndef QCTL_OPTIONS_H
#define QCTL_OPTIONS_H

#include "base/error.h"
#include "base/str.h"

typedef struct option {
    const char *name;  /* without dashes; NULL ends a table */
    const char *value; /* what help calls its value; NULL: a flag */
    const char *help;
} option;

#define ARGS_MAX    8
#define OPTIONS_MAX 24

typedef struct args {
    const char *words[ARGS_MAX]; /* views of argv */
    int n_words;
    struct {
        const char *name, *value; /* value "" for a flag */
    } given[OPTIONS_MAX];
    int n_given;
} args;

/* QD_EINVAL, marked as a fault of the command line: qctl ends with 2 then, whatever the server calls such an error. */
qd_status usage_error(qd_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool is_usage_error(const qd_error *err);

/* Options are looked up in `mine` (may be NULL), then in `global`. Errors: QD_EINVAL, naming the option. */
qd_status args_parse(args *a, int argc, char **argv, const option *mine, const option *global, qd_error *err);
bool args_has(const args *a, const char *name);
/* Its value (the last one wins), or `otherwise`. */
const char *args_text(const args *a, const char *name, const char *otherwise);
/* A whole number within [min, max]; absent: *out untouched. Errors: QD_EINVAL. */
qd_status args_i64(const args *a, const char *name, int64_t min, int64_t max, int64_t *out, qd_error *err);

#endif
