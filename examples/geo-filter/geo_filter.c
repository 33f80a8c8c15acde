/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter by distance: true when a point lies within a radius of another, on the great circle.
 *
 * The typed shape: the arguments are the parameters of manifest.json, in order. The engine fills them from the query
 * and from the columns of a geo_point field, and calls the function for blocks of documents without leaving the
 * sandbox. A document that has no point is not asked. */
#include <math.h>

#include "quidditch.h"

#define EARTH_RADIUS_KM 6371.0088 /* mean radius, IUGG */
#define RADIANS (3.14159265358979323846 / 180.0)

static double square(double x)
{
    return x * x;
}

/* The haversine formula: well-conditioned for small distances. Degrees in, kilometres out. */
static double distance_km(double lat1, double lon1, double lat2, double lon2)
{
    double h = square(sin((lat2 - lat1) * RADIANS / 2)) +
               cos(lat1 * RADIANS) * cos(lat2 * RADIANS) * square(sin((lon2 - lon1) * RADIANS / 2));
    return 2 * EARTH_RADIUS_KM * asin(sqrt(fmin(h, 1)));
}

QD_EXPORT(filter)
int filter(double lat, double lon, double radius_km, double point_lat, double point_lon)
{
    return distance_km(lat, lon, point_lat, point_lon) <= radius_km;
}
