/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/join.h"

#include <stdlib.h>

#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

#define MAX_PART_BYTES (64u << 10)
/* Of what the joiner makes of its parts (rust/engine/src/join): code that is kept is not taken for that of another. */
#define JOINED_HOW "joined 1"
#define GUEST      "udf"
#define COLUMNS    "env" /* by which guests import what the columns module has */

/* ---- making ------------------------------------------------------------------------------------------------------ */

/* Is it for a driver? The program checks the signature whole, with messages. */
static bool can_join(const qd_wasm_module *m, const qd_wasm_entry *entry, qd_wasm_signature *s)
{
    if (entry->export_name.n == 0 || entry->shape == QD_SHAPE_BATCH || m->links.n > 0 || m->has_start ||
        !qd_wasm_module_export(m, entry->export_name, s) || s->n_results > 1)
        return false;
    bool is_number = s->n_results == 0 || s->result != QD_WASM_OTHER;
    for (uint32_t i = 0; i < s->n_params; i++)
        is_number &= s->params[i] != QD_WASM_OTHER;
    uint32_t context = entry->has_state ? 1 : 0;
    if (entry->has_state && (s->n_params == 0 || s->params[0] != QD_WASM_I32))
        return false;
    if (entry->shape != QD_SHAPE_TYPED)
        return is_number && s->n_params == context + 1 && s->params[context] == QD_WASM_I64;
    return is_number;
}

static qd_status fill(qd_join *j, const qd_wasm_module *m, const qd_wasm_entry *entry, qd_error *err)
{
    qd_driver of_columns = {0};
    const qd_driver_spec columns = {.is_columns = true};
    j->spec = (qd_driver_spec){.shape = entry->shape,
                               .has_state = entry->has_state,
                               .drops_result = entry->has_state || entry->returns_string,
                               .imports_cols = m->imports_columns,
                               .varying = entry->shape == QD_SHAPE_TYPED ? entry->varying : 0,
                               .signature = &j->signature,
                               .function = {j->export_name, j->export_name_n}};
    if (!j->export_name || !qd_driver_generate(&j->spec, &j->layout, &j->driver) ||
        (m->imports_columns && !qd_driver_generate(&columns, &of_columns, &j->columns)))
        return qd_fail_nomem(err);
    j->cols_bytes = m->imports_columns ? of_columns.memory_bytes : j->layout.memory_bytes;
    const qd_str parts[] = {QD_STR(JOINED_HOW), qd_str_of(m->hash), qd_buf_str(&j->driver), qd_buf_str(&j->columns)};
    return qd_hash_sha256_hex_of(parts, sizeof parts / sizeof *parts, j->hash)
               ? QD_OK
               : qd_fail(err, QD_EINTERNAL, "the module's hash could not be computed");
}

qd_status qd_join_new(const qd_wasm_module *m, const qd_wasm_entry *entry, qd_join **out, qd_error *err)
{
    qd_wasm_signature s;
    *out = NULL;
    if (!can_join(m, entry, &s))
        return QD_OK;
    qd_join *j = calloc(1, sizeof *j);
    if (!j)
        return qd_fail_nomem(err);
    atomic_init(&j->refs, 1);
    qd_buf_init(&j->driver, MAX_PART_BYTES);
    qd_buf_init(&j->columns, MAX_PART_BYTES);
    j->guest = qd_blob_ref(m->bytes);
    j->export_name = qd_str_dup(entry->export_name);
    j->export_name_n = entry->export_name.n;
    j->signature = s;
    qd_status rc = fill(j, m, entry, err);
    if (rc)
        qd_join_unref(j);
    else
        *out = j;
    return rc;
}

qd_join *qd_join_ref(qd_join *j)
{
    if (j)
        atomic_fetch_add_explicit(&j->refs, 1, memory_order_relaxed);
    return j;
}

void qd_join_unref(qd_join *j)
{
    if (!j || atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) != 1)
        return;
    qe_join_map_free(atomic_load_explicit(&j->map, memory_order_relaxed));
    qd_blob_unref(j->guest);
    qd_buf_deinit(&j->driver);
    qd_buf_deinit(&j->columns);
    free(j->export_name);
    free(j);
}

/* ---- using ------------------------------------------------------------------------------------------------------- */

bool qd_join_serves(const qd_join *j, const qd_wasm_program *p, uint64_t varying)
{
    bool is_typed = j->spec.shape == QD_SHAPE_TYPED;
    /* To a driver, row and handle are the same. */
    return is_typed == (p->shape == QD_SHAPE_TYPED) && p->shape != QD_SHAPE_BATCH &&
           j->spec.has_state == p->has_state && j->spec.drops_result == (p->has_state || p->returns_string) &&
           (!is_typed || j->spec.varying == varying) &&
           qd_str_eq(j->spec.function, (qd_str){p->export_name, p->export_name_n});
}

#define N_PARTS 3

/* Returns how many there are. */
static size_t list_parts(const qd_join *j, qe_wasm_part parts[N_PARTS])
{
    parts[0] = (qe_wasm_part){GUEST, sizeof GUEST - 1, j->guest->p, j->guest->n};
    parts[1] = (qe_wasm_part){QD_JOIN_DRIVER, sizeof QD_JOIN_DRIVER - 1, (const uint8_t *)j->driver.p, j->driver.n};
    parts[2] = (qe_wasm_part){COLUMNS, sizeof COLUMNS - 1, (const uint8_t *)j->columns.p, j->columns.n};
    return j->columns.n > 0 ? 3 : 2;
}

qd_status qd_join_write(const qd_join *j, qe_code **out, qd_error *err)
{
    qe_error error = {0};
    qe_wasm_part parts[N_PARTS];
    size_t n = list_parts(j, parts);
    int rc = qe_wasm_join(parts, n, out, &error);
    if (rc == QE_OK)
        return QD_OK;
    return rc == QE_ENOMEM ? qd_fail_nomem(err) : qd_fail(err, QD_EUDF_COMPILE, "%.300s", error.message);
}

/* Two threads that need it first both make it, and one throws its own away. */
static const qe_join_map *need_map(qd_join *j)
{
    qe_join_map *map = atomic_load_explicit(&j->map, memory_order_acquire), *none = NULL;
    qe_error error = {0};
    qe_wasm_part parts[N_PARTS];
    if (map || j->guest->n > QD_JOIN_MAX_MAPPED || qe_wasm_join_map(parts, list_parts(j, parts), &map, &error) != QE_OK)
        return map;
    if (atomic_compare_exchange_strong(&j->map, &none, map))
        return map;
    qe_join_map_free(map);
    return none;
}

bool qd_join_locate(qd_join *j, size_t offset, uint32_t *function, size_t *from)
{
    const qe_join_map *map = need_map(j);
    return map && qe_join_map_find(map, offset, function, from);
}
