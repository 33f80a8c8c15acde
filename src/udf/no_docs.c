/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/no_docs.h"

static int no_resolve(void *arg, qd_str path)
{
    (void)arg, (void)path;
    return 0;
}

static bool no_block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)slot, (void)out, (void)valid, (void)all_valid;
    return false;
}

static bool no_block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)slot, (void)out, (void)valid, (void)all_valid;
    return false;
}

static bool no_value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg, (void)slot, (void)row, (void)out;
    return false;
}

static bool no_id(void *arg, uint32_t row, qd_str *out)
{
    (void)arg, (void)row, (void)out;
    return false;
}

const qd_doc_source qd_no_docs = {
    .resolve = no_resolve, .block_f64 = no_block_f64, .block_i64 = no_block_i64, .value = no_value, .id = no_id};
