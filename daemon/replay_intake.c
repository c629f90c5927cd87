/* replay_intake.c - see replay_intake.h. */
#include "daemon/replay_intake.h"

#include <errno.h>
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "ingest/intake_source.h"
#include "store/intake_log.h"

struct finding {
    int64_t from_ms, to_ms;
    struct replay_intake *to;
    bool has_any, has_begun;
};

/* Stamps never fall, so what is wanted lies in one stretch. */
static void look_at(void *self, const struct intake_record *record)
{
    struct finding *finding = self;

    if (!finding->has_begun && record->position > 0)
        finding->to->since_ms = record->at_ms;
    finding->has_begun = true;
    if (record->at_ms < finding->from_ms || record->at_ms >= finding->to_ms)
        return;
    if (!finding->has_any)
        finding->to->first = record->position;
    finding->has_any = true;
    finding->to->next = record->position + 1;
}

static struct segment_config segments_of(const struct replay_intake *intake)
{
    return (struct segment_config){.folder = intake->folder,
                                   .kind = "intake",
                                   .directory = intake->directory,
                                   .segment_bytes = INTAKE_SEGMENT_BYTES};
}

int replay_intake_find(const char *dir, const struct range_config *range, struct replay_intake *out,
                       struct error *err)
{
    struct finding finding = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .to = out};
    struct segment_config segments;
    enum segment_refusal why;
    struct data_look look;
    int code = data_look_open(&look, dir, err);

    out->first = out->next = 0;
    out->since_ms = INT64_MIN;
    if (code == EXIT_NO_INPUT)
        return 0;
    if (code != EXIT_OK)
        return code == EXIT_IO ? -EIO : -EBADMSG;
    if (range != NULL && range->from.kind == RANGE_TIME)
        finding.from_ms = range->from.value;
    if (range != NULL && range->to.kind == RANGE_TIME)
        finding.to_ms = range->to.value;
    data_dir_folder(&look.dir, "intake", out->folder);
    out->directory = look.dir.id;
    segments = segments_of(out);
    return intake_log_read(&segments, look_at, &finding, NULL, &why, err);
}

int replay_intake_over(const struct replay_intake *intake, struct source *inner,
                       struct source **out, struct error *err)
{
    const struct intake_source_config config = {.segments = segments_of(intake),
                                                .first = intake->first,
                                                .next = intake->next,
                                                .is_finite = true};

    return intake_source_create(inner, &config, out, err);
}
