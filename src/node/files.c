/* SPDX-License-Identifier: Apache-2.0 */
#include "node/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_OPEN_DIRS 16

qd_status qd_dir_make(const char *path, qd_error *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return QD_OK;
    return qd_fail(err, QD_EIO, "cannot make the directory '%s': %s", path,
                   errno == EEXIST ? "a file is in its place" : strerror(errno));
}

qd_status qd_dir_sync(const char *path, qd_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        qd_fail(err, QD_EIO, "cannot make the directory '%s' durable: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return QD_EIO;
    }
    close(fd);
    return QD_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

qd_status qd_dir_remove(const char *path, qd_error *err)
{
    if (nftw(path, remove_one, MAX_OPEN_DIRS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return QD_OK;
    return qd_fail(err, QD_EIO, "cannot remove '%s': %s", path, strerror(errno));
}

qd_status qd_file_lock(const char *path, int *fd, qd_error *err)
{
    int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0)
        return qd_fail(err, QD_EIO, "cannot open '%s': %s", path, strerror(errno));
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
        bool is_held = errno == EWOULDBLOCK;
        qd_status st =
            is_held
                ? qd_fail(err, QD_EBUSY,
                          "'%s' is locked: another process uses this data directory; stop it or choose another", path)
                : qd_fail(err, QD_EIO, "cannot lock '%s': %s", path, strerror(errno));
        close(opened);
        return st;
    }
    *fd = opened;
    return QD_OK;
}

void qd_file_reserve(const char *path, off_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (posix_fallocate(fd, 0, bytes) != 0)
        unlink(path);
    close(fd);
}
