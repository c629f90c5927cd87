/*
 * metrics.h - what the daemon counts, as rows of a table and as Prometheus text.
 *
 * The service copies the counters of engine, sinks, log and process into a plain struct
 * (daemon/service_admin.c); metrics_render() turns that into the text format 0.0.4. Names follow
 * the conventions of Prometheus: base units, `_total` for counters.
 *
 * Thread: collect and render by any thread; each struct metrics belongs to its caller.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "correlate/engine.h"
#include "ingest/kafka_source.h"
#include "rules/mute.h"
#include "sinks/outbox.h"
#include "daemon/log.h"
#include "daemon/mark_log.h"
#include "daemon/quarantine.h"

enum { METRICS_RULES_MAX = 4096, METRICS_PARTS_MAX = 4096, METRICS_SINKS_MAX = 256 };

/* Of this process, from /proc/self. */
struct process_counters {
    double cpu_seconds;
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t open_fds;
    uint64_t threads;
    double start_seconds; /* since 1970 */
};

struct metrics {
    struct engine_counters engine;
    struct engine_rule_counters *rules; /* owned, METRICS_RULES_MAX long */
    size_t rule_count;
    struct engine_mute_counters *mutes; /* owned, MUTES_MAX long */
    size_t mute_count;
    struct engine_part_counters *parts; /* owned, METRICS_PARTS_MAX long */
    size_t part_count;
    struct engine_quota_counters *quotas; /* owned, ENGINE_QUOTA_ROWS long */
    size_t quota_count;
    struct sink_counters *sinks; /* owned, METRICS_SINKS_MAX long */
    size_t sink_count;
    struct kafka_counters kafka;
    struct process_counters process;
    struct log_counters log;
    struct quarantine_counters quarantine;
    struct mark_counters marks;
    struct daemon_counters {
        double watermark_seconds;       /* event time, since 1970 */
        double watermark_begin_seconds; /* the first; NaN before it */
        double watermark_delay_seconds; /* wall clock - watermark; NaN before the first */
        double outbox_fill;             /* 0..1 */
        uint64_t rules_loaded;          /* in force */
        uint64_t reloads_done, reloads_failed;
        uint64_t incident_log_failed;
        uint64_t journal_groups, journal_bytes, journal_silent, journal_full, journal_segments;
        uint64_t journal_recycled, journal_recycle_failures;
        double journal_sync_seconds, journal_sync_seconds_max;
        bool is_journal_waiting;
        uint64_t snapshots_taken, snapshot_failures, snapshots_passed_over, snapshot_bytes;
        double snapshot_age_seconds, snapshot_seconds, snapshot_hold_seconds_max;
        bool is_snapshot_off;
        uint64_t history_rows, history_lag, history_bytes, history_removed, history_missed,
            history_aside, history_failures;
        bool is_history_paused;
        uint64_t memory_budget, memory_used; /* 0: there is none; as of the last look */
        uint64_t incident_bytes, outbox_bytes;
        bool is_memory_short;
        double clock_off_seconds; /* 0: it is right, or not known */
        uint64_t intake_pushes, intake_events, intake_acts, intake_bytes;
        uint64_t intake_refused_bad, intake_refused_full, intake_backlog_bytes, intake_waiting;
        uint64_t intake_segments, intake_recycled, intake_release_faults, intake_checkpoints;
        double intake_first_seconds; /* 0: there is none */
        bool is_intake_full;
        double unit_lease_seconds; /* NaN: none */
        uint64_t unit_follow_failures;
        double unit_followed_seconds;
        uint64_t unit_fence, shared_frames, shared_bytes, shared_owed, shared_open;
        uint64_t shared_aways, shared_anews, shared_images;
        uint64_t shared_held_journal, shared_held_intake;
        bool is_unit_owner, is_shared_up, is_catching_up;
        bool is_ready;
    } daemon;
};

/* Room for everything; false when memory is short. */
bool metrics_init(struct metrics *metrics);
void metrics_release(struct metrics *metrics);

/* Fills `process`. */
void metrics_read_process(struct process_counters *process);

/* Forms of one rule become one row: a series has to be told once. */
void metrics_sum_forms(struct metrics *metrics);

/* What sinks' walks found is added to what the engine's did (L6). Once for each collection. */
void metrics_sum_walks(struct metrics *metrics);

/* Writes all families. */
void metrics_render(const struct metrics *metrics, FILE *to);

/* The reference of all metrics as a Markdown table. */
void metrics_print_reference(FILE *to);

#endif
