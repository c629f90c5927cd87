/*
 * durable_history.c - the history behind the journal (store/history_writer.h), and what is said of
 * it. Whatever becomes of it, the run goes on.
 */
#include "daemon/durable_parts.h"

#include "daemon/log.h"
#include "store/history_query.h"

enum { END_WAIT_S = 2 };

static void on_news(void *self, enum history_news news, const char *sentence)
{
    (void)self;
    switch (news) {
    case HISTORY_NEWS_ASIDE:
        log_event(LOG_ERROR, "history_moved_aside", log_text("why", sentence),
                  log_text("next", "it is made anew from what the journal still holds"));
        break;
    case HISTORY_NEWS_PAUSED:
        log_event(LOG_ERROR, "history_paused", log_text("why", sentence),
                  log_text("next", "it is tried again; incidents, pages and the journal go on "
                                   "without it"));
        break;
    case HISTORY_NEWS_GOES_ON:
        log_event(LOG_INFO, "history_goes_on",
                  log_text("next", "what came meanwhile is read from the journal"));
        break;
    case HISTORY_NEWS_MISSED:
        log_event(LOG_ERROR, "history_missed", log_text("why", sentence));
        break;
    }
}

uint64_t durable_history_frame(const struct durable *durable)
{
    struct history_reader *reader;
    struct history_state state;
    char path[DATA_DIR_PATH_BYTES];
    enum history_refusal why;
    struct error ignored;

    data_dir_folder(&durable->dir, HISTORY_FILE, path);
    if (durable->options.history == NULL ||
        history_reader_open(path, durable->dir.id, &reader, &why, &ignored) != 0)
        return 0;
    history_reader_state(reader, &state);
    history_reader_close(reader);
    return state.place.frame;
}

void durable_history_begin(struct durable *durable, uint64_t frame)
{
    struct history_writer_config config = {.journal = &durable->segments, .news = on_news};
    char path[DATA_DIR_PATH_BYTES];
    struct error err = {""};

    if (durable->options.history == NULL)
        return;
    data_dir_folder(&durable->dir, HISTORY_FILE, path);
    config.path = path;
    config.limits = *durable->options.history;
    config.now_ms = host_wall_ms();
    config.open = durable->past.open;
    config.open_count = durable->past.open_count;
    config.knows_open = durable->past.knows_open;
    config.open_ms = durable->past.to_ms;
    if (history_writer_create(&config, frame, &durable->history, &err) != 0)
        on_news(NULL, HISTORY_NEWS_PAUSED, err.text);
}

void durable_history_tell(struct durable *durable, uint64_t frame)
{
    if (durable->history != NULL)
        history_writer_tell(durable->history, frame);
}

void durable_history_end(struct durable *durable)
{
    history_writer_destroy(durable->history, END_WAIT_S * 1000000000ull);
    durable->history = NULL;
}

bool durable_history_place(const struct durable *durable, char path[DATA_DIR_PATH_BYTES],
                           struct id128 *directory, int64_t *as_of_ms)
{
    if (durable->history != NULL)
        *as_of_ms = history_writer_clock(durable->history);
    data_dir_folder(&durable->dir, HISTORY_FILE, path);
    *directory = durable->dir.id;
    return durable->history != NULL;
}

bool durable_history_counters(const struct durable *durable, struct history_writer_counters *out)
{
    if (durable->history != NULL)
        history_writer_counters(durable->history, out);
    return durable->history != NULL;
}
