/* SPDX-License-Identifier: Apache-2.0
 *
 * A function in this process, compiled by the engine that the server has: nothing is registered, no server is asked. */
#ifndef QCTL_LOCAL_H
#define QCTL_LOCAL_H

#include "registration.h"
#include "udf/binding.h"
#include "wasm/engine.h"

typedef struct local_function {
    qd_wasm_engine *engine;
    qd_kv *kv;
    qd_registry *registry;
    qd_udf *udf;
} local_function;

/* All that deploy checks, but for what the server alone knows: its limits, trusted keys, other functions. On success or
 * failure: local_close. Errors: as qd_registry_register. */
qd_status local_open(local_function *f, const registration *r, qd_error *err);
void local_close(local_function *f);
/* The test call, as POST …/test answers it. *out: owned by caller (json_decref). */
qd_status local_test(local_function *f, const json_t *body, json_t **out, qd_error *err);

#endif
