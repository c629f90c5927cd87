/*
 * core.h - what the parts of the engine share: workers, partitions, steps, counters.
 *
 * Memory edges. Each letter stands at both ends in the sources:
 *
 *   W  ingest thread fills bins, then publishes part.passed (release); the sequencer
 *      reads it (acquire) before it closes an epoch: a closed epoch is complete.
 *   S  the sequencer writes a step, then publishes step_count (release); workers read
 *      it (acquire): they see the step and, through W, the bins.
 *   T  a worker ends a phase, then publishes phases_done (release); others read it
 *      (acquire) before their next phase: they see its touches, counts and candidates.
 *   I  the same counter, read by the incident role: it sees the changes.
 *   F  the incident role finishes a step, then publishes steps_done (release); the sequencer
 *      reads it (acquire) and publishes done_epoch (release); ingest threads read that
 *      (acquire) and reuse the bins: nobody reads them any more.
 *   B  an ingest thread empties slots of its ring, then publishes reach_epoch (release);
 *      readers load it (acquire) and look at no slot of an epoch beyond: that slot may
 *      still be being emptied. What was binned beyond was published before W.
 *   R  a role (sequencer, incident) is left by a release store and entered by an acquire
 *      exchange: what its last holder wrote is seen by the next.
 *   M  an ingest thread fills a mark ring; batch-less ring of its own, see mark_ring.
 *   Y  an owner writes how its partitions stand, then publishes stands_given (release); the
 *      sequencer reads it (acquire), and puts them into an image.
 *   U  the sequencer has had its last look at them, then asks again through stands_asked
 *      (release); the owner reads it (acquire) and writes them anew.
 *   Q  an ingest thread notes its marks (M), then publishes part.seen_offset (release); the
 *      sequencer reads it (acquire) before it takes the marks: those of all records before it.
 *   J  the sequencer adds a partition to a worker's list, then publishes its count (release);
 *      it sets a place up, then makes it a member (release); the owner reads both (acquire).
 *   K  the owner lets a leaving partition go (release); the sequencer drops it (acquire).
 *   C  the sequencer shows a partition or a rules version (release) to readers of counters.
 *   X  whoever switches rules hands a set over; the sequencer takes it.
 *   E  the sequencer says that all has finished (release); the owner reads it (acquire).
 *   Z  who sleeps says so (seq_cst) before its last look for work; nothing is handed over.
 *
 * docs/architecture.md has the table of what sees each of them. A hand-over that an edge
 * above carries already is relaxed, or no atomic at all.
 */
#ifndef CORRELATE_CORE_H
#define CORRELATE_CORE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/host.h"
#include "base/incident.h"
#include "base/slab.h"
#include "base/vector.h"
#include "correlate/alert.h"
#include "correlate/bin.h"
#include "correlate/clock_look.h"
#include "correlate/engine.h"
#include "correlate/gone.h"
#include "correlate/key.h"
#include "correlate/lane_times.h"
#include "correlate/mute_stage.h"
#include "correlate/quota.h"
#include "correlate/quota_tell.h"
#include "correlate/rejoin.h"
#include "correlate/rules_version.h"
#include "correlate/shed.h"
#include "correlate/shed_look.h"
#include "correlate/step_size.h"
#include "correlate/touch.h"
#include "ingest/decoder.h"

enum {
    LANES = 256,
    WORKERS_MAX = 64,
    PARTS_MAX = 4096,
    STEPS = 8,              /* in flight, a power of two */
    STEP_EVENTS = 32 << 10, /* most that step_size.events is */
    PHASES = 6,
    LOW_MARKS = 256,
    MARKS = 256, /* per worker, waiting for the sequencer */
};
#define STEP_SPAN_MS ((int64_t)1 << 20) /* so that a sort key has room for the time */

/* In a step that is not bounded a worker passes the candidate and evict phases with
 * the phase before them. */
enum phase {
    PHASE_DEDUP,
    PHASE_ALERT_CANDIDATES,
    PHASE_ALERT_EVICT,
    PHASE_RULES,
    PHASE_KEY_CANDIDATES,
    PHASE_KEY_EVICT,
};

/* Counters of one worker. Each has one writer: relaxed is enough, readers want sums. */
struct tally {
#define TALLY(name) _Atomic uint64_t name;
#include "correlate/tally.inc"
#undef TALLY
    _Atomic uint64_t rejected[REJECT_REASON_COUNT];
};

static inline void tally_add(_Atomic uint64_t *counter, uint64_t n)
{
    /* relaxed, load and store: this thread is the only writer. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t tally_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/*
 * Who may use a partition's feed. Each move has one mover, so plain stores do:
 *
 *             join (sequencer, J)         leave (sequencer)
 *   PART_GONE --------------> PART_MEMBER --------------> PART_LEAVING
 *       ^                                                      |
 *       +----------------- let go (owner, K) ------------------+
 */
enum membership { PART_GONE, PART_MEMBER, PART_LEAVING };

/* What was counted of a partition while it was read, ever. */
struct part_counts {
    uint64_t records, record_bytes, events, time_clamped, late, late_by_seal, capped, undated;
    uint64_t gaps, redelivered, rejected[REJECT_REASON_COUNT];
    uint64_t told; /* events that tocsin made while it was read (in_place.h) */
};

/* How a partition stood between two records: reading can begin there again. */
struct part_stand {
    int64_t offset; /* of the next record */
    int64_t max_c, sealed, last_kt;
    int64_t epoch; /* no event of a record before lies in a later one */
    bool had_event, had_log_time;
    uint64_t records, gaps, redelivered, rejected; /* of this membership */
    struct part_counts counts;
    struct quota_stand quota;
    struct shed shed;
};

/* A record at which a process died, and whether a mark says so (crash.h). */
struct part_crash {
    int64_t offset;
    bool is_told;
};

/* One input partition. The first block belongs to the ingest thread that owns it. */
struct part {
    struct feed *feed; /* NULL once the source has it back */
    char *name;        /* of the topic; outlives the feed */
    int32_t number;    /* of the partition */
    uint16_t id;
    uint16_t owner;            /* worker */
    struct topic_config topic; /* and the next: as it is read, until a mark says otherwise */
    int64_t past_ms, future_ms, behind_ms;
    int64_t first_offset; /* from which it was read on when it joined */

    int64_t max_c;              /* M; INT64_MIN before the first event */
    int64_t sealed;             /* V; INT64_MIN without a seal */
    int64_t last_kt;            /* INT64_MIN before the first record */
    int64_t next_offset;        /* what the next record's offset should be */
    const struct record *batch; /* taken, not yet consumed: [batch_at, batch_count) */
    size_t batch_at, batch_count;
    bool held; /* the event below waits until its epoch is in reach */
    uint32_t held_sub;
    int64_t held_et;
    uint8_t held_flags;
    int64_t held_kt;
    int64_t read_until;   /* recovery: before this one it makes no mark; INT64_MIN: no recovery */
    int64_t cap_ms;       /* a journaled cap for the next record; INT64_MIN: none */
    uint64_t records_run; /* not yet in the counters below */
    size_t mark_at;       /* replay: the next journaled mark of this partition */
    size_t mark_end;
    bool had_event, had_log_time, finished;
    int64_t again_until; /* a source may tell records before this one again: they were worked off */
    int64_t again_epoch; /* and of records behind it the events before this epoch were */
    /* As it was before the record under work, and what that has added to the counts so far: it may
     * be held in its middle. */
    struct {
        int64_t max_c, last_kt;
        bool had_event, had_log_time;
        uint32_t events, time_clamped, late, late_by_seal, capped, undated, rejected, told;
    } before;
    bool is_limited;     /* by either of the next two: what most partitions are asked */
    struct quota *quota; /* owned; NULL: nobody is limited */
    struct shed shed;
    struct shed shed_before; /* as it was before the record under work; while shed_is_on() alone */
    struct shed_watch shed_watch;
    char shed_why[SHED_WHY_BYTES]; /* of each event that is left out */
    struct part_counts counts;
    struct part_stand stand;              /* as it was asked for last; Y */
    VECTOR_OF(struct part_crash) crashes; /* records that are refused unread; steady for a member */
    struct rejoin rejoin;                 /* what an earlier membership has read; rejoin.h */
    int32_t leader_epoch;                 /* the largest of this membership's; -1: none was told */
    uint64_t again_run;                   /* passed over, not yet in the counters below */
    /* Records whose epoch is beyond all earlier ones': the first that is in no
     * closed epoch gives the low position. When the ring is full its newest entry
     * takes in the next, which only makes the position older. */
    struct low_mark {
        int64_t epoch, offset;
    } low[LOW_MARKS];
    uint32_t low_first, low_count;
    int64_t low_epoch;

    /* Written by the owner, read by others. */
    _Alignas(64) _Atomic int64_t passed; /* W: max(M - L, V), INT64_MAX at the end */
    _Atomic int64_t seen_offset;         /* Q: before this one it makes no mark any more */
    _Atomic int64_t seen_max_c;          /* M, for R of seals; relaxed, a bit old is fine */
    _Atomic uint64_t seen_records;       /* the same for records, with one that is held */
    _Atomic int64_t reach;               /* max(M + L, V): where a recording's end seals it */
    _Atomic int64_t first_ms;            /* of its first event; INT64_MAX: none */
    _Atomic int64_t start_offset, read_offset, low_offset;
    _Atomic bool has_events;   /* it ever had one: what somebody does is none */
    _Atomic uint64_t proof_ns; /* newest proof that it stands at its end; 0: none */
    _Atomic uint64_t taken_ns; /* when records of it were last taken, monotonic; 0: never */
    _Atomic uint64_t records, gaps, redelivered, rejected; /* of this membership (L1) */
    _Atomic int64_t lag;
    _Atomic int state;                         /* enum feed_state */
    _Atomic uint32_t quota_cut;                /* tenants that are over their quota now */
    _Atomic uint8_t shed_below;                /* enum severity; 0: nothing is left out */
    _Atomic int64_t behind_seen_ms;            /* at the last look of shed_look.h */
    _Atomic uint64_t shed_events, shed_spells; /* of this membership */
    _Atomic uint64_t pauses;                   /* F7: memory is short, and others are behind */
    _Atomic bool is_paused;
    struct clock_look clock;
    /* Written by the sequencer, membership by turns with the owner. */
    _Alignas(64) _Atomic int64_t seal_request; /* INT64_MIN: none */
    _Atomic int membership;                    /* J, K: enum membership */
    _Atomic int64_t left_epoch; /* events of later epochs are dropped; INT64_MAX: member */
    _Atomic bool blind;
    uint64_t records_at_seal;  /* sequencer only, as the next three */
    uint64_t unreadable_since; /* monotonic ns, 0: readable */
    uint64_t alone_since;      /* unreadable while others can be read; 0: no */
    bool sealed_on;            /* T4b: without a proof, because it cannot be read */
    bool blind_told;           /* the last mark made of it says blind */
    uint64_t blind_ns;         /* of a spell: since when it could not be read */
    int64_t blind_r_ms;        /* and R at that time */
    /* Of spells in effective time; steady while steps are under way, which see them by S. */
    int64_t remind_ms;    /* the next event of the one that lasts; INT64_MAX: none does */
    int64_t blind_end_ms; /* of the last that is over; INT64_MIN: none is */
    uint64_t proof_used;
    bool dropped;
    bool
        is_awaited; /* a member in the image that the engine began from: its feed is not here yet */
    uint64_t dropped_step; /* steps up to here may still know it */
};

/* The begin or end of a spell of blindness whose time has not come. */
struct spell_mark {
    int64_t at_ms; /* a round's start */
    size_t made;   /* order of making */
    uint16_t part; /* id */
    bool begins;
};

/* From the end of what one run told to where the next could be pushed to. */
struct away_spell {
    int64_t begin_ms, end_ms;
};

/* The self-alert of a record at which a process died. */
struct crash_mark {
    int64_t at_ms; /* a round's start; INT64_MIN: when time begins */
    size_t made;   /* order of making */
    int64_t offset;
    uint16_t part; /* id */
};

/* A stretch of closed epochs that all workers work off together. */
struct step {
    int64_t epoch_from, epoch_to;
    int64_t from_ms, to_ms;
    uint64_t events;
    bool bounded;            /* ends a round at which bounds may have to be held */
    bool last;               /* nothing follows (X7) */
    bool is_silent;          /* it was told before, and counted (snapshot.h) */
    struct lane_reach taken; /* of an image that is being taken, before it (gone.h) */
    const uint16_t *rank;    /* by part id; immutable */
    unsigned part_count;     /* partitions there were when it was cut */
    struct rules_version *rules;
};

/* What the sequencer role knew when it cut a step, for who makes it durable (step_report.h). */
struct step_report {
    VECTOR_OF(struct engine_position) positions;
    uint64_t marks;
    int64_t n_ms, r_ms;
};

/* Of one worker when a step is done, for the sequencer: F. */
struct step_end {
    uint64_t keys_made, keys_gone; /* ever, of all rules */
    uint64_t flapping;             /* alerts that flap */
    uint64_t untold;               /* all that was added to worker.untold, ever */
    uint64_t fullest;              /* most entries that a window ever held */
    uint64_t touches;              /* ever made */
};

/* What bounds took of a rule and nobody was told of yet (correlate/bounds_tell.h). */
struct untold {
    uint64_t incidents; /* that are no longer watched */
    uint64_t keys;      /* that watched */
    uint64_t entries;   /* of windows */
};

/* How many more keys the rule nearest to its bound had room for, and when that was looked at. */
struct key_room {
    int64_t left;
    struct step_end at; /* sums over workers then */
    uint64_t step;
    uint32_t generation; /* of the rules; 0: never looked */
};

/* What is freed when step `step`, the first that does not know it, is done. */
enum buried_kind { BURIED_VERSION, BURIED_TALLY, BURIED_SET };
struct buried {
    enum buried_kind kind;
    void *what;
    uint64_t step;
};

/* Old rule sets, and the look for what still holds them (correlate/rules_retire.h). */
struct rules_retire {
    VECTOR_OF(struct buried) buried;   /* by step */
    VECTOR_OF(struct rule_set *) sets; /* old ones that may be held, the oldest first; owned */
    uint64_t rest_ns, ended_ns;        /* between two looks; the end of the last */
    uint64_t looked_ns;                /* since when a look waits for its moment; 0: it does not */
    bool must_drain, is_looking;
    /* Of the look under way: */
    unsigned lane;                        /* the next */
    uint32_t slot_count;                  /* slots that are judged */
    size_t set_count;                     /* sets that are judged */
    bool *is_dead;                        /* by slot: drains, and nothing that holds it was seen */
    VECTOR_OF(const struct rule *) rules; /* that open incidents go by, not the one in force */
};

enum sleep_state { AWAKE, ASLEEP, ASLEEP_FOR_BINS, NAPPING };

/* A set that was asked for, and terms with it, or none: they stay. Owns the set. */
struct switch_wish {
    struct rule_set *set;
    struct engine_terms terms;
    bool has_terms;
};

/* An incident change on its way to the incident role; owns its incident. Or what somebody does to
 * one, behind the change that this makes, if any. */
struct change {
    struct order order;
    struct incident *incident; /* NULL: an act */
    const struct rule *told;   /* composites are told; of which rule it is. NULL: they are not */
    /* The act (base/act.h), and what makes a change of it; NULL: no person did it. Lives until the
     * step is done. */
    const struct event_text *by_hand;
    bool closes; /* the act does */
};

/* A change that becomes an event; owns its incident. The rule lives: nothing is freed before the
 * event is made. */
struct incident_event {
    struct incident *incident;
    const struct rule *rule;
};

enum { JOIN_TEXTS = 5 }; /* source, resource, check, dedup key, host */

/* An alert that became a member, on its way to a listener that asks for it. */
struct joined {
    struct id128 incident, alert;
    int64_t at_ms;
    size_t words; /* 1 + where they begin in join_words; 0: not known */
    uint8_t severity;
};

struct key_queue; /* correlate/key_queue.h */

struct touch_list {
    struct touch *at;
    size_t count;
    size_t room;
};

/* Something whose memory may go when its step is done, because touches point at it. */
struct remains {
    void *block;
    size_t bytes;
};

struct mark_ring {
    _Alignas(64) _Atomic uint32_t head; /* M: worker */
    _Alignas(64) _Atomic uint32_t tail; /* M: sequencer */
    struct mark at[MARKS];
};

struct worker {
    struct engine *engine;
    unsigned index;
    pthread_t thread;
    bool started;
    int waker;     /* engine and feeds wake it */
    int nap_waker; /* the engine alone: feeds are let to fill */

    /* ingest */
    struct decoder *decoder;
    struct bins bins;
    struct part *parts[PARTS_MAX];
    unsigned next_part;
    uint64_t shuffle_state;
    uint64_t data_ns;     /* when it last read a record */
    int64_t taken_ms;     /* the clock at its last take, wall */
    uint64_t look_due_ns; /* next time to ask feeds for proofs and lag */
    uint64_t held_due_ns; /* next time to add up what its tables take (memory.h) */
    bool is_short;        /* of memory, when feeds were asked last */
    bool bins_placed;     /* the first watermark is known: bins have a first epoch */
    bool holds_any;       /* a feed waited for bins at the last look */
    int64_t epoch;        /* of the event before, and where it starts */
    int64_t epoch_from_ms;
    /* Not yet in the tally: added per take. */
    uint64_t records, record_bytes, binned, clamped, late, late_by_seal, capped, undated;
    uint64_t stands_seen; /* the last request that it has answered */

    /* Whose record it works on, for engine_place_now(): relaxed, a handler on this thread reads it.
     * Partition 0, which has no records: none. */
    _Atomic uint16_t at_part;
    _Atomic int64_t at_offset;

    /* stages; touched by this thread between two of its phases */
    struct slab slab;
    VECTOR_OF(uint64_t) sort_key;
    VECTOR_OF(uint64_t) sort_scratch;
    VECTOR_OF(const struct event *) batch;
    VECTOR_OF(uint32_t) match;      /* room for every rule */
    VECTOR_OF(struct route) routes; /* of the event under work */
    VECTOR_OF(const struct touch *) touches_in;
    struct touch_list *touches_out[STEPS]; /* [step & mask][destination worker] */
    VECTOR_OF(struct change) changes[STEPS];
    VECTOR_OF(struct joined) joins[STEPS]; /* empty without listener.joined, as */
    VECTOR_OF(char) join_words[STEPS];     /* texts, each with a zero byte, JOIN_TEXTS for one */
    VECTOR_OF(struct remains) remains[STEPS];
    VECTOR_OF(struct alert_candidate) alert_candidates; /* T: read by all in PHASE_ALERT_EVICT */
    struct alert_line alert_line;                       /* what is offered in rounds to come */
    VECTOR_OF(struct key_candidate) key_candidates;     /* T: read by all in PHASE_KEY_EVICT */
    struct gone_list gone;          /* F: read by the sequencer role when its step is done */
    VECTOR_OF(uint64_t) key_excess; /* by rule slot */
    VECTOR_OF(struct key_queue *) key_queues; /* key_queue.h: by rule slot; F, S */
    uint64_t key_queue_bytes;                 /* what they took when a bound was held last */
    VECTOR_OF(struct key_candidate) key_scratch;
    uint64_t key_looks;              /* of its queues, at keys, ever */
    uint32_t listed_generation;      /* of the version whose lists it has gone by */
    VECTOR_OF(struct untold) untold; /* by rule slot; F, S */
    struct step_end so_far;
    struct step_end step_end[STEPS];            /* F */
    uint64_t step_counts[STEPS][ENGINE_COUNTS]; /* I; without listener.step not written */

    struct enrich_room *enrich; /* NULL until a set in force has steps */

    struct tally tally;
    _Alignas(64) _Atomic uint64_t phases_done; /* T, I: PHASES * step + phases of it */
    _Atomic int64_t next_due;                  /* earliest timer of its lanes; valid while idle */
    _Atomic uint64_t alerts;                   /* in its lanes */
    _Atomic uint64_t alerts_at_phase;          /* alerts when PHASE_DEDUP of the step ended */
    _Atomic uint64_t flapping;
    _Atomic uint64_t table_bytes;             /* of its lanes, as last added up (memory.h) */
    _Atomic uint64_t touch_bytes;             /* of its lists, the same */
    _Atomic uint64_t paused;                  /* partitions of its that wait for memory (F7), */
    _Atomic uint64_t pauses;                  /* and times that one began to */
    _Alignas(64) _Atomic uint32_t part_count; /* J */
    _Atomic int asleep;                       /* enum sleep_state */
    _Atomic int64_t reach_epoch;              /* B: its bins hold no event of this epoch or later */
    _Atomic int64_t highest_bin;              /* highest epoch it ever put an event in, for X5 */
    _Atomic uint64_t stands_given;            /* Y: the last request that it has answered */
    struct mark_ring marks;
};

struct engine {
    struct engine_config config;
    struct source *source;
    struct engine_listener listener;
    int64_t disorder_max_ms;
    int64_t slack_ms;
    int64_t slot_count;

    unsigned worker_count;
    struct worker *workers;
    struct alert_lane *alert_lanes; /* LANES; lane l belongs to worker l % worker_count */
    struct key_lane *key_lanes;     /* LANES */

    struct rules_version *newest_rules;           /* in force for the next step */
    _Atomic(struct rules_version *) shown_rules;  /* the same, for readers of counters */
    _Atomic(struct switch_wish *) switch_request; /* X5: taken by the sequencer */
    struct rules_version *pending_rules;          /* to take effect at pending_epoch */
    int64_t pending_epoch;
    const struct rule_set *first_set; /* not ours */
    pthread_mutex_t rules_lock;       /* readers of shown_rules against who frees what is old */
    struct rules_retire retire;       /* sequencer role */
    _Atomic uint64_t rule_sets;       /* that are held; sequencer role */

    struct topic_config *topics;
    size_t topic_count;
    struct topic_config any_topic;
    struct quota_rows quota_rows;

    _Atomic bool snapshot_asked;
    _Atomic uint64_t walk_asked;             /* counts requests to go through all keys */
    _Atomic uint64_t walks, walk_mismatches; /* that were made, and what did not add up */
    _Atomic uint64_t stands_asked;           /* U: counts requests to say how partitions stand */

    /* sequencer role */
    _Alignas(64) _Atomic bool sequencer_taken; /* R */
    struct snapshot_run *snapshot;             /* that is being taken; NULL: none is */
    struct snapshot_rerun *rerun; /* from the first lane of an image to its end; NULL: it is over */
    VECTOR_OF(struct feed *) joins_wait; /* for the end of an earlier life of theirs (part.c) */
    uint64_t memberships;                /* joins, leaves and drops, ever */
    int64_t planned_epoch; /* first epoch that is in no step; INT64_MIN before the start */
    int64_t empty_epoch;   /* behind planned_epoch and before it only derived events can come */
    int64_t wall_at_start, r_ms;
    uint64_t mono_at_start, r_ns, seal_due_ns, changes_due_ns;
    uint64_t round_ns;             /* the last seal round; 0: none yet */
    uint64_t news_ns;              /* the last one that saw records */
    int64_t wanted_ms;             /* what partitions have to pass for an epoch to close */
    _Atomic uint64_t wanted_ns;    /* when proofs would let them (seal.h); 0: nothing waits */
    int64_t left_reach_ms;         /* the largest `reach` of partitions that have left */
    bool r_known, r_used;          /* r_used: a seal was made from it */
    bool r_settled;                /* it is the input's or the clock's, not a backlog's (seal.c) */
    uint64_t backlog_ns;           /* the last round that saw records of a backlog */
    struct part *parts[PARTS_MAX]; /* 0 is @derived */
    struct bins derived;           /* events that rules made (X6): read like an ingest thread's */
    int64_t derived_reach; /* as reach_epoch of a worker; changes between steps alone: S, R */
    uint64_t steps_seen;   /* F: steps known to be done, looked up once per poll */
    VECTOR_OF(struct spell_mark) spells; /* by time; those before spell_at have become events */
    size_t spell_at;
    int64_t spell_due_ms;  /* of the next event of a spell; INT64_MAX: none */
    int64_t spell_last_ms; /* of the last mark made */
    VECTOR_OF(struct away_spell)
    away;                                 /* by time, apart from each other; changes between steps
                                           * alone: S */
    uint64_t walk_done;                   /* of walk_asked: the last that is over (walk.h) */
    unsigned walk_lane;                   /* of the one that goes on: the next */
    VECTOR_OF(struct crash_mark) crashes; /* by time; those before crash_at have become events */
    size_t crash_at;
    uint16_t *rank;
    VECTOR_OF(uint16_t *) old_ranks;
    uint64_t planned_ns;                 /* when the last step was cut */
    bool tight;                          /* the round under way may be over a bound at its end */
    struct rules_version *stepped_rules; /* of the last step */
    struct key_room key_room;
    struct step_size step_size;
    uint64_t gone_told; /* of the workers' step_end.untold */
    uint64_t draining;  /* a bounded step is under way: nothing is planned before it is done */
    uint64_t marks_told;
    VECTOR_OF(struct engine_position) positions; /* as of the last look */
    bool short_told;
    size_t switch_at;      /* recovery: the next of recovery.switch_ms */
    bool is_stuck;         /* the same: its set cannot be had, nothing more is planned */
    int64_t recover_epoch; /* until then all was told before; INT64_MIN: there is nothing, or it has
                            * been told again */

    /* S */
    _Alignas(64) _Atomic uint64_t step_count;
    struct step steps[STEPS];
    struct step_report reports[STEPS];
    _Atomic uint32_t part_count;
    _Atomic int64_t watermark_ms;
    _Atomic int64_t shown_r_ms; /* r_ms, for stamps; INT64_MIN: none yet */
    _Atomic int64_t begin_ms;   /* the first of them */
    /* F */
    _Alignas(64) _Atomic uint64_t steps_done;
    _Atomic int64_t done_epoch;
    _Atomic bool finished; /* all that will ever come has been worked off */

    /* F, with steps_done: when a mute that has incidents begins or ends next. */
    _Atomic int64_t mute_due_ms;

    /* incident role */
    _Alignas(64) _Atomic bool incident_taken; /* R */
    VECTOR_OF(struct change) merge;
    size_t merge_at;         /* next of `merge` to go through the mute stage */
    struct mute_stage mutes; /* what it says is to be told is in its `out` */
    struct slab mute_slab;
    size_t telling_at;     /* next of that to be told */
    bool telling_reported; /* its change has been, its ops from op_sink on have not */
    size_t op_sink;
    bool merging, advanced;      /* advanced: all of `merge` and the times behind it went through */
    struct id128 closed_by_hand; /* the last that was */
    struct tally incident_tally;

    /* Changes that become events at a round's start, in the order of the log, from
     * incident_event_at on. The incident role adds them while a step is under way; the sequencer
     * role takes them when none is (F, S). */
    VECTOR_OF(struct incident_event) incident_events;
    size_t incident_event_at;
    bool incidents_wait; /* some were left at the last round's start; sequencer role */

    _Alignas(64) _Atomic bool stop_input;
    _Atomic bool stop;
    _Atomic bool deferred; /* closed epochs wait to be cut together: relaxed, bounds a sleep */
    _Atomic uint64_t memory_max; /* relaxed: what may be held before who is ahead waits */
    /* Relaxed, sequencer: what all partitions have passed, INT64_MIN: not known. The watermark
     * comes behind, when workers have room for steps. */
    _Atomic int64_t least_passed_ms;
    _Atomic bool paused; /* the listener is full: input waits */
};

/* correlate/ingest.c */
bool ingest_poll(struct worker *worker);

/* The worker's thread has ended: tells the source how far its partitions are done. */
void ingest_stop(struct worker *worker);
/* correlate/sequencer.c */
bool sequencer_poll(struct engine *engine);
/* correlate/dedup.c, correlation.c, incident_stage.c */
void dedup_phase(struct worker *worker, uint64_t seq, const struct step *step);
void dedup_candidates_phase(struct worker *worker, const struct step *step);
void dedup_evict_phase(struct worker *worker, uint64_t seq, const struct step *step);
void rules_phase(struct worker *worker, uint64_t seq, const struct step *step);
void rules_candidates_phase(struct worker *worker, const struct step *step);
void rules_evict_phase(struct worker *worker, uint64_t seq, const struct step *step);
bool incident_poll(struct engine *engine);
/* correlate/by_hand.c: what came of an act. Thread: the incident role. */
bool incident_act(struct engine *engine, const struct change *act);
/* correlate/engine.c: one phase of the oldest step that the worker has not finished. */
bool stages_poll(struct worker *worker);
/* correlate/engine.c: wakes the threads that sleep; only those that wait for bins if so said. */
void engine_wake(struct engine *engine, bool only_for_bins);

/* correlate/step.c: the bins of ingest thread `t`, or of derived events for t == worker_count, and
 * how far they may be looked into. Asked once for a step and thread. */
const struct bins *engine_bins(const struct engine *engine, unsigned t, int64_t *reach);

/* The row of the first slot from *index on that is not free; *index is then behind it. */
bool engine_rule_row(const struct engine *engine, size_t *index, struct engine_rule_counters *out);

/* N: the wall clock at start, from then on monotonic (T6). */
static inline int64_t engine_clock_ms(const struct engine *engine)
{
    return engine->wall_at_start + (int64_t)((host_mono_ns() - engine->mono_at_start) / 1000000u);
}

static inline int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q * b > a ? q - 1 : q;
}

static inline void worker_at(struct worker *worker, uint16_t part, int64_t offset)
{
    atomic_store_explicit(&worker->at_offset, offset, memory_order_relaxed);
    atomic_store_explicit(&worker->at_part, part, memory_order_relaxed);
}

static inline unsigned lane_owner(const struct engine *engine, unsigned lane)
{
    return lane % engine->worker_count;
}

/* Everything that has to go when the step is done: touches may point at it until then. */
static inline void worker_bury(struct worker *worker, uint64_t seq, void *block, size_t bytes)
{
    if (block != NULL)
        vector_add(&worker->remains[seq & (STEPS - 1)]) = (struct remains){block, bytes};
}

/* Appends a change; takes its incident. */
static inline void worker_change(struct worker *worker, uint64_t seq, const struct change *change)
{
    vector_add(&worker->changes[seq & (STEPS - 1)]) = *change;
}

#endif
