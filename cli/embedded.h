/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of new projects, compiled in, so that `udf init` needs nothing but qctl: cli/templates/files.txt names
 * them, cmake/EmbedFiles.cmake turns them into this table. */
#ifndef QCTL_EMBEDDED_H
#define QCTL_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct embedded_file {
    const char *language, *kind, *shape; /* "*": any */
    const char *path;                    /* in the project; may hold @name@ */
    const unsigned char *bytes;
    size_t n;
    bool is_executable;
} embedded_file;

extern const embedded_file embedded_files[]; /* ends with a NULL language */

#endif
