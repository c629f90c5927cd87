/* service_reload.c - rules and configuration are read again and take effect, or are only looked at.
 * See service_parts.h. */
#include "daemon/service_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/packs.h"
#include "daemon/quarantine.h"

static void reload_failed(struct service *service, const struct error *err)
{
    log_event(LOG_ERROR, "reload_refused", log_text("why", err->text),
              log_text("next", "nothing was changed"));
    pthread_mutex_lock(&service->lock);
    service->counters.reloads_failed++;
    pthread_mutex_unlock(&service->lock);
}

/* What the set would do to the one that was loaded before it, and `loaded` as it would be then,
 * which is to be released. */
static int preview_switch(struct service *service, const struct rule_set *rules,
                          const struct engine_terms *terms, struct rules_running *loaded,
                          struct rules_preview *preview, struct error *err)
{
    struct rules_running running = {.rules = NULL};
    int rc = rules_running_count(&service->loaded, service->engine, &running, err);

    *loaded = (struct rules_running){.rules = NULL};
    if (rc == 0)
        rc = rules_running_of_set(rules, loaded, err);
    if (rc == 0)
        rc = rules_preview_make(&running, loaded, rules, preview, err);
    if (rc == 0) {
        preview->set = rule_set_hash(rules);
        rules_preview_terms(preview, &service->terms, terms);
    }
    rules_running_release(&running);
    if (rc != 0)
        rules_running_release(loaded);
    return rc;
}

/* Where memory is short the answer does without them; the log has those of a reload. */
static void preview_restart(struct rules_preview *preview, const char *names)
{
    if (!rules_preview_needs_restart(preview, names))
        preview->restart = "";
}

/* With a data directory a set is there to stay before it takes effect. */
static int keep_rules(struct service *service, const struct rule_set *rules,
                      const struct rules_read *read, struct error *err)
{
    if (service->durable == NULL || durable_has_rules(service->durable, rules))
        return 0;
    return durable_keep_rules(service->durable, rules, read, err);
}

/* Takes the set. One that was asked for last already, with the same terms, makes no switch, which a
 * data directory would have to keep. */
static void switch_rules(struct service *service, struct rule_set *rules,
                         const struct engine_terms *terms)
{
    if (service->durable != NULL && durable_has_rules(service->durable, rules) &&
        durable_has_terms(service->durable, terms)) {
        rule_set_destroy(rules);
        return;
    }
    if (service->durable != NULL)
        durable_asked_for(service->durable, rules, terms);
    service->terms = *terms;
    engine_switch(service->engine, rules, terms);
}

void service_switch_drop(struct service_switch *to)
{
    rule_set_destroy(to->rules);
    rules_read_release(&to->read);
    rules_running_release(&to->loaded);
    rules_preview_release(&to->preview);
    *to = (struct service_switch){.rules = NULL};
}

/* The same of terms. */
static int keep_terms(struct service *service, struct engine_terms *terms, struct error *err)
{
    if (service->durable == NULL || durable_has_terms(service->durable, terms)) {
        terms->id = service->terms.id;
        return 0;
    }
    return durable_keep_terms(service->durable, terms, err);
}

int service_switch_prepare(struct service *service, struct service_switch *to, struct error *err)
{
    int rc = keep_rules(service, to->rules, &to->read, err);

    if (rc == 0)
        rc = keep_terms(service, &to->terms, err);
    if (rc == 0)
        rc = preview_switch(service, to->rules, &to->terms, &to->loaded, &to->preview, err);
    if (rc != 0) {
        to->preview = (struct rules_preview){.rules_changed = 0};
        service_switch_drop(to);
    }
    return rc;
}

void service_switch_make(struct service *service, struct service_switch *to)
{
    rules_running_release(&service->loaded);
    service->loaded = to->loaded;
    if (service->shelf != NULL)
        rules_shelf_ask(service->shelf, rule_set_hash(to->rules), &to->terms, &service->read.files);
    rules_read_release(&service->read);
    service->read = to->read;
    pthread_mutex_lock(&service->lock);
    service->counters.rules_loaded = rule_set_count(to->rules);
    pthread_mutex_unlock(&service->lock);
    switch_rules(service, to->rules, &to->terms);
    to->rules = NULL;
    to->loaded = (struct rules_running){.rules = NULL};
    to->read = (struct rules_read){.files = {{0}}};
}

/* Reads configuration and rules, with the silences made by hand. Under reload_lock. */
static int load_again(struct service *service, struct config **config, struct service_switch *to,
                      struct error *err)
{
    int rc;

    *to = (struct service_switch){.rules = NULL};
    if (service_load(&service->options, config, &to->rules, &to->read, NULL, err) != EXIT_OK) {
        rules_read_release(&to->read);
        return -EINVAL;
    }
    to->terms = config_terms(*config);
    if (!engine_terms_are_fine(&to->terms, err)) {
        error_prefix(err, "engine: ");
        service_switch_drop(to);
        config_destroy(*config);
        return -EINVAL;
    }
    rc = service_add_silences(service, &to->rules, &to->read, err);
    if (rc == 0)
        return 0;
    service_switch_drop(to);
    config_destroy(*config);
    return rc;
}

static const char *change_of(const struct preview_row *row)
{
    switch (row->state) {
    case PREVIEW_NEW:
        return "new";
    case PREVIEW_GONE:
        return "gone";
    case PREVIEW_STARTS_EMPTY:
        return "changed";
    default:
        return row->state == PREVIEW_CARRIES_ON && row->changes.count > 0 ? "changed" : "";
    }
}

static void put_name(FILE *to, const char *word, const char *kind, const char *id, bool *has_word)
{
    if (*has_word)
        fputs(", ", to);
    else
        fprintf(to, "%s%s: ", ftell(to) > 0 ? "; " : "", word);
    fprintf(to, "%s %s", kind, id);
    *has_word = true;
}

/* "new: rule web, silence night" */
static void list_changed(const struct rules_preview *preview, const char *word, FILE *to)
{
    bool has_word = false;

    for (size_t i = 0; i < preview->count; i++)
        if (strcmp(change_of(&preview->rows[i]), word) == 0)
            put_name(to, word, "rule", preview->rows[i].rule_id, &has_word);
    for (size_t i = 0; i < preview->mute_count; i++)
        if (strcmp(preview->mutes[i].state, word) == 0)
            put_name(to, word, preview->mutes[i].kind, preview->mutes[i].id, &has_word);
    for (size_t i = 0; i < preview->steps.count; i++) {
        const char *state = preview->steps.at[i].state;
        if (strcmp(strcmp(state, "moved") == 0 ? "changed" : state, word) == 0)
            put_name(to, word, "enrich step", preview->steps.at[i].id, &has_word);
    }
}

/* "changed: rule web; new: rule disk-full; gone: silence night" */
static int name_changed(const struct rules_preview *preview, char **text, struct error *err)
{
    size_t bytes = 0;
    FILE *to = open_memstream(text, &bytes);

    error_set(err, "out of memory");
    if (to == NULL)
        return -ENOMEM;
    list_changed(preview, "changed", to);
    list_changed(preview, "new", to);
    list_changed(preview, "gone", to);
    return fclose(to) == 0 ? 0 : -ENOMEM;
}

static bool may_reopen(const struct rules_preview *preview, const struct preview_row *row)
{
    return step_effects_reopen(&preview->steps, row->rule_id) || bound_effects_reopen(preview, row);
}

static bool may_close(const struct rules_preview *preview, const struct preview_row *row)
{
    return step_effects_close(&preview->steps, row->rule_id) || list_effect_closes(preview, row);
}

/* The rules whose open incidents a step, a bound or a list of keys reaches, also of those that
 * carry on: "hostdown,rackdown". */
static int name_reached(const struct rules_preview *preview,
                        bool (*is_reached)(const struct rules_preview *preview,
                                           const struct preview_row *row),
                        char **text, struct error *err)
{
    const char *told = "";
    size_t bytes = 0;
    FILE *to = open_memstream(text, &bytes);

    error_set(err, "out of memory");
    if (to == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < preview->count; i++) {
        const struct preview_row *row = &preview->rows[i];
        if (strcmp(row->rule_id, told) == 0 || !is_reached(preview, row))
            continue;
        fprintf(to, "%s%s", told[0] != '\0' ? "," : "", row->rule_id);
        told = row->rule_id;
    }
    return fclose(to) == 0 ? 0 : -ENOMEM;
}

/* Where memory is short, without names. */
static void log_reloaded(const struct config *config, uint32_t rules,
                         const struct rules_preview *preview)
{
    char terms[TERMS_NAMES_BYTES], *what = NULL, *reopening = NULL, *closing = NULL,
                                   *given_up = NULL;
    struct error ignored;

    if (name_changed(preview, &what, &ignored) != 0 ||
        name_reached(preview, may_reopen, &reopening, &ignored) != 0 ||
        name_reached(preview, may_close, &closing, &ignored) != 0 ||
        name_reached(preview, bound_effects_give_up, &given_up, &ignored) != 0)
        log_event(LOG_WARNING, "reload_not_told", log_text("why", ignored.text));
    log_event(LOG_INFO, "reloaded", log_text("config", config->path), log_number("rules", rules),
              log_number("rules_changed", (int64_t)preview->rules_changed),
              log_number("mutes_changed", (int64_t)preview->mutes_changed),
              log_number("enrich_steps_changed", (int64_t)preview->steps.changed),
              log_text("what", what != NULL ? what : ""),
              log_text("may_reopen", reopening != NULL ? reopening : ""),
              log_text("may_close", closing != NULL ? closing : ""),
              log_text("gives_up", given_up != NULL ? given_up : ""),
              log_text("engine_changed",
                       terms_changes_print(preview->terms, preview->term_count, terms)));
    free(what);
    free(reopening);
    free(closing);
    free(given_up);
}

/* Under reload_lock. */
static int reload(struct service *service, struct rules_preview *preview, struct error *err)
{
    struct config *config = NULL;
    struct service_switch to;
    char names[RESTART_KEYS_BYTES];
    uint32_t count;
    int rc = load_again(service, &config, &to, err);

    if (rc != 0)
        return rc;
    rc = service_switch_prepare(service, &to, err);
    if (rc != 0) {
        config_destroy(config);
        return rc;
    }
    if (config_restart_keys(service->config, config, names, sizeof(names)) > 0) {
        log_event(LOG_WARNING, "reload_needs_restart", log_text("keys", names),
                  log_text("next", "the old values stay in force"));
        preview_restart(&to.preview, names);
    }
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
    count = rule_set_count(to.rules);
    service_say_passed_over(to.rules);
    service_switch_make(service, &to);
    *preview = to.preview;
    atomic_store_explicit(&service->must_reopen, true, memory_order_relaxed);
    quarantine_reopen(service->quarantine);
    pthread_mutex_lock(&service->lock);
    service->flush_ms = config->outbox.flush_ms;
    service->counters.reloads_done++;
    pthread_mutex_unlock(&service->lock);
    log_reloaded(config, count, preview);
    config_destroy(config);
    return 0;
}

static int say_switched(struct service *service, const struct rule_set *former, struct error *err)
{
    struct rules_running running = {.rules = NULL};
    struct rules_preview preview;
    char *what = NULL;
    int rc = rules_running_of_set(former, &running, err);

    if (rc != 0)
        return rc;
    rc = rules_preview_make(&running, &service->loaded, service->rules, &preview, err);
    if (rc == 0) {
        rc = name_changed(&preview, &what, err);
        if (rc == 0)
            log_event(LOG_INFO, "rules_switched", log_text("path", service->config->data.dir),
                      log_number("rules_changed", (int64_t)preview.rules_changed),
                      log_number("mutes_changed", (int64_t)preview.mutes_changed),
                      log_number("enrich_steps_changed", (int64_t)preview.steps.changed),
                      log_text("what", what),
                      log_text("next", "what comes from here on goes by those that are there now"));
        rules_preview_release(&preview);
    }
    free(what);
    rules_running_release(&running);
    return rc;
}

void service_say_switched(struct service *service)
{
    struct rule_set *former = NULL;
    struct error err = {""};
    int rc = durable_former_rules(service->durable, &former, &err);

    if (rc == 0 && former == NULL)
        return;
    if (rc == 0)
        rc = say_switched(service, former, &err);
    if (rc != 0) /* that others are in force now is known all the same */
        log_event(LOG_WARNING, "rules_switched", log_text("path", service->config->data.dir),
                  log_text("why", err.text), log_text("next", "which of them changed is not told"));
    rule_set_destroy(former);
}

int service_reload(struct service *service, struct rules_preview *preview, struct error *err)
{
    int rc;

    pthread_mutex_lock(&service->reload_lock);
    rc = reload(service, preview, err);
    if (rc != 0)
        reload_failed(service, err);
    pthread_mutex_unlock(&service->reload_lock);
    return rc;
}

int service_preview(struct service *service, struct rules_preview *preview, struct error *err)
{
    struct config *config = NULL;
    struct service_switch to;
    char names[RESTART_KEYS_BYTES];
    int rc;

    pthread_mutex_lock(&service->reload_lock);
    rc = load_again(service, &config, &to, err);
    if (rc == 0) {
        rc = preview_switch(service, to.rules, &to.terms, &to.loaded, preview, err);
        if (rc == 0 && config_restart_keys(service->config, config, names, sizeof(names)) > 0)
            preview_restart(preview, names);
        service_switch_drop(&to);
        config_destroy(config);
    }
    pthread_mutex_unlock(&service->reload_lock);
    return rc;
}
