/* SPDX-License-Identifier: Apache-2.0 */
#include "http/error_answer.h"
#include "http/openapi.h"

#define BOOL    "{\"type\":\"boolean\"}"
#define STRING  "{\"type\":\"string\"}"
#define COUNT   "{\"type\":\"integer\",\"minimum\":0}"
#define PAGE    "{\"type\":\"integer\",\"minimum\":1,\"default\":1}"
#define SIZE    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":20}"
#define TIME    "{\"type\":\"string\",\"format\":\"date-time\"}"
#define IGNORED "Accepted; without effect on one node."

/* In the functions API; what is not here is looked for below. */
static const qd_openapi_param API[] = {
    {"name", STRING, "The function's name; with * and ? a pattern."},
    {"tag", STRING, "Functions with this tag."},
    {"category", STRING, "Functions of this category."},
    {"author", STRING, "Functions of this author."},
    {"language", STRING, "Functions in this language."},
    {"q", STRING, "Text in name, description, tags or author."},
    {"page", PAGE, "Which page, from 1."},
    {"size", SIZE, "Entries on a page."},
    {"version", STRING, "A version, a range such as ^1.2, or latest; without it the active one."},
    {"udf", STRING, "NAME or NAME@VERSION."},
    {"action", STRING, "What was done: register, activate, rollback, delete, quarantine, reinstate, call, request."},
    {"actor", STRING, "Who did it."},
    {"since", TIME, "Not before this time."},
    {"until", TIME, "Not after this time."},
};

static const qd_openapi_param COMMON[] = {
    {"_source", STRING, "true, false, or the fields of the source to give."},
    {"_source_excludes", STRING, "Fields of the source to leave out."},
    {"_source_includes", STRING, "Fields of the source to give."},
    {"allow_no_indices", BOOL, IGNORED},
    {"batched_reduce_size", COUNT, IGNORED},
    {"bytes", STRING, "Unit of sizes."},
    {"ccs_minimize_roundtrips", BOOL, IGNORED},
    {"cluster_manager_timeout", STRING, IGNORED},
    {"error_trace", BOOL, IGNORED},
    {"expand_wildcards", STRING, IGNORED},
    {"flat_settings", BOOL, IGNORED},
    {"flush", BOOL, IGNORED},
    {"force", BOOL, IGNORED},
    {"format", STRING, "json, or text for a table."},
    {"from", COUNT, "Hits to skip."},
    {"h", STRING, "Columns of the table."},
    {"health", STRING, "Only indices in this state."},
    {"human", BOOL, IGNORED},
    {"if_primary_term", COUNT, "Only when the document is still of this term."},
    {"if_seq_no", COUNT, "Only when the document's last change has this number."},
    {"ignore_unavailable", BOOL, "Leave out indices that there are not."},
    {"level", STRING, IGNORED},
    {"local", BOOL, IGNORED},
    {"master_timeout", STRING, IGNORED},
    {"max_concurrent_shard_requests", COUNT, IGNORED},
    {"max_num_segments", COUNT, "Merge down to so many segments."},
    {"op_type", STRING, "create: only when there is no document of that id."},
    {"pre_filter_shard_size", COUNT, IGNORED},
    {"preference", STRING, IGNORED},
    {"pretty", BOOL, "Answer with line breaks and indentation."},
    {"q", STRING, "Not supported: send the query in the body."},
    {"realtime", BOOL, "Accepted; reading a document by its id always sees its last write."},
    {"refresh", STRING, "true or wait_for: searchable when the answer comes."},
    {"request_cache", BOOL, IGNORED},
    {"require_alias", BOOL, IGNORED},
    {"rest_total_hits_as_int", BOOL, "hits.total as a number."},
    {"search_type", STRING, IGNORED},
    {"size", COUNT, "Hits to give."},
    {"sort", STRING, "FIELD or FIELD:desc, separated by commas."},
    {"timeout", STRING, "How long it may take, such as 500ms or 10s; -1 for no limit."},
    {"track_total_hits", STRING, "true, false, or up to which number totals are exact."},
    {"ts", BOOL, "With the time."},
    {"typed_keys", BOOL, IGNORED},
    {"v", BOOL, "With a line of headings."},
    {"wait_for_active_shards", STRING, IGNORED},
    {"wait_for_completion", BOOL, IGNORED},
    {"wait_for_no_initializing_shards", BOOL, IGNORED},
    {"wait_for_no_relocating_shards", BOOL, IGNORED},
    {"wait_for_nodes", STRING, IGNORED},
    {"wait_for_status", STRING, IGNORED},
    {"wait_if_ongoing", BOOL, IGNORED},
    {"write_index_only", BOOL, IGNORED},
};

static const qd_openapi_param PATH[] = {
    {"id", STRING, "The document's id."},
    {"index", STRING, "Names of indices, separated by commas; * matches any text."},
    {"metric", STRING, "Accepted; all are given."},
    {"name", "{\"$ref\":\"#/components/schemas/Name\"}", "The function's name."},
    {"version", STRING, "A version, a range such as ^1.2, or latest."},
};

#define ROWS(table) table, sizeof(table) / sizeof *(table)

static const qd_openapi_param *find(const qd_openapi_param *table, size_t n, qd_str name)
{
    for (size_t i = 0; i < n; i++) {
        if (qd_str_is(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

const qd_openapi_param *qd_openapi_find_param(const qd_route *route, qd_str name, bool is_path)
{
    const qd_openapi_param *found = NULL;
    if (is_path)
        return find(ROWS(PATH), name);
    if (qd_error_answer_is_api(qd_str_of(route->path)))
        found = find(ROWS(API), name);
    return found ? found : find(ROWS(COMMON), name);
}
