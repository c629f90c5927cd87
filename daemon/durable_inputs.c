/*
 * durable_inputs.c - settings that changed between two runs: what was told goes by those of then,
 * and what comes goes by the configured ones (semantics X5). See durable.h.
 *
 *   how records are read   a mark for each partition that was read otherwise, at its read position:
 *                          nothing of the records from there on was ever told
 *   terms                  a switch, once all has been told again
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/settings_text.h"

/* The text of settings that were in force. EXIT_OK, or an exit code with a sentence. */
static int text_load(const struct durable *durable, struct id128 id, struct kept_files *kept,
                     const char **text, struct error *err)
{
    int rc = kept_files_load(durable->blobs, id, kept, err);

    if (rc != 0)
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_DATA;
    *text = kept->file.count > 0 ? kept->file.at[0].at : "";
    return EXIT_OK;
}

int durable_load_inputs(struct durable *durable, const char *now, struct error *err)
{
    const struct journal_summary *past = &durable->past;
    const struct engine_config *engine = durable->options.engine;
    int code = EXIT_OK;

    durable->settings_now = memory_alloc(strlen(now) + 1);
    strcpy(durable->settings_now, now);
    durable->terms = engine_terms_of(engine);
    durable->terms.id = durable->settings;
    settings_inputs(now, engine, &durable->inputs_now);
    durable->inputs_then = memory_alloc((past->rules_count + 1) * sizeof(*durable->inputs_then));
    durable->inputs = memory_alloc((past->rules_count + 1) * sizeof(*durable->inputs));
    for (size_t i = 0; code == EXIT_OK && i < past->rules_count; i++) {
        struct kept_files kept;
        const char *text;
        if (i > 0 && id128_equal(past->rules[i].settings, past->rules[i - 1].settings))
            continue;
        code = text_load(durable, past->rules[i].settings, &kept, &text, err);
        if (code != EXIT_OK)
            break;
        settings_inputs(text, engine, &durable->inputs_then[durable->input_count]);
        durable->inputs[durable->input_count] = durable->inputs_then[durable->input_count].inputs;
        durable->input_count++;
        kept_files_release(&kept);
    }
    return code;
}

void durable_release_inputs(struct durable *durable)
{
    for (size_t i = 0; i < durable->input_count; i++)
        settings_inputs_release(&durable->inputs_then[i]);
    settings_inputs_release(&durable->inputs_now);
    free(durable->inputs_then);
    free(durable->inputs);
    free(durable->settings_now);
    free(durable->turns.at);
    free(durable->joined.at);
    free(durable->marks);
}

/* How the partition was read last; NULL: nobody knows. */
static const struct engine_inputs *inputs_of(const struct durable *durable, size_t part)
{
    const struct journal_summary *past = &durable->past;
    const struct engine_inputs *found = durable->input_count > 0 ? &durable->inputs[0] : NULL;

    for (size_t i = durable->input_count; i > 0; i--)
        if (settings_lists(&durable->inputs[i - 1], past->parts[part].topic))
            found = &durable->inputs[i - 1];
    for (size_t m = 0; m < past->mark_count; m++) {
        const struct mark *mark = &past->marks[m];
        if (mark->kind != MARK_INPUT || mark->part != part)
            continue;
        found = NULL;
        for (size_t i = 0; i < durable->input_count; i++)
            if (durable->inputs[i].value == mark->value_ms)
                found = &durable->inputs[i];
    }
    return found;
}

void durable_find_turns(struct durable *durable)
{
    const struct journal_summary *past = &durable->past;
    const struct engine_inputs *now = &durable->inputs_now.inputs;
    size_t bytes = past->mark_count * sizeof(*durable->marks);

    for (size_t i = 0; i < past->part_count; i++) {
        const struct journal_recalled_part *part = &past->parts[i];
        const struct engine_inputs *then = inputs_of(durable, i);
        if (part->has_left || part->read == INT64_MIN ||
            (then != NULL && settings_read_alike(then, now, part->topic)))
            continue;
        vector_add(&durable->turns) = (struct mark){
            .kind = MARK_INPUT, .part = (uint16_t)i, .offset = part->read, .value_ms = now->value};
    }
    durable->marks = memory_alloc(bytes + durable->turns.count * sizeof(*durable->marks) + 1);
    if (past->mark_count > 0)
        memcpy(durable->marks, past->marks, bytes);
    for (size_t i = 0; i < durable->turns.count; i++) {
        const struct mark *turn = &durable->turns.at[i];
        size_t count = past->mark_count + i, at = mark_input_place(durable->marks, count, turn);
        memmove(durable->marks + at + 1, durable->marks + at, (count - at) * sizeof(*turn));
        durable->marks[at] = *turn;
    }
}

void durable_tell_turns(struct durable *durable)
{
    for (size_t i = 0; i < durable->turns.count; i++)
        journal_mark(durable->journal, &durable->turns.at[i]);
    for (size_t i = 0; i < durable->joined.count; i++)
        journal_mark(durable->journal, &durable->joined.at[i]);
    durable->joined.count = 0;
}

void durable_note_join(struct durable *durable, const struct mark *mark)
{
    /* What comes behind the settings in the journal is read by them; until they are there, a
     * partition that is new says so itself, once they are. */
    if (!atomic_load_explicit(&durable->is_recovered, memory_order_relaxed))
        vector_add(&durable->joined) = (struct mark){.kind = MARK_INPUT,
                                                     .part = mark->part,
                                                     .offset = mark->offset,
                                                     .value_ms = durable->inputs_now.inputs.value};
}

/* ---- terms ---- */

int durable_terms_then(struct durable *durable, struct id128 settings, struct engine_terms *terms,
                       struct error *err)
{
    struct kept_files kept;
    const char *text;
    int code = text_load(durable, settings, &kept, &text, err);

    if (code != EXIT_OK)
        return code;
    settings_terms(text, terms);
    terms->id = settings;
    kept_files_release(&kept);
    return EXIT_OK;
}

int durable_last_switch(struct durable *durable, const struct engine *engine,
                        struct rule_set **next, struct engine_terms *terms, struct error *err)
{
    struct engine_terms last = engine_terms_now(engine);
    int code = EXIT_OK, rc = 0;

    *terms = durable->terms;
    if (*next != NULL)
        return EXIT_OK;
    if (durable->switch_count > 0)
        code = durable_terms_then(durable, durable->switch_settings[durable->switch_count - 1],
                                  &last, err);
    if (code == EXIT_OK && !engine_terms_equal(&last, terms))
        rc = rules_kept_load(durable->blobs, durable->rules, next, err);
    return rc == 0 ? code : rc == -ENOMEM ? EXIT_SYSTEM : EXIT_DATA;
}

int durable_keep_terms(struct durable *durable, struct engine_terms *terms, struct error *err)
{
    char *text = settings_text_with(durable->settings_now, terms);
    struct kept_files files = {0};
    int rc;

    terms->id = hash128(text, strlen(text), 0);
    kept_files_add(&files, 's', "settings", text, strlen(text));
    rc = kept_files_save(durable->blobs, terms->id, &files, err);
    kept_files_release(&files);
    free(text);
    return rc;
}

bool durable_has_terms(const struct durable *durable, const struct engine_terms *terms)
{
    return engine_terms_equal(&durable->terms, terms);
}
