/*
 * import_sigma_field.c - one field of a search, with modifiers and values. See import_sigma.h.
 *
 * Sigma compares without regard to case, the rule language byte by byte. So a value with
 * letters becomes a regular expression with (?i), and all such values of a field become one:
 * the engine puts the expressions of all rules over one field into one automaton, while a
 * comparison with x.lowerAscii() would be worked out for every rule by itself. Values without
 * letters (numbers, mostly) and those of `cased` are compared as they are.
 */
#include <string.h>
#include "daemon/import_sigma.h"
#include "rules/fields.h"

/* The rule language takes patterns of 1,000 bytes; the flags need some. */
enum { PATTERN_WANTED = 900 };

enum match {
    MATCH_TEXT,
    MATCH_PATTERN,
    MATCH_CIDR,
    MATCH_LT,
    MATCH_LTE,
    MATCH_GT,
    MATCH_GTE,
    MATCH_EXISTS,
    MATCH_FIELD,
};

struct test {
    struct sigma_build *build;
    const struct yaml_node *key; /* NULL: words without a field */
    struct import_target target;
    const char *construct; /* for findings: field CommandLine */
    enum match match;
    bool open_front, open_back; /* contains, startswith, endswith */
    bool all, cased, neq, windash, expand;
    bool folds, many_lines, dot_all; /* of re: i, m, s */
    enum sigma_encoding utf16;
    bool base64, base64_offset;
    const char *compare; /* "<" of lt */
};

static struct import_pool *scratch(struct test *test)
{
    return &test->build->work->scratch;
}

/* Says why, and is NULL. */
static struct expr *refuse(struct test *test, const struct yaml_node *node, const char *why)
{
    import_find(test->build->work, node->span, IMPORT_LEFT_OUT, test->construct, "%s", why);
    return NULL;
}

/* ---- modifiers ---- */

static const struct modifier {
    const char *name;
    enum match match;   /* MATCH_TEXT: a flag below */
    size_t flag, flag2; /* offsets of bools in struct test, 0: none */
    const char *compare;
} modifiers[] = {
    {"contains", MATCH_TEXT, offsetof(struct test, open_front), offsetof(struct test, open_back),
     NULL},
    {"startswith", MATCH_TEXT, offsetof(struct test, open_back), 0, NULL},
    {"endswith", MATCH_TEXT, offsetof(struct test, open_front), 0, NULL},
    {"all", MATCH_TEXT, offsetof(struct test, all), 0, NULL},
    {"cased", MATCH_TEXT, offsetof(struct test, cased), 0, NULL},
    {"neq", MATCH_TEXT, offsetof(struct test, neq), 0, NULL},
    {"windash", MATCH_TEXT, offsetof(struct test, windash), 0, NULL},
    {"expand", MATCH_TEXT, offsetof(struct test, expand), 0, NULL},
    {"i", MATCH_TEXT, offsetof(struct test, folds), 0, NULL},
    {"ignorecase", MATCH_TEXT, offsetof(struct test, folds), 0, NULL},
    {"m", MATCH_TEXT, offsetof(struct test, many_lines), 0, NULL},
    {"multiline", MATCH_TEXT, offsetof(struct test, many_lines), 0, NULL},
    {"s", MATCH_TEXT, offsetof(struct test, dot_all), 0, NULL},
    {"dotall", MATCH_TEXT, offsetof(struct test, dot_all), 0, NULL},
    {"base64", MATCH_TEXT, offsetof(struct test, base64), 0, NULL},
    {"base64offset", MATCH_TEXT, offsetof(struct test, base64_offset), 0, NULL},
    {"re", MATCH_PATTERN, 0, 0, NULL},
    {"cidr", MATCH_CIDR, 0, 0, NULL},
    {"exists", MATCH_EXISTS, 0, 0, NULL},
    {"fieldref", MATCH_FIELD, 0, 0, NULL},
    {"lt", MATCH_LT, 0, 0, "<"},
    {"lte", MATCH_LTE, 0, 0, "<="},
    {"gt", MATCH_GT, 0, 0, ">"},
    {"gte", MATCH_GTE, 0, 0, ">="},
};

static const struct {
    const char *name;
    enum sigma_encoding encoding;
} encodings[] = {
    {"wide", UTF16_LE}, {"utf16le", UTF16_LE}, {"utf16be", UTF16_BE}, {"utf16", UTF16_MARK}};

enum {
    MODIFIERS = sizeof(modifiers) / sizeof(modifiers[0]),
    ENCODINGS = sizeof(encodings) / sizeof(encodings[0]),
};

static bool encoding_take(struct test *test, struct text word)
{
    for (size_t i = 0; i < ENCODINGS; i++) {
        if (!text_equals(word, encodings[i].name))
            continue;
        /* The values are put into UTF-16 first and into Base64 then: the other way round has no
         * use. */
        if (test->base64 || test->base64_offset || test->utf16 != UTF16_NONE)
            return false;
        test->utf16 = encodings[i].encoding;
        return true;
    }
    return false;
}

static bool modifier_is_known(struct text word, const char **names, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < MODIFIERS; i++)
        names[(*count)++] = modifiers[i].name;
    for (size_t i = 0; i < ENCODINGS; i++)
        names[(*count)++] = encodings[i].name;
    for (size_t i = 0; i < *count; i++)
        if (text_equals(word, names[i]))
            return true;
    return false;
}

static void refuse_modifier(struct test *test, struct text word, struct span span)
{
    const char *names[MODIFIERS + ENCODINGS];
    struct import_work *work = test->build->work;
    size_t count;

    if (modifier_is_known(word, names, &count))
        import_find(work, span, IMPORT_LEFT_OUT, test->construct,
                    "the modifier %.*s does not stand together with those before it", (int)word.len,
                    word.at);
    else
        import_find(work, span, IMPORT_LEFT_OUT, test->construct,
                    "the modifier %.*s is not known%s", (int)(word.len < 80 ? word.len : 80),
                    word.at, import_near(work, word, names, count));
}

static bool modifier_take(struct test *test, struct text word)
{
    for (size_t i = 0; i < MODIFIERS; i++) {
        const struct modifier *row = &modifiers[i];
        if (!text_equals(word, row->name))
            continue;
        if (row->flag > 0)
            *(bool *)((char *)test + row->flag) = true;
        if (row->flag2 > 0)
            *(bool *)((char *)test + row->flag2) = true;
        if (row->match == MATCH_TEXT)
            return true;
        if (test->match != MATCH_TEXT)
            return false; /* two that exclude each other */
        test->match = row->match;
        test->compare = row->compare;
        return true;
    }
    return encoding_take(test, word);
}

/* Which modifiers may stand together. */
static const char *modifiers_refused(const struct test *test)
{
    bool is_open = test->open_front || test->open_back;
    bool is_encoded = test->base64 || test->base64_offset || test->utf16 != UTF16_NONE;

    if (test->utf16 != UTF16_NONE && !test->base64 && !test->base64_offset)
        return "text of events is UTF-8; UTF-16 can only be looked for inside of Base64";
    if (test->base64_offset && !(test->open_front && test->open_back))
        return "base64offset has a meaning with contains alone";
    if (test->match != MATCH_PATTERN && (test->folds || test->many_lines || test->dot_all))
        return "i, m and s belong to re";
    if (test->match != MATCH_TEXT && test->match != MATCH_FIELD && is_open)
        return "contains, startswith and endswith belong to text";
    if (test->match != MATCH_TEXT && (is_encoded || test->windash))
        return "windash and encodings belong to text";
    if (test->target.kind == TARGET_VALUE &&
        (is_open || is_encoded || test->match == MATCH_PATTERN || test->match == MATCH_CIDR ||
         test->match == MATCH_FIELD))
        return "the field is mapped to value, which is a number and no text";
    return NULL;
}

/* "Field|mod|mod". */
static bool key_read(struct test *test)
{
    struct text key = test->key != NULL ? test->key->text : (struct text){"", 0};
    struct import_work *work = test->build->work;
    const char *bar = memchr(key.at, '|', key.len), *why;
    struct text name = {key.at, bar != NULL ? (uint32_t)(bar - key.at) : key.len};

    test->construct = name.len > 0 ? import_name(work, "field %.*s", (int)name.len, name.at)
                                   : "words without a field";
    if (name.len > 0) {
        test->target = import_map_field(work->input->map, name, scratch(test));
    } else {
        test->target = import_map_keywords(work->input->map);
        test->open_front = test->open_back = true;
    }
    for (uint32_t at = name.len; at < key.len;) {
        uint32_t end = ++at;
        while (end < key.len && key.at[end] != '|')
            end++;
        struct text word = {key.at + at, end - at};
        if (!modifier_take(test, word)) {
            refuse_modifier(test, word, yaml_node_span(test->key, at, end));
            return false;
        }
        at = end;
    }
    why = modifiers_refused(test);
    if (why != NULL && test->key != NULL) /* without a key there are no modifiers */
        refuse(test, test->key, why);
    return why == NULL;
}

/* ---- terms ---- */

static struct expr *term(struct test *test, bool is_call, struct import_text *text)
{
    bool is_absent_error = test->target.kind != TARGET_TEXT;

    return expr_term(&test->build->expr, import_text_take(text, scratch(test)),
                     is_absent_error ? test->target.presence : NULL, is_call);
}

static struct expr *presence(struct test *test, bool is_wanted)
{
    struct expr *expr = expr_term(&test->build->expr, test->target.presence, NULL, true);

    return is_wanted ? expr : expr_not(&test->build->expr, expr);
}

/* `x.method("literal")` */
static struct expr *method(struct test *test, const char *name, const char *at, size_t bytes)
{
    struct import_text text = {NULL, 0, 0};

    import_text_format(&text, "%s.%s(", test->target.text, name);
    import_text_literal(&text, at, bytes);
    import_text_put(&text, ")");
    return term(test, true, &text);
}

static bool is_number(struct text text)
{
    uint32_t i = text.len > 0 && text.at[0] == '-' ? 1 : 0, digits = 0, points = 0;

    for (; i < text.len; i++) {
        digits += text.at[i] >= '0' && text.at[i] <= '9';
        points += text.at[i] == '.' && digits > 0 && i + 1 < text.len;
    }
    return digits > 0 && digits <= 15 && points <= 1 &&
           digits + points + (text.at[0] == '-') == text.len;
}

static struct expr *number_term(struct test *test, const struct yaml_node *node,
                                const char *compare)
{
    struct import_text text = {NULL, 0, 0};

    if (!is_number(node->text))
        return refuse(test, node, "a number of at most 15 digits is wanted here");
    import_text_format(&text, test->target.kind == TARGET_VALUE ? "%s" : "double(%s)",
                       test->target.text);
    import_text_format(&text, " %s %.*s", compare, (int)node->text.len, node->text.at);
    return term(test, false, &text);
}

static struct expr *cidr_term(struct test *test, const struct yaml_node *node)
{
    struct import_text text = {NULL, 0, 0};
    const char *why = NULL;
    struct expr *expr;
    bool is_prefix;

    if (!sigma_cidr(node->text, &text, &is_prefix, &why)) {
        import_text_release(&text);
        return refuse(test, node, why);
    }
    expr = method(test, is_prefix ? "startsWith" : "matches", text.at, text.bytes);
    import_text_release(&text);
    return expr;
}

static struct expr *pattern_term(struct test *test, const struct yaml_node *node)
{
    struct import_text text = {NULL, 0, 0};
    struct expr *expr;

    if (test->folds || test->many_lines || test->dot_all)
        import_text_format(&text, "(?%s%s%s)", test->folds ? "i" : "", test->many_lines ? "m" : "",
                           test->dot_all ? "s" : "");
    import_text_add(&text, node->text.at, node->text.len);
    expr = method(test, "matches", text.at, text.bytes);
    import_text_release(&text);
    return expr;
}

static bool folds_case(const struct test *test)
{
    return !test->cased && !import_map_is_exact(test->build->work->input->map);
}

/* Another field of the same event; both have to be there. */
static struct expr *field_term(struct test *test, const struct yaml_node *node)
{
    const char *lower = folds_case(test) ? ".lowerAscii()" : "";
    struct import_target other =
        import_map_field(test->build->work->input->map, node->text, scratch(test));
    struct import_text text = {NULL, 0, 0};
    const char *name = test->open_front && test->open_back ? "contains"
                       : test->open_front                  ? "endsWith"
                                                           : "startsWith";
    bool is_call = test->open_front || test->open_back;

    if (other.kind == TARGET_VALUE)
        return refuse(test, node, "the field is mapped to value, which is a number and no text");
    import_text_format(&text, is_call ? "%s%s.%s(%s%s)" : "%s%s%s%s%s", test->target.text, lower,
                       is_call ? name : " == ", other.text, lower);
    return expr_term(
        &test->build->expr, import_text_take(&text, scratch(test)),
        import_pool_format(scratch(test), "%s && %s", test->target.presence, other.presence),
        is_call);
}

/* One text by itself. */
static struct expr *text_term(struct test *test, const struct sigma_text *text)
{
    struct import_text out = {NULL, 0, 0};
    struct expr *expr;

    if (text->count == 0 && (text->open_front || text->open_back))
        return presence(test, true);
    if (text->count == 0 && test->target.kind == TARGET_TEXT)
        return presence(test, false);
    if (sigma_text_has_wildcard(text) || test->windash ||
        (folds_case(test) && sigma_text_has_letter(text))) {
        import_text_put(&out, folds_case(test) && sigma_text_has_letter(text) ? "(?is)" : "(?s)");
        sigma_text_pattern(text, test->windash, &out);
        expr = method(test, "matches", out.at, out.bytes);
        import_text_release(&out);
        return expr;
    }
    if (text->open_front || text->open_back)
        return method(test,
                      text->open_front && text->open_back ? "contains"
                      : text->open_front                  ? "endsWith"
                                                          : "startsWith",
                      text->at, text->count);
    import_text_format(&out, "%s == ", test->target.text);
    import_text_literal(&out, text->at, text->count);
    return term(test, false, &out);
}

/* ---- values ---- */

/* The values of one field that are joined by or: alike ones become one term. */
struct gathered {
    struct sigma_text *text;
    uint32_t count, room;
    struct expr *rest;
};

static bool is_literal(const struct test *test, const struct sigma_text *text)
{
    return !text->open_front && !text->open_back && text->count > 0 && !test->windash &&
           !sigma_text_has_wildcard(text) && !(folds_case(test) && sigma_text_has_letter(text));
}

static bool is_folded(const struct test *test, const struct sigma_text *text)
{
    return text->count > 0 && folds_case(test) && sigma_text_has_letter(text);
}

static struct expr *gather_literals(struct test *test, const struct gathered *all)
{
    const struct sigma_text *only = NULL;
    struct import_text text = {NULL, 0, 0};
    uint32_t count = 0;

    import_text_format(&text, "%s in [", test->target.text);
    for (uint32_t i = 0; i < all->count; i++) {
        if (!is_literal(test, &all->text[i]))
            continue;
        only = &all->text[i];
        import_text_put(&text, count++ > 0 ? ", " : "");
        import_text_literal(&text, only->at, only->count);
    }
    if (count > 1) {
        import_text_put(&text, "]");
        return term(test, false, &text);
    }
    import_text_release(&text);
    return count == 1 ? text_term(test, only) : NULL;
}

static struct expr *folded_term(struct test *test, struct import_text *body, uint32_t count)
{
    struct import_text text = {NULL, 0, 0};
    struct expr *expr;

    import_text_format(&text, count > 1 ? "(?is)(?:%s)" : "(?is)%s", body->at);
    expr = method(test, "matches", text.at, text.bytes);
    import_text_release(&text);
    import_text_release(body);
    return expr;
}

/* One expression for all, or several where one would pass what the rule language takes. */
static struct expr *gather_folded(struct test *test, const struct gathered *all)
{
    struct import_text body = {NULL, 0, 0}, one = {NULL, 0, 0};
    struct expr *expr = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < all->count; i++) {
        if (!is_folded(test, &all->text[i]))
            continue;
        sigma_text_pattern(&all->text[i], test->windash, &one);
        if (count > 0 && body.bytes + one.bytes > PATTERN_WANTED) {
            expr = expr_join(&test->build->expr, EXPR_OR, expr, folded_term(test, &body, count));
            count = 0;
        }
        import_text_put(&body, count++ > 0 ? "|" : "");
        import_text_add(&body, one.at, one.bytes);
        import_text_release(&one);
    }
    if (count > 0)
        expr = expr_join(&test->build->expr, EXPR_OR, expr, folded_term(test, &body, count));
    return expr;
}

static void gather_add(struct test *test, struct gathered *all, struct sigma_text text)
{
    struct sigma_text *grown;

    if (all->count == all->room) {
        all->room = all->room > 0 ? all->room * 2 : 8;
        grown = import_pool_alloc(scratch(test), all->room * sizeof(text));
        if (all->count > 0)
            memcpy(grown, all->text, all->count * sizeof(text));
        all->text = grown;
    }
    all->text[all->count++] = text;
}

/* Base64 of a text without wildcards; one of them, or one for each place in a group of three. */
static bool encoded_take(struct test *test, const struct yaml_node *node, struct text value,
                         struct gathered *all)
{
    struct import_text bytes = {NULL, 0, 0}, out = {NULL, 0, 0};
    struct text from = value;

    if (value.len == 0) {
        refuse(test, node, "nothing is there to be encoded");
        return false;
    }
    if (test->utf16 != UTF16_NONE) {
        if (!sigma_utf16(value, test->utf16, &bytes)) {
            import_text_release(&bytes);
            refuse(test, node, "this is no UTF-8 text");
            return false;
        }
        from = (struct text){bytes.at, (uint32_t)bytes.bytes};
    }
    for (unsigned offset = 0; offset < (test->base64_offset ? 3 : 1); offset++) {
        struct sigma_text text;
        if (test->base64_offset)
            sigma_base64_offset(from, offset, &out);
        else
            sigma_base64(from, &out);
        uint32_t count = (uint32_t)out.bytes;
        text = sigma_text_plain((struct text){import_text_take(&out, scratch(test)), count});
        text.open_front = test->open_front;
        text.open_back = test->open_back;
        gather_add(test, all, text);
    }
    import_text_release(&bytes);
    return true;
}

static bool text_take(struct test *test, const struct yaml_node *node, struct text value,
                      struct gathered *all)
{
    struct sigma_text text;

    if (test->base64 || test->base64_offset)
        return encoded_take(test, node, value, all);
    text = sigma_text_read(value, scratch(test));
    text.open_front = text.open_front || test->open_front;
    text.open_back = text.open_back || test->open_back;
    gather_add(test, all, text);
    return true;
}

/* "%name%", the whole value. */
static bool placeholder_take(struct test *test, const struct yaml_node *node, struct gathered *all)
{
    struct text name = {node->text.at + 1, node->text.len > 2 ? node->text.len - 2 : 0};
    const struct text *value;
    uint32_t count = 0;

    if (name.len == 0 || node->text.at[0] != '%' || node->text.at[node->text.len - 1] != '%' ||
        memchr(name.at, '%', name.len) != NULL) {
        refuse(test, node, "with expand, only a value that is one placeholder is carried over");
        return false;
    }
    value = import_map_placeholder(test->build->work->input->map, name, &count);
    if (count == 0) {
        refuse(test, node,
               "the placeholder has no values: give them in the mapping file, under "
               "placeholders");
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!text_take(test, node, value[i], all))
            return false;
    return true;
}

static bool is_null(const struct yaml_node *node)
{
    return node->is_plain && (node->text.len == 0 || text_equals(node->text, "null") ||
                              text_equals(node->text, "Null") || text_equals(node->text, "NULL") ||
                              text_equals(node->text, "~"));
}

static struct expr *exists_term(struct test *test, const struct yaml_node *node)
{
    bool is_true;

    if (!import_read_bool(node, &is_true))
        return refuse(test, node, "exists takes true or false");
    return presence(test, is_true);
}

/* What is not text, and so not gathered. */
static struct expr *other_term(struct test *test, const struct yaml_node *node)
{
    switch (test->match) {
    case MATCH_PATTERN:
        return pattern_term(test, node);
    case MATCH_CIDR:
        return cidr_term(test, node);
    case MATCH_EXISTS:
        return exists_term(test, node);
    case MATCH_FIELD:
        return field_term(test, node);
    case MATCH_TEXT:
        return number_term(test, node, "==");
    default:
        return number_term(test, node, test->compare);
    }
}

/* One value into `all`. False: it was refused. */
static bool value_take(struct test *test, const struct yaml_node *node, struct gathered *all)
{
    struct expr *expr;

    if (node->kind != YAML_SCALAR) {
        refuse(test, node, "a value is text or a number, or a list of them");
        return false;
    }
    if (strlen(node->text.at) != node->text.len) {
        refuse(test, node, "a zero byte stands in no text of events");
        return false;
    }
    if (test->key != NULL && is_null(node)) {
        if (test->match != MATCH_TEXT || test->open_front || test->open_back) {
            refuse(test, node, "null stands alone, without a modifier");
            return false;
        }
        expr = presence(test, false);
    } else if (test->match == MATCH_TEXT && test->target.kind != TARGET_VALUE) {
        return test->expand ? placeholder_take(test, node, all)
                            : text_take(test, node, node->text, all);
    } else {
        expr = other_term(test, node);
    }
    if (expr != NULL)
        all->rest = expr_join(&test->build->expr, test->all ? EXPR_AND : EXPR_OR, all->rest, expr);
    return expr != NULL;
}

static struct expr *gather_finish(struct test *test, struct gathered *all)
{
    struct expr *expr = NULL;

    if (test->all) {
        for (uint32_t i = 0; i < all->count; i++)
            expr = expr_join(&test->build->expr, EXPR_AND, expr, text_term(test, &all->text[i]));
        return expr_join(&test->build->expr, EXPR_AND, expr, all->rest);
    }
    expr = gather_literals(test, all);
    expr = expr_join(&test->build->expr, EXPR_OR, expr, gather_folded(test, all));
    for (uint32_t i = 0; i < all->count; i++)
        if (!is_literal(test, &all->text[i]) && !is_folded(test, &all->text[i]))
            expr = expr_join(&test->build->expr, EXPR_OR, expr, text_term(test, &all->text[i]));
    return expr_join(&test->build->expr, EXPR_OR, expr, all->rest);
}

/* A list of numbers for base64offset and all would have to be joined by both: its three forms are
 * alternatives of one value. */
static bool is_mixed(const struct test *test)
{
    return test->all && (test->base64_offset || test->expand);
}

struct expr *sigma_field(struct sigma_build *build, const struct yaml_node *key,
                         const struct yaml_node *value)
{
    struct test test = {.build = build, .key = key};
    struct gathered all = {NULL, 0, 0, NULL};
    const struct yaml_node *node = value->kind == YAML_LIST ? value->first : value;
    bool is_good = true;
    struct expr *expr;

    if (build->expr.is_full)
        return expr_constant(&build->expr, false); /* whoever asked for it will see that */
    if (!key_read(&test))
        return NULL;
    if (is_mixed(&test))
        return refuse(&test, key, "all is not carried over together with base64offset or expand");
    if (node == NULL)
        return refuse(&test, value, "an empty list matches nothing that could be told");
    for (; node != NULL; node = value->kind == YAML_LIST ? node->next : NULL)
        is_good = value_take(&test, node, &all) && is_good;
    if (!is_good)
        return NULL;
    expr = gather_finish(&test, &all);
    return test.neq ? expr_not(&build->expr, expr) : expr;
}
