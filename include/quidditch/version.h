/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUIDDITCH_VERSION_H
#define QUIDDITCH_VERSION_H

#define QD_VERSION_MAJOR  0
#define QD_VERSION_MINOR  2
#define QD_VERSION_PATCH  0
#define QD_VERSION_STRING "0.2.0"

/* The version of the guest ABI: the names and meaning of what a module imports and exports. */
#define QD_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

/* The version that the library was built as. Threads: any. */
const char *qd_version(void);

#ifdef __cplusplus
}
#endif
#endif
