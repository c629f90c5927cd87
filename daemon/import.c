/* import.c - see import.h. */
#include "daemon/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "daemon/import_work.h"
#include "rules/fields.h"
#include "rules/foreign_file.h"
#include "rules/mute.h"
#include "rules/pattern_memory.h"
#include "rules/rule_reader.h"

enum {
    ID_TITLE_BYTES_MAX = 70,
    FLUSH_COUNT = 256,
    HEAD_FINDINGS_MAX = 1000,
    SETS_MAX = 200,
    SETS_BYTES_MAX = 1 << 20,
    INLINE_MAX = 8 /* rules named where they are meant */
};

static const char *const section_names[IMPORT_SECTIONS] = {"rules", "maintenance", "inhibit",
                                                           "enrich"};

const char *import_effect_name(enum import_effect effect)
{
    return effect == IMPORT_LEFT_OUT  ? "left out"
           : effect == IMPORT_IGNORED ? "ignored"
                                      : "differs";
}

const char *import_format_name(enum import_format format)
{
    return format == IMPORT_SIGMA ? "sigma" : "alertmanager";
}

/* ---- findings ---- */

static uint32_t file_of(const struct import_work *work, struct span span)
{
    return span.script != NULL ? (uint32_t)(span.script - work->scripts) : 0;
}

void import_find(struct import_work *work, struct span span, enum import_effect effect,
                 const char *construct, const char *why, ...)
{
    char sentence[512];
    struct import_finding *finding;
    va_list args;

    if (work->findings.count > IMPORT_FINDINGS_MAX)
        return;
    va_start(args, why);
    vsnprintf(sentence, sizeof(sentence), why, args);
    va_end(args);
    finding = &vector_add(&work->findings);
    *finding = (struct import_finding){
        .span = span,
        .file = file_of(work, span),
        .effect = effect,
        .construct = construct,
        .why = import_pool_copy(&work->pool, sentence, strlen(sentence)),
    };
}

void import_ignore_key(struct import_work *work, const struct yaml_node *node, const char *why)
{
    import_find(work, node->key->span, IMPORT_IGNORED,
                import_name(work, "key %.80s", node->key->text.at), "%s", why);
}

bool import_read_bool(const struct yaml_node *node, bool *out)
{
    static const char *const words[] = {
        "no",  "No",  "NO",  "n", "N", "off", "Off", "OFF", "false", "False", "FALSE",
        "yes", "Yes", "YES", "y", "Y", "on",  "On",  "ON",  "true",  "True",  "TRUE"};
    enum { WORDS = sizeof(words) / sizeof(words[0]), FALSE_WORDS = 11 };

    for (int i = 0; node->kind == YAML_SCALAR && i < WORDS; i++)
        if (text_equals(node->text, words[i])) {
            *out = i >= FALSE_WORDS;
            return true;
        }
    return false;
}

static int finding_compare(const void *left, const void *right)
{
    const struct import_finding *a = left, *b = right;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->span.from != b->span.from)
        return a->span.from < b->span.from ? -1 : 1;
    int order = strcmp(a->construct, b->construct);
    return order != 0 ? order : strcmp(a->why, b->why);
}

/* A place from the one before it in the same file, so that many findings cost one walk. */
static struct place place_after(const struct script *script, uint32_t from, struct place place,
                                uint32_t to)
{
    for (; from < to; from++) {
        char c = script->text[from];
        if (c == '\n')
            place = (struct place){place.line + 1, 1};
        else if (((unsigned char)c & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

/* In order, each once: a base rule is met by every rule that refers to it. */
static void findings_finish(struct import_work *work)
{
    struct import_finding *at = work->findings.at;
    struct place place = {1, 1};
    size_t count = 0;
    uint32_t byte = 0;

    if (work->findings.count == 0)
        return;
    qsort(at, work->findings.count, sizeof(*at), finding_compare);
    for (size_t i = 0; i < work->findings.count; i++) {
        if (count > 0 && finding_compare(&at[count - 1], &at[i]) == 0)
            continue;
        if (count == 0 || at[count - 1].file != at[i].file) {
            byte = 0;
            place = (struct place){1, 1};
        }
        place = place_after(&work->scripts[at[i].file], byte, place, at[i].span.from);
        byte = at[i].span.from;
        at[count] = at[i];
        at[count++].place = place;
    }
    work->findings.count = count;
}

void import_finding_print(const struct import_result *result, const struct import_input *input,
                          size_t index, struct import_text *to)
{
    const struct import_finding *finding = &result->findings[index];

    import_text_line(to, input->files[finding->file].name,
                     strlen(input->files[finding->file].name));
    import_text_format(to, ":%u:%u: %s: ", (unsigned)finding->place.line,
                       (unsigned)finding->place.column, import_effect_name(finding->effect));
    import_text_line(to, finding->construct, strlen(finding->construct));
    import_text_put(to, ": ");
    import_text_line(to, finding->why, strlen(finding->why));
}

/* ---- entries ---- */

void import_scratch_reset(struct import_work *work)
{
    import_pool_release(&work->scratch);
}

/* Letters and digits stay, all else is one "-" between them. */
static void slug(struct import_text *text, struct text title)
{
    size_t bytes = 0;
    bool is_gap = false;

    for (uint32_t i = 0; i < title.len && bytes < ID_TITLE_BYTES_MAX; i++) {
        char c = title.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.') {
            is_gap = true;
            continue;
        }
        if (is_gap && bytes > 0)
            import_text_put(text, "-");
        import_text_add(text, &c, 1);
        is_gap = false;
        bytes++;
    }
    if (bytes == 0)
        import_text_put(text, "unnamed");
}

/* How often this id was asked for. */
static uintptr_t id_count(struct import_work *work, const char *id)
{
    void **place = import_index_at(&work->ids, import_word(id));
    uintptr_t count = (uintptr_t)*place;

    *place = (void *)(count + 1);
    return count;
}

const char *import_id(struct import_work *work, const char *prefix, struct text title)
{
    const char *own = import_map_prefix(work->input->map);
    struct import_text text = {NULL, 0, 0};
    const char *id, *base;
    uintptr_t count;

    import_text_put(&text, own != NULL ? own : prefix);
    slug(&text, title);
    base = id = import_text_take(&text, &work->pool);
    /* "a" again is "a-2", unless something is called "a-2" already. */
    count = id_count(work, base);
    while (count > 0) {
        id = import_name(work, "%s-%u", base, (unsigned)count + 1);
        if (id_count(work, id) == 0)
            break;
        count = id_count(work, base);
    }
    return id;
}

/* Puts the words under `sets` of the result, and gives their name there. */
static const char *set_add(struct import_work *work, const char *words)
{
    const char *own = import_map_prefix(work->input->map);
    struct import_text name = {NULL, 0, 0};

    if (work->set_count == SETS_MAX || work->sets_text.bytes + strlen(words) > SETS_BYTES_MAX)
        return NULL;
    import_text_put(&name, work->out->format == IMPORT_SIGMA ? "sigma_" : "am_");
    for (; own != NULL && *own != '\0'; own++) {
        bool is_letter = (*own >= 'a' && *own <= 'z') || (*own >= '0' && *own <= '9');
        import_text_add(&name, is_letter ? own : "_", 1);
    }
    import_text_format(&name, "rules_%u", (unsigned)++work->set_count);
    /* One on a line: a line has at most 64 KiB. */
    import_text_format(&work->sets_text, "%s  %s:\n", work->sets_text.bytes == 0 ? "sets:\n" : "",
                       name.at);
    import_text_format(&work->sets_stub, "%s  %s: [a]\n",
                       work->sets_stub.bytes == 0 ? "sets:\n" : "", name.at);
    for (const char *end; *words != '\0'; words = end + strspn(end, ", ")) {
        end = words + strcspn(words, ",");
        import_text_format(&work->sets_text, "    - %.*s\n", (int)(end - words), words);
    }
    return import_text_take(&name, &work->pool);
}

const char *import_rules_term(struct import_work *work, const char *words, uint32_t count)
{
    const char *name = count > INLINE_MAX ? set_add(work, words) : NULL;

    if (name != NULL)
        return import_name(work, "rule in %s", name);
    return count > INLINE_MAX ? NULL : import_name(work, "rule in [%s]", words);
}

/* The engine's first line, without the place: that is one of our text. */
static const char *refusal(struct import_work *work, const struct error *err)
{
    struct text sentence = import_text_sentence(err->text);

    return import_name(work, "%.*s", (int)sentence.len, sentence.at);
}

bool import_is_taken(struct import_work *work, const char *text, size_t bytes, const char **why)
{
    const struct import_input *input = work->input;
    struct error err = {""};

    *why = "";
    if (input->accept == NULL || input->accept(input->self, text, bytes, NULL, &err))
        return true;
    *why = refusal(work, &err);
    return false;
}

/* The engine's word on entries [from, to), which may be of several sections. */
static bool is_accepted(struct import_work *work, size_t from, size_t to, const char **why)
{
    struct import_text text = {NULL, 0, 0};
    bool is_good;

    if (work->sets_stub.bytes > 0)
        import_text_put(&text, work->sets_stub.at);
    for (int section = 0; section < IMPORT_SECTIONS; section++) {
        bool is_first = true;
        for (size_t i = from; i < to; i++) {
            const struct import_made *made = work->made.at[i];
            if (made->entry.section != (enum import_section)section || made->is_refused)
                continue;
            if (is_first)
                import_text_format(&text, "%s:\n", section_names[section]);
            is_first = false;
            import_text_put(&text, made->entry.text);
        }
    }
    is_good =
        text.bytes == work->sets_stub.bytes || import_is_taken(work, text.at, text.bytes, why);
    import_text_release(&text);
    return is_good;
}

static void refuse_made(struct import_work *work, struct import_made *made, const char *why)
{
    made->is_refused = true;
    work->made_bytes -= strlen(made->entry.text) + strlen(made->entry.comment);
    import_find(work, made->span, IMPORT_LEFT_OUT, made->construct, "%s%s%s", why,
                made->without != NULL ? ": " : "", made->without != NULL ? made->without : "");
}

/* Those for which a set has no more room. */
static void refuse_mutes(struct import_work *work, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct import_made *made = work->made.at[i];
        if (made->entry.section != IMPORT_MAINTENANCE && made->entry.section != IMPORT_INHIBIT)
            continue;
        if (work->mute_count++ >= MUTES_MAX)
            refuse_made(work, made,
                        import_name(work, "a set holds at most %d mutes of all kinds", MUTES_MAX));
    }
}

/* Loading many rules at once costs little more than loading one; only among those that are refused
 * together each is asked for. */
void import_flush(struct import_work *work)
{
    size_t from = work->flushed, to = work->made.count;
    const char *why = "";

    work->flushed = to;
    refuse_mutes(work, from, to);
    if (from == to || is_accepted(work, from, to, &why))
        return;
    for (size_t i = from; i < to; i++)
        if (!is_accepted(work, i, i + 1, &why))
            refuse_made(
                work, work->made.at[i],
                import_name(work, "this tocsin does not take what it would become: %s", why));
}

/* The size of the result is known at its end; what is too large now, only grows. */
static void see_bounds(struct import_work *work)
{
    if (work->made.count - work->flushed >= FLUSH_COUNT || work->made_bytes > YAML_BYTES_MAX)
        import_flush(work);
    if (work->over == NULL &&
        (work->made_bytes > YAML_BYTES_MAX || work->made.count > IMPORT_ENTRIES_MAX))
        work->over = work->made.at[work->made.count - 1];
}

bool import_is_over(const struct import_work *work)
{
    return work->over != NULL || work->findings.count > IMPORT_FINDINGS_MAX;
}

void import_tell(const struct import_work *work, size_t done, size_t total)
{
    if (work->input->progress != NULL)
        work->input->progress(work->input->self, done, total);
}

struct import_made *import_add(struct import_work *work, enum import_section section,
                               const char *id, struct import_text *comment,
                               struct import_text *entry, struct span span, const char *construct)
{
    struct import_made *made = import_pool_alloc(&work->pool, sizeof(*made));

    see_bounds(work); /* here, for the caller may add to what it gets */
    work->made_bytes += comment->bytes + entry->bytes;
    made->entry = (struct import_entry){.section = section, .id = id};
    made->entry.comment = import_text_take(comment, &work->pool);
    made->entry.text = import_text_take(entry, &work->pool);
    made->span = span;
    made->construct = construct;
    vector_add(&work->made) = made;
    return made;
}

struct import_part *import_part_add(struct import_work *work, struct span span,
                                    const char *construct, const char *without)
{
    struct import_part *part = import_pool_alloc(&work->pool, sizeof(*part));

    *part = (struct import_part){.span = span, .construct = construct, .without = without};
    vector_add(&work->parts) = part;
    return part;
}

void import_comment(struct import_text *comment, const char *word, struct text value)
{
    import_text_format(comment, "  # %s: ", word);
    import_text_line(comment, value.at, value.len);
    import_text_put(comment, "\n");
}

/* ---- the file ---- */

static void write_head(struct import_work *work)
{
    struct import_text *text = &work->text;

    import_text_format(text, "# Rules converted by `tocsin import` from the form of %s:\n",
                       work->out->format == IMPORT_SIGMA ? "Sigma" : "Prometheus Alertmanager");
    for (size_t i = 0; i < work->input->file_count; i++) {
        import_text_put(text, "#   ");
        import_text_line(text, work->input->files[i].name, strlen(work->input->files[i].name));
        import_text_put(text, "\n");
    }
    if (work->out->finding_count == 0) {
        import_text_put(text, "# Everything was carried over.\n");
        return;
    }
    import_text_format(text, "# Not carried over, or not quite (%zu):\n", work->out->finding_count);
    for (size_t i = 0; i < work->out->finding_count && i < HEAD_FINDINGS_MAX; i++) {
        import_text_put(text, "#   ");
        import_finding_print(work->out, work->input, i, text);
        import_text_put(text, "\n");
    }
    if (work->out->finding_count > HEAD_FINDINGS_MAX)
        import_text_format(text, "#   ... and %zu more, which the command lists\n",
                           work->out->finding_count - HEAD_FINDINGS_MAX);
}

static void write_section(struct import_work *work, enum import_section section)
{
    bool is_first = true;

    for (size_t i = 0; i < work->out->entry_count; i++) {
        const struct import_entry *entry = &work->out->entries[i];
        if (entry->section != section)
            continue;
        work->written[work->written_count++] =
            (struct import_written){work->taken[i], work->text.bytes};
        if (is_first)
            import_text_format(&work->text, "\n%s:\n", section_names[section]);
        else
            import_text_put(&work->text, "\n");
        is_first = false;
        import_text_put(&work->text, entry->comment);
        import_text_put(&work->text, entry->text);
    }
}

/* Those that were taken. */
static void entries_gather(struct import_work *work)
{
    size_t count = 0;

    for (size_t i = 0; i < work->made.count; i++) {
        struct import_made *made = work->made.at[i];
        if (made->is_refused)
            continue;
        work->taken[count] = made;
        work->entries[count++] = made->entry;
    }
    work->out->entries = work->entries;
    work->out->entry_count = count;
}

static void write_entries(struct import_work *work)
{
    work->written_count = 0;
    if (work->sets_text.bytes > 0)
        import_text_format(&work->text, "\n%s", work->sets_text.at);
    for (int section = 0; section < IMPORT_SECTIONS; section++)
        write_section(work, (enum import_section)section);
    /* A file of rules without any is refused; an empty list is none of them. */
    if (work->out->entry_count == 0)
        import_text_put(&work->text, "\nrules: []\n");
}

/* ---- all entries together ---- */

/* What is read of the whole, again and again, but at least twice: a fifth of a second for 4 MiB. */
#define SETTLE_BYTES_MAX ((size_t)8 << 20)

/* What the engine does not take of the whole. */
struct unsettled {
    struct import_work *work;
    size_t refused; /* entries, in this round */
};

/* The entry that stands at this byte of the text; NULL: none. */
static struct import_made *made_at(const struct import_work *work, size_t at)
{
    size_t from = 0, to = work->written_count;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (work->written[mid].begin <= at)
            from = mid + 1;
        else
            to = mid;
    }
    return from > 0 ? work->written[from - 1].made : NULL;
}

static void refuse_at(void *self, struct span span, const char *sentence)
{
    struct unsettled *unsettled = self;
    struct import_made *made = made_at(unsettled->work, span.from);

    if (made == NULL || made->is_refused)
        return;
    unsettled->refused++;
    refuse_made(unsettled->work, made,
                import_name(unsettled->work, "this tocsin does not take it with all the others: %s",
                            sentence));
}

/* Entries that are taken one by one may be too many together, and one may go with another: what is
 * refused is left out until all the rest is taken. False, diagnosed, when that does not end. */
static bool settle(struct import_work *work, struct diagnostics *diag)
{
    const struct import_input *input = work->input;
    struct unsettled unsettled = {work, 0};
    struct pattern_memory patterns = {.is_filled = false};
    const struct diagnostics_listener listener = {&unsettled, refuse_at, &patterns};
    struct error err = {""};
    size_t bytes = 0;
    bool is_taken;

    do {
        unsettled.refused = 0;
        work->text.bytes = 0;
        entries_gather(work);
        write_entries(work);
        is_taken = input->accept == NULL || work->text.bytes > YAML_BYTES_MAX ||
                   input->accept(input->self, work->text.at, work->text.bytes, &listener, &err);
        bytes += work->text.bytes;
    } while (!is_taken && unsettled.refused > 0 && bytes <= SETTLE_BYTES_MAX);
    pattern_memory_release(&patterns);
    if (is_taken)
        return true;
    diagnose(diag, (struct span){&work->scripts[0], 0, 0},
             "this tocsin does not take what the files would become together: %s",
             refusal(work, &err));
    return false;
}

/* Parts of what was taken are carried over, those of nothing else are not. */
static void parts_finish(struct import_work *work)
{
    for (size_t i = 0; i < work->made.count; i++) {
        const struct import_made *made = work->made.at[i];
        for (uint32_t p = 0; !made->is_refused && p < made->part_count; p++)
            made->parts[p]->is_carried = true;
    }
    for (size_t i = 0; i < work->parts.count; i++) {
        const struct import_part *part = work->parts.at[i];
        if (!part->is_carried)
            import_find(work, part->span, IMPORT_LEFT_OUT, part->construct, "%s", part->without);
    }
}

/* How what was taken differs. */
static void entries_finish(struct import_work *work)
{
    for (size_t i = 0; i < work->made.count; i++) {
        const struct import_made *made = work->made.at[i];
        if (!made->is_refused && made->differs != NULL)
            import_find(work, made->differs_span, IMPORT_DIFFERS, made->construct, "%s",
                        made->differs);
    }
}

static void write_all(struct import_work *work)
{
    struct import_result *out = work->out;

    out->findings = work->findings.at;
    out->finding_count = work->findings.count;
    work->text.bytes = 0;
    write_head(work);
    write_entries(work);
    out->text = work->text.at;
    out->bytes = work->text.bytes;
}

/* ---- reading ---- */

static bool read_file(struct import_work *work, size_t index, struct diagnostics *diag)
{
    const struct import_file *file = &work->input->files[index];
    struct script *script = &work->scripts[index];
    struct yaml_node *list;

    *script = (struct script){file->name, file->text, file->bytes};
    list = yaml_read_documents(script, work->arena, diag);
    if (list == NULL)
        return false;
    if (work->document_count + list->count > IMPORT_DOCUMENTS_MAX) {
        diagnose(diag, list->span, "more than %d documents in all", IMPORT_DOCUMENTS_MAX);
        return false;
    }
    work->documents =
        memory_grow(work->documents, (work->document_count + list->count + 1) * sizeof(list));
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        if (node->kind != YAML_MAP) {
            diagnose(diag, node->span, "a document here is a map of keys, not %s",
                     yaml_kind_name(node->kind));
            return false;
        }
        work->documents[work->document_count++] = node;
    }
    return true;
}

static bool has_any(const struct yaml_node *document, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (yaml_node_find(document, keys[i]) != NULL)
            return true;
    return false;
}

static enum import_format document_format(const struct yaml_node *document)
{
    static const char *const sigma[] = {"detection", "correlation", "logsource", "filter"};
    static const char *const alertmanager[] = {"route", "inhibit_rules", "receivers",
                                               "time_intervals", "mute_time_intervals"};

    if (has_any(document, sigma, sizeof(sigma) / sizeof(sigma[0])))
        return IMPORT_SIGMA;
    if (has_any(document, alertmanager, sizeof(alertmanager) / sizeof(alertmanager[0])))
        return IMPORT_ALERTMANAGER;
    return IMPORT_AUTO;
}

/* What the first document that can be told is, all are. */
static bool recognise(struct import_work *work, struct diagnostics *diag)
{
    enum import_format format = work->input->format;

    for (size_t i = 0; i < work->document_count; i++) {
        enum import_format found = document_format(work->documents[i]);
        const struct yaml_node *at;
        const char *foreign =
            found == IMPORT_AUTO ? foreign_file_prometheus(work->documents[i], &at) : NULL;
        if (foreign != NULL) {
            diagnose(diag, at->key->span, "%s", foreign);
            return false;
        }
        if (format == IMPORT_AUTO)
            format = found;
        if (found != IMPORT_AUTO && found != format) {
            diagnose(diag, work->documents[i]->span,
                     "this is of the form of %s, and %s is wanted: convert the two apart",
                     import_format_name(found), import_format_name(format));
            return false;
        }
    }
    if (format == IMPORT_AUTO) {
        diagnose(diag, work->documents[0]->span,
                 "neither Sigma rules (keys detection, correlation) nor a configuration of "
                 "Alertmanager (keys route, inhibit_rules); --from names one");
        return false;
    }
    work->out->format = format;
    return true;
}

static bool read_all(struct import_work *work, struct diagnostics *diag)
{
    const struct import_input *input = work->input;
    size_t bytes = 0;

    for (size_t i = 0; i < input->file_count; i++) {
        bytes += input->files[i].bytes;
        work->scripts[i] = (struct script){input->files[i].name, input->files[i].text, 0};
        if (bytes > IMPORT_BYTES_MAX) {
            diagnose(diag, (struct span){&work->scripts[i], 0, 0},
                     "the files are larger than %d MiB in all", IMPORT_BYTES_MAX >> 20);
            return false;
        }
        if (!read_file(work, i, diag))
            return false;
    }
    if (work->document_count == 0) {
        diagnose(diag, (struct span){&work->scripts[0], 0, 0}, "the file is empty");
        return false;
    }
    return recognise(work, diag);
}

static bool check_bounds(const struct import_work *work, struct diagnostics *diag)
{
    if (work->over != NULL)
        diagnose(
            diag, work->over->span,
            work->made_bytes > YAML_BYTES_MAX
                ? "from here on the result would be larger than 4 MiB, the size of a rule "
                  "file: convert the files in parts"
                : "from here on it would be more than 10000 rules: convert the files in parts");
    else if (work->findings.count > IMPORT_FINDINGS_MAX)
        diagnose(
            diag, work->findings.at[IMPORT_FINDINGS_MAX].span,
            "more than %d things cannot be carried over up to here: convert the files in parts",
            IMPORT_FINDINGS_MAX);
    else
        return true;
    return false;
}

static bool check_bytes(const struct import_work *work, struct diagnostics *diag)
{
    if (work->text.bytes <= YAML_BYTES_MAX)
        return true;
    diagnose(diag, (struct span){&work->scripts[0], 0, 0},
             "the result would be larger than %d MiB, the size of a rule file: convert the "
             "files in parts",
             YAML_BYTES_MAX >> 20);
    return false;
}

static bool convert(struct import_work *work, struct diagnostics *diag)
{
    if (!read_all(work, diag))
        return false;
    if (work->out->format == IMPORT_SIGMA)
        import_sigma(work);
    else
        import_alertmanager(work);
    import_flush(work);
    if (!check_bounds(work, diag))
        return false;
    work->taken = import_pool_alloc(&work->pool, (work->made.count + 1) * sizeof(work->taken[0]));
    work->written =
        import_pool_alloc(&work->pool, (work->made.count + 1) * sizeof(work->written[0]));
    work->entries =
        import_pool_alloc(&work->pool, (work->made.count + 1) * sizeof(work->entries[0]));
    if (!settle(work, diag))
        return false;
    entries_finish(work);
    parts_finish(work);
    if (!check_bounds(work, diag))
        return false;
    findings_finish(work);
    write_all(work);
    return check_bytes(work, diag);
}

int import_convert(const struct import_input *input, struct import_result *out, struct error *err)
{
    struct import_work *work = memory_alloc(sizeof(*work));
    struct diagnostics diag;
    int rc;

    *out = (struct import_result){.work = work};
    *work = (struct import_work){.input = input, .out = out, .arena = arena_create(SIZE_MAX)};
    work->scripts = import_pool_alloc(&work->pool, (input->file_count + 1) * sizeof(struct script));
    diagnostics_init(&diag, err);
    if (work->arena == NULL)
        diagnose_memory(&diag);
    else
        convert(work, &diag);
    rc = diagnostics_finish(&diag);
    if (rc != 0)
        import_result_release(out);
    return rc;
}

void import_result_release(struct import_result *result)
{
    struct import_work *work = result->work;

    if (work == NULL)
        return;
    arena_destroy(work->arena);
    import_index_release(&work->ids);
    import_text_release(&work->sets_text);
    import_text_release(&work->sets_stub);
    free(work->documents);
    free(work->findings.at);
    free(work->made.at);
    free(work->parts.at);
    import_text_release(&work->text);
    import_pool_release(&work->scratch);
    import_pool_release(&work->pool);
    free(work);
    *result = (struct import_result){.format = IMPORT_AUTO};
}
