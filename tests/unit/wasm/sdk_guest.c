/* SPDX-License-Identifier: Apache-2.0
 *
 * A function that uses all of sdk/c/quidditch.h; compiled for wasm32 and run by test_wasm_sdk.c. */
#include "quidditch.h"

/* The same document by handle; 0 when all agrees. */
static int by_handle(double price, int64_t stock)
{
    qd_handle prices = qd_field("price"), names = qd_field("name"), stocks = qd_field("stock");
    char name[32];
    uint32_t len = sizeof name;
    double price0;
    int64_t stock0;
    if (!qd_field_valid(prices) || qd_field_f64(prices) != price || qd_field_i64(stocks) != stock)
        return 1;
    if (qd_field_string(names, name, &len) || len != 4 || qd_field_count(names) != 1)
        return 2;
    if (qd_field_f64_at(prices, 0, &price0) || price0 != price || qd_field_i64_at(stocks, 0, &stock0) ||
        stock0 != stock)
        return 3;
    len = sizeof name;
    return qd_field_string_at(names, 0, name, &len) || qd_field_string_at(names, 1, name, &len) != QD_MISSING;
}

QD_EXPORT(f) double f(qd_context ctx)
{
    char name[32], id[32], target[32];
    uint32_t name_len = sizeof name, id_len = sizeof id, target_len = sizeof target;
    double price, boost;
    int64_t stock, limit;
    int32_t flag, fuzzy;
    if (qd_get_f64(ctx, "price", &price) != QD_OK) {
        qd_log(QD_LOG_WARNING, "no price");
        return -1;
    }
    if (qd_get_i64(ctx, "stock", &stock) || qd_get_bool(ctx, "flag", &flag) || qd_get_id(ctx, id, &id_len) ||
        qd_get_string(ctx, "name", name, &name_len))
        return -2;
    if (qd_param_f64("boost", &boost) || qd_param_i64("limit", &limit) || qd_param_bool("fuzzy", &fuzzy) ||
        qd_param_string("target", target, &target_len))
        return -3;
    if (!qd_has(ctx, "name") || qd_has(ctx, "nothing") || qd_get_string(ctx, "price", name, &name_len) != QD_WRONG_TYPE)
        return -4;
    if (by_handle(price, stock) || qd_count(ctx, "price") != 1 || qd_score() != qd_get_score(ctx))
        return -5;
    if (stock == 40)
        qd_set_result_missing();
    if (stock < 0)
        qd_set_result("never here");
    return price + (double)stock + flag + boost + (double)limit + fuzzy + qd_get_score(ctx) + name_len + id_len +
           target_len + (name[0] == 'd') + (id[0] == 'i') + (target[0] == 'p');
}

/* The batch shape: relevance times price, and no result where there is no price. */
QD_EXPORT(batch) void batch(uint32_t n, const qd_column *columns, qd_column *out)
{
    const double *relevance = columns[0].data, *price = columns[1].data;
    double *result = out->data;
    for (uint32_t i = 0; i < n; i++) {
        result[i] = relevance[i] * price[i];
        out->valid[i] = !columns[1].valid || columns[1].valid[i];
    }
}
