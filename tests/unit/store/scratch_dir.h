/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory of a test's own under /tmp, and its removal. */
#ifndef QD_TEST_SCRATCH_DIR_H
#define QD_TEST_SCRATCH_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct scratch_dir {
    char path[64];
} scratch_dir;

static inline void scratch_dir_init(scratch_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/qd-test-XXXXXX");
    if (!mkdtemp(d->path))
        abort();
}

/* Removes the directory and the files in it (stores are flat). */
static inline void scratch_dir_deinit(scratch_dir *d)
{
    char file[512];
    DIR *dir = opendir(d->path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        snprintf(file, sizeof file, "%s/%s", d->path, e->d_name);
        unlink(file);
    }
    if (dir)
        closedir(dir);
    rmdir(d->path);
}

#endif
