/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of versions, by the rules of node-semver (github.com/npm/node-semver, "Ranges"), which most authors know:
 *
 *   1.2.3  =1.2.3       that version                   1  1.x  1.2  1.2.*  *   any that begins so
 *   >1.2  >=1.2  <2  <=2.1   compared                  >=1.0 <2                all of them (spaces)
 *   ^1.2.3  up to the next change of the leftmost number that is not 0      1.2 - 2.3   from, up to and with
 *   ~1.2.3  up to the next minor version (~1: major)                        1.x || 3.x  one of them
 *
 * A pre-release is in a range only where the range names a pre-release of the same major.minor.patch: ^1.2.3-rc.1 takes
 * 1.2.3-rc.2, but not 1.3.0-rc.1. Build metadata does not count. Unlike node's, no "v" before a number and no "~>". */
#ifndef QD_UDF_SEMVER_RANGE_H
#define QD_UDF_SEMVER_RANGE_H

#include "base/error.h"
#include "udf/semver.h"

#define QD_SEMVER_RANGE_MAX_BYTES 256
#define QD_SEMVER_RANGE_MAX       32 /* comparisons in one range */

typedef enum qd_semver_op { QD_SEMVER_EQ, QD_SEMVER_LT, QD_SEMVER_LE, QD_SEMVER_GT, QD_SEMVER_GE } qd_semver_op;

/* Comparisons that must all hold, up to one that begins a new alternative. */
typedef struct qd_semver_range {
    size_t n;
    struct {
        qd_semver_op op;
        bool begins_set;
        qd_semver version; /* `pre` a view into the text */
    } items[QD_SEMVER_RANGE_MAX];
} qd_semver_range;

/* `text` must outlive the range. Errors: QD_EUDF_PARAMS with field "version", naming the part that is wrong. */
qd_status qd_semver_range_parse(qd_str text, qd_semver_range *out, qd_error *err);
bool qd_semver_range_has(const qd_semver_range *r, const qd_semver *v);

#endif
