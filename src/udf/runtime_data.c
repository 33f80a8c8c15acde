/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/runtime.h"

qd_status qd_runtime_bind(qd_runtime *rt, const char *function, const char *parameters, bool is_aggregation,
                          qd_binding **out, qd_error *err)
{
    json_t *json = NULL;
    qd_udf *u = NULL;
    qd_status st = parameters ? qd_json_parse(qd_str_of(parameters), &json, err) : QD_OK;
    if (st == QD_OK)
        st = qd_registry_get_spec(rt->registry, qd_str_of(function), &u, err);
    const qd_binding_spec spec = {.params = json, .is_aggregation = is_aggregation};
    if (st == QD_OK)
        st = qd_binding_new(u, &spec, out, err);
    qd_udf_unref(u);
    json_decref(json);
    return st;
}

qd_data qd_data_of(const qd_value *v)
{
    switch (v->type) {
    case QD_BOOL:
        return (qd_data){QD_DATA_BOOL, {.b = v->as.b}};
    case QD_I64:
        return (qd_data){QD_DATA_I64, {.i = v->as.i}};
    case QD_F64:
        return (qd_data){QD_DATA_F64, {.f = v->as.f}};
    case QD_STRING:
        return (qd_data){QD_DATA_TEXT, {.text = {v->as.s.p, v->as.s.n}}};
    default:
        return (qd_data){.type = QD_DATA_MISSING};
    }
}

qd_status qd_data_columns_check(const qd_data_column *columns, size_t n_columns, qd_error *err)
{
    for (size_t i = 0; i < n_columns; i++) {
        const qd_data_column *c = &columns[i];
        if (!c->name || !c->values || c->type < QD_DATA_BOOL || c->type > QD_DATA_TEXT)
            return qd_fail(err, QD_EINVAL, "column %zu ('%s'): expected a name, values and their type", i,
                           c->name ? c->name : "");
    }
    return QD_OK;
}
