/*
 * yaml_reader.c - the only file of rules/ that names libfyaml.
 *
 * It reads parse events instead of libfyaml's document tree: our own tree is
 * bounded in depth and size, lies in one arena, and cannot be blown up by aliases.
 */
#include "rules/yaml_reader.h"

#include <assert.h>
#include <libfyaml.h>
#include <string.h>

struct reader {
    const struct script *script;
    struct arena *arena;
    struct diagnostics *diag;
    struct yaml_node *root;
    struct yaml_node *documents_root;       /* list of all roots; NULL: one document is allowed */
    struct yaml_node *open[YAML_DEPTH_MAX]; /* lists and maps not yet ended */
    struct yaml_node *key[YAML_DEPTH_MAX];  /* of a map: a key that waits for its value */
    unsigned depth;
    unsigned documents;
    unsigned nodes;
};

const char *yaml_kind_name(enum yaml_kind kind)
{
    return kind == YAML_SCALAR ? "text" : kind == YAML_LIST ? "a list" : "a map";
}

const char *yaml_unquoted_hint(enum yaml_kind kind)
{
    return kind == YAML_LIST  ? "; if it is text, put it in quotes: [ and - begin a list"
           : kind == YAML_MAP ? "; if it is text, put it in quotes: { begins a map, and so does a "
                                "colon before a blank"
                              : "";
}

struct span yaml_node_span(const struct yaml_node *node, uint32_t from, uint32_t to)
{
    struct span span = node->span;

    if (node->kind != YAML_SCALAR)
        return span;
    from = from < node->text.len ? from : node->text.len;
    to = to < from ? from : to < node->text.len ? to : node->text.len;
    if (node->origin != NULL) {
        span.from = node->origin[from];
        /* The end is that of the last byte: what follows may be on another line. */
        span.to = to > from ? node->origin[to - 1] + 1 : span.from;
    } else {
        span.to = span.from + to;
        span.from += from;
    }
    return span;
}

const struct yaml_node *yaml_node_find(const struct yaml_node *map, const char *key)
{
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next)
        if (strcmp(node->key->text.at, key) == 0)
            return node;
    return NULL;
}

/* ---- from value bytes back to file bytes ---- */

struct tracer {
    const char *raw; /* the file */
    uint32_t at, end;
    const char *text; /* the value */
    uint32_t index, count;
    uint32_t *origin;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* The next `count` bytes of the value stem from the file's byte `at`. */
static void trace(struct tracer *t, uint32_t count)
{
    while (count-- > 0 && t->index < t->count)
        t->origin[t->index++] = t->at < t->end ? t->at : t->end;
}

/* A run of blanks with a line end in it became one blank or some line ends. */
static void trace_fold(struct tracer *t)
{
    if (t->text[t->index] == ' ')
        trace(t, 1);
    else
        while (t->index < t->count && t->text[t->index] == '\n')
            trace(t, 1);
    while (t->at < t->end && (is_blank(t->raw[t->at]) || is_break(t->raw[t->at])))
        t->at++;
}

static uint32_t character_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* An escape inside double quotes: one character of the value, or none when it joins lines. */
static void trace_escape(struct tracer *t)
{
    char letter = t->at + 1 < t->end ? t->raw[t->at + 1] : '\0';

    if (is_break(letter)) {
        t->at++;
        while (t->at < t->end && (is_blank(t->raw[t->at]) || is_break(t->raw[t->at])))
            t->at++;
        return;
    }
    trace(t, character_bytes((unsigned char)t->text[t->index]));
    t->at += letter == 'x' ? 4 : letter == 'u' ? 6 : letter == 'U' ? 10 : 2;
}

static bool fold_follows(const struct tracer *t)
{
    uint32_t at = t->at;

    while (at < t->end && is_blank(t->raw[at]))
        at++;
    return at < t->end && is_break(t->raw[at]);
}

static void trace_flow(struct tracer *t, enum fy_scalar_style style)
{
    while (t->index < t->count && t->at < t->end) {
        char c = t->raw[t->at];
        if (style == FYSS_DOUBLE_QUOTED && c == '\\') {
            trace_escape(t);
        } else if (style == FYSS_SINGLE_QUOTED && c == '\'') {
            trace(t, 1);
            t->at += 2;
        } else if ((is_blank(c) || is_break(c)) && fold_follows(t)) {
            trace_fold(t);
        } else {
            trace(t, 1);
            t->at++;
        }
    }
}

/* Leading blanks of the first line that is not empty. */
static uint32_t first_indent(const char *at, const char *end)
{
    uint32_t indent = 0;

    for (; at < end && (*at == ' ' || is_break(*at)); at++)
        indent = *at == ' ' ? indent + 1 : 0;
    return indent;
}

static void trace_block(struct tracer *t, bool is_folded)
{
    uint32_t raw = first_indent(t->raw + t->at, t->raw + t->end);
    uint32_t kept = first_indent(t->text, t->text + t->count);
    uint32_t indent = raw > kept ? raw - kept : 0;
    bool at_start = true;

    while (t->index < t->count && t->at < t->end) {
        if (at_start)
            for (uint32_t i = 0; i < indent && t->at < t->end && t->raw[t->at] == ' '; i++)
                t->at++;
        at_start = t->at < t->end && t->raw[t->at] == '\n';
        /* Folding may have taken a line end away, or turned it into a blank. */
        if (!is_folded || !at_start || is_blank(t->text[t->index]) || t->text[t->index] == '\n')
            trace(t, 1);
        t->at++;
    }
}

static bool node_trace(struct yaml_node *node, struct reader *reader, enum fy_scalar_style style,
                       uint32_t end)
{
    const struct script *script = reader->script;
    struct tracer t = {.raw = script->text,
                       .at = node->span.from,
                       .end = end,
                       .text = node->text.at,
                       .count = node->text.len};

    if (end - t.at == t.count && memcmp(script->text + t.at, t.text, t.count) == 0)
        return true;
    t.origin = arena_alloc_many(reader->arena, (size_t)t.count + 1, sizeof(uint32_t));
    if (t.origin == NULL)
        return false;
    node->origin = t.origin;
    if (style == FYSS_LITERAL || style == FYSS_FOLDED)
        trace_block(&t, style == FYSS_FOLDED);
    else
        trace_flow(&t, style);
    trace(&t, t.count - t.index);
    t.origin[t.count] = t.at < t.end ? t.at : t.end;
    return true;
}

/* ---- events into nodes ---- */

static struct span token_span(const struct reader *reader, struct fy_token *token)
{
    const struct fy_mark *start = token != NULL ? fy_token_start_mark(token) : NULL;
    const struct fy_mark *end = token != NULL ? fy_token_end_mark(token) : NULL;
    size_t from = start != NULL ? start->input_pos : 0;
    size_t to = end != NULL ? end->input_pos : from;

    from = from < reader->script->bytes ? from : reader->script->bytes;
    to = to < from ? from : to < reader->script->bytes ? to : reader->script->bytes;
    return (struct span){reader->script, (uint32_t)from, (uint32_t)to};
}

static struct span event_span(const struct reader *reader, struct fy_event *event)
{
    return token_span(reader, fy_event_get_token(event));
}

static struct yaml_node *node_create(struct reader *reader, struct fy_event *event,
                                     enum yaml_kind kind)
{
    struct yaml_node *node;

    if (reader->nodes++ == YAML_NODES_MAX) {
        diagnose(reader->diag, event_span(reader, event), "the file holds more than %d values",
                 YAML_NODES_MAX);
        return NULL;
    }
    node = arena_alloc(reader->arena, sizeof(*node));
    if (node == NULL)
        return diagnose_memory(reader->diag);
    node->kind = kind;
    node->span = event_span(reader, event);
    if (kind != YAML_SCALAR)
        return node;
    struct fy_token *token = fy_event_get_token(event);
    size_t bytes = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &bytes) : NULL;
    enum fy_scalar_style style = token != NULL ? fy_token_scalar_style(token) : FYSS_PLAIN;
    node->text.at = arena_copy(reader->arena, text != NULL ? text : "", text != NULL ? bytes : 0);
    node->text.len = text != NULL ? (uint32_t)bytes : 0;
    node->is_plain = style == FYSS_PLAIN;
    if (node->text.at == NULL || !node_trace(node, reader, style, node->span.to))
        return diagnose_memory(reader->diag);
    return node;
}

static bool key_accept(struct reader *reader, struct yaml_node *map, struct yaml_node *key)
{
    if (key->kind != YAML_SCALAR) {
        diagnose(reader->diag, key->span, "a key is plain text, not %s", yaml_kind_name(key->kind));
        return false;
    }
    if (strlen(key->text.at) != key->text.len) {
        diagnose(reader->diag, key->span, "a key holds no zero byte");
        return false;
    }
    if (map->count == YAML_KEYS_MAX) {
        diagnose(reader->diag, key->span, "a map has at most %d keys", YAML_KEYS_MAX);
        return false;
    }
    const struct yaml_node *twin = yaml_node_find(map, key->text.at);
    if (twin != NULL) {
        diagnose(reader->diag, key->span, "the key \"%.80s\" is there already, in line %u",
                 key->text.at, (unsigned)script_place(reader->script, twin->key->span.from).line);
        return false;
    }
    return true;
}

static void child_add(struct yaml_node *parent, struct yaml_node *node)
{
    if (parent->last != NULL)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

/* Hangs a node where the walk stands: as a key, a value, an entry or a root. */
static bool node_add(struct reader *reader, struct yaml_node *node)
{
    struct yaml_node *parent;

    if (reader->depth == 0) {
        reader->root = node;
        if (reader->documents_root != NULL && (node->kind != YAML_SCALAR || node->text.len > 0))
            child_add(reader->documents_root, node);
        return true;
    }
    parent = reader->open[reader->depth - 1];
    assert(parent != NULL);
    if (parent->kind == YAML_MAP) {
        struct yaml_node **key = &reader->key[reader->depth - 1];
        if (*key == NULL) {
            *key = node;
            return key_accept(reader, parent, node);
        }
        node->key = *key;
        /* An absent value has no place of its own: errors point at its key. */
        if (node->kind == YAML_SCALAR && node->text.len == 0 && node->span.from == 0)
            node->span = (*key)->span;
        *key = NULL;
    }
    child_add(parent, node);
    return true;
}

static bool node_enter(struct reader *reader, struct yaml_node *node)
{
    if (!node_add(reader, node))
        return false;
    if (reader->depth == YAML_DEPTH_MAX) {
        diagnose(reader->diag, node->span, "nested deeper than %d levels", YAML_DEPTH_MAX);
        return false;
    }
    reader->open[reader->depth] = node;
    reader->key[reader->depth++] = NULL;
    return true;
}

static bool event_take(struct reader *reader, struct fy_event *event)
{
    struct yaml_node *node;
    struct fy_token *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (reader->documents++ > 0 && reader->documents_root == NULL) {
            diagnose(reader->diag, event_span(reader, event),
                     "a second document begins here; a file holds one");
            return false;
        }
        if (reader->documents > YAML_DOCUMENTS_MAX) {
            diagnose(reader->diag, event_span(reader, event),
                     "the file holds more than %d documents", YAML_DOCUMENTS_MAX);
            return false;
        }
        return true;
    case FYET_ALIAS:
        diagnose(reader->diag, event_span(reader, event),
                 "aliases (*name) are not allowed here; text that begins with * "
                 "needs quotes");
        return false;
    case FYET_SCALAR:
        anchor = event->scalar.anchor;
        tag = event->scalar.tag;
        break;
    case FYET_SEQUENCE_START:
        anchor = event->sequence_start.anchor;
        tag = event->sequence_start.tag;
        break;
    case FYET_MAPPING_START:
        anchor = event->mapping_start.anchor;
        tag = event->mapping_start.tag;
        break;
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        reader->depth--;
        return true;
    default:
        return true;
    }
    if (anchor != NULL || tag != NULL) {
        diagnose(reader->diag, token_span(reader, anchor != NULL ? anchor : tag), "%s",
                 anchor != NULL ? "anchors (&name) are not allowed here; text with & needs quotes"
                                : "tags (!name) are not allowed here; text that begins with ! "
                                  "needs quotes");
        return false;
    }
    node = node_create(reader, event,
                       event->type == FYET_SCALAR           ? YAML_SCALAR
                       : event->type == FYET_SEQUENCE_START ? YAML_LIST
                                                            : YAML_MAP);
    if (node == NULL)
        return false;
    return node->kind == YAML_SCALAR ? node_add(reader, node) : node_enter(reader, node);
}

/* libfyaml counts lines and columns from 1, columns in characters. */
static uint32_t offset_of(const struct script *script, int line, int column)
{
    uint32_t at = 0;

    for (; line > 1 && at < script->bytes; at++)
        line -= script->text[at] == '\n';
    while (column > 1 && at < script->bytes && script->text[at] != '\n') {
        at++;
        column -= at == script->bytes || ((unsigned char)script->text[at] & 0xc0) != 0x80;
    }
    return at;
}

/* What libfyaml says is true and helps nobody who forgot quotes or a bracket. By how its sentences
 * begin. */
struct saying {
    const char *begin, *said;
    char opened; /* it is about the innermost of these that is open; 0: about none */
};

static const struct saying sayings[] = {
    {"invalid nested block mapping on the same line",
     "a colon before a blank begins a map, and here is one already: if it is text, put it in "
     "quotes",
     0},
    {"invalid multiline plain key",
     "this value goes on in the next line, which is indented deeper, and there a key stands: "
     "indent that line as its neighbours, or put the text in quotes",
     0},
    {"missing document start",
     "what stands above is whole, and this belongs to nothing: lines of JSON are events and no "
     "such file, and a key begins where the keys above it begin",
     0},
    {"invalid mapping key", "text that begins with ? needs quotes", 0},
    {"invalid trailing content after double-quoted scalar",
     "the quotes end here, and more text comes: put all of it in quotes, \\\" for one inside", 0},
    {"invalid trailing content after single-quoted scalar",
     "the quotes end here, and more text comes: put all of it in quotes, '' for one inside", 0},
    {"block sequence on the same line as a mapping key",
     "a - before a blank begins a list, which cannot stand here: if it is text, put it in quotes",
     0},
    {"block scalar no linebreak found",
     "behind | or > nothing stands in the same line: if it is text, put it in quotes", 0},
    {"missing comma in flow mapping",
     "a comma or a } is missing: text that begins with { needs quotes", '{'},
    {"missing comma in flow sequence",
     "a comma or a ] is missing: text that begins with [ needs quotes", '['},
    {"wrongly indented flow mapping",
     "a } is missing, or this line has to be indented: text that begins with { needs quotes", '{'},
    {"wrongly indented flow sequence",
     "a ] is missing, or this line has to be indented: text that begins with [ needs quotes", '['},
    {"mismatched flow mapping end", "a } stands where a ] has to come first", '['},
    {"mismatched flow sequence end", "a ] stands where a } has to come first", '{'},
    {"flow sequence without a closing bracket",
     "a [ further up is not closed: if it begins a text, put that in quotes", '['},
    {"flow mapping with invalid extra closing brace",
     "this } closes nothing: text with it needs quotes", 0},
    {"flow sequence with invalid extra closing bracket",
     "this ] closes nothing: text with it needs quotes", 0},
    {"invalid value after mapping",
     "more text behind the closing bracket: text that begins with { or [ needs quotes", 0},
    {"did not find expected node content", "a value should stand here", '{'},
};

static const struct saying *saying_of(const char *why)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
        if (strncmp(why, sayings[i].begin, strlen(sayings[i].begin)) == 0)
            return &sayings[i];
    return NULL;
}

/* The outermost bracket that is open; the end of the file: none is known to be. */
static uint32_t find_outermost(const struct reader *reader)
{
    const struct script *script = reader->script;

    for (unsigned i = 0; i < reader->depth; i++) {
        uint32_t at = reader->open[i]->span.from;
        if (at < script->bytes && (script->text[at] == '[' || script->text[at] == '{'))
            return at;
    }
    return (uint32_t)script->bytes;
}

/* Behind the quotes that begin at `at`. */
static uint32_t skip_quotes(const struct script *script, uint32_t at, uint32_t end)
{
    char quote = script->text[at++];

    while (at < end && script->text[at] != quote)
        at += quote == '"' && script->text[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* Where the innermost bracket was opened that nothing has closed before `end`; the end of the file:
 * that is not known, or it is another one than `bracket`. libfyaml tells of an inner one late, as
 * it may be a map's key; inside of the outermost brackets are brackets, but for quotes and
 * comments. */
static uint32_t find_opened(const struct reader *reader, char bracket, uint32_t end)
{
    const struct script *script = reader->script;
    uint32_t opened[YAML_DEPTH_MAX], unknown = (uint32_t)script->bytes, depth = 0;
    char before = ','; /* the last that was no blank */

    for (uint32_t at = find_outermost(reader); at < end;) {
        char c = script->text[at];
        bool is_first = strchr("[{,:?", before) != NULL;
        if ((c == '[' || c == '{') && depth == YAML_DEPTH_MAX)
            return unknown;
        if (c == '[' || c == '{')
            opened[depth++] = at;
        else if ((c == ']' || c == '}') && --depth == 0)
            return unknown;
        if ((c == '"' || c == '\'') && is_first)
            at = skip_quotes(script, at, end);
        else if (c == '#' && (is_blank(script->text[at - 1]) || is_break(script->text[at - 1])))
            at += (uint32_t)strcspn(script->text + at, "\n");
        else
            at++;
        before = is_blank(c) || is_break(c) ? before : c;
    }
    return depth > 0 && script->text[opened[depth - 1]] == bracket ? opened[depth - 1] : unknown;
}

static bool is_end(const struct script *script, uint32_t at)
{
    while (at < script->bytes && (is_blank(script->text[at]) || is_break(script->text[at])))
        at++;
    return at == script->bytes;
}

/* Nothing more comes: the place to look at is the bracket. Elsewhere it is the one where something
 * else was met, and the bracket may be far away. */
static void say_bracket(struct reader *reader, const struct saying *saying, uint32_t at)
{
    const struct script *script = reader->script;
    uint32_t opened = find_opened(reader, saying->opened, at);
    struct place place = script_place(script, opened);

    if (opened == script->bytes)
        diagnose(reader->diag, (struct span){script, at, at}, "%s", saying->said);
    else if (is_end(script, at))
        diagnose(reader->diag, (struct span){script, opened, opened + 1},
                 "this %c is not closed: if it begins a text, put that in quotes", saying->opened);
    else
        diagnose(reader->diag, (struct span){script, at, at},
                 "%s; the %c is that of line %u, "
                 "column %u",
                 saying->said, saying->opened, (unsigned)place.line, (unsigned)place.column);
}

static void parser_error(struct reader *reader, struct fy_diag *log)
{
    static const char wrong_start[] = "plain scalar cannot start with ";
    struct fy_diag_error *error;
    void *iterator = NULL;
    uint32_t at = (uint32_t)reader->script->bytes;
    const char *why = "this is not YAML";
    const struct saying *saying;

    error = fy_diag_errors_iterate(log, &iterator);
    if (error != NULL && error->msg != NULL) {
        why = error->msg;
        at = offset_of(reader->script, error->line, error->column);
    }
    saying = saying_of(why);
    if (strncmp(why, wrong_start, sizeof(wrong_start) - 1) == 0)
        diagnose(reader->diag, (struct span){reader->script, at, at},
                 "text that begins with %s needs quotes", why + sizeof(wrong_start) - 1);
    else if (saying != NULL && saying->opened != 0)
        say_bracket(reader, saying, at);
    else
        diagnose(reader->diag, (struct span){reader->script, at, at}, "%s",
                 saying != NULL ? saying->said : why);
}

/* libfyaml 0.7.12 takes time with the square of the length of directives, tags and
 * runs of empty lines, and looks ahead to the end of a line and, from a bracket inside of
 * another, to where that closes, with half a KiB for each thing between. None of it is of use
 * here, so it does not get to see more than a little of each. Returns why `*at` is
 * refused, or NULL. */
static const char *find_costly(const struct script *script, uint32_t *at)
{
    const char *text = script->text;
    uint32_t bytes = (uint32_t)script->bytes, line = 0, empty_lines = 0, tag = 0, marks = 0;
    bool is_empty = true, in_tag = false;

    for (uint32_t i = 0; i < bytes; i++) {
        char c = text[i];
        *at = i;
        if (i == line && c == '%')
            return "directives (a line that begins with %) are not allowed here";
        if (i - line >= YAML_LINE_BYTES_MAX)
            return "this line is longer than 64 KiB";
        if (c == '\n') {
            empty_lines = is_empty ? empty_lines + 1 : 0;
            if (empty_lines > YAML_EMPTY_LINES_MAX)
                return "more than 50 empty lines in a row";
            line = i + 1;
        }
        /* In text they are counted, too: what is text, only the whole reader knows. */
        marks += c == '[' || c == '{' || c == ',';
        if (marks > YAML_MARKS_MAX)
            return "the file holds more than 500000 brackets and commas up to here";
        is_empty = c == '\n' || (is_empty && (is_blank(c) || c == '\r'));
        if (c == '!' && !in_tag)
            tag = i;
        in_tag = (in_tag || c == '!') && !is_blank(c) && !is_break(c);
        if (in_tag && i - tag >= YAML_TAG_BYTES_MAX)
            return "a word with ! in it is longer than 1024 bytes";
    }
    return NULL;
}

static bool script_accept(const struct script *script, struct diagnostics *diag)
{
    const char *costly;
    uint32_t at = 0;

    if (script->bytes > YAML_BYTES_MAX) {
        diagnose(diag, (struct span){script, 0, 0}, "the file is larger than %d MiB",
                 YAML_BYTES_MAX >> 20);
        return false;
    }
    if (!script_is_text(script, diag))
        return false;
    costly = find_costly(script, &at);
    if (costly != NULL) {
        diagnose(diag, (struct span){script, at, at}, "%s", costly);
        return false;
    }
    return true;
}

/* With `documents` their roots are hung into it. Returns the (last) root, or NULL. */
static struct yaml_node *read_stream(const struct script *script, struct arena *arena,
                                     struct diagnostics *diag, struct yaml_node *documents)
{
    struct reader reader = {
        .script = script, .arena = arena, .diag = diag, .documents_root = documents};
    struct fy_diag_cfg log_config;
    struct fy_diag *log = NULL;
    struct fy_parser *parser = NULL;
    struct fy_event *event;
    bool is_good = true;

    if (!script_accept(script, diag))
        return NULL;
    fy_diag_cfg_default(&log_config);
    log_config.fp = NULL;
    log = fy_diag_create(&log_config);
    if (log == NULL)
        return diagnose_memory(diag);
    fy_diag_set_collect_errors(log, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET, .diag = log};
    parser = fy_parser_create(&config);
    if (parser == NULL || fy_parser_set_string(parser, script->text, script->bytes) != 0) {
        is_good = false;
        diagnose_memory(diag);
        goto out;
    }
    while (is_good && (event = fy_parser_parse(parser)) != NULL) {
        is_good = event_take(&reader, event);
        fy_parser_event_free(parser, event);
    }
    if (is_good && fy_parser_get_stream_error(parser)) {
        is_good = false;
        parser_error(&reader, log);
    }
    if (is_good && reader.root == NULL) {
        is_good = false;
        diagnose(diag, (struct span){script, 0, 0}, "the file is empty");
    }
out:
    if (parser != NULL)
        fy_parser_destroy(parser);
    fy_diag_destroy(log);
    return is_good ? reader.root : NULL;
}

struct yaml_node *yaml_read(const struct script *script, struct arena *arena,
                            struct diagnostics *diag)
{
    return read_stream(script, arena, diag, NULL);
}

struct yaml_node *yaml_read_documents(const struct script *script, struct arena *arena,
                                      struct diagnostics *diag)
{
    struct yaml_node *list = arena_alloc(arena, sizeof(*list));

    if (list == NULL)
        return diagnose_memory(diag);
    list->kind = YAML_LIST;
    list->span = (struct span){script, 0, 0};
    return read_stream(script, arena, diag, list) != NULL ? list : NULL;
}
