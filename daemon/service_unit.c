/*
 * service_unit.c - standing by for a unit that another daemon owns: what is said meanwhile, and to
 * whom. See service_parts.h.
 *
 * The admin server of one that stands by is one of its own, which goes when the unit is taken: all
 * that it is asked has another answer then.
 */
#include "daemon/service_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/log.h"
#include "daemon/past_check.h"

void service_read_unit(struct unit *unit, struct daemon_counters *to)
{
    struct unit_counters counters = {.stand = UNIT_STANDS_BY};

    if (unit != NULL)
        unit_counters(unit, &counters);
    to->is_unit_owner = counters.stand == UNIT_OWNS || counters.stand == UNIT_ALONE;
    to->unit_lease_seconds = to->is_unit_owner ? (double)counters.mirror.lease_left_ms / 1000 : NAN;
    to->unit_fence = counters.mirror.fence;
    to->unit_followed_seconds = (double)counters.followed_ms / 1000;
    to->unit_follow_failures = counters.follow_failures;
    to->is_catching_up = counters.is_catching_up;
    to->is_shared_up = to->is_unit_owner && counters.mirror.state == MIRROR_UP;
    to->shared_frames = counters.mirror.frames;
    to->shared_bytes = counters.mirror.bytes;
    to->shared_owed = counters.mirror.owed;
    to->shared_open = counters.mirror.open;
    to->shared_aways = counters.mirror.aways;
    to->shared_anews = counters.mirror.anews;
    to->shared_images = counters.mirror.images;
    to->shared_held_journal = counters.mirror.held[SHARED_JOURNAL];
    to->shared_held_intake = counters.mirror.held[SHARED_INTAKE];
}

/* ---- what it is asked ---- */

static void write_metrics(void *self, FILE *to)
{
    struct service *service = self;
    struct metrics metrics;

    if (!metrics_init(&metrics)) {
        fputs("# out of memory\n", to);
        return;
    }
    metrics_read_process(&metrics.process);
    log_counters(&metrics.log);
    pthread_mutex_lock(&service->lock);
    metrics.daemon = service->counters;
    pthread_mutex_unlock(&service->lock);
    service_read_unit(service->unit, &metrics.daemon);
    metrics.daemon.watermark_seconds = metrics.daemon.watermark_begin_seconds =
        metrics.daemon.watermark_delay_seconds = NAN;
    metrics_render(&metrics, to);
    metrics_release(&metrics);
}

static bool is_healthy(void *self, struct error *why)
{
    (void)self;
    (void)why;
    return true;
}

/* Also while the unit is taken up: until the engine runs another server says that it is not. */
static bool is_ready(void *self, struct error *why)
{
    struct service *service = self;

    if (unit_stand(service->unit, why) != UNIT_STANDS_BY)
        error_set(why, "taking over: the journal is read");
    return false;
}

static int refuse(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    (void)pick;
    (void)to;
    is_ready(self, err);
    return -EBUSY;
}

static void refuse_later(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    struct error why = {""};

    (void)pick;
    is_ready(self, &why);
    admin_answer_sentence(reply, admin_code(-EBUSY), why.text);
}

/* What is open, as the owner put it into the shared store. */
static int list_open(void *self, const struct admin_pick *pick, FILE *to, struct error *err)
{
    struct service *service = self;

    if (pick->open && pick->from == NULL && pick->to == NULL && pick->rule == NULL &&
        pick->tenant == NULL && pick->key == NULL && pick->limit == NULL && pick->incident == NULL)
        return unit_list_open(service->config, to, err);
    error_set(err, "standing by: only what is open is known here: ask for /incidents?open=1");
    return -EINVAL;
}

/* ---- standing by ---- */

static void on_decided(void *self)
{
    const struct service *service = self;

    host()->waker_wake(host()->self, service->options.waker);
}

static int fits(void *self, struct error *err)
{
    const struct service *service = self;
    struct engine_terms ignored;
    struct id128 set;
    char *changes;
    int code = past_check_dir(service->config->data.dir, true, rule_set_hash(service->rules),
                              &service->engine_config, &changes, &set, &ignored, err);

    free(changes);
    return code;
}

int service_stand_by(struct service *service, struct error *err)
{
    const struct unit_options options = {.config = service->config,
                                         .dir = &service->dir,
                                         .self = service,
                                         .decided = on_decided,
                                         .fits = fits};
    struct admin_config admin = {
        .listen = service->config->admin.listen,
        .connections_max = (unsigned)service->config->admin.connections_max,
        .body_max = (size_t)service->config->intake.body_max,
        .self = service,
        .metrics = write_metrics,
        .healthy = is_healthy,
        .ready = is_ready,
        .dead = refuse,
        .waiting = refuse,
        .incidents = list_open,
        .redrive = refuse,
        .silences = refuse,
        .acknowledge = refuse_later,
        .close_incident = refuse_later,
        .silence_add = refuse_later,
        .silence_end = refuse_later,
        .events = refuse_later,
        .alertmanager = refuse_later,
        .rules = refuse,
        .rules_past = refuse,
        .reload = refuse,
    };
    int code = unit_create(&options, &service->unit, err);

    service->stands_by = true;
    if (code != EXIT_OK || strcmp(admin.listen, "off") == 0)
        return code;
    return admin_create(&admin, &service->admin, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
}

int service_has_unit(struct service *service, struct error *err)
{
    return unit_stand(service->unit, err) == UNIT_REFUSED ? unit_verdict(service->unit, err)
                                                          : EXIT_OK;
}
