/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include "registration.h"
#include "suggest.h"

const option GLOBAL_OPTIONS[] = {
    {"url", "URL", "the server (default: QCTL_URL, else http://127.0.0.1:9200)"},
    {"json", NULL, "print the server's JSON, for scripts"},
    {"quiet", NULL, "print results and errors only (-q)"},
    {"help", NULL, "this command's options (-h)"},
    {0},
};

static const option DEPLOY_OPTIONS[] = {
    REGISTRATION_OPTIONS,
    {"signature", "FILE", "the function's signature (`udf sign`), where it is not inside the module"},
    {"native", "FILE", "ahead-of-time code of the module"},
    {"native-signature", "FILE", "its signature (`udf sign --native`)"},
    {"inactive", NULL, "only NAME@VERSION means it: the active version stays (`udf activate` moves on)"},
    {0},
};
static const option KEYGEN_OPTIONS[] = {
    {"out", "PREFIX", "write PREFIX.key (private) and PREFIX.pem (public)"},
    {"type", "TYPE", "ed25519 (default) or ecdsa-p256"},
    {0},
};
static const option SIGN_OPTIONS[] = {
    {"key", "FILE", "the private key"},
    {"embed", NULL, "put the signature into the module (or a copy of it, --out)"},
    {"out", "FILE", "write it to this file (default: stdout)"},
    {"native", "FILE", "sign this ahead-of-time code of the module instead"},
    {"text", NULL, "print the text that is to be signed, for signers of other makers"},
    REGISTRATION_OPTIONS,
    {0},
};
static const option VERIFY_OPTIONS[] = {
    {"key", "FILE", "the trusted public keys: files and directories, separated by commas"},
    {"signature", "FILE", "the signature, where it is not inside the module"},
    {"native", "FILE", "check this ahead-of-time code of the module instead"},
    REGISTRATION_OPTIONS,
    {0},
};
static const option AUDIT_OPTIONS[] = {
    {"udf", "NAME", "only of this function, NAME or NAME@VERSION"},
    {"action", "ACTION", "only register, activate, rollback, delete, quarantine, reinstate, call or request"},
    {"actor", "ACTOR", "only by this one"},
    {"since", "TIME", "not before, such as 2026-01-31T12:00:00Z"},
    {"until", "TIME", "not after"},
    {"page", "N", "from 1, the newest first"},
    {"size", "N", "entries per page (20)"},
    {"verify", NULL, "check the whole chain instead"},
    {0},
};
static const option TEST_OPTIONS[] = {
    {"document", "JSON", "the document, or @FILE"},
    {"documents", "JSON", "a list of documents, or @FILE: an aggregate has one result of them, others one for each"},
    {"split", "N", "documents in so many parts, whose states are merged (aggregates)"},
    {"parameters", "JSON", "the call's parameters, or @FILE"},
    {"context", "JSON", "the request's context, or @FILE"},
    {"score", "NUMBER", "the score before"},
    {"id", "ID", "the document's id"},
    {"cases", "FILE", "run all cases of a file (a directory: its cases.json)"},
    {"here", NULL, "run a directory or module in this process: no server is needed"},
    REGISTRATION_OPTIONS,
    {0},
};
static const option LIST_OPTIONS[] = {
    {"name", "NAME", "only this name"},        {"tag", "TAG", "only with this tag"},
    {"category", "CATEGORY", "only these"},    {"author", "AUTHOR", "only by this author"},
    {"language", "LANGUAGE", "only in this"},  {"page", "N", "from 1"},
    {"size", "N", "functions per page (100)"}, {0},
};
static const option INIT_OPTIONS[] = {
    {"lang", "LANGUAGE", "c, rust, assemblyscript, wat or go"},
    {"kind", "KIND", "score (default), filter, transform or aggregate"},
    {"abi", "SHAPE", "typed (default); of a score also handle and batch, of a filter (its default kind) row"},
    {"dir", "DIR", "the project's directory (default: the name)"},
    {0},
};
static const option BENCH_OPTIONS[] = {
    {"documents", "FILE", "run over these, one JSON object per line (default: those of cases.json, else made up)"},
    {"ms", "N", "how long to measure (2000)"},
    {"parameters", "JSON", "the call's parameters, or @FILE (default: those of the first case)"},
    {"context", "JSON", "the request's context, or @FILE (likewise)"},
    REGISTRATION_OPTIONS,
    {0},
};
static const option ROLLBACK_OPTIONS[] = {{"to", "VERSION", "to this version (default: the one before)"}, {0}};
static const option HISTORY_OPTIONS[] = {{"page", "N", "from 1"}, {"size", "N", "entries per page (100)"}, {0}};
static const option STATS_OPTIONS[] = {{"reset", NULL, "begin anew"}, {0}};
static const option LOGS_OPTIONS[] = {
    {"follow", NULL, "go on with the lines that come, until interrupted (-f; with --json an object per line)"}, {0}};
static const option COMPILE_OPTIONS[] = {
    {"target", "MACHINE", "x86_64 or aarch64 (default: as this one)"},
    {"out", "FILE", "where to (default: beside the module, .cwasm)"},
    {0},
};
static const option WASM_OPTIONS[] = {{"out", "FILE", "where to (default: NAME.wasm; -: stdout)"}, {0}};
static const option CREATE_OPTIONS[] = {
    {"mapping", "JSON", "the mapping, or @FILE: {\"properties\":…}, or a whole body with \"mappings\""}, {0}};
static const option LOAD_OPTIONS[] = {
    {"id-field", "FIELD", "take each document's id from this field (else the server gives one)"},
    {"batch", "N", "documents per request (5000)"},
    {"no-refresh", NULL, "do not make the documents searchable at the end"},
    {0},
};
static const option SEARCH_OPTIONS[] = {
    {"query", "JSON", "a query clause instead of a text, or @FILE"},
    {"body", "FILE", "a whole search body instead (-: stdin)"},
    {"in", "FIELDS", "search the text in these fields (a,b^2); default: all text fields"},
    {"filter-by", "NAME", "keep what this function says, NAME or NAME@VERSION"},
    {"score-by", "NAME", "score by this function"},
    {"params", "JSON", "the function's parameters, or @FILE"},
    {"context", "JSON", "the request's context, or @FILE"},
    {"sort", "FIELDS", "by these fields: price:desc,name"},
    {"fields", "FIELDS", "show these fields of each hit: a,b.c"},
    {"size", "N", "hits (10)"},
    {"from", "N", "skip so many hits"},
    {0},
};

static const command COMMANDS[] = {
    {"udf", "init", "NAME --lang LANGUAGE", "make a project: source, manifest, cases, build script", 1, 1, INIT_OPTIONS,
     udf_init},
    {"udf", "build", "[DIR]", "build a project's module with its toolchain", 0, 1, NULL, udf_build},
    {"udf", "compile", "DIR|FILE", "make native code ahead of time, for `udf sign --native` and deploy", 1, 1,
     COMPILE_OPTIONS, udf_compile},
    {"udf", "deploy", "DIR|FILE", "register a function: a directory with manifest.json and its module, or a module", 1,
     1, DEPLOY_OPTIONS, udf_deploy},
    {"udf", "validate", "DIR|FILE", "all checks of deploy; nothing is kept", 1, 1, DEPLOY_OPTIONS, udf_validate},
    {"udf", "test", "NAME[@VERSION]|DIR|FILE", "call a function with a document; a path needs no deploy", 1, 1,
     TEST_OPTIONS, udf_test},
    {"udf", "bench", "DIR|FILE", "measure what a function costs per document, here, without a server", 1, 1,
     BENCH_OPTIONS, udf_bench},
    {"udf", "list", "[TEXT]", "registered functions, all or those that TEXT finds", 0, 1, LIST_OPTIONS, udf_list},
    {"udf", "show", "NAME[@VERSION]", "one function: manifest, parameters, state", 1, 1, NULL, udf_show},
    {"udf", "status", "NAME[@VERSION]", "its state and native code, per node", 1, 1, NULL, udf_status},
    {"udf", "stats", "NAME[@VERSION]", "its calls, errors and times, and what to do about them", 1, 1, STATS_OPTIONS,
     udf_stats},
    {"udf", "logs", "NAME[@VERSION]", "its last log lines and errors", 1, 1, LOGS_OPTIONS, udf_logs},
    {"udf", "versions", "NAME", "a function's versions", 1, 1, NULL, udf_versions},
    {"udf", "activate", "NAME@VERSION", "make this version the one that the name alone means", 1, 1, NULL,
     udf_activate},
    {"udf", "rollback", "NAME", "back to the version that was active before", 1, 1, ROLLBACK_OPTIONS, udf_rollback},
    {"udf", "history", "NAME", "who registered, activated and deleted which version, and when", 1, 1, HISTORY_OPTIONS,
     udf_history},
    {"udf", "reinstate", "NAME@VERSION", "let a quarantined version be used again", 1, 1, NULL, udf_reinstate},
    {"udf", "wasm", "NAME[@VERSION]", "download its module", 1, 1, WASM_OPTIONS, udf_wasm},
    {"udf", "delete", "NAME[@VERSION]", "remove one version, or all", 1, 1, NULL, udf_delete},
    {"udf", "keygen", "", "make a pair of keys to sign functions with", 0, 0, KEYGEN_OPTIONS, udf_keygen},
    {"udf", "sign", "DIR|FILE", "sign a function: its module with its manifest", 1, 1, SIGN_OPTIONS, udf_sign},
    {"udf", "verify", "DIR|FILE", "check a function's signature as a server does", 1, 1, VERIFY_OPTIONS, udf_verify},
    {"audit", NULL, "", "who changed what, and what was refused", 0, 0, AUDIT_OPTIONS, audit_run},
    {"index", "create", "INDEX", "create an index", 1, 1, CREATE_OPTIONS, index_create},
    {"index", "load", "INDEX FILE|-", "index documents, one JSON object per line", 2, 2, LOAD_OPTIONS, index_load},
    {"index", "list", "", "indices, their documents and sizes", 0, 0, NULL, index_list},
    {"index", "stats", "INDEX", "documents, size, segments", 1, 1, NULL, index_stats},
    {"index", "delete", "INDEX", "delete an index and all in it", 1, 1, NULL, index_delete},
    {"search", NULL, "INDEX [TEXT]", "search, by a text, a query or a body; no TEXT: all documents", 1, 2,
     SEARCH_OPTIONS, search_run},
    {"version", NULL, "", "versions of qctl and of the server", 0, 0, NULL, version_run},
    {"help", NULL, "[COMMAND]", "this list, or one command's options", 0, 2, NULL, NULL},
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

const command *command_find(int argc, char **argv, int *n_words)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const command *c = &COMMANDS[i];
        if (argc < (c->verb ? 2 : 1) || strcmp(c->group, argv[0]) != 0 || (c->verb && strcmp(c->verb, argv[1]) != 0))
            continue;
        *n_words = c->verb ? 2 : 1;
        return c;
    }
    return NULL;
}

bool command_is_group(const char *word)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (COMMANDS[i].verb && strcmp(COMMANDS[i].group, word) == 0)
            return true;
    return false;
}

/* The verb among those of its group, else the first word among all. */
qd_status command_fail_unknown(const char *group, const char *verb, qd_error *err)
{
    suggestion s = {NULL, 0};
    bool has_group = command_is_group(group);
    const char *typed = has_group && verb ? verb : group;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const command *c = &COMMANDS[i];
        if (typed == group)
            suggest(&s, typed, strlen(typed), c->group);
        else if (strcmp(c->group, group) == 0)
            suggest(&s, typed, strlen(typed), c->verb);
    }
    bool shows_verb = verb && has_group;
    return usage_error(err, "there is no command '%s%s%s'%s%s%s%s%s", group, shows_verb ? " " : "",
                       shows_verb ? verb : "", s.word ? "; did you mean '" : "", s.word && shows_verb ? group : "",
                       s.word && shows_verb ? " " : "", s.word ? s.word : "", s.word ? "'?" : "");
}

static void print_options(FILE *out, const option *o)
{
    char text[64];
    for (; o && o->name; o++) {
        snprintf(text, sizeof text, "--%s %s", o->name, o->value ? o->value : "");
        fprintf(out, "  %-24s %s\n", text, o->help);
    }
}

static void print_exit_statuses(FILE *out)
{
    fputs("  0  done\n  2  wrong command line\n", out);
    for (int code = -1; code > -128; code--) {
        const qd_status_info *info = qd_status_describe(code);
        if ((int)info->code == code)
            fprintf(out, "%3d  %s, %s\n", info->exit_status, info->api_code, info->search_type);
    }
}

void command_help(FILE *out, const char *group, const command *c)
{
    char text[96];
    if (group && strcmp(group, "exit") == 0) {
        print_exit_statuses(out);
        return;
    }
    if (c) {
        fprintf(out, "qctl %s%s%s %s\n  %s\n", c->group, c->verb ? " " : "", c->verb ? c->verb : "", c->arguments,
                c->summary);
        if (c->options)
            fputs("\nOptions:\n", out);
        print_options(out, c->options);
        fputs("\nOptions of every command:\n", out);
        print_options(out, GLOBAL_OPTIONS);
        return;
    }
    fputs("usage: qctl COMMAND [ARGUMENTS] [OPTIONS]\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const command *row = &COMMANDS[i];
        if (group && strcmp(group, row->group) != 0)
            continue;
        snprintf(text, sizeof text, "%s%s%s %s", row->group, row->verb ? " " : "", row->verb ? row->verb : "",
                 row->arguments);
        fprintf(out, "  %-36s %s\n", text, row->summary);
    }
    fputs("\nOptions of every command:\n", out);
    print_options(out, GLOBAL_OPTIONS);
    fputs("\nExit status: 0 done, 2 wrong command line, else by the kind of error: `qctl help exit` lists them.\n",
          out);
}
