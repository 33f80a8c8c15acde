/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <locale.h>
#include <stdlib.h>

#include "answer.h"
#include "quidditch/version.h"
#include "text.h"

#define DEFAULT_URL "http://127.0.0.1:9200"
#define EXIT_USAGE  2

/* A server's message may quote anything. */
static void print_error(const char *message)
{
    fputs("qctl: ", stderr);
    text_print(stderr, message, strlen(message));
    fputc('\n', stderr);
}

qd_status version_run(qctl *q, const args *a, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    (void)a;
    request rq = {.method = "GET", .path = "/"};
    if (!q->is_json)
        printf("qctl   %s\n", qd_version());
    qd_status rc = call(q, &rq, &reply, &v, err);
    if (rc)
        return rc;
    if (!print_raw(q, &reply)) {
        const char *own = json_text_at(v, "quidditch.version");
        printf("server %s\n", *own ? own : json_text_at(v, "version.number"));
    }
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

static int usage(const qd_error *err, const command *c)
{
    print_error(err->message);
    if (c)
        fprintf(stderr, "usage: qctl %s%s%s %s\n`qctl %s%s%s --help` lists its options\n", c->group, c->verb ? " " : "",
                c->verb ? c->verb : "", c->arguments, c->group, c->verb ? " " : "", c->verb ? c->verb : "");
    else
        fputs("`qctl help` lists all commands\n", stderr);
    return EXIT_USAGE;
}

static int help(const args *a)
{
    char *words[2] = {(char *)(a->n_words > 0 ? a->words[0] : ""), (char *)(a->n_words > 1 ? a->words[1] : "")};
    int n;
    qd_error err = QD_ERROR_INIT;
    const command *c = command_find(2, words, &n);
    bool is_list =
        a->n_words == 0 || (a->n_words == 1 && (command_is_group(words[0]) || strcmp(words[0], "exit") == 0));
    if (!c && !is_list) {
        (void)command_fail_unknown(words[0], a->n_words > 1 ? words[1] : NULL, &err);
        return usage(&err, NULL);
    }
    command_help(stdout, a->n_words ? words[0] : NULL, c);
    return 0;
}

static int run(const command *c, const args *a)
{
    qd_error err = QD_ERROR_INIT;
    qctl q = {.is_json = args_has(a, "json"), .is_quiet = args_has(a, "quiet")};
    const char *from_environment = getenv("QCTL_URL");
    const char *url = args_text(a, "url", from_environment && *from_environment ? from_environment : DEFAULT_URL);
    qd_status rc = client_new(url, &q.client, &err);
    if (!rc)
        rc = c->run(&q, a, &err);
    client_free(q.client);
    if (fflush(stdout) && !rc)
        rc = qd_fail(&err, QD_EIO, "writing the result failed");
    if (rc)
        print_error(err.message);
    return rc && is_usage_error(&err) ? EXIT_USAGE : qd_status_describe(rc)->exit_status;
}

/* Options may stand before the command's words as well: those of all commands only. */
static int skip_global(int argc, char **argv)
{
    int i = 1;
    while (i < argc && strncmp(argv[i], "--", 2) == 0 && argv[i][2])
        i += strcmp(argv[i], "--url") == 0 ? 2 : 1;
    return i < argc ? i : argc;
}

static bool is_help_or_end(const char *word)
{
    return !word || strcmp(word, "--help") == 0;
}

int main(int argc, char **argv)
{
    qd_error err = QD_ERROR_INIT;
    args a, before;
    int n_words = 0, at = skip_global(argc, argv);
    setlocale(LC_CTYPE, "C.UTF-8"); /* widths of characters; numbers stay as they are */

    if (args_parse(&before, at - 1, argv + 1, NULL, GLOBAL_OPTIONS, &err))
        return usage(&err, NULL);
    if (at == argc) {
        command_help(args_has(&before, "help") ? stdout : stderr, NULL, NULL);
        return args_has(&before, "help") ? 0 : EXIT_USAGE;
    }
    const command *c = command_find(argc - at, argv + at, &n_words);
    if (!c && command_is_group(argv[at]) && is_help_or_end(argv[at + 1])) {
        bool is_asked = argv[at + 1] || args_has(&before, "help");
        command_help(is_asked ? stdout : stderr, argv[at], NULL);
        return is_asked ? 0 : EXIT_USAGE;
    }
    if (!c) {
        (void)command_fail_unknown(argv[at], argv[at + 1], &err);
        return usage(&err, NULL);
    }
    if (args_parse(&a, argc - at - n_words, argv + at + n_words, c->options, GLOBAL_OPTIONS, &err))
        return usage(&err, c);
    if (!c->run)
        return help(&a);
    if (args_has(&a, "help") || args_has(&before, "help")) {
        command_help(stdout, NULL, c);
        return 0;
    }
    if (a.n_words < c->min_args || a.n_words > c->max_args) {
        qd_fail(&err, QD_EINVAL,
                a.n_words < c->min_args ? "an argument is missing" : "there is one argument too many: '%s'",
                a.n_words > c->max_args ? a.words[c->max_args] : "");
        return usage(&err, c);
    }
    for (int i = 0; i < before.n_given && a.n_given < OPTIONS_MAX; i++)
        a.given[a.n_given++] = before.given[i];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = run(c, &a);
    curl_global_cleanup();
    return status;
}
