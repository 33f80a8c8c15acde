/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter in the typed shape: the arguments are the parameters of manifest.json, in their order. A document that has
 * no price is not asked about, and does not pass.
 */
#include "quidditch.h"

QD_EXPORT(filter) int32_t filter(double price, double limit)
{
    return price <= limit;
}
