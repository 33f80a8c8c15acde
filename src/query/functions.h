/* SPDX-License-Identifier: Apache-2.0
 *
 * Resolving the functions of a query: once, at the start, all at one moment of the registry, so that one query never
 * mixes two versions. */
#ifndef QD_QUERY_FUNCTIONS_H
#define QD_QUERY_FUNCTIONS_H

#include "query/run.h"

/* Fills in the bindings of run->uses. Errors: QD_EUDF_NOTFOUND, QD_EUDF_PARAMS, QD_EUDF_QUARANTINED with the clause's
 * line and column. */
qd_status qd_functions_resolve(qd_run *run, qd_error *err);
/* Tells the quarantine what became of the query: which functions made it fail, or that all of them did well. */
void qd_functions_report(qd_run *run, qd_status status);
/* Drops bindings, and with them the functions. */
void qd_functions_release(qd_run *run);

#endif
