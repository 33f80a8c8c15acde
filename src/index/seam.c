/* SPDX-License-Identifier: Apache-2.0 */
#include "index/seam.h"

static const qd_status CODES[] = {
    [QE_OK] = QD_OK,            [QE_EINVAL] = QD_EINTERNAL, [QE_EIO] = QD_EIO,           [QE_ECORRUPT] = QD_EIO,
    [QE_ENOMEM] = QD_ENOMEM,    [QE_ESYNTAX] = QD_EPARSE,   [QE_ESTOPPED] = QD_ECANCELED, [QE_EPANIC] = QD_EINTERNAL,
};

qd_status qd_seam_status(int rc, const qe_error *seam, const char *doing, qd_error *err)
{
    bool is_known = rc >= 0 && (size_t)rc < sizeof CODES / sizeof *CODES;
    qd_status st = is_known ? CODES[rc] : QD_EINTERNAL;
    if (st == QD_OK)
        return QD_OK;
    if (seam->line > 0)
        return qd_fail_at(err, st, seam->line, seam->column, "%s: malformed JSON at line %u, column %u: %s", doing,
                          seam->line, seam->column, seam->message);
    return qd_fail(err, st, "%s: %s", doing, seam->message);
}
