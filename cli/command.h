/* SPDX-License-Identifier: Apache-2.0
 *
 * qctl: a thin client of the HTTP API. One table (command.c) holds every command: its words, arguments, options and
 * handler; parsing, dispatch and `help` come from it. A new command is one row and one handler.
 *
 * A handler writes its result to stdout and returns a status; main prints the error to stderr and turns the status into
 * the exit status of the one table (base/error.c), 2 for a wrong command line. With --json, stdout is what the server
 * said. */
#ifndef QCTL_COMMAND_H
#define QCTL_COMMAND_H

#include <stdio.h>

#include "base/error.h"
#include "client.h"
#include "options.h"

typedef struct qctl {
    client *client;
    bool is_json;  /* --json: raw answers, for scripts */
    bool is_quiet; /* --quiet: results and errors only */
} qctl;

typedef struct command {
    const char *group, *verb; /* "udf", "deploy"; verb NULL: one word */
    const char *arguments;    /* for help: "DIR|FILE" */
    const char *summary;
    int min_args, max_args;
    const option *options;                                   /* ends with a NULL name; may be NULL */
    qd_status (*run)(qctl *q, const args *a, qd_error *err); /* NULL: `help` */
} command;

/* --url, --json, --quiet, --help. */
extern const option GLOBAL_OPTIONS[];

/* By its words; *n_words: how many of argv were used. NULL when there is none. */
const command *command_find(int argc, char **argv, int *n_words);
bool command_is_group(const char *word); /* "udf", "index" */
/* QD_EINVAL for words that are no command, with the one that was most likely meant. `verb` may be NULL. */
qd_status command_fail_unknown(const char *group, const char *verb, qd_error *err);
/* The whole list, one group ("udf"), or one command with its options. */
void command_help(FILE *out, const char *group, const command *c);

qd_status udf_compile(qctl *q, const args *a, qd_error *err);
qd_status udf_deploy(qctl *q, const args *a, qd_error *err);
qd_status udf_validate(qctl *q, const args *a, qd_error *err);
qd_status udf_delete(qctl *q, const args *a, qd_error *err);
qd_status udf_list(qctl *q, const args *a, qd_error *err);
qd_status udf_show(qctl *q, const args *a, qd_error *err);
qd_status udf_versions(qctl *q, const args *a, qd_error *err);
qd_status udf_test(qctl *q, const args *a, qd_error *err);
qd_status udf_init(qctl *q, const args *a, qd_error *err);
qd_status udf_build(qctl *q, const args *a, qd_error *err);
qd_status udf_bench(qctl *q, const args *a, qd_error *err);
qd_status udf_activate(qctl *q, const args *a, qd_error *err);
qd_status udf_rollback(qctl *q, const args *a, qd_error *err);
qd_status udf_history(qctl *q, const args *a, qd_error *err);
qd_status udf_reinstate(qctl *q, const args *a, qd_error *err);
qd_status udf_status(qctl *q, const args *a, qd_error *err);
qd_status udf_stats(qctl *q, const args *a, qd_error *err);
qd_status udf_logs(qctl *q, const args *a, qd_error *err);
qd_status udf_wasm(qctl *q, const args *a, qd_error *err);
qd_status udf_keygen(qctl *q, const args *a, qd_error *err);
qd_status udf_sign(qctl *q, const args *a, qd_error *err);
qd_status udf_verify(qctl *q, const args *a, qd_error *err);
qd_status audit_run(qctl *q, const args *a, qd_error *err);
qd_status index_create(qctl *q, const args *a, qd_error *err);
qd_status index_list(qctl *q, const args *a, qd_error *err);
qd_status index_stats(qctl *q, const args *a, qd_error *err);
qd_status index_delete(qctl *q, const args *a, qd_error *err);
qd_status index_load(qctl *q, const args *a, qd_error *err);
qd_status search_run(qctl *q, const args *a, qd_error *err);
qd_status version_run(qctl *q, const args *a, qd_error *err);

#endif
