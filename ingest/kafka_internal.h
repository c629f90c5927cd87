/*
 * kafka_internal.h - what the files of the Kafka source share. See kafka_source.h.
 *
 *   kafka_conf.c     configuration -> librdkafka's
 *   kafka_feed.c     one partition: take, release, proof (ingest threads)
 *   kafka_start.c    where a partition begins; probes; commits (service thread)
 *   kafka_trouble.c  what readers find wrong: range, holes, leader epochs (service thread)
 *   kafka_topic.c    what brokers are configured to do with our topics (service thread)
 *   kafka_group.c    which partitions there are, and whether we own them
 *   kafka_source.c   open and close, the service thread's loop, struct source
 *
 * Life of a feed; kafka_feed_set_phase() is the only place that moves it:
 *
 *   NEW --> LIVE <--> UNREADABLE --> STOPPED --> LIVE (accept_gap)
 *             |            |            |
 *             +------------+------------+--> LEFT --> (dropped by the engine, freed)
 */
#ifndef INGEST_KAFKA_INTERNAL_H
#define INGEST_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include "ingest/kafka_source.h"

enum {
    KAFKA_FEEDS_MAX = 16384,
    KAFKA_BROKERS_MAX = 64,
    KAFKA_CALL_MS = 3000, /* longest single wait for a broker by the service thread */
};

enum kafka_phase { KAFKA_NEW, KAFKA_LIVE, KAFKA_UNREADABLE, KAFKA_STOPPED, KAFKA_LEFT };

/* What a reader found and the service thread must act upon. */
enum kafka_trouble {
    KAFKA_NO_TROUBLE,
    KAFKA_OUT_OF_RANGE, /* the broker does not hold our position (D6) */
    KAFKA_HOLE,         /* offsets are missing where none should be (L1) */
    KAFKA_EPOCH_BACK,   /* a record of an older leader than the one before it (D6) */
};

struct kafka_source;

struct kafka_feed {
    struct feed feed; /* first: a struct feed * is a struct kafka_feed * */
    struct kafka_source *source;
    char *topic;
    struct kafka_feed *next_feed; /* service thread's list */

    /* Reader's own (the ingest thread that owns the feed). */
    rd_kafka_message_t **messages;
    struct record *records;
    size_t room;

    /* Under `lock`, taken by the reader once per take and by the service thread. */
    pthread_mutex_t lock;
    rd_kafka_queue_t *queue; /* NULL: nothing to read */
    size_t taken;            /* messages out with the reader */
    bool hold;               /* the reader gets nothing: the queue is about to go */
    int64_t next;            /* offset behind the last record handed out */
    int64_t probe_offset;    /* the log's end at probe_ns; -1: no probe yet */
    uint64_t probe_ns;
    int64_t end;  /* latest end heard of, for the lag; -1 unknown */
    int waker;    /* -1: none */
    bool evented; /* there is a waker; set before the reader's first take */
    enum kafka_trouble trouble;
    uint64_t records_taken, bytes_taken; /* ever, for the mean size of a record */
    int64_t came;  /* of a hole or an epoch: the offset that came at feed->next's place */
    int32_t epoch; /* of the last record that told one; -1: none did */
    int32_t epoch_came;

    atomic_int phase;        /* enum kafka_phase; written by the service thread */
    atomic_bool filled;      /* G: records may wait; set by librdkafka's event and the service
                              * thread (release), cleared by the reader before it looks */
    atomic_bool asked;       /* a proof was asked for; the reader sets, service clears */
    atomic_int_fast64_t low; /* low position as told by position(); -1: none */
    atomic_bool dropped;     /* N: the engine is done with a feed that left */

    /* Service thread's own. */
    int32_t leader;        /* broker id, -1 unknown */
    bool gaps_expected;    /* constant; read by the reader too */
    int64_t fetched_again; /* position of the hole that was fetched again last; -1: none */
    rd_kafka_topic_t *rkt; /* of the fetch client, while started */
    int64_t committed;     /* last low position told to the broker */
    int64_t seen_next;     /* for the watch over feeds that do not move */
    uint64_t alive_ns;     /* last answer of its leader */
    uint64_t stall_ns;     /* since when records are due and do not come; 0: no */
    bool seen;             /* in the present list of partitions */
    unsigned misses;       /* looks in a row without it */
};

/* Lines about one kind of trouble, held back to one per interval. */
struct kafka_line {
    uint64_t said_ns;
    uint64_t held;
};

enum kafka_line_kind {
    LINE_BROKER,
    LINE_REFUSED,
    LINE_TOPIC,
    LINE_COMMIT,
    LINE_START,
    LINE_PROBE,
    LINE_FEED,
    LINE_HOLE,
    LINE_SKIP,
    LINE_OTHER,
    LINE_COUNT
};

struct kafka_leader {
    int32_t id;
    unsigned failures; /* in a row */
    uint64_t retry_ns; /* no probe before */
};

struct kafka_source {
    struct source source;       /* first */
    struct kafka_config config; /* strings are copies of ours */
    char **topics;              /* bytewise order */
    char **gap_topics;
    struct kafka_option *options;
    int64_t start_ms; /* of a start that is a time */

    pthread_t thread;
    atomic_bool stopping;
    atomic_uint_fast64_t prove_at_ns; /* as told by prove_at(); 0: never */
    int waker; /* wakes the service thread where it sleeps without a client */

    /* Service thread's own. */
    rd_kafka_t *control;
    rd_kafka_t *fetch;
    bool subscribed;
    bool owner;
    bool had_feeds;  /* the first start is over: what comes now is a join (T8) */
    bool fatal;      /* the clients must be made anew (F9) */
    bool must_begin; /* and then the feeds be started again */
    struct kafka_feed *feeds;
    size_t feed_count;
    size_t partition_count; /* that the topics have, by the last look */
    uint64_t metadata_due_ns, probe_due_ns, watch_due_ns, commit_due_ns, trouble_due_ns;
    uint64_t answered_ns; /* last answer of any broker */
    uint64_t asked_ns;    /* last time that somebody wanted a proof */
    uint64_t probed_ns;   /* when ends were last asked for */
    struct kafka_leader leaders[KAFKA_BROKERS_MAX];
    size_t leader_count;
    rd_kafka_queue_t *answers; /* about the topics' settings; NULL: not asked */
    bool topics_asked;         /* once in the life of a control client */
    struct kafka_line lines[LINE_COUNT];
    char last_error[512];

    /* Under `lock`: what other threads see. */
    pthread_mutex_t lock;
    struct source_change *changes;
    size_t change_count, change_room;
    struct kafka_counters counters;
    bool is_ready;
    uint64_t heard_ns; /* answered_ns, for ready() */
    struct error not_ready;
    char reason[256];     /* last failure of a connection or client; empty once a broker answers */
    struct error refused; /* login or certificate, until a broker answers; empty: no */
    struct error stopped; /* the last partition that was stopped, and why */
};

/* kafka_conf.c */
rd_kafka_conf_t *kafka_conf_create(const struct kafka_option *options, size_t count,
                                   const char *brokers, struct error *err);
int kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, struct error *err);
int kafka_config_copy(struct kafka_source *source, const struct kafka_config *config,
                      struct error *err);
void kafka_config_release(struct kafka_source *source);

/* kafka_feed.c */
extern const struct feed_ops kafka_feed_ops;
struct kafka_feed *kafka_feed_create(struct kafka_source *source, const char *topic,
                                     int32_t partition);
void kafka_feed_destroy(struct kafka_feed *feed);
void kafka_feed_set_phase(struct kafka_feed *feed, enum kafka_phase phase);
void kafka_feed_set_waker(struct kafka_feed *feed, int waker);
/* Begins to fetch at feed->next; the reader gets records from here on. */
int kafka_feed_begin(struct kafka_feed *feed);
/* Holds the reader off; true once it has nothing out, and then the queue is gone. */
bool kafka_feed_end(struct kafka_feed *feed);
/* The engine is done with the feed, and whether it is; the service thread then frees it. */
void kafka_feed_drop(struct kafka_feed *feed);
bool kafka_feed_dropped(const struct kafka_feed *feed);
/* What is wrong with a record of this offset and leader epoch (-1 unknown) coming next. */
enum kafka_trouble kafka_feed_judge(const struct kafka_feed *feed, int64_t offset, int32_t epoch);

/* kafka_start.c */
rd_kafka_topic_partition_list_t *kafka_list_of(struct kafka_feed **feeds, size_t count);
/* Fills the first offsets and the ends of these partitions; false: no answer. */
bool kafka_ask_first(struct kafka_source *source, rd_kafka_topic_partition_list_t *list);
bool kafka_ask_end(struct kafka_source *source, rd_kafka_topic_partition_list_t *list);
bool kafka_start_feeds(struct kafka_source *source, struct kafka_feed **fresh, size_t count);
void kafka_probe(struct kafka_source *source, bool all);
uint64_t kafka_probe_due(const struct kafka_source *source); /* monotonic, of the next */
void kafka_watch(struct kafka_source *source, uint64_t now_ns);
void kafka_commit(struct kafka_source *source, bool wait);

/* kafka_trouble.c */
bool kafka_check_range(struct kafka_feed *feed, int64_t first, int64_t latest);
void kafka_resolve_trouble(struct kafka_source *source);

/* kafka_topic.c */
void kafka_topics_ask(struct kafka_source *source);
void kafka_topics_look(struct kafka_source *source);
void kafka_topics_forget(struct kafka_source *source);

/* kafka_group.c */
void kafka_group_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t *parts, void *opaque);
void kafka_group_subscribe(struct kafka_source *source);
void kafka_group_refresh(struct kafka_source *source);
void kafka_group_leave_all(struct kafka_source *source);

/* kafka_source.c */
void kafka_say(struct kafka_source *source, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kafka_say_rarely(struct kafka_source *source, enum kafka_line_kind kind, int level,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
void kafka_report(struct kafka_source *source, enum source_change_kind kind,
                  struct kafka_feed *feed);
rd_kafka_t *kafka_fetch_client(struct kafka_source *source);
void kafka_answered(struct kafka_source *source);
void kafka_count(struct kafka_source *source, uint64_t *counter, uint64_t more);

#endif
