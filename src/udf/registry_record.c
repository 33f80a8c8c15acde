/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/registry_record.h"

#include "udf/packed.h"

#define FORMAT      1
#define HEX_DIGITS  (QD_SHA256_HEX_SIZE - 1)
#define FIRST_BYTES "QE\1"

static const size_t TEXTS[] = {
    offsetof(qd_udf_record, hash),          offsetof(qd_udf_record, manifest_hash),    offsetof(qd_udf_record, key_id),
    offsetof(qd_udf_record, signature),     offsetof(qd_udf_record, native_signature), offsetof(qd_udf_record, pins),
    offsetof(qd_udf_record, function_name), offsetof(qd_udf_record, description),      offsetof(qd_udf_record, author),
    offsetof(qd_udf_record, category),      offsetof(qd_udf_record, language),         offsetof(qd_udf_record, tags),
};
#define N_TEXTS (sizeof TEXTS / sizeof *TEXTS)

void qd_udf_record_pack(const qd_udf_record *r, qd_str manifest, qd_buf *out)
{
    qd_buf_add_z(out, FIRST_BYTES);
    qd_pack_u64(out, (uint64_t)r->kind, 1);
    qd_pack_u64(out, (uint64_t)r->abi, 1);
    qd_pack_u64(out, (uint64_t)r->trust, 1);
    qd_pack_u64(out, 0, 2);
    qd_pack_u64(out, r->wasm_size, 8);
    qd_pack_u64(out, r->native_size, 8);
    qd_pack_u64(out, (uint64_t)r->registered_at_ms, 8);
    qd_pack_u64(out, (uint64_t)r->updated_at_ms, 8);
    for (size_t i = 0; i < N_TEXTS; i++)
        qd_pack_str(out, *(const qd_str *)(const void *)((const char *)r + TEXTS[i]), 4);
    qd_pack_str(out, manifest, 4);
}

bool qd_udf_record_unpack(qd_str bytes, qd_udf_record *out, size_t *summary_n, qd_str *manifest)
{
    qd_udf_record r = {0};
    qd_unpacker u = {bytes, false};
    if (!qd_str_is(qd_unpack_bytes(&u, 3), FIRST_BYTES))
        return false;
    r.kind = (qd_udf_kind)qd_unpack_u64(&u, 1);
    r.abi = (qd_udf_abi)qd_unpack_u64(&u, 1);
    r.trust = (qd_trust_state)qd_unpack_u64(&u, 1);
    (void)qd_unpack_u64(&u, 2);
    r.wasm_size = qd_unpack_u64(&u, 8);
    r.native_size = qd_unpack_u64(&u, 8);
    r.registered_at_ms = (int64_t)qd_unpack_u64(&u, 8);
    r.updated_at_ms = (int64_t)qd_unpack_u64(&u, 8);
    for (size_t i = 0; i < N_TEXTS; i++)
        *(qd_str *)(void *)((char *)&r + TEXTS[i]) = qd_unpack_str(&u, 4);
    size_t before = bytes.n - u.rest.n;
    if (manifest)
        *manifest = qd_unpack_str(&u, 4);
    if (u.failed || r.hash.n != HEX_DIGITS || r.manifest_hash.n != HEX_DIGITS || r.trust > QD_TRUST_VALID ||
        r.kind > QD_KIND_AGGREGATE || r.abi > QD_ABI_BATCH)
        return false;
    if (summary_n)
        *summary_n = before;
    *out = r;
    return true;
}

bool qd_udf_record_next(qd_str list, size_t *at, qd_str *out)
{
    const char *end = *at < list.n ? memchr(list.p + *at, 0, list.n - *at) : NULL;
    if (!end)
        return false;
    *out = (qd_str){list.p + *at, (size_t)(end - list.p) - *at};
    *at += out->n + 1;
    return true;
}
