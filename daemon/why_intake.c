/* why_intake.c - see why_intake.h. */
#include "daemon/why_intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/units.h"
#include "ingest/intake_source.h"
#include "store/intake_log.h"

struct looking {
    uint64_t position;
    bool has_begun;
    char found[320]; /* empty: there is no such record, or events were pushed there */
};

static int shown(struct text text)
{
    return text.len < 80 ? (int)text.len : 80;
}

static void look_at(void *self, const struct intake_record *record)
{
    struct looking *looking = self;
    char at[UNIT_TEXT_BYTES];

    if (!looking->has_begun && looking->position < record->position)
        snprintf(looking->found, sizeof(looking->found),
                 INTAKE_TOPIC "/%" PRIu64 " is not on record any more (intake.keep, "
                              "intake.bytes.max): what is begins with " INTAKE_TOPIC "/%" PRIu64
                              ", of %s",
                 looking->position, record->position, unit_format_time(record->wall_ms, at));
    looking->has_begun = true;
    if (record->position != looking->position)
        return;
    if (record->kind == INTAKE_ACT)
        snprintf(looking->found, sizeof(looking->found),
                 INTAKE_TOPIC "/%" PRIu64 " is no push: %.*s asked there for %.*s, at %s; `tocsin "
                              "audit` has what came of it",
                 record->position, shown(record->who), record->who.at, shown(record->what),
                 record->what.at, unit_format_time(record->wall_ms, at));
    else if (record->kind == INTAKE_CHECKPOINT)
        snprintf(looking->found, sizeof(looking->found),
                 INTAKE_TOPIC "/%" PRIu64 " is no push: the daemon says there which silences held",
                 record->position);
    else if (record->kind == INTAKE_OUTCOME)
        snprintf(looking->found, sizeof(looking->found),
                 INTAKE_TOPIC
                 "/%" PRIu64 " is no push: it says what came of what was asked for at " INTAKE_TOPIC
                 "/%" PRIu64,
                 record->position, record->of);
}

void why_intake_remark(struct why *why, const struct why_question *question, const char *dir)
{
    struct looking looking = {.position = (uint64_t)question->offset};
    char folder[DATA_DIR_PATH_BYTES];
    struct segment_config segments;
    enum segment_refusal refusal;
    struct data_look look;
    struct error ignored;

    if (dir == NULL || question->subject != WHY_EVENT ||
        strcmp(question->topic, INTAKE_TOPIC) != 0 ||
        data_look_open(&look, dir, &ignored) != EXIT_OK)
        return;
    data_dir_folder(&look.dir, "intake", folder);
    segments = (struct segment_config){.folder = folder,
                                       .kind = "intake",
                                       .directory = look.dir.id,
                                       .segment_bytes = INTAKE_SEGMENT_BYTES};
    if (intake_log_read(&segments, look_at, &looking, NULL, &refusal, &ignored) == 0 &&
        looking.found[0] != '\0')
        why_remark(why, looking.found);
}
