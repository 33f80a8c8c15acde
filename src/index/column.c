/* SPDX-License-Identifier: Apache-2.0 */
#include "index/column.h"

#include "index/seam.h"

qd_status qd_column_open(const qd_searcher *s, uint32_t segment, uint32_t field_id, qd_column **out, qd_error *err)
{
    qe_error seam = {0};
    qe_column *c = NULL;
    int rc = qe_column_open(s->engine, segment, field_id, &c, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot open a column", err);
    *out = c;
    return QD_OK;
}

void qd_column_free(qd_column *c)
{
    qe_column_free(c);
}

qd_status qd_column_string(qd_column *c, uint64_t ord, qd_str *out, qd_error *err)
{
    qe_error seam = {0};
    const char *p = NULL;
    size_t n = 0;
    int rc = qe_column_ord_str(c, ord, &p, &n, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot read a column's string", err);
    *out = (qd_str){p, n};
    return QD_OK;
}
