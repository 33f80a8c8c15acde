/* SPDX-License-Identifier: Apache-2.0
 *
 * A function as it lies on disk, ready to be sent: a directory with manifest.json and one module (DIR/DIR.wasm, else
 * the only .wasm, else the only .wat in it), or a module file with --manifest, --name, --version, --function. */
#ifndef QCTL_REGISTRATION_H
#define QCTL_REGISTRATION_H

#include <jansson.h>

#include "client.h"
#include "options.h"

/* The server has its own, lower limit and says which; this one only bounds what is read. */
#define MAX_MODULE_BYTES ((size_t)256 << 20)

typedef struct registration {
    char *module_path;
    json_t *manifest; /* an object, maybe empty: the module may hold its own */
    qd_buf module;    /* wasm, or text when is_text */
    bool is_text;     /* .wat: the server assembles it */
    /* Where the command has options for them, and they were given. */
    json_t *signature, *native_signature;
    qd_buf native;
    bool has_native;
    bool is_inactive; /* its name alone is to go on meaning what it means */
} registration;

/* The options that name a manifest and override its fields, for the commands' tables. */
#define REGISTRATION_OPTIONS                                                                                           \
    {"manifest", "FILE", "the manifest (a directory has its manifest.json)"},                                          \
        {"name", "NAME", "the function's name, over the manifest's"},                                                  \
        {"version", "VERSION", "its version, over the manifest's"},                                                    \
    {                                                                                                                  \
        "function", "EXPORT", "the exported function, over the manifest's"                                             \
    }

/* `where`: directory or module file. Errors: QD_EIO, QD_EPARSE, QD_EINVAL, naming the file. On success:
 * registration_deinit. */
qd_status registration_load(registration *r, const char *where, const args *a, qd_error *err);
void registration_deinit(registration *r);
/* The only .wat in a directory; NULL when there is none or more. Owned by caller (free). */
char *registration_find_text(const char *directory);

/* Sends it as POST `path`: multipart for a binary, JSON for text. See call() in answer.h. */
struct qctl;
qd_status registration_send(struct qctl *q, const registration *r, const char *path, answer *out, json_t **json,
                            qd_error *err);
/* As one JSON object: the manifest's fields and `wasm_base64` or `source`. Owned by caller; NULL when out of memory. */
json_t *registration_json(const registration *r);

#endif
