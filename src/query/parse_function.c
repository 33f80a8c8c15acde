/* SPDX-License-Identifier: Apache-2.0
 * The clauses that run functions: wasm_udf, script, script_score, function_score. */
#include <float.h>

#include "query/parse.h"

static qd_status new_use(qd_parser *p, const qd_json_at *at, const char *clause, qd_place place, qd_use **out)
{
    qd_uses *uses = p->uses;
    if (uses->n == uses->cap) {
        size_t cap = uses->cap ? uses->cap * 2 : 8;
        qd_use **items = qd_arena_array(p->arena, cap, sizeof *items);
        if (!items)
            return qd_parse_nomem(p);
        if (uses->n)
            memcpy(items, uses->items, uses->n * sizeof *items);
        uses->items = items;
        uses->cap = cap;
    }
    qd_use *use = QD_NEW(p->arena, qd_use);
    if (!use)
        return qd_parse_nomem(p);
    use->at = at;
    use->clause = clause;
    use->place = place;
    use->index = uses->n;
    uses->items[uses->n++] = use;
    *out = use;
    return QD_OK;
}

/* ---- wasm_udf ---- */

typedef struct udf_options {
    qd_str name, version, function, on_error;
    const json_t *parameters, *params, *default_value, *query;
} udf_options;

static const qd_option UDF_OPTIONS[] = {
    {"query", QD_OPT_JSON, offsetof(udf_options, query)}, /* first: only clauses have it */
    {"name", QD_OPT_STR, offsetof(udf_options, name)},
    {"version", QD_OPT_STR, offsetof(udf_options, version)},
    {"parameters", QD_OPT_OBJECT, offsetof(udf_options, parameters)},
    {"params", QD_OPT_OBJECT, offsetof(udf_options, params)},
    {"on_error", QD_OPT_STR, offsetof(udf_options, on_error)},
    {"default", QD_OPT_JSON, offsetof(udf_options, default_value)},
    {"function", QD_OPT_STR, offsetof(udf_options, function)},
    {NULL, 0, 0},
};

static qd_status fill_on_error(qd_parser *p, const qd_json_at *at, const udf_options *o, qd_use *use)
{
    static const char *const MODES[] = {"fail", "skip", "default", NULL};
    int mode = o->on_error.n ? qd_parse_word(o->on_error, MODES) : 0;
    if (mode < 0)
        return qd_parse_fail(p, at, "[wasm_udf] [on_error] is [%.*s]: expected fail, skip or default",
                             QD_STR_FMT(o->on_error));
    use->on_error = (qd_on_error)mode;
    if (o->default_value) {
        if (!json_is_number(o->default_value) && !json_is_boolean(o->default_value))
            return qd_parse_fail(p, at, "[wasm_udf] [default] expects a number or a boolean, got %s",
                                 qd_json_type_name(o->default_value));
        use->has_default = true;
        use->default_value =
            json_is_number(o->default_value) ? json_number_value(o->default_value) : json_is_true(o->default_value);
    }
    if (use->on_error == QD_ON_ERROR_DEFAULT && !use->has_default)
        return qd_parse_fail(p, at, "[wasm_udf] [on_error] default needs a [default]");
    return QD_OK;
}

static qd_status make_use(qd_parser *p, const qd_json_at *at, const char *clause, const udf_options *o, qd_place place,
                          qd_use **out)
{
    qd_use *use = NULL;
    if (o->name.n == 0)
        return qd_parse_fail(p, at, "[wasm_udf] requires [name]: the name of a registered function");
    if (o->parameters && o->params)
        return qd_parse_fail(p, at, "[wasm_udf] has both [parameters] and [params]: they are the same, give one");
    qd_status st = new_use(p, at, clause, place, &use);
    if (st == QD_OK)
        st = fill_on_error(p, at, o, use);
    if (st != QD_OK)
        return st;
    use->name = o->name;
    use->version = o->version;
    use->function = o->function;
    use->params = o->parameters ? o->parameters : o->params;
    *out = use;
    return QD_OK;
}

qd_status qd_parse_use(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body, qd_place place,
                       qd_use **out)
{
    udf_options o = {0};
    qd_status st = qd_parse_options(p, at, "wasm_udf", body, UDF_OPTIONS + 1, &o, NULL);
    return st == QD_OK ? make_use(p, at, clause, &o, place, out) : st;
}

qd_status qd_parse_wasm_udf(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    udf_options o = {0};
    qd_status st = qd_parse_options(p, at, "wasm_udf", body, UDF_OPTIONS, &o, &node->boost);
    if (st == QD_OK)
        st = make_use(p, at, "wasm_udf", &o, node->in_filter ? QD_PLACE_FILTER : QD_PLACE_CLAUSE,
                      &node->as.function.use);
    if (st != QD_OK)
        return st;
    node->has_functions = true;
    if (!o.query)
        return QD_OK;
    const qd_json_at *at_query = qd_at_key(p, at, QD_STR("query"));
    return at_query ? qd_parse_query(p, at_query, o.query, node->in_filter, &node->as.function.query)
                    : qd_parse_nomem(p);
}

/* ---- scripts ---- */

typedef struct script_options {
    qd_str lang, source, id;
    const json_t *params;
} script_options;

static const qd_option SCRIPT_OPTIONS[] = {
    {"lang", QD_OPT_STR, offsetof(script_options, lang)},
    {"source", QD_OPT_STR, offsetof(script_options, source)},
    {"id", QD_OPT_STR, offsetof(script_options, id)},
    {"params", QD_OPT_OBJECT, offsetof(script_options, params)},
    {"options", QD_OPT_NOT_YET, 0},
    {NULL, 0, 0},
};

/* Could it name a function: NAME or NAME@VERSION? Anything else is another language's source. */
static bool is_function_name(qd_str s)
{
    size_t n = 0;
    while (n < s.n &&
           ((s.p[n] >= 'a' && s.p[n] <= 'z') || (n > 0 && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '_'))))
        n++;
    return n > 0 && (n == s.n || s.p[n] == '@');
}

/* {"lang": "wasm", "source" | "id": NAME, "params"} or just NAME. */
static qd_status parse_script_object(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *v,
                                     qd_place place, qd_use **out)
{
    script_options o = {0};
    qd_status st = QD_OK;
    if (json_is_string(v))
        o.source = (qd_str){json_string_value(v), json_string_length(v)};
    else
        st = qd_parse_options(p, at, "script", v, SCRIPT_OPTIONS, &o, NULL);
    if (st != QD_OK)
        return st;
    if (o.lang.n && !qd_str_is(o.lang, "wasm"))
        return qd_parse_fail(
            p, at, "[script] lang [%.*s] is not supported yet: use [wasm] with the name of a registered function",
            QD_STR_FMT(o.lang));
    if (o.source.n && o.id.n)
        return qd_parse_fail(p, at, "[script] has both [source] and [id]: give one");
    qd_str spec = o.source.n ? o.source : o.id;
    if (spec.n == 0)
        return qd_parse_fail(p, at, "must specify either [source] for an inline script or [id] for a stored script");
    if (!is_function_name(spec))
        return qd_parse_fail(p, at,
                             "[script] [%.*s] is not the name of a registered function (NAME or NAME@VERSION); "
                             "other languages are not supported yet",
                             QD_STR_FMT(spec));
    st = new_use(p, at, clause, place, out);
    if (st != QD_OK)
        return st;
    (*out)->name = spec;
    (*out)->params = o.params;
    return QD_OK;
}

/* {"script": {…}} as script, script_score and function_score's script_score have it. */
qd_status qd_parse_script_use(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *v, qd_place place,
                              qd_use **out)
{
    const qd_json_at *at_script = qd_at_key(p, at, QD_STR("script"));
    if (!at_script)
        return qd_parse_nomem(p);
    if (!v)
        return qd_parse_fail(p, at, "[%s] requires a [script]", clause);
    return parse_script_object(p, at_script, clause, v, place, out);
}

qd_status qd_parse_script(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    static const qd_option OPTIONS[] = {{"script", QD_OPT_JSON, 0}, {NULL, 0, 0}};
    const json_t *script = NULL;
    qd_status st = qd_parse_options(p, at, "script", body, OPTIONS, &script, &node->boost);
    if (st != QD_OK)
        return st;
    node->has_functions = true;
    return qd_parse_script_use(p, at, "script", script, QD_PLACE_FILTER, &node->as.function.use);
}

typedef struct script_score_options {
    const json_t *query, *script, *min_score;
} script_score_options;

static const qd_option SCRIPT_SCORE_OPTIONS[] = {
    {"query", QD_OPT_JSON, offsetof(script_score_options, query)},
    {"script", QD_OPT_JSON, offsetof(script_score_options, script)},
    {"min_score", QD_OPT_JSON, offsetof(script_score_options, min_score)},
    {NULL, 0, 0},
};

static qd_status parse_min_score(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *v, bool *has,
                                 float *out)
{
    if (!v)
        return QD_OK;
    if (!json_is_number(v))
        return qd_parse_fail(p, at, "[%s] [min_score] expects a number, got %s", clause, qd_json_type_name(v));
    *has = true;
    *out = (float)json_number_value(v);
    return QD_OK;
}

qd_status qd_parse_script_score(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    script_score_options o = {0};
    qd_script_score_node *s = &node->as.script_score;
    qd_status st = qd_parse_options(p, at, "script_score", body, SCRIPT_SCORE_OPTIONS, &o, &node->boost);
    if (st == QD_OK)
        st = parse_min_score(p, at, "script_score", o.min_score, &s->has_min_score, &s->min_score);
    if (st != QD_OK)
        return st;
    if (!o.query)
        return qd_parse_fail(p, at, "[script_score] requires a [query]");
    const qd_json_at *at_query = qd_at_key(p, at, QD_STR("query"));
    if (!at_query)
        return qd_parse_nomem(p);
    node->has_functions = true;
    st = qd_parse_query(p, at_query, o.query, node->in_filter, &s->query);
    return st == QD_OK ? qd_parse_script_use(p, at, "script_score", o.script, QD_PLACE_SCORE, &s->use) : st;
}

/* ---- function_score ---- */

typedef struct scorer_options {
    const json_t *filter, *script_score;
    float weight;
} scorer_options;

#define SCORER_OPTIONS                                                                                                 \
    {"script_score", QD_OPT_OBJECT, offsetof(scorer_options, script_score)},                                           \
        {"weight", QD_OPT_F32, offsetof(scorer_options, weight)}, {"field_value_factor", QD_OPT_NOT_YET, 0},           \
        {"random_score", QD_OPT_NOT_YET, 0}, {"gauss", QD_OPT_NOT_YET, 0}, {"linear", QD_OPT_NOT_YET, 0},              \
    {                                                                                                                  \
        "exp", QD_OPT_NOT_YET, 0                                                                                       \
    }

static const qd_option SCORER_TABLE[] = {
    {"filter", QD_OPT_OBJECT, offsetof(scorer_options, filter)}, SCORER_OPTIONS, {NULL, 0, 0}};

typedef struct function_score_options {
    scorer_options single;
    const json_t *query, *functions, *min_score;
    qd_str score_mode, boost_mode;
    float max_boost;
} function_score_options;

static const qd_option FUNCTION_SCORE_TABLE[] = {
    SCORER_OPTIONS,
    {"query", QD_OPT_OBJECT, offsetof(function_score_options, query)},
    {"functions", QD_OPT_JSON, offsetof(function_score_options, functions)},
    {"score_mode", QD_OPT_STR, offsetof(function_score_options, score_mode)},
    {"boost_mode", QD_OPT_STR, offsetof(function_score_options, boost_mode)},
    {"max_boost", QD_OPT_F32, offsetof(function_score_options, max_boost)},
    {"min_score", QD_OPT_JSON, offsetof(function_score_options, min_score)},
    {NULL, 0, 0},
};
_Static_assert(offsetof(function_score_options, single) == 0, "both tables share the scorer's offsets");

#define NO_WEIGHT (-FLT_MAX)

static qd_status fill_scorer(qd_parser *p, const qd_json_at *at, const scorer_options *o, qd_scorer *s)
{
    if (o->weight != NO_WEIGHT && o->weight < 0)
        return qd_parse_fail(p, at, "[function_score] [weight] cannot be negative");
    s->has_weight = o->weight != NO_WEIGHT;
    s->weight = s->has_weight ? o->weight : 1.0f;
    if (!s->has_weight && !o->script_score)
        return qd_parse_fail(
            p, at, "[function_score] an entry in functions list is missing a function: give script_score or weight");
    if (o->filter) {
        const qd_json_at *at_filter = qd_at_key(p, at, QD_STR("filter"));
        if (!at_filter)
            return qd_parse_nomem(p);
        qd_status st = qd_parse_query(p, at_filter, o->filter, true, &s->filter);
        if (st != QD_OK)
            return st;
    }
    if (!o->script_score)
        return QD_OK;
    static const qd_option OPTIONS[] = {{"script", QD_OPT_JSON, 0}, {NULL, 0, 0}};
    const qd_json_at *at_score = qd_at_key(p, at, QD_STR("script_score"));
    const json_t *script = NULL;
    if (!at_score)
        return qd_parse_nomem(p);
    qd_status st = qd_parse_options(p, at_score, "script_score", o->script_score, OPTIONS, &script, NULL);
    return st == QD_OK ? qd_parse_script_use(p, at_score, "script_score", script, QD_PLACE_SCORE, &s->use) : st;
}

static qd_status parse_scorers(qd_parser *p, const qd_json_at *at, const json_t *functions, qd_function_score_node *f)
{
    const qd_json_at *at_list = qd_at_key(p, at, QD_STR("functions"));
    size_t n = json_array_size(functions);
    if (!at_list)
        return qd_parse_nomem(p);
    if (!json_is_array(functions))
        return qd_parse_fail(p, at_list, "[function_score] [functions] expects an array, got %s",
                             qd_json_type_name(functions));
    if (n > QD_MAX_CLAUSES)
        return qd_parse_fail(p, at_list, "[function_score] has [%zu] functions, more than [%d]", n, QD_MAX_CLAUSES);
    f->scorers = qd_arena_array(p->arena, n, sizeof *f->scorers);
    if (!f->scorers)
        return qd_parse_nomem(p);
    for (size_t i = 0; i < n; i++) {
        scorer_options o = {.weight = NO_WEIGHT};
        const qd_json_at *at_item = qd_at_index(p, at_list, i);
        if (!at_item)
            return qd_parse_nomem(p);
        qd_status st =
            qd_parse_options(p, at_item, "function_score", json_array_get(functions, i), SCORER_TABLE, &o, NULL);
        if (st == QD_OK)
            st = fill_scorer(p, at_item, &o, &f->scorers[f->n++]);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

static qd_status fill_modes(qd_parser *p, const qd_json_at *at, const function_score_options *o,
                            qd_function_score_node *f)
{
    static const char *const SCORE_MODES[] = {"multiply", "sum", "avg", "first", "max", "min", NULL};
    static const char *const BOOST_MODES[] = {"multiply", "replace", "sum", "avg", "max", "min", NULL};
    int score = o->score_mode.n ? qd_parse_word(o->score_mode, SCORE_MODES) : 0;
    int boost = o->boost_mode.n ? qd_parse_word(o->boost_mode, BOOST_MODES) : 0;
    if (score < 0)
        return qd_parse_fail(p, at, "[function_score] illegal score_mode [%.*s]", QD_STR_FMT(o->score_mode));
    if (boost < 0)
        return qd_parse_fail(p, at, "[function_score] illegal boost_mode [%.*s]", QD_STR_FMT(o->boost_mode));
    f->score_mode = (qd_score_mode)score;
    f->boost_mode = (qd_boost_mode)boost;
    f->max_boost = o->max_boost;
    return parse_min_score(p, at, "function_score", o->min_score, &f->has_min_score, &f->min_score);
}

static qd_node *implied_match_all(qd_parser *p, const qd_node *node)
{
    qd_node *all = QD_NEW(p->arena, qd_node);
    if (all)
        *all = (qd_node){.type = QD_NODE_MATCH_ALL, .at = node->at, .boost = 1.0f, .in_filter = node->in_filter};
    return all;
}

qd_status qd_parse_function_score(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    qd_function_score_node *f = &node->as.function_score;
    function_score_options o = {.single.weight = NO_WEIGHT, .max_boost = FLT_MAX};
    qd_status st = qd_parse_options(p, at, "function_score", body, FUNCTION_SCORE_TABLE, &o, &node->boost);
    if (st == QD_OK)
        st = fill_modes(p, at, &o, f);
    if (st != QD_OK)
        return st;
    bool is_single = o.single.script_score || o.single.weight != NO_WEIGHT;
    if (is_single && o.functions)
        return qd_parse_fail(p, at,
                             "[function_score] query: already found a function, now encountering [functions]: "
                             "put all of them into [functions]");
    if (o.query) {
        const qd_json_at *at_query = qd_at_key(p, at, QD_STR("query"));
        st = at_query ? qd_parse_query(p, at_query, o.query, node->in_filter, &f->query) : qd_parse_nomem(p);
    } else {
        f->query = implied_match_all(p, node);
        st = f->query ? QD_OK : qd_parse_nomem(p);
    }
    if (st == QD_OK && o.functions)
        st = parse_scorers(p, at, o.functions, f);
    if (st == QD_OK && is_single) {
        f->scorers = qd_arena_array(p->arena, 1, sizeof *f->scorers);
        if (!f->scorers)
            return qd_parse_nomem(p);
        f->n = 1;
        st = fill_scorer(p, at, &o.single, f->scorers);
    }
    node->has_functions = true; /* also weights alone: they need the block node */
    return st;
}
