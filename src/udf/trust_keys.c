/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/trust_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING ".pem"

void qd_trusted_keys_deinit(qd_trusted_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        qd_sign_key_free(k->items[i].key);
    free(k->items);
    *k = (qd_trusted_keys){0};
}

/* Where an id is, or where it belongs. */
static size_t position(const qd_trusted_keys *k, const char *id)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(qd_sign_key_id(k->items[middle].key), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const qd_trusted_key *qd_trusted_keys_find(const qd_trusted_keys *k, const char *id)
{
    size_t at = position(k, id);
    return at < k->n && strcmp(qd_sign_key_id(k->items[at].key), id) == 0 ? &k->items[at] : NULL;
}

/* The key is taken, even on failure. */
static qd_status add_key(qd_trusted_keys *k, qd_sign_key *key, const char *path, qd_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name), at = position(k, qd_sign_key_id(key));
    if (at < k->n && strcmp(qd_sign_key_id(k->items[at].key), qd_sign_key_id(key)) == 0) {
        qd_sign_key_free(key);
        return QD_OK;
    }
    if (k->n == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 8;
        qd_trusted_key *items = k->n < QD_TRUST_MAX_KEYS ? realloc(k->items, cap * sizeof *items) : NULL;
        if (!items) {
            qd_sign_key_free(key);
            return k->n < QD_TRUST_MAX_KEYS ? qd_fail_nomem(err)
                                            : qd_fail(err, QD_EINVAL, "more than %d trusted keys", QD_TRUST_MAX_KEYS);
        }
        k->items = items;
        k->cap = cap < QD_TRUST_MAX_KEYS ? cap : QD_TRUST_MAX_KEYS;
    }
    memmove(&k->items[at + 1], &k->items[at], (k->n - at) * sizeof *k->items);
    qd_trusted_key *item = &k->items[at];
    *item = (qd_trusted_key){.key = key};
    if (n > sizeof ENDING - 1 && strcmp(name + n - (sizeof ENDING - 1), ENDING) == 0)
        n -= sizeof ENDING - 1;
    snprintf(item->name, sizeof item->name, "%.*s", (int)n, name);
    k->n++;
    return QD_OK;
}

static qd_status fail_file(const char *path, int number, qd_error *err)
{
    return qd_fail(err, QD_EIO, "trusted key '%s': cannot be read: %s", path, strerror(number));
}

/* Whoever can change a trusted key can sign functions. */
static qd_status check_writers(const char *path, const struct stat *st, qd_error *err)
{
    if (st->st_mode & S_IWOTH)
        return qd_fail(err, QD_EINVAL, "trusted key '%s': every user may write to it; take that right away (chmod o-w)",
                       path);
    return QD_OK;
}

/* At most one byte more than a key may have, so that too long shows. */
static qd_status read_all(int fd, const char *path, char *text, size_t size, size_t *n, qd_error *err)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, text + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_file(path, errno, err);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *n = length;
    return QD_OK;
}

static qd_status load_file(qd_trusted_keys *k, const char *path, qd_error *err)
{
    char text[QD_SIGN_MAX_PEM_BYTES + 1];
    size_t n = 0;
    struct stat info;
    qd_sign_key *key = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not hold up the start */
    if (fd < 0)
        return fail_file(path, errno, err);
    qd_status st = QD_OK;
    if (fstat(fd, &info) != 0)
        st = fail_file(path, errno, err);
    else if (!S_ISREG(info.st_mode))
        st = qd_fail(err, QD_EINVAL, "trusted key '%s': expected a file", path);
    else
        st = check_writers(path, &info, err);
    if (st == QD_OK)
        st = read_all(fd, path, text, sizeof text, &n, err);
    close(fd);
    if (st != QD_OK)
        return st;
    st = qd_sign_key_read_public((qd_str){text, n}, &key, err);
    if (st != QD_OK) {
        qd_error_prefix(err, "trusted key '%s': ", path);
        return st;
    }
    return add_key(k, key, path, err);
}

static int is_key_file(const struct dirent *e)
{
    size_t n = strlen(e->d_name), m = sizeof ENDING - 1;
    return e->d_name[0] != '.' && n > m && strcmp(e->d_name + n - m, ENDING) == 0;
}

static qd_status load_directory(qd_trusted_keys *k, const char *directory, qd_error *err)
{
    struct dirent **entries = NULL;
    char path[4096];
    int n = scandir(directory, &entries, is_key_file, alphasort);
    if (n < 0)
        return fail_file(directory, errno, err);
    qd_status st = QD_OK;
    for (int i = 0; i < n; i++) {
        if (st == QD_OK && (size_t)snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name) >= sizeof path)
            st = fail_file(directory, ENAMETOOLONG, err);
        if (st == QD_OK)
            st = load_file(k, path, err);
        free(entries[i]);
    }
    free(entries);
    return st;
}

static qd_status load_path(qd_trusted_keys *k, qd_str text, qd_error *err)
{
    struct stat info;
    char *path = qd_str_dup(text);
    qd_status st = QD_OK;
    if (!path)
        return qd_fail_nomem(err);
    if (stat(path, &info) != 0)
        st = fail_file(path, errno, err);
    else if (!S_ISDIR(info.st_mode))
        st = load_file(k, path, err);
    else if ((st = check_writers(path, &info, err)) == QD_OK)
        st = load_directory(k, path, err);
    free(path);
    return st;
}

static qd_str trim(qd_str s)
{
    for (; s.n > 0 && s.p[0] == ' '; s.p++, s.n--)
        ;
    for (; s.n > 0 && s.p[s.n - 1] == ' '; s.n--)
        ;
    return s;
}

qd_status qd_trusted_keys_load(qd_trusted_keys *k, qd_str list, qd_error *err)
{
    qd_status st = QD_OK;
    while (list.n > 0 && st == QD_OK) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        qd_str path = trim((qd_str){list.p, n});
        if (path.n > 0)
            st = load_path(k, path, err);
        list.p += comma ? n + 1 : n;
        list.n -= comma ? n + 1 : n;
    }
    return st;
}
