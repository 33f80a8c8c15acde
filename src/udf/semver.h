/* SPDX-License-Identifier: Apache-2.0
 *
 * Semantic Versioning 2.0.0 (semver.org): strict parsing and precedence. */
#ifndef QD_UDF_SEMVER_H
#define QD_UDF_SEMVER_H

#include "base/str.h"

typedef struct qd_semver {
    uint64_t major, minor, patch;
    qd_str pre, build; /* views into the parsed text; empty when absent */
} qd_semver;

/* False unless the whole text is a version; at most 64 bytes are accepted. */
bool qd_semver_parse(qd_str text, qd_semver *out);
/* Precedence by the specification's chapter 11 (build metadata ignored): -1, 0, 1. 1.10.0 > 1.9.0. */
int qd_semver_cmp(const qd_semver *a, const qd_semver *b);

#endif
