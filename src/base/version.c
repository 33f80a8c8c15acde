/* SPDX-License-Identifier: Apache-2.0 */
#include "quidditch/version.h"

const char *qd_version(void)
{
    return QD_VERSION_STRING;
}
