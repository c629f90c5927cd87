/* silences_past.c - see silences_past.h. */
#include "daemon/silences_past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/silences.h"
#include "daemon/units.h"

struct reading {
    int64_t from_ms;
    struct silences list; /* `from` and `to` are those that held */
    size_t left_out;
    int64_t since_ms;
    bool has_begun, wants_checkpoint; /* the log begins later, and has not said what held then */
};

static const char *field(const json_t *silence, const char *name)
{
    const char *text = json_string_value(json_object_get(silence, name));

    return text != NULL ? text : "";
}

/* Of a time that the log has; `otherwise` where it has none. */
static int64_t time_of(const json_t *silence, const char *name, int64_t otherwise)
{
    int64_t ms;

    return unit_parse_time(field(silence, name), &ms, NULL) == 0 ? ms : otherwise;
}

static void set_time(json_t *silence, const char *name, int64_t ms)
{
    char text[UNIT_TEXT_BYTES];

    json_object_set_new(silence, name, json_string(unit_format_time(ms, text)));
}

static void take_out(struct silences *list, size_t i)
{
    json_decref(list->item.at[i]);
    list->item.count--;
    memmove(list->item.at + i, list->item.at + i + 1,
            (list->item.count - i) * sizeof(list->item.at[0]));
}

/* The one of this id; the count where there is none. */
static size_t find(const struct silences *list, const char *id)
{
    size_t i = 0;

    while (i < list->item.count && strcmp(field(list->item.at[i], "id"), id) != 0)
        i++;
    return i;
}

/* Takes `silence`. */
static void add(struct reading *reading, json_t *silence, int64_t at_ms)
{
    int64_t from_ms = time_of(silence, "from", at_ms), to_ms = time_of(silence, "to", at_ms);
    size_t before = find(&reading->list, field(silence, "id"));

    from_ms = from_ms > at_ms ? from_ms : at_ms;
    if (to_ms <= from_ms || to_ms < reading->from_ms) {
        json_decref(silence);
        return;
    }
    set_time(silence, "from", from_ms);
    set_time(silence, "to", to_ms);
    if (before < reading->list.item.count || reading->list.item.count == SILENCES_MAX) {
        take_out(&reading->list, before < reading->list.item.count ? before : 0);
        reading->left_out++;
    }
    vector_add(&reading->list.item) = silence;
}

static void end(struct reading *reading, const char *id, int64_t at_ms)
{
    size_t i = find(&reading->list, id);
    json_t *silence; /* borrowed */

    if (i == reading->list.item.count)
        return;
    silence = reading->list.item.at[i];
    if (at_ms >= time_of(silence, "to", at_ms))
        return;
    if (at_ms < reading->from_ms || at_ms <= time_of(silence, "from", at_ms))
        take_out(&reading->list, i);
    else
        set_time(silence, "to", at_ms);
}

/* Those of whose making the log does not tell any more. */
static void add_kept(struct reading *reading, const struct intake_record *record)
{
    struct silences kept;

    silences_of_checkpoint(record, &kept);
    for (size_t i = 0; i < kept.item.count; i++) {
        json_t *silence = json_copy(kept.item.at[i]);
        int64_t made_ms = json_integer_value(json_object_get(silence, SILENCE_MADE_MS));
        json_object_del(silence, SILENCE_MADE_MS);
        if (find(&reading->list, field(silence, "id")) == reading->list.item.count)
            add(reading, silence, made_ms);
        else
            json_decref(silence);
    }
    silences_release(&kept);
    reading->wants_checkpoint = false;
    reading->since_ms = record->at_ms;
}

static void on_record(void *self, const struct intake_record *record)
{
    struct reading *reading = self;
    if (!reading->has_begun)
        reading->wants_checkpoint = record->position > 0;
    reading->has_begun = true;
    if (record->kind == INTAKE_CHECKPOINT && reading->wants_checkpoint)
        add_kept(reading, record);
    bool is_add = texts_equal(record->what, text_of(ACT_SILENCE_ADD));
    json_t *body;

    if (record->kind != INTAKE_ACT ||
        (!is_add && !texts_equal(record->what, text_of(ACT_SILENCE_END))))
        return;
    body = json_loadb(record->body.at, record->body.len, 0, NULL);
    if (is_add && body != NULL) {
        add(reading, body, record->at_ms);
        return;
    }
    end(reading, field(body, "id"), record->at_ms);
    json_decref(body);
}

int silences_past_read(const char *dir, int64_t from_ms, struct silences_past *out,
                       struct error *err)
{
    struct reading reading = {.from_ms = from_ms, .since_ms = INT64_MIN};
    char folder[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    enum segment_refusal why;
    struct data_look look;
    int rc = data_look_open(&look, dir, err);

    *out = (struct silences_past){.text = NULL};
    if (rc != EXIT_OK)
        return rc == EXIT_IO ? -EIO : -EBADMSG;
    data_dir_folder(&look.dir, "intake", folder);
    segments = (struct segment_config){.folder = folder,
                                       .kind = "intake",
                                       .directory = look.dir.id,
                                       .segment_bytes = INTAKE_SEGMENT_BYTES};
    rc = intake_log_read(&segments, on_record, &reading, NULL, &why, err);
    if (rc == 0) {
        out->left_out = reading.left_out;
        out->since_ms = reading.since_ms;
        out->text = silences_text(&reading.list, NULL, NULL);
        if (out->text == NULL) {
            error_set(err, "out of memory");
            rc = -ENOMEM;
        }
    }
    silences_release(&reading.list);
    return rc;
}

static void note_none(const struct error *why, char note[SILENCES_NOTE_BYTES])
{
    snprintf(note, SILENCES_NOTE_BYTES,
             "silences made by hand do not count here, so what is said of who was told may be "
             "wrong: %.800s",
             why->text);
}

char *silences_past_text(const char *dir, int64_t from_ms, char note[SILENCES_NOTE_BYTES])
{
    char since[UNIT_TEXT_BYTES];
    struct silences_past past;
    struct error err = {""};

    note[0] = '\0';
    if (silences_past_read(dir, from_ms, &past, &err) != 0) {
        note_none(&err, note);
        return NULL;
    }
    if (past.left_out > 0)
        snprintf(note, SILENCES_NOTE_BYTES,
                 "%zu of the silences made by hand %s not count here, for a later one has the same "
                 "id, or there are more than %d",
                 past.left_out, past.left_out == 1 ? "does" : "do", SILENCES_MAX);
    else if (past.since_ms > from_ms)
        snprintf(note, SILENCES_NOTE_BYTES,
                 "silences made by hand that ended before %s may not count here: they are not on "
                 "record any more (intake.keep, intake.bytes.max)",
                 unit_format_time(past.since_ms, since));
    return past.text;
}

void silences_past_add(const char *text, struct rule_set **rules, struct rules_read *read,
                       char note[SILENCES_NOTE_BYTES])
{
    struct error err = {""};

    if (text != NULL && text[0] != '\0' &&
        rules_kept_add(rules, read, SILENCES_FILE, text, &err) != 0)
        note_none(&err, note);
}
