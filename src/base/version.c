/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library is, and how to give back what it gave: the public functions that need nothing else. */
#include <stdlib.h>

#include "quidditch/types.h"
#include "quidditch/version.h"

const char *qd_version(void)
{
    return QD_VERSION_STRING;
}

void qd_free(void *answer)
{
    free(answer);
}
