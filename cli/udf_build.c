/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf build`: runs a project's build.sh, with its own toolchain; WebAssembly text without a build.sh is assembled
 * right here. Either leaves NAME.wasm in the project, which is then looked at as deploy would. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "registration.h"
#include "text.h"
#include "wasm/engine.h"

#define SCRIPT         "build.sh"
#define MAX_LINE_BYTES 400

/* The last line that a script wrote which is not empty: with a failure it is most often the reason. */
typedef struct last_line {
    char text[MAX_LINE_BYTES];
    size_t n;
    bool is_ended;
} last_line;

static void follow(last_line *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n' || p[i] == '\r') {
            l->is_ended = true;
        } else {
            l->n = l->is_ended ? 0 : l->n;
            l->is_ended = false;
            if (l->n < sizeof l->text - 1)
                l->text[l->n++] = p[i];
        }
    }
    l->text[l->n] = '\0';
}

static _Noreturn void run_script(const char *directory, int out)
{
    static const char *const argv[] = {"./" SCRIPT, NULL};
    if (chdir(directory) == 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
        execv(argv[0], (char *const *)argv);
    dprintf(out, "cannot run '%s/%s': %s\n", directory, SCRIPT, strerror(errno));
    _exit(127);
}

/* What the script says goes to stderr, so that stdout holds results only. */
static qd_status build_by_script(const qctl *q, const char *directory, qd_error *err)
{
    int pipes[2], status = 0;
    last_line last = {.is_ended = true};
    char part[4096];
    ssize_t n;
    fflush(NULL);
    if (pipe2(pipes, O_CLOEXEC))
        return qd_fail(err, QD_EIO, "cannot make a pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) {
        close(pipes[0]);
        close(pipes[1]);
        return qd_fail(err, QD_EIO, "cannot start a process: %s", strerror(errno));
    }
    if (child == 0) {
        close(pipes[0]);
        run_script(directory, pipes[1]);
    }
    close(pipes[1]);
    while ((n = read(pipes[0], part, sizeof part)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        follow(&last, part, (size_t)n);
        if (!q->is_quiet)
            fwrite(part, 1, (size_t)n, stderr);
    }
    close(pipes[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return QD_OK;
    if (WIFSIGNALED(status))
        return qd_fail(err, QD_EUDF_COMPILE, "building '%s': %s was ended by signal %d", directory, SCRIPT,
                       WTERMSIG(status));
    return qd_fail(err, QD_EUDF_COMPILE, "building '%s': %s", directory,
                   last.n ? last.text : SCRIPT " failed and said nothing");
}

static qd_status write_module(const char *path, const uint8_t *bytes, size_t n, qd_error *err)
{
    FILE *f = fopen(path, "wb");
    bool is_ok = f && fwrite(bytes, 1, n, f) == n;
    if (f && fclose(f))
        is_ok = false;
    if (!is_ok && f)
        remove(path); /* half a module is worse than none */
    return is_ok ? QD_OK : qd_fail(err, QD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

/* DIR/NAME.wat to DIR/NAME.wasm. */
static qd_status assemble(const char *text_path, qd_error *err)
{
    uint8_t *wasm = NULL;
    size_t n = strlen(text_path), wasm_n = 0;
    qd_buf text, path;
    qd_status rc = read_file(text_path, MAX_MODULE_BYTES, &text, err);
    if (rc)
        return rc;
    qd_buf_init(&path, n + 2);
    qd_buf_add(&path, text_path, n - 1); /* ".wat" to ".wasm" */
    qd_buf_add(&path, "sm", sizeof "sm");
    qd_error why = QD_ERROR_INIT;
    rc = qd_wasm_from_wat(qd_buf_str(&text), &wasm, &wasm_n, &why);
    if (rc)
        rc = why.line ? qd_fail(err, rc, "%s:%u:%u: %s", text_path, why.line, why.column, why.message)
                      : qd_fail(err, rc, "%s: %s", text_path, why.message);
    else
        rc = path.failed ? qd_fail_nomem(err) : write_module(path.p, wasm, wasm_n, err);
    free(wasm);
    qd_buf_deinit(&text);
    qd_buf_deinit(&path);
    return rc;
}

static qd_status report(const qctl *q, const char *directory, qd_error *err)
{
    registration r;
    char size[TEXT_SIZE];
    args none = {0};
    qd_status rc = registration_load(&r, directory, &none, err);
    if (rc)
        return rc;
    if (q->is_json) {
        json_t *v = json_pack("{s:s, s:I}", "module", r.module_path, "bytes", (json_int_t)r.module.n);
        json_dumpf(v, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(v);
    } else if (!q->is_quiet) {
        printf("built %s: %s\n", r.module_path, text_bytes((int64_t)r.module.n, size));
    }
    registration_deinit(&r);
    return QD_OK;
}

qd_status udf_build(qctl *q, const args *a, qd_error *err)
{
    const char *directory = a->n_words ? a->words[0] : ".";
    struct stat st;
    char *text_path = NULL;
    qd_buf script;
    if (stat(directory, &st))
        return qd_fail(err, QD_EIO, "cannot open '%s': %s", directory, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return qd_fail(err, QD_EINVAL, "'%s' is not a project's directory", directory);
    qd_buf_init(&script, 64 << 10);
    qd_buf_addf(&script, "%s/%s", directory, SCRIPT);
    qd_buf_add_char(&script, '\0');
    qd_status rc = QD_OK;
    if (script.failed)
        rc = qd_fail(err, QD_EINVAL, "the path '%s' is too long", directory);
    else if (stat(script.p, &st) == 0)
        rc = build_by_script(q, directory, err);
    else if ((text_path = registration_find_text(directory)))
        rc = assemble(text_path, err);
    else
        rc = qd_fail(err, QD_EINVAL, "'%s' holds neither a %s nor one .wat file: there is nothing to build", directory,
                     SCRIPT);
    free(text_path);
    qd_buf_deinit(&script);
    return rc ? rc : report(q, directory, err);
}
