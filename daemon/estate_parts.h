/*
 * estate_parts.h - what the sources of the estate share; nobody else includes it.
 *
 * estate.c lays the estate out and makes the stream, estate_plan.c plans faults,
 * estate_text.c has the table of symptoms and writes the words.
 */
#ifndef DAEMON_ESTATE_PARTS_H
#define DAEMON_ESTATE_PARTS_H

#include "daemon/estate.h"

/* Source: splitmix64 by Sebastiano Vigna (public domain). One word of state is
 * enough here, and any seed is a good one. */
struct estate_random {
    uint64_t state;
};

static inline uint64_t estate_random_next(struct estate_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. below-1; the bias of the multiplication is below 2^-32. */
static inline uint32_t estate_random_below(struct estate_random *random, uint32_t below)
{
    return (uint32_t)(((estate_random_next(random) >> 32) * below) >> 32);
}

/* from .. to, both included. */
static inline int64_t estate_random_between(struct estate_random *random, int64_t from, int64_t to)
{
    return from >= to ? from : from + estate_random_below(random, (uint32_t)(to - from + 1));
}

enum estate_entity { ENTITY_HOST, ENTITY_RACK, ENTITY_LINK_NEAR, ENTITY_LINK_FAR };

enum estate_symptom {
    /* of faults */
    SYMPTOM_FEED_A,
    SYMPTOM_FEED_B,
    SYMPTOM_HOST_DOWN,      /* the network sees no answer */
    SYMPTOM_HOST_HUNG,      /* its management controller does, and the system does not */
    SYMPTOM_SERVICE_ERRORS, /* told by the service's own metrics */
    SYMPTOM_SERVICE_LATENCY,
    SYMPTOM_INSTANCE_ERRORS,  /* told by the load balancer about one instance: another */
    SYMPTOM_INSTANCE_LATENCY, /* source, so that two faults never share an alert */
    SYMPTOM_DEPLOY,
    SYMPTOM_LINK_DOWN_NEAR, /* as the rack's switch sees it */
    SYMPTOM_LINK_DOWN_FAR,  /* as the core sees it */
    SYMPTOM_LINK_ERRORS_NEAR,
    SYMPTOM_LINK_ERRORS_FAR,
    SYMPTOM_SMART_REALLOCATED,
    SYMPTOM_SMART_PENDING,
    SYMPTOM_SMART_CRC,
    SYMPTOM_SMART_WEAR,
    SYMPTOM_DISK_FULL,
    SYMPTOM_STORM_HOST,
    SYMPTOM_STORM_LINK,
    /* of noise */
    SYMPTOM_CPU,
    SYMPTOM_MEMORY,
    SYMPTOM_RESTART,
    SYMPTOM_VAR_FULL,
    SYMPTOM_PROBE_LATENCY,
    SYMPTOM_CLOCK, /* is always fine */
    ESTATE_SYMPTOM_COUNT
};

/* A short stretch of JSON, made once and copied per event. */
struct fragment {
    char text[220];
    uint32_t bytes;
};

struct estate_rack {
    char name[ESTATE_NAME_BYTES];
    char site[ESTATE_NAME_BYTES];
    char link[ESTATE_NAME_BYTES];
    char port_near[ESTATE_NAME_BYTES]; /* "ams1-r01-sw/uplink" */
    char port_far[ESTATE_NAME_BYTES];  /* "ams1-core/r01" */
    uint32_t tenant;
    uint32_t first_host;
    uint32_t host_count;
    struct fragment labels;      /* site and rack */
    struct fragment link_labels; /* site, rack and link */
};

struct estate_host {
    char name[ESTATE_NAME_BYTES];
    uint32_t name_bytes;
    uint32_t rack;
    uint32_t tenant;
    bool is_noisy;          /* has a noise alert of its own */
    struct fragment labels; /* site, rack and host */
};

enum { SERVICE_HOSTS_MAX = 6, SERVICE_NEEDS_MAX = 3 };

struct estate_service {
    char name[ESTATE_NAME_BYTES];
    uint32_t name_bytes;
    uint32_t tenant;
    uint32_t host_count;
    uint32_t host[SERVICE_HOSTS_MAX]; /* in different racks */
    uint32_t need_count;
    uint32_t need[SERVICE_NEEDS_MAX]; /* services it depends on: smaller indexes only */
};

struct estate_tenant {
    char name[ESTATE_NAME_BYTES];
    struct fragment head; /* {"tenant":"acme","source":" */
};

/* One planned act: events in order of time and the faults that cause them. */
struct estate_script {
    struct estate_event *events;
    size_t count, size;
    size_t next; /* to be played */
    struct estate_fault *faults;
    size_t fault_count, fault_size;
    size_t fault_next; /* to be reported */
    char **words;      /* of the faults' affected lists */
    size_t word_count, word_size;
    bool short_of_memory;
};

/* A noise alert: open all the time, or toggled by its timer. */
struct estate_noise {
    uint32_t host;
    uint32_t service;
    uint8_t symptom;
    uint8_t severity;
    uint8_t cause;
    bool is_open;
    int64_t toggle_ms; /* due */
    int64_t period_ms;
};

/* An event held back; `number` keeps events of one emit time in their order. */
struct estate_waiting {
    struct estate_event event;
    uint64_t number;
};

struct estate {
    struct estate_config config;
    struct estate_random random;      /* of noise */
    struct estate_random plan_random; /* of faults: so that noise does not move them */

    struct estate_tenant *tenants;
    struct estate_rack *racks;
    struct estate_host *hosts;
    struct estate_service *services;

    struct estate_noise *standing;
    uint32_t standing_count;
    struct estate_noise *toggling; /* a binary heap by toggle_ms */
    uint32_t toggling_count;

    struct estate_script script;
    int64_t act_ms;       /* length of an act */
    int64_t act_start_ms; /* of the next act to be planned */
    uint32_t act_number;
    uint32_t act_count; /* 0: endless */
    uint32_t fault_number;
    uint32_t faults_skipped;
    uint32_t *rack_order;    /* faults take racks and services in turn, so that the */
    uint32_t *service_order; /* faults of one entity lie as far apart as can be */
    int64_t *rack_busy_ms;   /* until when a planned fault touches it */
    int64_t *service_busy_ms;
    uint32_t rack_turn, service_turn, kind_turn;

    /* The noise clock: the time of noise event k is start + k / rate, exactly. */
    int64_t noise_ns;
    uint32_t noise_rest;

    /* Events waiting for their emit time, a heap; unused without disorder. */
    struct estate_waiting *waiting;
    size_t waiting_count, waiting_size;
    uint64_t waiting_number;
    bool is_drained; /* the stream has ended, only waiting events are left */

    /* The last second that was written as text. */
    int64_t text_second;
    char text_time[24];
    struct estate_words *words; /* estate_text.c's own: what all events of a symptom share */
};

/* Plans the act that begins at act_start_ms into estate->script. False when
 * memory is short. */
bool estate_plan_act(struct estate *estate);
void estate_script_release(struct estate_script *script);

/* Makes the fragments of all entities and symptoms. False when memory is short. */
bool estate_text_prepare(struct estate *estate);
void estate_text_release(struct estate *estate);

#endif
