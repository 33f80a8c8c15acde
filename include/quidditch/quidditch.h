/* SPDX-License-Identifier: Apache-2.0
 *
 * libquidditch: a search engine in a library. A database is one data directory: indices of JSON documents, and
 * functions that users wrote, which queries run next to the documents. Nothing is global: a process may open several.
 *
 *   index.h  create indices, write and read documents        query.h  search
 *   udf.h    register and call functions                     error.h  status codes and error details
 *   runtime.h  functions alone, without a database
 *
 * Conventions. Strings go in as (pointer, length), UTF-8, borrowed for the call. Whatever can fail returns a qd_status
 * and fills an optional qd_error; outputs are written on success only. Answers are JSON text, NUL-terminated, owned by
 * caller: free with qd_free. Every function may be called from any thread, with others at work. */
#ifndef QUIDDITCH_QUIDDITCH_H
#define QUIDDITCH_QUIDDITCH_H

#include "quidditch/error.h"
#include "quidditch/index.h"
#include "quidditch/query.h"
#include "quidditch/runtime.h"
#include "quidditch/types.h"
#include "quidditch/udf.h"
#include "quidditch/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `size` lets the struct grow: start from QD_DATABASE_OPTIONS_INIT. */
typedef struct qd_database_options {
    size_t size;
    unsigned search_threads;     /* workers beside the calling thread for one query; 0: none */
    size_t writer_memory_bytes;  /* indexing buffer of each index, >= 15 MiB */
    int64_t refresh_interval_ms; /* how often writes become searchable by themselves; -1: only by qd_database_refresh */
    uint32_t call_ms;            /* longest call of a function for one document */
    size_t udf_memory_bytes;     /* linear memory of one function at most */
    void (*log)(void *arg, const char *line); /* told of what happens in the background; NULL: nobody */
    void *log_arg;
} qd_database_options;
#define QD_DATABASE_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        sizeof(qd_database_options), 2, (size_t)128 << 20, 1000, 100, (size_t)16 << 20, NULL, NULL                     \
    }

/* Opens (creating) the data directory and recovers what a crash left. `options` may be NULL.
 * *out: owned by caller (qd_database_close).
 * Errors: QD_EIO, QD_EBUSY (another process has the directory open). */
qd_status qd_database_open(const char *data_dir, const qd_database_options *options, qd_database **out, qd_error *err);

/* Waits for calls in progress to be finished by their threads: none may be running or start. NULL is legal. */
void qd_database_close(qd_database *db);

#ifdef __cplusplus
}
#endif
#endif
