/*
 * metrics.c - one row for each metric; a row names its field, so that rendering,
 * reference and test need no further list.
 *
 * A family of labelled samples (rules, partitions, sinks, reasons) is written
 * together under its one HELP line, as the format demands.
 */
#include "daemon/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/host.h"

enum metric_kind { COUNTER, GAUGE };

/* Which struct the field lies in, and so how often the row is written. */
enum metric_scope {
    ENGINE,
    REASON,
    RULE,
    MUTE,
    TENANT,
    PART,
    SINK,
    KAFKA,
    PROCESS,
    LOG_LINES,
    LOGGER,
    QUARANTINE,
    MARKS,
    DAEMON,
    BUILD
};

enum metric_type { U64, I64, DOUBLE, BOOL, MILLISECONDS };

struct metric {
    const char *name;
    enum metric_kind kind;
    enum metric_scope scope;
    enum metric_type type;
    size_t offset;
    const char *help;
};

#define E(field) ENGINE, U64, offsetof(struct engine_counters, field)
#define R(field) RULE, U64, offsetof(struct engine_rule_counters, field)
#define MU(field) MUTE, U64, offsetof(struct engine_mute_counters, field)
#define T(field) TENANT, U64, offsetof(struct engine_quota_counters, field)
#define P(type, field) PART, type, offsetof(struct engine_part_counters, field)
#define S(type, field) SINK, type, offsetof(struct sink_counters, field)
#define K(field) KAFKA, U64, offsetof(struct kafka_counters, field)
#define O(type, field) PROCESS, type, offsetof(struct process_counters, field)
#define D(type, field) DAEMON, type, offsetof(struct daemon_counters, field)
#define Q(field) QUARANTINE, U64, offsetof(struct quarantine_counters, field)

#define W(type, field) MARKS, type, offsetof(struct mark_counters, field)

static const struct metric rows[] = {
    {"tocsin_build_info", GAUGE, BUILD, U64, 0, "Version of the running binary, always 1."},
    {"tocsin_ready", GAUGE, D(BOOL, is_ready), "1 while /readyz answers 200."},
    {"tocsin_watermark_seconds", GAUGE, D(DOUBLE, watermark_seconds),
     "Event time up to which everything is correlated, since 1970."},
    {"tocsin_watermark_begin_seconds", GAUGE, D(DOUBLE, watermark_begin_seconds),
     "The first watermark: event time before which nothing was closed, since 1970."},
    {"tocsin_watermark_delay_seconds", GAUGE, D(DOUBLE, watermark_delay_seconds),
     "Wall clock minus watermark: how far correlation is behind."},
    {"tocsin_rules_loaded", GAUGE, D(U64, rules_loaded), "Rules in force."},
    {"tocsin_rule_sets", GAUGE, E(rule_sets),
     "Rule sets held: the one in force, and earlier ones that incidents, keys or alerts go by."},
    {"tocsin_reloads_total", COUNTER, D(U64, reloads_done), "Reloads that took effect."},
    {"tocsin_reload_failures_total", COUNTER, D(U64, reloads_failed),
     "Reloads that were refused and changed nothing."},

    {"tocsin_input_records_total", COUNTER, E(records), "Records read from all inputs."},
    {"tocsin_input_bytes_total", COUNTER, E(record_bytes), "Payload bytes of these records."},
    {"tocsin_input_redelivered_total", COUNTER, E(redelivered),
     "Records that came again at a known position and were dropped."},
    {"tocsin_input_gaps_total", COUNTER, E(gaps), "Offsets that never came."},
    {"tocsin_events_total", COUNTER, E(events),
     "Events decoded, and one for each rejected record (L2)."},
    {"tocsin_events_derived_total", COUNTER, E(derived), "Events that tocsin made itself."},
    {"tocsin_events_rejected_total", COUNTER, REASON, U64,
     offsetof(struct engine_counters, rejected),
     "Records refused, by reason; the quarantine log has them. Events over a quota or shed, reason "
     "quota, which it has not."},
    {"tocsin_quota_rejected_total", COUNTER, T(refused),
     "Events over the quota of this tenant, of what was read since the start."},
    {"tocsin_quota_tenants_cut", GAUGE, E(quota_cut),
     "Tenants that are over their quota now, once for each partition."},
    {"tocsin_quota_shared_total", COUNTER, E(quota_shared),
     "Events of tenants beyond quotas.tracked.max, who share one quota, since the start."},
    {"tocsin_events_waiting", GAUGE, E(in_bins), "Events decoded and in no closed epoch yet."},
    {"tocsin_events_duplicate_total", COUNTER, E(duplicate), "Events folded into a known alert."},
    {"tocsin_events_unmatched_total", COUNTER, E(unmatched), "Events that no rule asked for."},
    {"tocsin_events_routed_total", COUNTER, E(routed), "Events that reached at least one rule."},
    {"tocsin_events_dropped_total", COUNTER, E(dropped),
     "Events that an enrich step dropped, as if they had not been sent."},
    {"tocsin_enrich_errors_total", COUNTER, E(enrich_errors),
     "What enrich steps could not do: a label absent, a text that is no number, no room."},
    {"tocsin_events_time_clamped_total", COUNTER, E(time_clamped),
     "Events whose own time was not plausible and that were dated by the log."},
    {"tocsin_events_late_total", COUNTER, E(late), "Events moved up to what had been passed."},
    {"tocsin_events_late_by_seal_total", COUNTER, E(late_by_seal),
     "Late events that were late by a seal of the clock alone."},
    {"tocsin_records_capped_total", COUNTER, E(capped),
     "Records whose log time lay in the future and was capped."},
    {"tocsin_clock_off_seconds", GAUGE, D(DOUBLE, clock_off_seconds),
     "By how much the clock of the input is ahead of this run's (negative: behind), from an hour "
     "on; 0: less, or not known."},
    {"tocsin_records_undated_total", COUNTER, E(undated),
     "Records of logs without times whose first event has no time either."},
    {"tocsin_touches_total", COUNTER, E(touches), "Events times rules that they reached (L3)."},
    {"tocsin_touches_correlated_total", COUNTER, E(correlated), "Touches that are in an incident."},
    {"tocsin_touches_expired_total", COUNTER, E(expired), "Touches that slid out of their window."},
    {"tocsin_touches_evicted_total", COUNTER, E(evicted), "Touches that a bound pushed out."},
    {"tocsin_touches_retired_total", COUNTER, E(retired), "Touches that only ended something."},
    {"tocsin_touches_pending", GAUGE, E(pending), "Touches in open windows."},
    {"tocsin_incidents_opened_total", COUNTER, E(opened), "Incidents opened (L4)."},
    {"tocsin_incidents_closed_total", COUNTER, E(closed), "Incidents closed."},
    {"tocsin_incidents_open", GAUGE, E(open), "Incidents open now."},
    {"tocsin_incidents_announced_total", COUNTER, E(announced),
     "Of those that opened, such as sinks were told of, at once or later (L4)."},
    {"tocsin_incidents_suppressed_silence", GAUGE, E(suppressed_silence),
     "The others, open or closed: of which no sink was told for a silence."},
    {"tocsin_incidents_suppressed_maintenance", GAUGE, E(suppressed_maintenance),
     "The same for a maintenance window."},
    {"tocsin_incidents_suppressed_inhibited", GAUGE, E(suppressed_inhibited),
     "The same for an inhibition."},
    {"tocsin_steps_untold", GAUGE, E(untold),
     "Steps of the engine of which nobody was told yet: what opened in them is in none of these "
     "four."},
    {"tocsin_incidents_lost_total", COUNTER, E(lost),
     "Of those that are open, such as are no longer watched: a bound let go of their keys."},
    {"tocsin_ledger_walks_total", COUNTER, E(walks),
     "Times that all keys were gone through, and what they hold was held against the counters "
     "(L6)."},
    {"tocsin_ledger_mismatch_total", COUNTER, E(walk_mismatches),
     "Counts, of the engine and of sinks, that were not what was found there: a mistake of "
     "tocsin."},
    {"tocsin_incident_updates_total", COUNTER, E(updates), "Updates of open incidents."},
    {"tocsin_incidents_muted_total", COUNTER, E(muted),
     "Times that an incident became muted: by a silence, a maintenance window or an inhibition."},
    {"tocsin_incidents_unmuted_total", COUNTER, E(unmuted),
     "Times that it was not muted any more; the difference to the former is muted now."},
    {"tocsin_changes_withheld_total", COUNTER, E(withheld),
     "Changes of incidents of which no sink is told, because they are muted."},
    {"tocsin_mute_incidents", GAUGE, MU(incidents),
     "Incidents that this silence, maintenance window or inhibition mutes now."},
    {"tocsin_mute_incidents_total", COUNTER, MU(total), "Incidents that it began to mute."},
    {"tocsin_ops_total", COUNTER, E(ops), "Changes made for sinks."},
    {"tocsin_alerts", GAUGE, E(alerts), "Alerts in the table."},
    {"tocsin_alerts_flapping", GAUGE, E(flapping), "Of these, alerts that flap now."},
    {"tocsin_alerts_opened_total", COUNTER, E(alerts_opened), "Alerts that were new."},
    {"tocsin_alerts_refired_total", COUNTER, E(alerts_refired), "Closed alerts that fired again."},
    {"tocsin_alerts_cleared_total", COUNTER, E(alerts_cleared), "Alerts that cleared."},
    {"tocsin_alerts_expired_total", COUNTER, E(alerts_expired), "Alerts that fell silent."},
    {"tocsin_alerts_evicted_total", COUNTER, E(alerts_evicted),
     "Alerts that the bound engine.alerts.max pushed out."},
    {"tocsin_flapping_begun_total", COUNTER, E(flap_begun), "Alerts that began to flap."},
    {"tocsin_flapping_ended_total", COUNTER, E(flap_ended), "Alerts that stopped flapping."},
    {"tocsin_flapping_folded_total", COUNTER, E(flap_folded), "Changes folded while flapping."},
    {"tocsin_keys", GAUGE, E(keys), "Rule keys held."},
    {"tocsin_keys_evicted_total", COUNTER, E(keys_evicted), "Rule keys that a bound pushed out."},
    {"tocsin_numbers_unfit_total", COUNTER, E(numbers_unfit),
     "Numbers of events that were too large for sum, avg and their like, and left out."},
    {"tocsin_steps_total", COUNTER, E(steps), "Stretches of closed epochs worked off."},
    {"tocsin_rounds_total", COUNTER, E(rounds), "Rounds ended."},
    {"tocsin_seals_total", COUNTER, E(seals), "Seals of idle partitions by the clock."},
    {"tocsin_engine_sleeps_total", COUNTER, E(sleeps), "Times an engine thread went to sleep."},
    {"tocsin_partitions_refused_total", COUNTER, E(parts_refused),
     "Partitions beyond the 4,095 that can be read: they are not."},
    {"tocsin_events_left_total", COUNTER, E(left),
     "Events dropped unread with a partition that left: its new reader reads them."},
    {"tocsin_memory_budget_bytes", GAUGE, D(U64, memory_budget),
     "Memory that the daemon may take (memory.budget); 0: no limit is known."},
    {"tocsin_memory_used_bytes", GAUGE, D(U64, memory_used),
     "What it took at the last look, once a second. The parts below are what is known of it."},
    {"tocsin_memory_short", GAUGE, D(BOOL, is_memory_short),
     "1 from 90 % of the budget on, until it is less than 85 %."},
    {"tocsin_memory_paused_partitions", GAUGE, E(paused),
     "Partitions that are not read now, because memory is short and others are behind."},
    {"tocsin_memory_pauses_total", COUNTER, E(pauses), "Times that a partition began to be so."},
    {"tocsin_state_bytes", GAUGE, E(state_bytes), "Memory of windows, words and members."},
    {"tocsin_table_bytes", GAUGE, E(table_bytes), "Memory of the tables of alerts and rule keys."},
    {"tocsin_touches_bytes", GAUGE, E(touch_bytes), "Memory of touches on their way to rules."},
    {"tocsin_bins_bytes", GAUGE, E(bins_bytes),
     "Memory of decoded events that wait or are worked on."},
    {"tocsin_incident_bytes", GAUGE, D(U64, incident_bytes),
     "Memory of incidents as they are told: the latest change of those that are open, and what is "
     "on its way."},
    {"tocsin_outbox_bytes", GAUGE, D(U64, outbox_bytes),
     "Memory of ops for sinks with their incidents, as outbox.bytes.max counts it."},

    {"tocsin_kafka_lost_total", COUNTER, K(lost),
     "Records that the brokers no longer held when they were to be read."},
    {"tocsin_kafka_holes_total", COUNTER, K(holes),
     "Holes in the offsets of topics that should have none; each was fetched once more."},
    {"tocsin_kafka_skipped_total", COUNTER, K(skipped),
     "Offsets in such holes that were passed over because of input.accept_gap."},
    {"tocsin_kafka_partitions", GAUGE, K(feeds), "Partitions that are read."},
    {"tocsin_kafka_partitions_unreadable", GAUGE, K(unreadable),
     "Those that cannot be read now: their broker is away, or what it holds does not arrive."},
    {"tocsin_kafka_partitions_stopped", GAUGE, K(stopped),
     "Those that wait for a person, and why /readyz answers 503."},
    {"tocsin_kafka_topics_unsafe", GAUGE, K(unsafe),
     "Topics that may drop records before they are read again after a crash: by a retention.ms, or "
     "a min.compaction.lag.ms, that is too short."},
    {"tocsin_kafka_queued_records", GAUGE, K(queued),
     "Records that were fetched and wait to be taken."},
    {"tocsin_kafka_queued_bytes", GAUGE, K(queued_bytes),
     "Their payload and keys, by the mean size of records that were taken."},
    {"tocsin_kafka_client_errors_total", COUNTER, K(errors), "Errors that librdkafka reported."},
    {"tocsin_kafka_client_rebuilds_total", COUNTER, K(rebuilds),
     "Times the Kafka clients were made anew after a fatal error."},
    {"tocsin_kafka_probes_total", COUNTER, K(probes), "Partitions asked for their end."},
    {"tocsin_kafka_probe_failures_total", COUNTER, K(probes_failed),
     "Such questions without an answer."},
    {"tocsin_kafka_commits_total", COUNTER, K(commits), "Commits of positions to the group."},
    {"tocsin_kafka_commit_failures_total", COUNTER, K(commits_failed), "Such commits that failed."},

    {"tocsin_rule_touches_total", COUNTER, R(touches), "Touches of this rule."},
    {"tocsin_rule_incidents_opened_total", COUNTER, R(opened), "Incidents this rule opened."},
    {"tocsin_rule_incidents_closed_total", COUNTER, R(closed),
     "Incidents of this rule that closed."},
    {"tocsin_rule_incidents_open", GAUGE, R(open), "Incidents of this rule open now."},
    {"tocsin_rule_keys", GAUGE, R(keys), "Keys this rule holds."},
    {"tocsin_rule_evicted_total", COUNTER, R(evicted),
     "Touches of this rule that a bound pushed out, and keys that went with none, as those with an "
     "open incident do."},
    {"tocsin_rule_expired_total", COUNTER, R(expired), "Touches of this rule that slid out."},
    {"tocsin_rule_pending", GAUGE, R(pending), "Touches in open windows of this rule."},

    {"tocsin_partition_records_total", COUNTER, P(U64, records),
     "Records read from this partition since it was assigned."},
    {"tocsin_partition_rejected_total", COUNTER, P(U64, rejected),
     "Records of it that were refused."},
    {"tocsin_partition_gaps_total", COUNTER, P(U64, gaps), "Offsets of it that never came."},
    {"tocsin_partition_redelivered_total", COUNTER, P(U64, redelivered),
     "Records of it that came again and were dropped."},
    {"tocsin_partition_lag_records", GAUGE, P(I64, lag),
     "Records between the next to be read and the partition's end; -1 where unknown."},
    {"tocsin_partition_read_offset", GAUGE, P(I64, read_offset), "Next record to be read."},
    {"tocsin_partition_low_offset", GAUGE, P(I64, low_offset), "First record in no closed epoch."},
    {"tocsin_partition_passed_seconds", GAUGE, P(MILLISECONDS, passed_ms),
     "Event time before which everything of this partition has come, since 1970."},
    {"tocsin_partition_behind_seconds", GAUGE, P(MILLISECONDS, behind_ms),
     "How far its reading is behind the clock while records wait, by which shedding goes; 0 where "
     "shedding.behind is not set."},
    {"tocsin_partition_shedding", GAUGE, P(BOOL, is_shedding),
     "1 while events of it are left out because it is behind."},
    {"tocsin_partition_shed_total", COUNTER, P(U64, shed),
     "Events of it that were left out for that, of what was read since the start."},
    {"tocsin_partition_shed_spells_total", COUNTER, P(U64, shed_spells), "Times that this began."},
    {"tocsin_partition_blind", GAUGE, P(BOOL, blind), "1 while the partition cannot be read."},
    {"tocsin_partition_state", GAUGE, P(I64, state),
     "0 live, 1 finished, 2 unreadable, 3 stopped until a person acts."},

    {"tocsin_sink_ops_total", COUNTER, S(U64, ops), "Changes given to this sink (L5)."},
    {"tocsin_sink_notices_total", COUNTER, S(U64, notices),
     "Of these, self-alerts of the outbox, which are in no incident log."},
    {"tocsin_sink_done_total", COUNTER, S(U64, done), "Changes it has taken."},
    {"tocsin_sink_dead_total", COUNTER, S(U64, dead), "Changes given up."},
    {"tocsin_sink_dead_kept", GAUGE, S(U64, dead_kept),
     "Changes given up that `tocsin redrive` can send again."},
    {"tocsin_sink_redriven_total", COUNTER, S(U64, redriven),
     "Changes given up that were sent again by hand."},
    {"tocsin_sink_overtaken_total", COUNTER, S(U64, overtaken),
     "Changes given up that a later one of their incident, which was taken, made needless."},
    {"tocsin_sink_forgotten_total", COUNTER, S(U64, forgotten),
     "Changes given up that outbox.dead.max pushed out."},
    {"tocsin_sink_superseded_total", COUNTER, S(U64, superseded),
     "Updates that a later one took in before they were sent."},
    {"tocsin_sink_waiting", GAUGE, S(U64, waiting), "Changes not delivered yet."},
    {"tocsin_sink_retries_total", COUNTER, S(U64, retries), "Attempts that will be repeated."},
    {"tocsin_sink_uncertain_total", COUNTER, S(U64, uncertain), "Attempts without a clear answer."},
    {"tocsin_sink_possible_repeats_total", COUNTER, S(U64, possible_repeats),
     "Changes sent again after an uncertain attempt, where the sink cannot tell."},
    {"tocsin_sink_lookups_total", COUNTER, S(U64, lookups),
     "Look-ups of tickets that were answered (classes B and C)."},
    {"tocsin_sink_duplicates_total", COUNTER, S(U64, duplicates),
     "Second tickets of an incident that were found and closed."},
    {"tocsin_sink_duplicates_left_total", COUNTER, S(U64, duplicates_left),
     "Second tickets that the sink refused to have closed: a person must."},
    {"tocsin_sink_unseen_total", COUNTER, S(U64, unseen),
     "Tickets that were made, but did not show up in look-ups."},
    {"tocsin_sink_refs", GAUGE, S(U64, refs),
     "References to tickets of open incidents that are kept."},
    {"tocsin_sink_refs_forgotten_total", COUNTER, S(U64, refs_forgotten),
     "References that their bound pushed out: looked up when needed."},
    {"tocsin_sink_sent_bytes_total", COUNTER, S(U64, bytes_sent), "Bytes sent to it."},
    {"tocsin_sink_held", GAUGE, S(BOOL, held), "1 while it refuses our credentials."},
    {"tocsin_sink_breaker_open", GAUGE, S(BOOL, breaker_open),
     "1 while it is left alone after failures."},
    {"tocsin_outbox_fill_ratio", GAUGE, D(DOUBLE, outbox_fill),
     "Share of the outbox in use; at 1 input pauses."},

    {"tocsin_journal_groups_total", COUNTER, D(U64, journal_groups),
     "Commit groups that are durable in data.dir."},
    {"tocsin_journal_bytes_total", COUNTER, D(U64, journal_bytes), "Bytes of them."},
    {"tocsin_journal_silent_steps_total", COUNTER, D(U64, journal_silent),
     "Closed stretches of time in which nothing happened: nothing was written for them."},
    {"tocsin_journal_sync_seconds", GAUGE, D(DOUBLE, journal_sync_seconds),
     "How long the last sync took."},
    {"tocsin_journal_sync_seconds_max", GAUGE, D(DOUBLE, journal_sync_seconds_max),
     "The longest since the start."},
    {"tocsin_journal_full_total", COUNTER, D(U64, journal_full),
     "Times that the journal took no more for the moment, and input waited."},
    {"tocsin_journal_waits_for_disk", GAUGE, D(BOOL, is_journal_waiting),
     "1 while the disk is full: input pauses."},
    {"tocsin_journal_segments", GAUGE, D(U64, journal_segments),
     "Segments of the journal that are in use."},
    {"tocsin_journal_recycled_total", COUNTER, D(U64, journal_recycled),
     "Segments that nobody needed any more, used again or removed since the start."},
    {"tocsin_journal_recycle_failures_total", COUNTER, D(U64, journal_recycle_failures),
     "Times that such segments could not be let go of; it is tried again behind a snapshot."},
    {"tocsin_snapshots_total", COUNTER, D(U64, snapshots_taken),
     "Snapshots written since the start."},
    {"tocsin_snapshot_failures_total", COUNTER, D(U64, snapshot_failures),
     "Snapshots that could not be written; it is tried again."},
    {"tocsin_snapshots_passed_over_total", COUNTER, D(U64, snapshots_passed_over),
     "Snapshots that the start found damaged, or not borne out by the journal."},
    {"tocsin_snapshot_age_seconds", GAUGE, D(DOUBLE, snapshot_age_seconds),
     "Since the newest snapshot, or the start from it; 0 while there is none."},
    {"tocsin_snapshot_bytes", GAUGE, D(U64, snapshot_bytes), "Size of the newest snapshot."},
    {"tocsin_snapshot_seconds", GAUGE, D(DOUBLE, snapshot_seconds),
     "How long the last one took, from the first lane to the file's last sync."},
    {"tocsin_snapshot_hold_seconds_max", GAUGE, D(DOUBLE, snapshot_hold_seconds_max),
     "The longest moment since the start in which no step was planned for one."},
    {"tocsin_snapshots_off", GAUGE, D(BOOL, is_snapshot_off),
     "1 where none are taken: data.snapshot.every is 0, or the journal is trusted against what "
     "the input says."},
    {"tocsin_history_rows_total", COUNTER, D(U64, history_rows),
     "Rows written to the history since the start."},
    {"tocsin_history_lag_frames", GAUGE, D(U64, history_lag),
     "Frames of the journal that are durable and not in the history yet."},
    {"tocsin_history_bytes", GAUGE, D(U64, history_bytes), "Bytes of the history's rows."},
    {"tocsin_history_removed_total", COUNTER, D(U64, history_removed),
     "Incidents that history.keep or history.bytes.max took out of the history."},
    {"tocsin_history_missed_frames", GAUGE, D(U64, history_missed),
     "Frames that the journal had given up before they were in the history: a gap in it."},
    {"tocsin_history_aside_total", COUNTER, D(U64, history_aside),
     "Files of the history that could not be gone on with, and were moved aside."},
    {"tocsin_history_failures_total", COUNTER, D(U64, history_failures),
     "Attempts to write the history that came to nothing; they are made again."},
    {"tocsin_history_paused", GAUGE, D(BOOL, is_history_paused),
     "1 while the history is not written; everything else goes on."},
    {"tocsin_intake_pushes_total", COUNTER, D(U64, intake_pushes),
     "Requests that pushed events and were kept."},
    {"tocsin_intake_events_total", COUNTER, D(U64, intake_events), "Events of them."},
    {"tocsin_intake_acts_total", COUNTER, D(U64, intake_acts),
     "What people had the daemon do: reloads, silences, re-drives, acknowledgements, closes."},
    {"tocsin_intake_bytes_total", COUNTER, D(U64, intake_bytes),
     "Bytes that are durable in the intake log."},
    {"tocsin_intake_refused_bad_total", COUNTER, D(U64, intake_refused_bad),
     "Pushes refused because they hold no events or are too large."},
    {"tocsin_intake_refused_full_total", COUNTER, D(U64, intake_refused_full),
     "Pushes refused because there was no room: on the disk, or in intake.backlog.max."},
    {"tocsin_intake_backlog_bytes", GAUGE, D(U64, intake_backlog_bytes),
     "What was pushed and not worked off yet."},
    {"tocsin_intake_waiting", GAUGE, D(U64, intake_waiting),
     "Pushes that wait for being applied before they are answered."},
    {"tocsin_intake_segments", GAUGE, D(U64, intake_segments), "Segments of the intake log."},
    {"tocsin_intake_recycled_total", COUNTER, D(U64, intake_recycled),
     "Segments of it that intake.keep or intake.bytes.max let go of."},
    {"tocsin_intake_recycle_failures_total", COUNTER, D(U64, intake_release_faults),
     "Times that one could not be let go of."},
    {"tocsin_intake_checkpoints_total", COUNTER, D(U64, intake_checkpoints),
     "Records in it of what is in force, so that what is before them can go."},
    {"tocsin_intake_first_timestamp_seconds", GAUGE, D(DOUBLE, intake_first_seconds),
     "From when on it tells who pushed and did what; 0 while it is empty."},
    {"tocsin_intake_waits_for_disk", GAUGE, D(BOOL, is_intake_full),
     "1 while the disk is full: pushes are refused."},
    {"tocsin_unit_owner", GAUGE, D(BOOL, is_unit_owner),
     "1 while this daemon owns shared.unit, or goes on with it alone; 0 while it stands by."},
    {"tocsin_unit_lease_seconds", GAUGE, D(DOUBLE, unit_lease_seconds),
     "For how long the unit is its own without a further word; negative: over for so long."},
    {"tocsin_unit_fence", GAUGE, D(U64, unit_fence), "Number of the ownership."},
    {"tocsin_unit_followed_timestamp_seconds", GAUGE, D(DOUBLE, unit_followed_seconds),
     "When one that stands by last had all of the unit there was; 0: not yet."},
    {"tocsin_unit_follow_failures_total", COUNTER, D(U64, unit_follow_failures),
     "Times that one that stands by could not fetch it: a full disk, most often."},
    {"tocsin_unit_catching_up", GAUGE, D(BOOL, is_catching_up),
     "1 while the past is caught up with before sinks are told: the shared store knew nothing."},
    {"tocsin_shared_up", GAUGE, D(BOOL, is_shared_up),
     "1 while the shared store answers: all that leaves is there first."},
    {"tocsin_shared_frames_total", COUNTER, D(U64, shared_frames),
     "Frames of the journal that the shared store was given."},
    {"tocsin_shared_bytes_total", COUNTER, D(U64, shared_bytes), "Bytes of them."},
    {"tocsin_shared_owed_frames", GAUGE, D(U64, shared_owed),
     "Frames of the journal that are durable and not in the shared store yet."},
    {"tocsin_shared_open_total", COUNTER, D(U64, shared_open),
     "Records of open incidents that were put there or taken out."},
    {"tocsin_shared_away_total", COUNTER, D(U64, shared_aways),
     "Times that the shared store went away."},
    {"tocsin_shared_images_total", COUNTER, D(U64, shared_images),
     "Snapshots that the shared store was given: a take-over goes on from the newest."},
    {"tocsin_shared_journal_frames", GAUGE, D(U64, shared_held_journal),
     "Frames of the journal that the shared store holds: those before its images go."},
    {"tocsin_shared_intake_frames", GAUGE, D(U64, shared_held_intake),
     "Frames of the intake log that it holds: those that no start from its images needs go."},
    {"tocsin_shared_anew_total", COUNTER, D(U64, shared_anews),
     "Times that it had forgotten the unit, and was given all of it anew."},

    {"tocsin_quarantine_written_total", COUNTER, Q(written),
     "Rejected records kept in the quarantine log."},
    {"tocsin_quarantine_dropped_total", COUNTER, Q(dropped),
     "Kept records that its bound pushed out."},
    {"tocsin_quarantine_failed_total", COUNTER, Q(failed),
     "Rejected records that could not be kept."},
    {"tocsin_marks_written_total", COUNTER, W(U64, written), "Marks written to marks.path."},
    {"tocsin_marks_dropped_total", COUNTER, W(U64, dropped),
     "Marks beyond the 256 MiB of that file: from there on a replay may give other results."},
    {"tocsin_marks_failed", GAUGE, W(BOOL, failed),
     "1 once that file could not be written: the same."},
    {"tocsin_incident_log_failures_total", COUNTER, D(U64, incident_log_failed),
     "1 once the incident log could not be written: incidents go on without it."},
    {"tocsin_log_lines_total", COUNTER, LOG_LINES, U64, offsetof(struct log_counters, lines),
     "Log lines written, by level."},
    {"tocsin_log_held_back_total", COUNTER, LOGGER, U64, offsetof(struct log_counters, held_back),
     "Repeated log lines that were held back."},
    {"tocsin_log_failed_total", COUNTER, LOGGER, U64, offsetof(struct log_counters, failed),
     "Log lines that could not be written."},

    /* The names of these are those of every Prometheus client. */
    {"process_cpu_seconds_total", COUNTER, O(DOUBLE, cpu_seconds), "User and system time."},
    {"process_resident_memory_bytes", GAUGE, O(U64, resident_bytes), "Resident memory."},
    {"process_virtual_memory_bytes", GAUGE, O(U64, virtual_bytes), "Virtual memory."},
    {"process_open_fds", GAUGE, O(U64, open_fds), "Open file descriptors."},
    {"process_threads", GAUGE, O(U64, threads), "Threads."},
    {"process_start_time_seconds", GAUGE, O(DOUBLE, start_seconds), "Start, since 1970."},
};

bool metrics_init(struct metrics *metrics)
{
    memset(metrics, 0, sizeof(*metrics));
    metrics->rules = calloc(METRICS_RULES_MAX, sizeof(*metrics->rules));
    metrics->mutes = calloc(MUTES_MAX, sizeof(*metrics->mutes));
    metrics->quotas = calloc(ENGINE_QUOTA_ROWS, sizeof(*metrics->quotas));
    metrics->parts = calloc(METRICS_PARTS_MAX, sizeof(*metrics->parts));
    metrics->sinks = calloc(METRICS_SINKS_MAX, sizeof(*metrics->sinks));
    if (metrics->rules != NULL && metrics->mutes != NULL && metrics->parts != NULL &&
        metrics->sinks != NULL && metrics->quotas != NULL)
        return true;
    metrics_release(metrics);
    return false;
}

void metrics_release(struct metrics *metrics)
{
    free(metrics->rules);
    free(metrics->mutes);
    free(metrics->quotas);
    free(metrics->parts);
    free(metrics->sinks);
    metrics->rules = NULL;
    metrics->mutes = NULL;
    metrics->quotas = NULL;
    metrics->parts = NULL;
    metrics->sinks = NULL;
}

/* ---- the process ---- */

/* When the process began, since 1970; 0 where that is not known. Two clocks are read one after the
 * other: it is worked out once, or it would differ from scrape to scrape, and look like a restart.
 */
static int64_t find_start_ms(double since_boot_seconds)
{
    static _Atomic int64_t found_ms;
    int64_t none = 0, ms;
    char *text = NULL;
    size_t bytes;

    if (atomic_load(&found_ms) != 0 || host_read_file("/proc/uptime", 4096, &text, &bytes) != 0)
        return atomic_load(&found_ms);
    ms = host_wall_ms() + (int64_t)((since_boot_seconds - strtod(text, NULL)) * 1000);
    free(text);
    atomic_compare_exchange_strong(&found_ms, &none, ms);
    return atomic_load(&found_ms);
}

/* Fields of /proc/self/stat behind the name, which may hold blanks: field 3 of
 * proc(5) is the first here. */
static void read_stat(struct process_counters *process)
{
    enum { THREADS = 20, START = 22, VSIZE = 23, RSS = 24 };
    char *text = NULL, *at;
    size_t bytes;
    double start_seconds = 0; /* since boot */
    const double ticks = (double)sysconf(_SC_CLK_TCK);

    if (host_read_file("/proc/self/stat", 4096, &text, &bytes) != 0)
        return;
    at = strrchr(text, ')');
    at = at != NULL ? at + 1 : text + bytes;
    for (int field = 3; field <= RSS && *at != '\0'; field++) {
        char *end;
        at += strspn(at, " ");
        unsigned long long value = strtoull(at, &end, 10);
        if (field == THREADS)
            process->threads = value;
        else if (field == START)
            start_seconds = (double)value / ticks;
        else if (field == VSIZE)
            process->virtual_bytes = value;
        else if (field == RSS)
            process->resident_bytes = value * (uint64_t)sysconf(_SC_PAGESIZE);
        at += strcspn(at, " ");
    }
    free(text);
    process->start_seconds = (double)find_start_ms(start_seconds) / 1000;
}

/* The size of /proc/self/fd is not the number of its entries on kernels before 6.2, so
 * the descriptors are tried; tocsin has few. */
static uint64_t count_fds(void)
{
    struct rlimit limit;
    uint64_t count = 0;
    int top = 65536;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)top)
        top = (int)limit.rlim_cur;
    for (int fd = 0; fd < top; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

void metrics_read_process(struct process_counters *process)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        process->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    process->open_fds = count_fds();
    read_stat(process);
}

/* ---- text ---- */

static void put_label(FILE *to, const char *name, const char *value, bool is_first)
{
    fprintf(to, "%s%s=\"", is_first ? "{" : ",", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            fprintf(to, "\\%c", *value);
        else if (*value == '\n')
            fputs("\\n", to);
        else
            fputc(*value, to);
    }
    fputc('"', to);
}

static void put_value(FILE *to, const struct metric *row, const void *base, size_t index)
{
    const char *at = (const char *)base + row->offset;
    double number;

    switch (row->type) {
    case U64:
        fprintf(to, " %" PRIu64 "\n", ((const uint64_t *)(const void *)at)[index]);
        return;
    case I64:
        /* The state is an enum: an int. */
        if (row->scope == PART && row->offset == offsetof(struct engine_part_counters, state))
            fprintf(to, " %d\n", (int)((const struct engine_part_counters *)base)->state);
        else
            fprintf(to, " %" PRId64 "\n", *(const int64_t *)(const void *)at);
        return;
    case BOOL:
        fprintf(to, " %d\n", *(const bool *)at);
        return;
    case MILLISECONDS:
        if (*(const int64_t *)(const void *)at == INT64_MIN)
            fputs(" NaN\n", to);
        else
            fprintf(to, " %.3f\n", (double)*(const int64_t *)(const void *)at / 1000);
        return;
    case DOUBLE:
        number = *(const double *)(const void *)at;
        if (isnan(number))
            fputs(" NaN\n", to);
        else
            fprintf(to, " %.6f\n", number);
        return;
    }
}

static int by_rule(const void *a, const void *b)
{
    const struct engine_rule_counters *x = a, *y = b;

    return strcmp(x->rule_id, y->rule_id);
}

void metrics_sum_forms(struct metrics *metrics)
{
    struct engine_rule_counters *rules = metrics->rules;
    size_t kept = 0;

    if (metrics->rule_count > 1)
        qsort(rules, metrics->rule_count, sizeof(*rules), by_rule);
    for (size_t i = 0; i < metrics->rule_count; i++) {
        if (kept == 0 || strcmp(rules[kept - 1].rule_id, rules[i].rule_id) != 0) {
            rules[kept++] = rules[i];
            continue;
        }
        rules[kept - 1].touches += rules[i].touches;
        rules[kept - 1].opened += rules[i].opened;
        rules[kept - 1].closed += rules[i].closed;
        rules[kept - 1].open += rules[i].open;
        rules[kept - 1].keys += rules[i].keys;
        rules[kept - 1].evicted += rules[i].evicted;
        rules[kept - 1].expired += rules[i].expired;
        rules[kept - 1].pending += rules[i].pending;
    }
    metrics->rule_count = kept;
}

void metrics_sum_walks(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->sink_count; i++)
        metrics->engine.walk_mismatches += metrics->sinks[i].walk_mismatches;
}

static void put_rules(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->rule_count; i++) {
        fputs(row->name, to);
        put_label(to, "rule", metrics->rules[i].rule_id, true);
        fputc('}', to);
        put_value(to, row, &metrics->rules[i], 0);
    }
}

static void put_mutes(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->mute_count; i++) {
        fputs(row->name, to);
        put_label(to, "kind", metrics->mutes[i].kind, true);
        put_label(to, "mute", metrics->mutes[i].id, false);
        fputc('}', to);
        put_value(to, row, &metrics->mutes[i], 0);
    }
}

static void put_quotas(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->quota_count; i++) {
        fputs(row->name, to);
        put_label(to, "tenant", metrics->quotas[i].tenant, true);
        fputc('}', to);
        put_value(to, row, &metrics->quotas[i], 0);
    }
}

static void put_parts(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->part_count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%" PRId32, metrics->parts[i].partition);
        fputs(row->name, to);
        put_label(to, "topic", metrics->parts[i].topic, true);
        put_label(to, "partition", number, false);
        fputc('}', to);
        put_value(to, row, &metrics->parts[i], 0);
    }
}

static void put_sinks(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->sink_count; i++) {
        fputs(row->name, to);
        put_label(to, "sink", metrics->sinks[i].name, true);
        put_label(to, "type", metrics->sinks[i].type, false);
        fputc('}', to);
        put_value(to, row, &metrics->sinks[i], 0);
    }
}

static void put_reasons(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    for (int reason = REJECT_NONE + 1; reason < REJECT_REASON_COUNT; reason++) {
        fputs(row->name, to);
        put_label(to, "reason", reject_reason_name((enum reject_reason)reason), true);
        fputc('}', to);
        put_value(to, row, &metrics->engine, (size_t)reason);
    }
}

static void put_levels(FILE *to, const struct metric *row, const struct metrics *metrics)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    for (size_t level = 0; level < sizeof(names) / sizeof(names[0]); level++) {
        fputs(row->name, to);
        put_label(to, "level", names[level], true);
        fputc('}', to);
        put_value(to, row, &metrics->log, level);
    }
}

static void put_single(FILE *to, const struct metric *row, const void *base)
{
    fputs(row->name, to);
    put_value(to, row, base, 0);
}

void metrics_render(const struct metrics *metrics, FILE *to)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct metric *row = &rows[i];
        fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                row->kind == COUNTER ? "counter" : "gauge");
        switch (row->scope) {
        case ENGINE:
            put_single(to, row, &metrics->engine);
            break;
        case REASON:
            put_reasons(to, row, metrics);
            break;
        case RULE:
            put_rules(to, row, metrics);
            break;
        case MUTE:
            put_mutes(to, row, metrics);
            break;
        case TENANT:
            put_quotas(to, row, metrics);
            break;
        case PART:
            put_parts(to, row, metrics);
            break;
        case SINK:
            put_sinks(to, row, metrics);
            break;
        case KAFKA:
            put_single(to, row, &metrics->kafka);
            break;
        case PROCESS:
            put_single(to, row, &metrics->process);
            break;
        case LOG_LINES:
            put_levels(to, row, metrics);
            break;
        case LOGGER:
            put_single(to, row, &metrics->log);
            break;
        case QUARANTINE:
            put_single(to, row, &metrics->quarantine);
            break;
        case MARKS:
            put_single(to, row, &metrics->marks);
            break;
        case DAEMON:
            put_single(to, row, &metrics->daemon);
            break;
        case BUILD:
            fprintf(to, "%s{version=\"%s\"} 1\n", row->name, TOCSIN_VERSION);
            break;
        }
    }
}

void metrics_print_reference(FILE *to)
{
    static const char *const labels[] = {
        [REASON] = "reason",   [RULE] = "rule",     [PART] = "topic, partition",
        [MUTE] = "kind, mute", [TENANT] = "tenant", [SINK] = "sink, type",
        [LOG_LINES] = "level", [BUILD] = "version",
    };

    fprintf(to, "| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        fprintf(to, "| `%s` | %s | %s | %s |\n", rows[i].name,
                rows[i].kind == COUNTER ? "counter" : "gauge",
                labels[rows[i].scope] != NULL ? labels[rows[i].scope] : "", rows[i].help);
}
