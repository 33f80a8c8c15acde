/* SPDX-License-Identifier: Apache-2.0
 *
 * The row shape: the function gets a context, and asks for fields and parameters. */
#include "quidditch.h"

QD_EXPORT(filter) int32_t filter(qd_context ctx)
{
    double price, limit;
    if (qd_get_f64(ctx, "price", &price) != QD_OK || qd_param_f64("limit", &limit) != QD_OK)
        return 0;
    return price <= limit;
}
