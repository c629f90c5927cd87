/*
 * engine_runner.c - runs scenarios of tests/model/generate.py through the engine.
 *
 * One process does many runs, so that a thousand scenarios in several configurations take a
 * minute and not an hour. Each line of standard input is one run:
 *
 *   FOLDER WORKERS TAKE EPOCH_MS SHUFFLE SEED [IMAGE]
 *
 * With IMAGE n an image of the engine is asked for when n steps have been told. The engine ends
 * with it, and another one with other rules, another source and another number of workers goes on
 * from it, and so on until there is no more to be read: what all of them tell, one behind the
 * other, is the answer.
 *
 * and is answered by the incident log, one line with the ledger, one of counts for each rule, step,
 * mute and partition, and "done". SHUFFLE other than
 * 0 also makes the listener refuse every third offer of an op, as a full outbox does.
 * A run that does not finish within RUN_MS ends the process: its threads cannot be trusted.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "correlate/engine.h"
#include "daemon/incident_log.h"
#include "ingest/tlog_source.h"
#include "rules/rule_set.h"
#include "tests/model/scenario.h"

enum { RUN_MS = 60000, LINE_BYTES = 256 << 10, PATH_BYTES = 1024 };

struct run {
    struct settings settings;
    bool refuses;
    unsigned offers;
    struct engine *engine;
    unsigned image_after, steps; /* 0: no image */
    void *image;                 /* what the next engine goes on from; NULL: nothing */
    size_t image_bytes;
    _Atomic bool is_cut; /* an image was taken: what is told behind it, the next engine tells */
};

static char line[LINE_BYTES]; /* the listener's calls come one at a time */

static void print_line(size_t bytes)
{
    assert(bytes < sizeof(line));
    line[bytes] = '\n';
    fwrite(line, 1, bytes + 1, stdout);
}

static void on_incident(void *self, struct incident *incident)
{
    const struct run *run = self;

    if (!atomic_load(&run->is_cut))
        print_line(incident_log_change(incident, line, sizeof(line)));
}

static bool on_op(void *self, const struct op *op)
{
    struct run *run = self;

    if (!atomic_load(&run->is_cut) && run->refuses && ++run->offers % 3 == 0)
        return false;
    if (!atomic_load(&run->is_cut))
        print_line(incident_log_op(op, run->settings.sink[op->sink], line, sizeof(line)));
    incident_unref(op->incident);
    return true;
}

static void on_passed(void *self, int64_t to_ms)
{
    struct run *run = self;

    (void)to_ms;
    if (run->image_after > 0 && ++run->steps == run->image_after)
        engine_ask_image(run->engine);
}

static void on_image(void *self, const struct engine_image *image)
{
    struct run *run = self;

    assert(image->set_count == 1);
    free(run->image);
    run->image = engine_image_join(image, &run->image_bytes);
    atomic_store(&run->is_cut, true);
}

/* Runs the engine to its end, or until an image was taken; false with a sentence when it could not
 * be done. */
static bool run_engine(const struct engine_config *config, struct source *source,
                       struct rule_set *rules, struct run *run, struct error *err)
{
    struct engine_listener listener = {
        .self = run, .incident = on_incident, .op = on_op, .passed = on_passed, .image = on_image};
    bool goes_on = run->image != NULL;
    struct engine_counters counters;
    struct engine *engine;

    if (engine_create(config, source, rules, &listener, &engine, err) != 0)
        return false;
    run->engine = engine;
    run->steps = 0;
    if ((goes_on && engine_load_image(engine, run->image, run->image_bytes, &rules, 1, err) != 0) ||
        engine_start(engine, err) != 0) {
        engine_destroy(engine);
        return false;
    }
    for (unsigned waited = 0; !engine_wait_finished(engine, 1) && !atomic_load(&run->is_cut);
         waited++)
        if (waited >= RUN_MS) {
            printf("not finished after %d s\ndone\n", RUN_MS / 1000);
            exit(3);
        }
    engine_stop(engine);
    if (atomic_load(&run->is_cut)) {
        engine_destroy(engine);
        return true;
    }
    engine_counters(engine, &counters);
    if (!engine_check_walk(engine, err)) {
        engine_destroy(engine);
        return false;
    }
    ledger_print(&counters);
    rows_print(engine);
    engine_destroy(engine);
    return true;
}

/* One engine, and all that it is made of. */
static bool run_part(const struct form *form, struct run *run, struct error *err)
{
    char path[PATH_BYTES];
    struct engine_config config;
    json_error_t fault;
    json_t *scenario = NULL; /* ours */
    struct source *source = NULL;
    struct rule_set *rules = NULL;
    bool ok = false;

    engine_config_init(&config);
    snprintf(path, sizeof(path), "%s/settings.json", form->folder);
    scenario = json_load_file(path, 0, &fault);
    if (scenario == NULL) {
        error_set(err, "%s:%d: %s", path, fault.line, fault.text);
        goto out;
    }
    scenario_read(scenario, &run->settings, &config);
    form_apply(form, &config);
    if (run->image_after % 4 != 0)
        config.image_bytes = 5000, config.image_steps = 1; /* lanes are taken at several moments */
    snprintf(path, sizeof(path), "%s/log.tlog", form->folder);
    if (tlog_source_open(path, &source, &config.marks, &config.mark_count, err) != 0)
        goto out;
    snprintf(path, sizeof(path), "%s/rules.yaml", form->folder);
    if (rule_set_load((const char *[]){path}, 1, &rules, err) != 0)
        goto out;
    ok = run_engine(&config, source, rules, run, err);
out:
    rule_set_destroy(rules);
    if (source != NULL)
        source->ops->close(source);
    json_decref(scenario);
    return ok;
}

static bool run_line(const char *text, struct error *err)
{
    struct form form;
    struct run run = {.image = NULL};
    unsigned image_after = 0;
    bool ok = true;

    if (!form_read(text, &form)) {
        error_set(err, "a run is FOLDER WORKERS TAKE EPOCH_MS SHUFFLE SEED [IMAGE]");
        return false;
    }
    sscanf(text, "%*s %*s %*s %*s %*s %*s %u", &image_after);
    run.refuses = form.shuffle != 0;
    run.image_after = image_after;
    for (;;) {
        atomic_store(&run.is_cut, false);
        ok = run_part(&form, &run, err);
        if (!ok || !atomic_load(&run.is_cut))
            break;
        form.workers = form.workers % 4 + 1;
    }
    free(run.image);
    return ok;
}

int main(void)
{
    static char buffer[1 << 20];
    char text[PATH_BYTES + 128];
    struct error err;

    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    while (fgets(text, sizeof(text), stdin) != NULL) {
        err.text[0] = '\0';
        if (!run_line(text, &err))
            printf("%s\n", err.text);
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}
