/* SPDX-License-Identifier: Apache-2.0
 *
 * The public runtime (include/quidditch/runtime.h) over this room: runtime.c opens and forwards, runtime_call.c runs.
 */
#ifndef QD_UDF_RUNTIME_H
#define QD_UDF_RUNTIME_H

#include "quidditch/runtime.h"
#include "udf/registry.h"

struct qd_runtime {
    qd_kv *kv;
    qd_stats_keeper *stats;
    qd_wasm_engine *engine;
    qd_registry *registry;
};

#endif
