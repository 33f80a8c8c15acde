/* SPDX-License-Identifier: Apache-2.0 */
#include "index/geo.h"

#include <ctype.h>
#include <strings.h>

#include "index/document.h"

static qd_str trim(qd_str s)
{
    while (s.n > 0 && isspace((unsigned char)s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Two numbers with `separator` between them, and blanks anywhere else. */
static bool parse_pair(qd_str s, char separator, double *first, double *second)
{
    s = trim(s);
    const char *at = s.n ? memchr(s.p, separator, s.n) : NULL;
    if (!at)
        return false;
    qd_str left = trim((qd_str){s.p, (size_t)(at - s.p)});
    qd_str right = trim((qd_str){at + 1, s.n - (size_t)(at + 1 - s.p)});
    return qd_str_to_f64(left, first) && qd_str_to_f64(right, second);
}

static bool parse_wkt(qd_str s, double *lat, double *lon)
{
    if (s.n < 7 || strncasecmp(s.p, "POINT", 5) != 0)
        return false;
    s = trim((qd_str){s.p + 5, s.n - 5});
    if (s.n < 2 || s.p[0] != '(' || s.p[s.n - 1] != ')')
        return false;
    return parse_pair((qd_str){s.p + 1, s.n - 2}, ' ', lon, lat);
}

bool qd_geo_parse_text(qd_str s, double *lat, double *lon)
{
    s = trim(s);
    return parse_wkt(s, lat, lon) || parse_pair(s, ',', lat, lon);
}

const char *qd_geo_out_of_range(double lat, double lon)
{
    if (!(lat >= -90 && lat <= 90))
        return "latitude";
    return lon >= -180 && lon <= 180 ? NULL : "longitude";
}

static bool coordinate(const json_t *v, double *out)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    return json_is_string(v) && qd_str_to_f64((qd_str){json_string_value(v), json_string_length(v)}, out);
}

bool qd_geo_parse(const json_t *v, double *lat, double *lon)
{
    double a, b;
    bool ok = false;
    if (json_is_object(v) && json_object_size(v) == 2)
        ok = coordinate(json_object_get(v, "lat"), &a) && coordinate(json_object_get(v, "lon"), &b);
    else if (json_is_array(v) && json_array_size(v) == 2)
        ok = coordinate(json_array_get(v, 1), &a) && coordinate(json_array_get(v, 0), &b);
    else if (json_is_string(v))
        ok = qd_geo_parse_text((qd_str){json_string_value(v), json_string_length(v)}, &a, &b);
    if (!ok || qd_geo_out_of_range(a, b))
        return false;
    *lat = a;
    *lon = b;
    return true;
}
