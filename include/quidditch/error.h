/* SPDX-License-Identifier: Apache-2.0
 *
 * Status codes and error details. Every function that can fail returns a qd_status;
 * what went wrong, for a person, goes to an optional qd_error owned by the caller. */
#ifndef QUIDDITCH_ERROR_H
#define QUIDDITCH_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is success, all others are negative. Numbers are never reused. */
typedef enum qd_status {
    QD_OK = 0,
    QD_EINVAL = -1,        /* malformed request, parameter or manifest */
    QD_ENOMEM = -2,        /* the host is out of memory */
    QD_EIO = -3,           /* a file or a socket failed */
    QD_EINTERNAL = -4,     /* a broken invariant: our mistake */
    QD_ENOTFOUND = -5,     /* a document, route or other thing is unknown */
    QD_ECONFLICT = -6,     /* version conflict, or a thing that exists already */
    QD_ELIMIT = -7,        /* a configured limit was passed */
    QD_EBUSY = -8,         /* a queue is full: try again later */
    QD_ETIMEOUT = -9,      /* a deadline passed */
    QD_ECANCELED = -10,    /* the caller went away */
    QD_ETOOLARGE = -11,    /* a body, module or document is over its limit */
    QD_EUNSUPPORTED = -12, /* well-formed, but not something we do */
    QD_EMETHOD = -13,      /* the route exists, the HTTP method does not */

    QD_EUDF_NOTFOUND = -20,    /* function name or version unknown */
    QD_EUDF_EXISTS = -21,      /* that version holds other bytes or another manifest */
    QD_EUDF_PARAMS = -22,      /* bad manifest, registration or call parameters */
    QD_EUDF_WASM = -23,        /* not a module, not valid, missing export, wrong signature */
    QD_EUDF_COMPILE = -24,     /* valid, but the compiler or the linker refuses it */
    QD_EUDF_PERMISSION = -25,  /* an import whose permission is not granted */
    QD_EUDF_FULL = -26,        /* the registry's limit is reached */
    QD_EUDF_FAILED = -27,      /* a call trapped or gave a bad result */
    QD_EUDF_TIMEOUT = -28,     /* a call passed its deadline */
    QD_EUDF_MEMORY = -29,      /* linear memory, table or stack limit */
    QD_EUDF_DEPENDED = -30,    /* needed: by another function, or as the active version */
    QD_EUDF_SIGNATURE = -31,   /* a signature is wrong, or missing where the policy asks for one */
    QD_EUDF_QUARANTINED = -32, /* queries may not use it: it failed too often */

    QD_ERATE = -33, /* this client called too often: try again later */

    QD_EINDEX_NOTFOUND = -40, /* no such index */
    QD_EINDEX_EXISTS = -41,   /* an index of that name exists */
    QD_EMAPPING = -42,        /* a document does not fit the mapping */
    QD_EPARSE = -43,          /* malformed JSON or an unknown clause */
    QD_EQUERY = -44,          /* the query cannot be built or run on this index */
    QD_EINDEX_NAME = -45,     /* not a legal index name */
    QD_EINDEX_FAILED = -46,   /* the index takes no writes until it has been opened again, or could not be opened at
                               * the start and answers nothing: try again later */
} qd_status;

/* A part of an error's message: n bytes from message + at; n 0: the error is not about such a thing. */
typedef struct qd_error_part {
    uint16_t at, n;
} qd_error_part;

/* Of the functions that were active when a call of a guest ended: the most that are told, and their text's room, in
 * which so many always find a place. */
#define QD_ERROR_STACK_FRAMES 16
#define QD_ERROR_STACK_BYTES  1536

/* Line and column: where in a text, counted from 1; 0 when the error is not about a text. */
typedef struct qd_error {
    qd_status code;
    uint32_t line, column;
    char field[96];         /* the thing at fault (a manifest field, a JSON path), or "" */
    char message[512];      /* one sentence: the subject, what was wrong, what was expected */
    qd_error_part function; /* the function at fault: "name@version", or "name" where no version was asked for */
    qd_error_part version;  /* its version, where the message names it apart */
    qd_error_part document; /* the id of the document that the function failed on */
    qd_error_part reason;   /* what is left of the message behind both */
    /* The guest's functions that were active, innermost first, a line each, printable ASCII: "inner (func 3, offset
     * 0x1f)\nouter (func 1, offset 0x3a)"; "": no guest ran. */
    char stack[QD_ERROR_STACK_BYTES];
} qd_error;

/* clang-format off */
#define QD_ERROR_INIT {QD_OK, 0, 0, {0}, {0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0}}
/* clang-format on */

/* What the rest of the world calls a status. One table in src/base/error.c. */
typedef struct qd_status_info {
    qd_status code;
    const char *name;        /* "QD_EINVAL" */
    int http_status;         /* 400 */
    int exit_status;         /* qctl's exit code, 1..125 */
    const char *api_code;    /* functions API, `error.code`: "INVALID_PARAMETERS" */
    const char *search_type; /* search API, `error.type`: "illegal_argument_exception" */
} qd_status_info;

/* The row for a status; unknown codes give the row of QD_EINTERNAL. Never NULL. Threads: any. */
const qd_status_info *qd_status_describe(qd_status code);

/* "QD_EINVAL". Threads: any. */
const char *qd_status_name(qd_status code);

#ifdef __cplusplus
}
#endif
#endif
