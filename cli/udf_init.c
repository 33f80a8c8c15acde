/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf init`: a project that works as it is, from the files compiled in (embedded.h). Nothing that exists is touched.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "embedded.h"

#define MAX_NAME_BYTES 64
#define MAX_FILE_BYTES ((size_t)1 << 20)
#define MAX_PATH_BYTES 4096

typedef struct project {
    const char *name, *language, *kind, *shape, *directory; /* kind and shape are NULL where nobody asked for one */
} project;

static bool is_any(const char *word)
{
    return strcmp(word, "*") == 0;
}

static bool fits(const char *of_file, const char *wanted)
{
    return is_any(of_file) || !wanted || strcmp(of_file, wanted) == 0;
}

static bool is_for(const embedded_file *f, const project *p)
{
    return fits(f->language, p->language) && fits(f->kind, p->kind) && fits(f->shape, p->shape);
}

typedef const char *column(const embedded_file *f);

static const char *language_of(const embedded_file *f)
{
    return f->language;
}

static const char *kind_of(const embedded_file *f)
{
    return f->kind;
}

static const char *shape_of(const embedded_file *f)
{
    return f->shape;
}

/* Is the word in a column of the table? If not, `list` gets the words that are. */
static bool is_in_table(const char *word, column *get, char *list, size_t size)
{
    list[0] = '\0';
    for (const embedded_file *f = embedded_files; f->language; f++) {
        const char *here = get(f);
        bool is_new = !is_any(here);
        if (is_new && word && strcmp(here, word) == 0)
            return true;
        for (const embedded_file *g = embedded_files; is_new && g < f; g++)
            is_new = strcmp(get(g), here) != 0;
        size_t n = strlen(list);
        if (is_new)
            snprintf(list + n, size - n, "%s%s", n ? ", " : "", here);
    }
    return false;
}

static qd_status check_words(const project *p, qd_error *err)
{
    char list[160];
    if (!p->language) {
        is_in_table(NULL, language_of, list, sizeof list);
        return usage_error(err, "which language? Give --lang, one of: %s", list);
    }
    if (!is_in_table(p->language, language_of, list, sizeof list))
        return usage_error(err, "there is no template for the language '%s'; there is one for: %s", p->language, list);
    if (p->kind && !is_in_table(p->kind, kind_of, list, sizeof list))
        return usage_error(err, "option --kind: expected one of %s; got '%s'", list, p->kind);
    if (p->shape && !is_in_table(p->shape, shape_of, list, sizeof list))
        return usage_error(err, "option --abi: expected one of %s; got '%s'", list, p->shape);
    return QD_OK;
}

/* What was not asked for, by the table's first file of one kind and one shape that fits. */
static qd_status choose(project *p, qd_error *err)
{
    for (const embedded_file *f = embedded_files; f->language; f++) {
        if (is_any(f->kind) || is_any(f->shape) || !is_for(f, p))
            continue;
        p->kind = f->kind;
        p->shape = f->shape;
        return QD_OK;
    }
    char list[160] = "";
    for (const embedded_file *f = embedded_files; f->language; f++) {
        size_t n = strlen(list);
        if (strcmp(f->kind, p->kind) == 0 && strcmp(f->path, "manifest.json") == 0)
            snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", f->shape);
    }
    return usage_error(err, "there is no template for the kind '%s' in the shape '%s'; there is one in: %s", p->kind,
                       p->shape, list);
}

static qd_status check_name(const char *name, qd_error *err)
{
    size_t n = strlen(name);
    bool is_ok = n > 0 && n <= MAX_NAME_BYTES && islower((unsigned char)name[0]);
    for (size_t i = 0; is_ok && i < n; i++)
        is_ok = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || name[i] == '_';
    return is_ok ? QD_OK
                 : usage_error(err,
                               "'%s' is no name of a function: a small letter, then small letters, digits and "
                               "underscores, %d at most",
                               name, MAX_NAME_BYTES);
}

/* The text with the project's words in place of @name@, @language@ and @at@. */
static void fill_in(const project *p, const char *text, size_t n, qd_buf *out)
{
    const struct {
        const char *mark, *word;
    } words[] = {{"@name@", p->name}, {"@language@", p->language}, {"@at@", "@"}};
    for (size_t i = 0; i < n;) {
        size_t used = 0;
        for (size_t w = 0; text[i] == '@' && w < sizeof words / sizeof *words && !used; w++) {
            size_t length = strlen(words[w].mark);
            if (n - i < length || memcmp(text + i, words[w].mark, length) != 0)
                continue;
            qd_buf_add_z(out, words[w].word);
            used = length;
        }
        if (!used)
            qd_buf_add_char(out, text[i]);
        i += used ? used : 1;
    }
}

/* The project's directory: not there, or empty but for hidden files (a fresh clone). */
static qd_status check_free(const char *directory, qd_error *err)
{
    DIR *d = opendir(directory);
    if (!d)
        return errno == ENOENT ? QD_OK : qd_fail(err, QD_EIO, "cannot open '%s': %s", directory, strerror(errno));
    qd_status rc = QD_OK;
    for (struct dirent *e; !rc && (e = readdir(d));) {
        if (e->d_name[0] != '.')
            rc = qd_fail(err, QD_EINVAL, "'%s' is not empty (it holds '%s'): name another directory with --dir",
                         directory, e->d_name);
    }
    closedir(d);
    return rc;
}

/* The directories above the last slash of `path`. */
static qd_status make_parents(char *path, qd_error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            return qd_fail(err, QD_EIO, "cannot make the directory '%s': %s", path, strerror(errno));
        *slash = '/';
    }
    return QD_OK;
}

static qd_status write_new(const char *path, const qd_buf *text, bool is_executable, qd_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_executable ? 0777 : 0666);
    if (fd < 0)
        return qd_fail(err, QD_EIO, "cannot create '%s': %s", path, strerror(errno));
    qd_status rc = QD_OK;
    for (size_t at = 0; !rc && at < text->n;) {
        ssize_t n = write(fd, text->p + at, text->n - at);
        if (n < 0 && errno != EINTR)
            rc = qd_fail(err, QD_EIO, "writing '%s': %s", path, strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) && !rc)
        rc = qd_fail(err, QD_EIO, "writing '%s': %s", path, strerror(errno));
    return rc;
}

static qd_status write_file(const project *p, const embedded_file *f, qd_error *err)
{
    qd_buf path, text;
    qd_buf_init(&path, MAX_PATH_BYTES);
    qd_buf_init(&text, MAX_FILE_BYTES);
    qd_buf_addf(&path, "%s/", p->directory);
    fill_in(p, f->path, strlen(f->path), &path);
    qd_buf_add_char(&path, '\0');
    fill_in(p, (const char *)f->bytes, f->n, &text);
    qd_status rc = path.failed || text.failed ? qd_fail(err, QD_EINVAL, "the path '%s' is too long", p->directory)
                                              : make_parents(path.p, err);
    if (!rc)
        rc = write_new(path.p, &text, f->is_executable, err);
    qd_buf_deinit(&path);
    qd_buf_deinit(&text);
    return rc;
}

qd_status udf_init(qctl *q, const args *a, qd_error *err)
{
    project p = {.name = a->words[0],
                 .language = args_text(a, "lang", NULL),
                 .kind = args_text(a, "kind", NULL),
                 .shape = args_text(a, "abi", NULL),
                 .directory = args_text(a, "dir", a->words[0])};
    qd_status rc = check_name(p.name, err);
    if (rc || (rc = check_words(&p, err)) || (rc = choose(&p, err)))
        return rc;
    if ((rc = check_free(p.directory, err)))
        return rc;
    for (const embedded_file *f = embedded_files; f->language; f++) {
        if (is_for(f, &p) && (rc = write_file(&p, f, err)))
            return rc;
    }
    if (q->is_json)
        printf("{\"name\":\"%s\",\"language\":\"%s\",\"kind\":\"%s\",\"abi\":\"%s\"}\n", p.name, p.language, p.kind,
               p.shape);
    else if (!q->is_quiet)
        printf("made %s: %s %s in %s, of the %s shape\nnext: qctl udf build %s && qctl udf test --here %s\n",
               p.directory, p.kind[0] == 'a' ? "an" : "a", p.kind, p.language, p.shape, p.directory, p.directory);
    return QD_OK;
}
