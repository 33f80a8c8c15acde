/* SPDX-License-Identifier: Apache-2.0
 *
 * Points in text: "lat,lon" and "POINT (lon lat)". */
#ifndef QD_INDEX_GEO_H
#define QD_INDEX_GEO_H

#include "base/str.h"

/* False when it is neither form; the ranges are not checked. */
bool qd_geo_parse_text(qd_str s, double *lat, double *lon);
/* NULL when the pair is on Earth, else "latitude" or "longitude". */
const char *qd_geo_out_of_range(double lat, double lon);

#endif
