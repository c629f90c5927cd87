/* replay_past.c - see replay_past.h. */
#include "daemon/replay_past.h"

#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/terms_change.h"
#include "daemon/units.h"

/* The last that differed from those of now: what came before it is one note with it. */
static void note_terms(const struct rules_past *past, const struct engine_config *config, FILE *to)
{
    const struct engine_terms now = engine_terms_of(config);
    struct terms_change changes[TERMS_KEYS];
    char names[TERMS_NAMES_BYTES], time[UNIT_TEXT_BYTES];

    for (size_t i = past->terms.count; i-- > 0;) {
        size_t count = terms_changes(&past->terms.at[i], &now, changes);
        if (count == 0)
            continue;
        fprintf(to,
                "note: the run had other settings of the engine%s%s (%s), and those of this "
                "configuration hold for all of it: results differ where others were in force\n",
                i + 1 < past->terms.count ? " before " : "",
                i + 1 < past->terms.count ? unit_format_time(past->from_ms.at[i + 1], time) : "",
                terms_changes_print(changes, count, names));
        return;
    }
}

void replay_past_read(const char *marks, struct engine_config *config, struct rules_past *past,
                      FILE *to)
{
    struct engine_recovery *recovery = &config->recovery;
    struct data_look look;
    struct error err = {""};

    if (data_look_open(&look, marks, &err) != EXIT_OK)
        return; /* it is a file */
    if (rules_past_settings(marks, config, past, &err) != 0) {
        if (to != NULL)
            fprintf(to, "note: under which settings the run was is not known: %s\n", err.text);
        return;
    }
    if (to != NULL && past->lacks_settings[0] != '\0')
        fprintf(to, "note: %s\n", past->lacks_settings);
    recovery->inputs = past->read_as.at;
    recovery->input_count = past->read_as.count;
    recovery->read_count = past->read_as.count > 0 ? UINT16_MAX : 0;
    if (to != NULL)
        note_terms(past, config, to);
}
