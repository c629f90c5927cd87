/*
 * service_intake.c - what is pushed, and what people have the daemon do; see service_parts.h.
 *
 * With a data directory each act is on record before it is done, and what came of it before it is
 * answered. Without one acts that need no memory are done as they always were.
 */
#include "daemon/service_parts.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/data_room.h"
#include "daemon/dead_ops.h"
#include "daemon/json_print.h"
#include "daemon/log.h"
#include "daemon/units.h"
#include "rules/mute_reach.h"
#include "sinks/sink_options.h"

enum { NOTE_BYTES = 512, REACH_COST_MAX = 5000000 /* some 50 ms */ };

/* ---- who ---- */

int service_read_tokens(struct service *service, struct error *err)
{
    const struct config_pairs *pairs = &service->config->admin.tokens;

    service->tokens = calloc(pairs->count + 1, sizeof(*service->tokens));
    if (service->tokens == NULL) {
        error_set(err, "out of memory for admin.tokens");
        return -ENOMEM;
    }
    for (size_t i = 0; i < pairs->count; i++) {
        struct service_token *token = &service->tokens[i];
        token->name = pairs->item[i].name;
        if (sink_secret_read(pairs->item[i].value, &token->secret, err) != 0) {
            error_prefix(err, "admin.tokens: %.80s: ", token->name);
            return -EINVAL;
        }
        service->token_count = i + 1;
        if (strlen(token->secret) >= CONFIG_TOKEN_BYTES_MIN)
            continue;
        error_set(err, "admin.tokens: %.80s: a token has at least %d characters", token->name,
                  CONFIG_TOKEN_BYTES_MIN);
        return -EINVAL;
    }
    return 0;
}

void service_release_tokens(struct service *service)
{
    for (size_t i = 0; i < service->token_count; i++) {
        explicit_bzero(service->tokens[i].secret, strlen(service->tokens[i].secret));
        free(service->tokens[i].secret);
    }
    free(service->tokens);
}

/* How long it takes does not tell how much of it is right. */
static bool is_same_secret(const char *secret, const char *given)
{
    size_t bytes = strlen(secret), given_bytes = strlen(given);
    unsigned char differs = bytes != given_bytes;

    for (size_t i = 0; i < given_bytes; i++)
        differs |= (unsigned char)(given[i] ^ secret[bytes > 0 ? i % bytes : 0]);
    return differs == 0;
}

int service_authorize(const struct service *service, const struct admin_pick *pick,
                      char who[SERVICE_WHO_BYTES], struct error *err)
{
    const char *name = NULL;

    if (service->token_count == 0) {
        snprintf(who, SERVICE_WHO_BYTES, "local");
        if (pick->is_local)
            return 0;
        error_set(err, "without admin.tokens only who is on the daemon's machine may do this");
        return -EPERM;
    }
    for (size_t i = 0; pick->token != NULL && i < service->token_count; i++)
        if (is_same_secret(service->tokens[i].secret, pick->token))
            name = service->tokens[i].name;
    if (name == NULL) {
        error_set(err, pick->token == NULL ? "this needs a token: send Authorization: Bearer TOKEN"
                                           : "the token is not one of admin.tokens");
        log_event(LOG_WARNING, "request_refused", log_text("why", err->text),
                  log_text("from", pick->peer));
        return -EACCES;
    }
    snprintf(who, SERVICE_WHO_BYTES, "%.*s", SERVICE_WHO_BYTES - 1, name);
    return 0;
}

/* ---- start ---- */

int service_lock(struct service *service, struct error *err)
{
    int code = data_room_check(service->config, err);

    if (code != EXIT_OK || service->config->data.dir[0] == '\0')
        return code;
    return durable_lock(service->config->data.dir, &service->dir, err);
}

int service_open_intake(struct service *service, struct error *err)
{
    const struct intake_options options = {
        .dir = &service->dir,
        .body_max = (uint64_t)service->config->intake.body_max,
        .backlog_max = (uint64_t)service->config->intake.backlog_max,
        .keep = {.keep_ms = service->config->intake.keep_ms,
                 .bytes_max = (uint64_t)service->config->intake.bytes_max},
        .unit = service->unit};
    int code;

    if (service->config->data.dir[0] == '\0')
        return EXIT_OK;
    code = intake_open(&options, &service->intake, err);
    if (code == EXIT_OK && service_add_silences(service, &service->rules, &service->read, err) != 0)
        code = EXIT_DATA;
    return code;
}

uint64_t service_intake_floor(void *self, uint64_t low)
{
    return intake_floor(((struct service *)self)->intake, low);
}

void service_intake_release(void *self, uint64_t low, int64_t now_ms)
{
    intake_release(((struct service *)self)->intake, low, now_ms);
}

/* ---- silences ---- */

int service_add_silences(struct service *service, struct rule_set **rules, struct rules_read *read,
                         struct error *err)
{
    const struct silences *list = service->intake != NULL ? intake_silences(service->intake) : NULL;
    char *text;
    int rc;

    if (list == NULL || list->item.count == 0)
        return 0;
    text = silences_text(list, NULL, NULL);
    rc = text != NULL ? rules_kept_add(rules, read, SILENCES_FILE, text, err) : -ENOMEM;
    free(text);
    if (rc != 0)
        error_prefix(err, "with the silences made by hand the rules cannot be loaded: ");
    return rc;
}

/* ---- acts ---- */

int service_needs_intake(const struct service *service, struct error *err)
{
    if (service->intake != NULL)
        return 0;
    error_set(err, "without data.dir this cannot be kept, so it is not taken");
    return -ENOSYS;
}

int service_record_outcome(struct service *service, const struct intake_act *act,
                           const struct service_outcome *outcome, struct error *err)
{
    char set[ID128_TEXT_BYTES] = "";
    struct error why = {""};
    json_t *body;
    int end;

    if (outcome->set != NULL)
        id128_format(*outcome->set, set);
    body = outcome->rc == 0 ? json_pack("{s:b,s:s,s:s*}", "ok", 1, "result", outcome->text, "set",
                                        outcome->set != NULL ? set : NULL)
                            : json_pack("{s:b,s:s}", "ok", 0, "why", outcome->text);
    end = intake_act_end(service->intake, act, body, &why);
    json_decref(body);
    if (outcome->rc == 0 && end != 0)
        error_set(err, "%s", why.text);
    return outcome->rc != 0 ? outcome->rc : end;
}

static int answer_json(json_t *root, FILE *to, struct error *err)
{
    if (json_print(root, JSON_COMPACT | JSON_PRESERVE_ORDER, to))
        return 0;
    error_set(err, "out of memory");
    return -ENOMEM;
}

/* As `tocsin check` says it of a silence in a rule file: one that can match nothing now is taken,
 * for its rule may come, but it may also be misspelt. Empty: it can match something, or so many
 * rules are there that a look at each takes too long while somebody waits. */
static void note_idle(const struct rule_set *rules, const char *id, char note[NOTE_BYTES])
{
    char stray[NOTE_BYTES / 2];
    struct mute_reach reach;

    note[0] = '\0';
    for (uint32_t i = 0; i < rule_set_mute_count(rules); i++) {
        const struct mute *mute = rule_set_mute(rules, i);
        if (mute->kind != MUTE_SILENCE || strcmp(mute->id, id) != 0 ||
            mute_reach_cost(rules, i) > REACH_COST_MAX)
            continue;
        reach = mute_reach(rules, i);
        if (reach.is_possible)
            return;
        if (!mute_reach_stray(rules, i, stray, sizeof(stray)))
            snprintf(stray, sizeof(stray), "%s",
                     reach.is_severity
                         ? "the rules that it names open no incident of such a severity"
                         : "");
        snprintf(note, NOTE_BYTES, "it can match no incident of the rules as they are%s%s",
                 stray[0] != '\0' ? "; " : "", stray);
    }
}

/* Whether a silence was refused because a rule file has its id: the list has none of it. The rules
 * as they are, are read once more for that, so it is asked of what was refused alone. */
static bool is_id_taken(struct service *service, const json_t *body, struct error *err)
{
    const char *id = json_string_value(json_object_get(body, "id"));
    struct service_switch now = {.rules = NULL, .terms = service->terms};
    char *text = silences_text(intake_silences(service->intake), NULL, NULL);
    struct error ignored = {""};
    bool is_taken = false;

    if (text != NULL && rules_kept_with(&service->read, SILENCES_FILE, text, RULES_OF_PAST,
                                        &now.rules, &now.read, &ignored) == 0)
        for (uint32_t i = 0; i < rule_set_mute_count(now.rules) && !is_taken; i++) {
            const struct mute *mute = rule_set_mute(now.rules, i);
            is_taken = mute->kind == MUTE_SILENCE && strcmp(mute->id, id) == 0;
            if (is_taken)
                error_set(err, "there is a silence '%s' already, %s; give this one another id", id,
                          mute->place);
        }
    service_switch_drop(&now);
    free(text);
    return is_taken;
}

/* Who sent it sees no file: "silences-by-hand:15:10: " goes from the beginning of lines, for the
 * condition is shown below. */
static void drop_places(struct error *err)
{
    static const char file[] = SILENCES_FILE ":";
    char *to = err->text;

    for (const char *from = err->text; *from != '\0';) {
        size_t bytes = strncmp(from, file, sizeof(file) - 1) == 0 ? sizeof(file) - 1 : 0;
        if (bytes > 0)
            bytes += strspn(from + bytes, "0123456789:");
        from += bytes;
        from += bytes > 0 && *from == ' ';
        bytes = strcspn(from, "\n");
        bytes += from[bytes] == '\n';
        memmove(to, from, bytes);
        to += bytes;
        from += bytes;
    }
    *to = '\0';
}

/* The rules with `text` in place of the silences made by hand. What the daemon goes by may hold
 * what is refused since an upgrade: that is no reason to refuse what comes beside it. */
static int load_with(struct service *service, const char *text, struct service_switch *to,
                     struct error *err)
{
    struct service_switch now = {.rules = NULL, .terms = service->terms};
    struct error ignored = {""};
    char *before;
    int rc = rules_kept_with(&service->read, SILENCES_FILE, text, RULES_OF_NOW, &to->rules,
                             &to->read, err);

    if (rc != -EINVAL)
        return rc;
    before = silences_text(intake_silences(service->intake), NULL, NULL);
    if (before == NULL)
        return -ENOMEM;
    if (rules_kept_with(&service->read, SILENCES_FILE, before, RULES_OF_NOW, &now.rules, &now.read,
                        &ignored) == -EINVAL) {
        service_switch_drop(to);
        to->terms = service->terms;
        rc = rules_kept_with(&service->read, SILENCES_FILE, text, RULES_OF_PAST, &to->rules,
                             &to->read, err);
    }
    service_switch_drop(&now);
    free(before);
    return rc;
}

/* A silence is made or ended: the rules with the list as it will be, then the record, then they
 * take effect. Under reload_lock; `body` stays the caller's. `note`: see note_idle(). */
static int change_silences(struct service *service, struct intake_act *act, const json_t *body,
                           const char *text, struct id128 *set, char note[NOTE_BYTES],
                           struct error *err)
{
    struct service_switch to = {.rules = NULL, .terms = service->terms};
    int rc = load_with(service, text, &to, err);

    if (rc != 0) {
        service_switch_drop(&to);
        if (rc == -ENOMEM)
            return rc;
        if (strcmp(act->what, ACT_SILENCE_ADD) == 0 && is_id_taken(service, body, err))
            return -EEXIST;
        drop_places(err);
        return -EINVAL;
    }
    rc = service_switch_prepare(service, &to, err);
    if (rc != 0)
        return rc;
    rc = intake_act_begin(service->intake, act, body, err);
    if (rc != 0) {
        service_switch_drop(&to);
        return rc;
    }
    *set = rule_set_hash(to.rules);
    note_idle(to.rules, json_string_value(json_object_get(body, "id")), note);
    service_switch_make(service, &to);
    rules_preview_release(&to.preview);
    intake_silences_take(service->intake, act, body);
    return service_record_outcome(service, act,
                                  &(struct service_outcome){.text = "in force", .set = set}, err);
}

/* What is answered about a silence. */
static char *act_answer(const struct intake_act *act, const json_t *body, const char *note)
{
    json_t *root = json_deep_copy(body);
    char position[48], *text, *line;

    snprintf(position, sizeof(position), "@intake/%llu", (unsigned long long)act->position);
    json_object_set_new(root, "position", json_string(position));
    if (note[0] != '\0')
        json_object_set_new(root, "note", json_string(note));
    text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(root);
    line = text != NULL ? realloc(text, strlen(text) + 2) : NULL;
    if (line == NULL)
        free(text);
    else
        strcat(line, "\n");
    return line;
}

static int act_on_silences(struct service *service, const struct admin_pick *pick, const char *what,
                           struct intake_until *until, struct error *err)
{
    bool is_add = strcmp(what, ACT_SILENCE_ADD) == 0;
    char who[SERVICE_WHO_BYTES], note[NOTE_BYTES] = "", *text = NULL;
    struct intake_act act = {.who = who, .from = pick->peer, .what = what};
    const struct silences *list;
    json_t *body = NULL;
    int rc = service_needs_intake(service, err);

    if (rc == 0)
        rc = service_authorize(service, pick, who, err);
    if (rc != 0)
        return rc;
    error_set(err, "out of memory");
    pthread_mutex_lock(&service->reload_lock);
    list = intake_silences(service->intake);
    rc = is_add ? silences_read_add(list, pick->body, pick->bytes, who, host_wall_ms(), &body, err)
                : silences_read_end(list, pick->body, pick->bytes, &body, err);
    if (rc == 0) {
        const char *id = json_string_value(json_object_get(body, "id"));
        text = silences_text(list, is_add ? body : NULL, is_add ? NULL : id);
        rc = text != NULL ? change_silences(service, &act, body, text, &until->what, note, err)
                          : -ENOMEM;
    }
    pthread_mutex_unlock(&service->reload_lock);
    free(text);
    if (rc == 0) {
        log_event(LOG_INFO, is_add ? "silence_added" : "silence_ended",
                  log_text("id", json_string_value(json_object_get(body, "id"))),
                  log_text("who", who), log_text("from", pick->peer));
        until->text = act_answer(&act, body, note);
        rc = until->text != NULL ? 0 : -ENOMEM;
    }
    json_decref(body);
    return rc;
}

static bool is_in_force(void *self, struct id128 what)
{
    struct service *service = self;

    /* relaxed: what goes by the set has nothing to do with who asks. */
    return atomic_load_explicit(&service->in_force, memory_order_relaxed) == what.hi;
}

/* Who is answered may count on it: whatever is stamped from then on meets the rules as they are. */
static void answer_in_force(struct service *service, const struct admin_pick *pick,
                            const char *what, struct admin_reply *reply)
{
    struct intake_until until = {.reply = reply, .is_so = is_in_force, .self = service};
    struct error err = {""};
    int rc = act_on_silences(service, pick, what, &until, &err);

    if (rc == 0)
        intake_answer_when(service->intake, &until);
    else
        admin_answer_sentence(reply, admin_code(rc), err.text);
}

void service_add_silence(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    answer_in_force(self, pick, ACT_SILENCE_ADD, reply);
}

void service_end_silence(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    answer_in_force(self, pick, ACT_SILENCE_END, reply);
}

int service_list_silences(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    static const struct silences none;
    struct service *service = self;
    json_t *root;

    (void)pick;
    pthread_mutex_lock(&service->reload_lock);
    root = silences_json(service->intake != NULL ? intake_silences(service->intake) : &none);
    pthread_mutex_unlock(&service->reload_lock);
    return answer_json(root, to, err);
}

enum { RESULT_BYTES = TERMS_NAMES_BYTES + 16 };

/* What came of a deed. */
struct deed_result {
    struct id128 set;        /* that it puts in force, where it switches */
    char text[RESULT_BYTES]; /* "done", and what of the engine has changed */
};

/* "done; engine.expire 3m -> 20s" */
static void reload_result(const struct rules_preview *preview, struct deed_result *out)
{
    char terms[TERMS_NAMES_BYTES];

    out->set = preview->set;
    snprintf(out->text, sizeof(out->text), "done%s%s", preview->term_count > 0 ? "; " : "",
             terms_changes_print(preview->terms, preview->term_count, terms));
}

/* Done between two records, where there is a data directory. */
struct deed {
    int (*make)(struct service *service, const struct admin_pick *pick, FILE *to,
                struct deed_result *result, struct error *err);
    bool switches; /* it fills result->set */
    const char *what;
    json_t *body; /* what it is done with; taken */
};

/* The answer is what the outcome says, too. */
static int do_on_record(struct service *service, const struct admin_pick *pick,
                        const struct deed *deed, FILE *to, struct error *err)
{
    char who[SERVICE_WHO_BYTES], *text = NULL;
    struct intake_act act = {.who = who, .from = pick->peer, .what = deed->what};
    size_t bytes = 0;
    FILE *answer = NULL;
    struct deed_result result = {.text = "done"};
    int rc = service_authorize(service, pick, who, err);

    if (rc == 0 && service->intake != NULL)
        rc = intake_act_begin(service->intake, &act, deed->body, err);
    json_decref(deed->body);
    if (rc != 0)
        return rc;
    answer = open_memstream(&text, &bytes);
    error_set(err, "out of memory");
    rc = answer != NULL ? deed->make(service, pick, answer, &result, err) : -ENOMEM;
    if (answer != NULL && fclose(answer) != 0 && rc == 0)
        rc = -ENOMEM;
    if (service->intake != NULL)
        rc = service_record_outcome(service, &act,
                                    &(struct service_outcome){rc, rc == 0 ? result.text : err->text,
                                                              deed->switches ? &result.set : NULL},
                                    err);
    if (rc == 0)
        fputs(text, to);
    free(text);
    return rc;
}

static int make_redrive(struct service *service, const struct admin_pick *pick, FILE *to,
                        struct deed_result *result, struct error *err)
{
    int rc;

    (void)result;
    /* The lock keeps a stop from taking the outbox away meanwhile. */
    pthread_mutex_lock(&service->lock);
    rc = dead_ops_redrive(service->outbox, pick, to, err);
    pthread_mutex_unlock(&service->lock);
    if (rc == 0 && service->durable != NULL)
        durable_sync(service->durable); /* a crash does not make them dead again */
    return rc;
}

int service_redrive_by(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    const struct deed deed = {make_redrive, false, "redrive",
                              json_pack("{s:s*,s:s*,s:b}", "sink", pick->sink, "incident",
                                        pick->incident, "all", pick->all)};

    return do_on_record(self, pick, &deed, to, err);
}

static int make_reload(struct service *service, const struct admin_pick *pick, FILE *to,
                       struct deed_result *result, struct error *err)
{
    struct rules_preview preview;
    int rc = service_reload(service, &preview, err);

    (void)pick;
    if (rc != 0)
        return rc;
    reload_result(&preview, result);
    rc = answer_json(rules_preview_json(&preview), to, err);
    rules_preview_release(&preview);
    return rc;
}

int service_reload_by(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    const struct deed deed = {make_reload, true, "reload", json_object()};

    return do_on_record(self, pick, &deed, to, err);
}

void service_reload_by_signal(struct service *service)
{
    struct intake_act act = {.who = "signal", .from = "SIGHUP", .what = "reload"};
    struct rules_preview preview;
    struct deed_result result = {.text = ""};
    struct error err = {""};
    json_t *with;
    int rc = 0;

    if (service->engine == NULL) {
        log_event(LOG_WARNING, "reload_refused", log_text("why", "standing by"),
                  log_text("next", "a start reads the configuration again"));
        return;
    }
    with = json_object();
    if (service->intake != NULL)
        rc = intake_act_begin(service->intake, &act, with, &err);
    json_decref(with);
    if (rc != 0) {
        log_event(LOG_ERROR, "reload_refused", log_text("why", err.text),
                  log_text("next", "nothing was changed"));
        return;
    }
    rc = service_reload(service, &preview, &err);
    if (rc == 0) {
        reload_result(&preview, &result);
        rules_preview_release(&preview);
    }
    if (service->intake != NULL)
        service_record_outcome(service, &act,
                               &(struct service_outcome){rc, rc == 0 ? result.text : err.text,
                                                         rc == 0 ? &result.set : NULL},
                               &err);
}

/* ---- pushes ---- */

/* [5s] where it is asked for without a duration; 0 where it is not. */
static int read_wait(const char *text, int64_t *ms, struct error *err)
{
    struct error why;

    *ms = text == NULL ? 0 : INTAKE_WAIT_MS;
    if (text == NULL || text[0] == '\0')
        return 0;
    if (unit_parse_duration(text, ms, &why) == 0 && *ms >= 0 && *ms <= INTAKE_WAIT_MS_MAX)
        return 0;
    error_set(err, "wait is a duration of at most %d s, like wait=5s", INTAKE_WAIT_MS_MAX / 1000);
    return -EINVAL;
}

static void take_push(struct service *service, const struct admin_pick *pick, const char *what,
                      enum event_format format, struct admin_reply *reply)
{
    char who[SERVICE_WHO_BYTES];
    struct error err = {""};
    int64_t wait_ms;
    int rc = service_needs_intake(service, &err);

    if (rc == 0)
        rc = service_authorize(service, pick, who, &err);
    if (rc == 0)
        rc = read_wait(pick->wait, &wait_ms, &err);
    if (rc != 0) {
        admin_answer_sentence(reply, admin_code(rc), err.text);
        return;
    }
    intake_push(service->intake, &(struct intake_push){.who = who,
                                                       .from = pick->peer,
                                                       .what = what,
                                                       .format = format,
                                                       .body = pick->body,
                                                       .bytes = pick->bytes,
                                                       .wait_ms = wait_ms,
                                                       .reply = reply});
}

void service_take_events(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    take_push(self, pick, "events", FORMAT_AUTO, reply);
}

void service_take_alertmanager(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    take_push(self, pick, "alertmanager", FORMAT_ALERTMANAGER, reply);
}
