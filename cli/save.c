/* SPDX-License-Identifier: Apache-2.0 */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static qd_status fail(const char *path, qd_error *err)
{
    return qd_fail(err, QD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

/* Writes and closes. False: errno says why. */
static bool write_all(int fd, qd_str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    bool is_ok = bytes.n == 0 && fsync(fd) == 0;
    int saved = errno;
    is_ok = close(fd) == 0 && is_ok;
    errno = is_ok ? 0 : saved;
    return is_ok;
}

qd_status save_new(const char *path, qd_str bytes, mode_t mode, qd_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(path, err);
    if (write_all(fd, bytes))
        return QD_OK;
    fail(path, err);
    unlink(path);
    return QD_EIO;
}

qd_status save_over(const char *path, qd_str bytes, qd_error *err)
{
    struct stat info;
    char *beside = NULL;
    if (asprintf(&beside, "%s.new-XXXXXX", path) < 0)
        return qd_fail_nomem(err);
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = stat(path, &info) == 0 ? info.st_mode & 0777 : 0666 & ~mask;
    int fd = mkostemp(beside, O_CLOEXEC);
    qd_status rc = QD_OK;
    if (fd < 0) {
        rc = fail(path, err);
    } else if (fchmod(fd, mode) != 0 || !write_all(fd, bytes) || rename(beside, path) != 0) {
        rc = fail(path, err);
        unlink(beside);
    }
    free(beside);
    return rc;
}
