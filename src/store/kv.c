/* SPDX-License-Identifier: Apache-2.0 */
#include "store/kv.h"

static qd_status change_one(qd_kv *kv, const qd_kv_item *item, qd_error *err)
{
    if (!item->is_removal)
        return qd_kv_put(kv, item->bucket, item->key, item->value, item->expected, NULL, err);
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_kv_remove(kv, item->bucket, item->key, QD_KV_ANY, &why);
    if (st == QD_OK || st == QD_ENOTFOUND)
        return QD_OK;
    if (err)
        *err = why;
    return st;
}

qd_status qd_kv_change_many(qd_kv *kv, const qd_kv_item *items, size_t n, qd_error *err)
{
    qd_status st = QD_OK;
    if (kv->v->change_many)
        return kv->v->change_many(kv, items, n, err);
    for (size_t i = 0; i < n && st == QD_OK; i++)
        st = change_one(kv, &items[i], err);
    return st;
}

qd_status qd_kv_open_log(qd_kv *kv, const char *name, size_t max_bytes, struct qd_log **out, qd_error *err)
{
    return kv->v->open_log ? kv->v->open_log(kv, name, max_bytes, out, err)
                           : qd_fail(err, QD_EUNSUPPORTED, "this store has no logs of its own (asked for '%s')", name);
}
