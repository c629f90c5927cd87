/* import_matcher.c - see import_matcher.h. */
#include "daemon/import_matcher.h"

#include <string.h>
#include "base/severity.h"
#include "rules/fields.h"

enum { ALTERNATIVES_MAX = 200 };

/* ---- reading ---- */

struct matcher_text {
    struct import_work *work;
    const struct yaml_node *node;
    const char *construct;
    uint32_t at;
};

static bool refuse(struct matcher_text *m, uint32_t at, const char *why)
{
    import_find(m->work, yaml_node_span(m->node, at, at + 1), IMPORT_LEFT_OUT, m->construct, "%s",
                why);
    return false;
}

static char peek(const struct matcher_text *m)
{
    return m->at < m->node->text.len ? m->node->text.at[m->at] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct matcher_text *m)
{
    while (m->at < m->node->text.len && is_blank(m->node->text.at[m->at]))
        m->at++;
}

static bool read_quoted(struct matcher_text *m, struct text *out)
{
    struct import_text text = {NULL, 0, 0};
    uint32_t from = m->at++;

    while (m->at < m->node->text.len && peek(m) != '"') {
        char c = m->node->text.at[m->at++];
        if (c == '\\' && m->at < m->node->text.len) {
            char letter = m->node->text.at[m->at];
            if (letter == 'x' || letter == 'u' || letter == 'U') {
                import_text_release(&text);
                return refuse(m, m->at - 1,
                              "\\x and \\u mean one thing to the older reader of matchers and "
                              "another to the newer: write the character itself");
            }
            /* Before any other letter a backslash is itself. */
            if (letter == '"' || letter == '\\' || letter == 'n') {
                c = letter == 'n' ? '\n' : letter;
                m->at++;
            }
        }
        import_text_add(&text, &c, 1);
    }
    if (peek(m) != '"') {
        import_text_release(&text);
        return refuse(m, from, "a closing \" is missing");
    }
    m->at++;
    out->len = (uint32_t)text.bytes;
    out->at = import_text_take(&text, &m->work->pool);
    return true;
}

static bool read_label(struct matcher_text *m, struct text *out)
{
    uint32_t from = m->at;

    if (peek(m) == '"')
        return read_quoted(m, out);
    while (m->at < m->node->text.len && !is_blank(peek(m)) &&
           memchr("{}!=~,\\\"'`", peek(m), 10) == NULL)
        m->at++;
    *out = (struct text){m->node->text.at + from, m->at - from};
    return m->at > from || refuse(m, from, "the name of a label is wanted here");
}

static bool read_sign(struct matcher_text *m, enum matcher_sign *sign)
{
    static const struct {
        const char *text;
        enum matcher_sign sign;
    } signs[] = {{"=~", MATCHER_PATTERN},
                 {"!~", MATCHER_NO_PATTERN},
                 {"!=", MATCHER_UNEQUAL},
                 {"=", MATCHER_EQUAL}};

    for (size_t i = 0; i < 4; i++) {
        size_t bytes = strlen(signs[i].text);
        if (m->node->text.len - m->at >= bytes &&
            memcmp(m->node->text.at + m->at, signs[i].text, bytes) == 0) {
            *sign = signs[i].sign;
            m->at += (uint32_t)bytes;
            return true;
        }
    }
    return refuse(m, m->at, "=, !=, =~ or !~ is wanted here");
}

/* Without quotes: up to a comma, a closing brace or the end. */
static bool read_value(struct matcher_text *m, bool is_braced, struct text *out)
{
    uint32_t from, to;

    if (peek(m) == '"')
        return read_quoted(m, out);
    from = m->at;
    while (m->at < m->node->text.len && peek(m) != ',' && !(is_braced && peek(m) == '}')) {
        if (peek(m) == '"')
            return refuse(m, m->at, "a \" inside of a value needs quotes around all of it");
        m->at++;
    }
    for (to = m->at; to > from && is_blank(m->node->text.at[to - 1]);)
        to--;
    *out = (struct text){m->node->text.at + from, to - from};
    return true;
}

static void add(struct import_work *work, struct matchers *out, const struct matcher *made)
{
    struct matcher *matcher = import_pool_alloc(&work->pool, sizeof(*matcher));

    *matcher = *made;
    matcher->next = NULL;
    if (out->last != NULL)
        out->last->next = matcher;
    else
        out->first = matcher;
    out->last = matcher;
}

static bool read_one(struct matcher_text *m, bool is_braced, struct matchers *out)
{
    struct matcher made = {.sign = MATCHER_EQUAL};
    uint32_t from = m->at;

    if (!read_label(m, &made.label))
        return false;
    skip_blanks(m);
    if (!read_sign(m, &made.sign))
        return false;
    skip_blanks(m);
    if (!read_value(m, is_braced, &made.value))
        return false;
    made.span = yaml_node_span(m->node, from, m->at);
    add(m->work, out, &made);
    skip_blanks(m);
    return true;
}

/* A text of one or more, with braces or without, and maybe a comma behind the last. */
static bool read_text(struct matcher_text *m, struct matchers *out)
{
    bool is_braced;

    skip_blanks(m);
    is_braced = peek(m) == '{';
    m->at += is_braced;
    for (;;) {
        skip_blanks(m);
        if (m->at == m->node->text.len || (is_braced && peek(m) == '}'))
            break;
        if (!read_one(m, is_braced, out))
            return false;
        if (peek(m) != ',')
            break;
        m->at++;
    }
    if (is_braced && peek(m) != '}')
        return refuse(m, m->at, "a closing } is missing");
    m->at += is_braced;
    skip_blanks(m);
    return m->at == m->node->text.len || refuse(m, m->at, "the end of the matcher is wanted here");
}

bool matchers_read(struct import_work *work, const struct yaml_node *node, const char *construct,
                   struct matchers *out)
{
    bool is_good = true;

    if (node == NULL)
        return true;
    for (const struct yaml_node *item = node->kind == YAML_LIST ? node->first : node; item != NULL;
         item = node->kind == YAML_LIST ? item->next : NULL) {
        struct matcher_text m = {work, item, construct, 0};
        if (item->kind == YAML_SCALAR) {
            is_good = read_text(&m, out) && is_good;
        } else {
            import_find(work, item->span, IMPORT_LEFT_OUT, construct, "a matcher is text");
            is_good = false;
        }
    }
    return is_good;
}

bool matchers_read_map(struct import_work *work, const struct yaml_node *node,
                       enum matcher_sign sign, const char *construct, struct matchers *out)
{
    if (node == NULL || (node->kind == YAML_SCALAR && node->text.len == 0))
        return true;
    if (node->kind != YAML_MAP) {
        import_find(work, node->span, IMPORT_LEFT_OUT, construct,
                    "this takes a map of labels and texts");
        return false;
    }
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
        struct matcher made = {.sign = sign, .value = item->text, .span = item->span};
        if (item->kind != YAML_SCALAR) {
            import_find(work, item->span, IMPORT_LEFT_OUT, construct,
                        "this takes a map of labels and texts");
            return false;
        }
        made.label = item->key->text;
        add(work, out, &made);
    }
    return true;
}

/* ---- conditions ---- */

static bool is_plain_byte(char c)
{
    return memchr("\\.+*?()|[]{}^$", c, 14) == NULL;
}

/* "a|b|c" without any other operator. */
static bool is_words(struct text pattern)
{
    uint32_t count = 1;

    for (uint32_t i = 0; i < pattern.len; i++) {
        if (pattern.at[i] != '|' && !is_plain_byte(pattern.at[i]))
            return false;
        count += pattern.at[i] == '|';
    }
    return count <= ALTERNATIVES_MAX;
}

/* The next word of "a|b|c"; false behind the last. */
static bool word_next(struct text pattern, uint32_t *at, struct text *word)
{
    uint32_t from = *at;

    if (from > pattern.len)
        return false;
    while (*at < pattern.len && pattern.at[*at] != '|')
        ++*at;
    *word = (struct text){pattern.at + from, *at - from};
    ++*at;
    return true;
}

bool matcher_word_next(const struct matcher *matcher, uint32_t *at, struct text *word)
{
    if (matcher->sign >= MATCHER_PATTERN)
        return is_words(matcher->value) && word_next(matcher->value, at, word);
    *word = matcher->value;
    return (*at)++ == 0;
}

/* True when the pattern surely does not fit empty text: each alternative begins with a plain
 * character that must be there. */
static bool needs_text(struct text pattern)
{
    bool at_start = true;
    int depth = 0;

    for (uint32_t i = 0; i < pattern.len; i++) {
        char c = pattern.at[i], after = i + 1 < pattern.len ? pattern.at[i + 1] : '\0';
        if (c == '[' || c == '\\')
            return false; /* what follows is not read here */
        if (at_start && (!is_plain_byte(c) || after == '*' || after == '?' || after == '{'))
            return false;
        depth += (c == '(') - (c == ')');
        at_start = c == '|' && depth == 0;
    }
    return !at_start;
}

struct matching {
    struct import_work *work;
    struct expr_build *build;
    const struct matcher *matcher;
    struct import_target target;
    enum matcher_scope scope;
};

static struct expr *term(struct matching *m, bool is_call, struct import_text *text)
{
    bool may_fail = m->scope == MATCHER_ON_EVENTS && m->target.kind == TARGET_LABEL;

    return expr_term(m->build, import_text_take(text, &m->work->scratch),
                     may_fail ? m->target.presence : NULL, is_call);
}

/* Empty text is what is absent, too. */
static struct expr *empty_term(struct matching *m)
{
    struct import_text text = {NULL, 0, 0};
    struct expr *absent;

    import_text_format(&text, "%s == \"\"", m->target.text);
    if (m->scope != MATCHER_ON_EVENTS || m->target.kind != TARGET_LABEL)
        return term(m, false, &text);
    absent = expr_not(m->build, expr_term(m->build, m->target.presence, NULL, true));
    return expr_join(m->build, EXPR_OR, absent, term(m, false, &text));
}

static struct expr *filled_term(struct matching *m)
{
    struct import_text text = {NULL, 0, 0};

    import_text_format(&text, "%s != \"\"", m->target.text);
    return term(m, false, &text);
}

static struct expr *equal_term(struct matching *m, struct text value)
{
    struct import_text text = {NULL, 0, 0};

    if (value.len == 0)
        return empty_term(m);
    import_text_format(&text, "%s == ", m->target.text);
    import_text_literal(&text, value.at, value.len);
    return term(m, false, &text);
}

static struct expr *words_term(struct matching *m)
{
    struct import_text text = {NULL, 0, 0};
    struct text word, only = {"", 0};
    uint32_t at = 0, count = 0;
    struct expr *expr = NULL;
    bool has_empty = false;

    import_text_format(&text, "%s in [", m->target.text);
    while (word_next(m->matcher->value, &at, &word)) {
        if (word.len == 0) {
            has_empty = true;
            continue;
        }
        only = word;
        import_text_put(&text, count++ > 0 ? ", " : "");
        import_text_literal(&text, word.at, word.len);
    }
    import_text_put(&text, "]");
    if (count > 1)
        expr = term(m, false, &text);
    else if (count == 1)
        expr = equal_term(m, only);
    import_text_release(&text);
    return has_empty ? expr_join(m->build, EXPR_OR, empty_term(m), expr) : expr;
}

static struct expr *pattern_term(struct matching *m)
{
    struct text pattern = m->matcher->value;
    struct import_text text = {NULL, 0, 0}, whole = {NULL, 0, 0};
    bool is_certain =
        needs_text(pattern) || m->scope != MATCHER_ON_EVENTS || m->target.kind != TARGET_LABEL;
    struct expr *expr;

    if (is_words(pattern))
        return words_term(m);
    if (text_equals(pattern, ".*"))
        return expr_constant(m->build, true);
    if (text_equals(pattern, ".+"))
        return filled_term(m);
    import_text_put(&whole, "^(?:");
    import_text_add(&whole, pattern.at, pattern.len);
    import_text_put(&whole, ")$");
    if (is_certain)
        import_text_format(&text, "%s.matches(", m->target.text);
    else
        import_text_format(&text, "(%s ? %s : \"\").matches(", m->target.presence, m->target.text);
    import_text_literal(&text, whole.at, whole.bytes);
    import_text_put(&text, ")");
    import_text_release(&whole);
    if (is_certain)
        return term(m, true, &text);
    expr = expr_term(m->build, import_text_take(&text, &m->work->scratch), NULL, true);
    return expr;
}

/* The severity of an incident is no text: the words of the label become the constants that events
 * get of them. */
static struct expr *severity_term(struct matching *m)
{
    static const char *const constants[SEVERITY_COUNT] = {
        [SEVERITY_OK] = "OK",
        [SEVERITY_DEBUG] = "DEBUG",
        [SEVERITY_INFO] = "INFO",
        [SEVERITY_WARNING] = "WARNING",
        [SEVERITY_MINOR] = "MINOR",
        [SEVERITY_MAJOR] = "MAJOR",
        [SEVERITY_CRITICAL] = "CRITICAL",
    };
    struct import_text text = {NULL, 0, 0};
    bool named[SEVERITY_COUNT] = {false};
    struct text word;
    uint32_t at = 0, count = 0;

    while (matcher_word_next(m->matcher, &at, &word)) {
        int severity = severity_from_word(word);
        if (severity < 0)
            return NULL;
        named[severity] = true;
    }
    if (at == 0)
        return NULL; /* a pattern of another kind */
    for (int i = 0; i < SEVERITY_COUNT; i++)
        if (named[i])
            import_text_format(&text, "%s%s", count++ > 0 ? ", " : "", constants[i]);
    return expr_term(m->build,
                     import_pool_format(&m->work->scratch,
                                        count > 1 ? "severity in [%s]" : "severity == %s",
                                        import_text_take(&text, &m->work->scratch)),
                     NULL, false);
}

static struct expr *matcher_expr(struct import_work *work, const struct matcher *matcher,
                                 enum matcher_scope scope, struct expr_build *build)
{
    struct matching m = {work, build, matcher,
                         import_map_label(work->input->map, matcher->label, &work->scratch), scope};
    struct expr *expr;

    if (scope == MATCHER_ON_INCIDENTS && text_equals(matcher->label, "severity"))
        expr = severity_term(&m);
    else if (m.target.kind == TARGET_VALUE)
        expr = NULL;
    else
        expr = matcher->sign >= MATCHER_PATTERN ? pattern_term(&m) : equal_term(&m, matcher->value);
    if (expr == NULL)
        return NULL;
    if (matcher->sign == MATCHER_UNEQUAL && matcher->value.len == 0)
        return filled_term(&m);
    return matcher->sign == MATCHER_UNEQUAL || matcher->sign == MATCHER_NO_PATTERN
               ? expr_not(build, expr)
               : expr;
}

struct expr *matchers_expr(struct import_work *work, const struct matchers *matchers,
                           enum matcher_scope scope, const char *construct,
                           struct expr_build *build)
{
    struct expr *all = expr_constant(build, true);

    for (const struct matcher *matcher = matchers->first; matcher != NULL;
         matcher = matcher->next) {
        struct expr *expr = matcher_expr(work, matcher, scope, build);
        if (expr == NULL) {
            bool is_severity =
                scope == MATCHER_ON_INCIDENTS && text_equals(matcher->label, "severity");
            import_find(work, matcher->span, IMPORT_LEFT_OUT, construct,
                        "%.*s is no text here, and this cannot be compared with it%s",
                        matcher->label.len < 60 ? (int)matcher->label.len : 60, matcher->label.at,
                        is_severity ? ": add it to group_by of all its routes" : "");
            return NULL;
        }
        all = expr_join(build, EXPR_AND, all, expr);
    }
    return all;
}

/* The words that a matcher lets through, as a pattern of words; false: it is not known. */
static bool words_of(const struct matcher *matcher, struct text *words)
{
    *words = matcher->value;
    return matcher->sign == MATCHER_EQUAL ||
           (matcher->sign == MATCHER_PATTERN && is_words(matcher->value));
}

static bool has_word(const struct matcher *matcher, struct text words, struct text wanted)
{
    struct text word;
    uint32_t at = 0;

    if (matcher->sign == MATCHER_EQUAL)
        return words.len == wanted.len && memcmp(words.at, wanted.at, words.len) == 0;
    while (word_next(words, &at, &word))
        if (word.len == wanted.len && memcmp(word.at, wanted.at, word.len) == 0)
            return true;
    return false;
}

static bool pair_excludes(const struct matcher *a, const struct matcher *b)
{
    struct text words_a, words_b, word;
    uint32_t at = 0;

    if (a->label.len != b->label.len || memcmp(a->label.at, b->label.at, a->label.len) != 0 ||
        !words_of(a, &words_a) || !words_of(b, &words_b))
        return false;
    if (a->sign == MATCHER_EQUAL)
        return !has_word(b, words_b, words_a);
    while (word_next(words_a, &at, &word))
        if (has_word(b, words_b, word))
            return false;
    return true;
}

bool matchers_exclude(const struct matchers *a, const struct matchers *b)
{
    for (const struct matcher *x = a->first; x != NULL; x = x->next)
        for (const struct matcher *y = b->first; y != NULL; y = y->next)
            if (pair_excludes(x, y))
                return true;
    return false;
}
