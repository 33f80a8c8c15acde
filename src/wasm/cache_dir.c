/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/cache_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_NAME   "node.key"
#define TEMPORARY  "new-"
#define KEY_DIGITS (QD_CACHE_KEY_SIZE - 1)

qd_status qd_cache_dir_open(const char *path, int *fd, qd_error *err)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return qd_fail(err, QD_EIO, "native cache: the directory '%s' cannot be made: %s", path, strerror(errno));
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstat(dir, &st) != 0) {
        qd_status rc =
            qd_fail(err, QD_EIO, "native cache: '%s' cannot be opened as a directory: %s", path, strerror(errno));
        if (dir >= 0)
            close(dir);
        return rc;
    }
    if (st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
        *fd = dir;
        return QD_OK;
    }
    close(dir);
    return qd_fail(err, QD_EIO,
                   "native cache: '%s' is not used, because %s: native code there could be anybody's; make it this "
                   "user's with mode 0700",
                   path, st.st_uid == geteuid() ? "others may write there" : "it belongs to another user");
}

/* Opened without following links: a regular file of this user. -1 when it is not. */
static int open_own(int dir, const char *name, struct stat *st)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid())
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, p + at, n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static bool write_all(int fd, qd_str s)
{
    for (size_t at = 0; at < s.n;) {
        ssize_t put = write(fd, s.p + at, s.n - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += (size_t)put;
    }
    return true;
}

uint8_t *qd_cache_dir_read(int dir, const char *name, size_t max, size_t *n)
{
    struct stat st;
    uint8_t *bytes = NULL;
    int fd = open_own(dir, name, &st);
    if (fd < 0)
        return NULL;
    if ((uint64_t)st.st_size <= max)
        bytes = malloc(st.st_size ? (size_t)st.st_size : 1);
    if (bytes && !read_all(fd, bytes, (size_t)st.st_size)) {
        free(bytes);
        bytes = NULL;
    }
    if (bytes) {
        (void)futimens(fd, NULL); /* at worst it is taken for older than it is */
        *n = (size_t)st.st_size;
    }
    close(fd);
    return bytes;
}

bool qd_cache_dir_write(int dir, const char *name, uint64_t serial, const qd_str *parts, size_t n_parts)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, TEMPORARY "%ld-%" PRIu64, (long)getpid(), serial);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool is_ok = true;
    for (size_t i = 0; i < n_parts && is_ok; i++)
        is_ok = write_all(fd, parts[i]);
    is_ok = close(fd) == 0 && is_ok && renameat(dir, temporary, dir, name) == 0;
    if (!is_ok)
        unlinkat(dir, temporary, 0);
    return is_ok;
}

qd_status qd_cache_dir_key(int dir, const char *path, uint8_t key[QD_CACHE_NODE_KEY_BYTES], qd_error *err)
{
    struct stat st;
    const qd_str bytes = {(const char *)key, QD_CACHE_NODE_KEY_BYTES};
    int fd = open_own(dir, KEY_NAME, &st);
    bool is_ok = fd >= 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 && st.st_size == QD_CACHE_NODE_KEY_BYTES &&
                 read_all(fd, key, QD_CACHE_NODE_KEY_BYTES);
    if (fd >= 0)
        close(fd);
    if (is_ok)
        return QD_OK;
    /* A key that others could read is worth nothing: with a new one all entries are foreign. */
    if (!qd_hash_random(key, QD_CACHE_NODE_KEY_BYTES) || !qd_cache_dir_write(dir, KEY_NAME, 0, &bytes, 1))
        return qd_fail(err, QD_EIO, "native cache: '%s/" KEY_NAME "' cannot be written: %s", path, strerror(errno));
    return QD_OK;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static bool is_key(const char *name)
{
    return strlen(name) == KEY_DIGITS && strspn(name, "0123456789abcdef") == KEY_DIGITS;
}

static int by_use(const void *a, const void *b)
{
    int64_t x = ((const qd_cache_file *)a)->used_ns, y = ((const qd_cache_file *)b)->used_ns;
    return x < y ? -1 : x > y;
}

static bool add(qd_buf *files, int dir, const char *name)
{
    struct stat st;
    qd_cache_file f;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return true;
    memcpy(f.key, name, QD_CACHE_KEY_SIZE);
    f.bytes = (uint64_t)st.st_size;
    f.used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    qd_buf_add(files, &f, sizeof f);
    return !files->failed;
}

bool qd_cache_dir_list(int dir, qd_cache_file **files, size_t *n)
{
    struct dirent *e;
    size_t bytes = 0;
    bool is_ok = true;
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a place in the directory of its own */
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    qd_buf found;
    qd_buf_init(&found, SIZE_MAX / 2);
    while (is_ok && (e = readdir(d))) {
        if (is_key(e->d_name))
            is_ok = add(&found, dir, e->d_name);
        else if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) == 0)
            unlinkat(dir, e->d_name, 0);
    }
    closedir(d);
    *files = is_ok ? (qd_cache_file *)(void *)qd_buf_take(&found, &bytes) : NULL;
    qd_buf_deinit(&found);
    *n = bytes / sizeof **files;
    if (*files)
        qsort(*files, *n, sizeof **files, by_use);
    return *files;
}
