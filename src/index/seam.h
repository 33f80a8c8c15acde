/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam's outcomes in the words of the house. Used within the index room only. */
#ifndef QD_INDEX_SEAM_H
#define QD_INDEX_SEAM_H

#include "base/error.h"
#include "engine.h"

/* `doing` opens the message ("cannot commit"). QE_OK gives QD_OK and leaves *err alone. */
qd_status qd_seam_status(int rc, const qe_error *seam, const char *doing, qd_error *err);

#endif
