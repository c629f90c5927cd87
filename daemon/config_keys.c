/*
 * config_keys.c - every key of the configuration file. A key that is not here does
 * not exist. Numbers in `fallback` are those of the contract (docs/correlation.md).
 */
#include "daemon/config.h"

#define AT(field) offsetof(struct config, field)
#define TOPIC(field) offsetof(struct config_topic, field)
#define SINK(field) offsetof(struct config_sink, field)
#define QUOTA(field) offsetof(struct config_quota, field)

enum { DAY_MS = 86400000 };

static const struct config_key keys[] = {
    {"input.brokers", CONFIG_BROKERS, AT(input.brokers), "127.0.0.1:9092",
     "Kafka brokers to start from, host:port, comma separated; an IPv6 address in brackets.", 0, 0,
     NULL, false},
    {"input.group", CONFIG_TEXT, AT(input.group), "tocsin",
     "Name under which positions are told to Kafka, for lag tools; in group mode also the group.",
     0, 0, NULL, false},
    {"input.mode", CONFIG_CHOICE, AT(input.mode), "assign",
     "assign: this daemon reads all partitions. group: it shares a group in which one member reads "
     "and the others stand by.",
     0, 0, "assign group", false},
    {"input.start", CONFIG_START, AT(input.start), "latest",
     "Where a partition without a known position is read from: earliest, latest or a time.", 0, 0,
     NULL, false},
    {"input.accept_gap", CONFIG_FLAG, AT(input.accept_gap), "false",
     "Goes on where records were lost or offsets are missing, instead of stopping the partition.",
     0, 0, NULL, false},
    {"input.unreachable", CONFIG_DURATION, AT(input.unreachable_ms), "30s",
     "Not ready when no broker has answered for this long.", 1000, DAY_MS, NULL, false},
    {"input.topics", CONFIG_TOPICS, AT(input.topics), "events", "The topics to read.", 0, 0, NULL,
     false},
    {"input.topics[].topic", CONFIG_TEXT, TOPIC(topic), NULL, "Name of the topic.", 0, 0, NULL,
     false},
    {"input.topics[].format", CONFIG_CHOICE, TOPIC(format), "auto",
     "Form of the records; auto tells them apart by their top-level fields.", 0, 0,
     "auto native alertmanager", false},
    {"input.topics[].disorder", CONFIG_DURATION, TOPIC(disorder_ms), "500ms",
     "How far records of a partition may be out of order; 0 for ordered producers.", 0, DAY_MS,
     NULL, false},
    {"input.topics[].log_append_time", CONFIG_FLAG, TOPIC(log_append_time), "false",
     "The broker stamps the records of this topic (message.timestamp.type=LogAppendTime).", 0, 0,
     NULL, false},
    {"input.topics[].tenant", CONFIG_TEXT, TOPIC(tenant), "default",
     "Tenant of events that name none.", 0, 0, NULL, false},
    {"input.topics[].tenant_fixed", CONFIG_FLAG, TOPIC(tenant_fixed), "false",
     "Events that name another tenant are rejected.", 0, 0, NULL, false},
    {"input.topics[].gaps_expected", CONFIG_FLAG, TOPIC(gaps_expected), "false",
     "Compacted or transactional topic: holes in its offsets are normal. Elsewhere they stop the "
     "partition.",
     0, 0, NULL, false},
    {"input.properties", CONFIG_PAIRS, AT(input.properties), "",
     "Properties handed to librdkafka (security.protocol, sasl.*, ssl.*, ...); values may be "
     "env:NAME or file:PATH.",
     0, 0, NULL, false},

    {"engine.workers", CONFIG_COUNT, AT(engine.workers), "0",
     "Threads of the engine; 0 means one for each core. Never shows in results.", 0, 64, NULL,
     false},
    {"engine.epoch", CONFIG_DURATION, AT(engine.epoch_ms), "20ms",
     "Slice of effective time that is closed at once; divides the round. Never shows in results.",
     1, 60000, NULL, false},
    {"engine.round", CONFIG_DURATION, AT(engine.round_ms), "200ms",
     "Grid on which bounds, updates and rule switches take effect.", 1, 60000, NULL, false},
    {"engine.past", CONFIG_DURATION, AT(engine.past_ms), "1d",
     "Events older than this against their log time are dated by the log.", 0, 0, NULL, false},
    {"engine.future", CONFIG_DURATION, AT(engine.future_ms), "1s",
     "Events further ahead than this of their log time are dated by the log.", 0, 0, NULL, false},
    {"engine.behind", CONFIG_DURATION, AT(engine.behind_ms), "5s",
     "Partitions further behind than this do not hold the others up.", 0, 0, NULL, false},
    {"engine.slack", CONFIG_DURATION, AT(engine.slack_ms), "50ms",
     "How far behind the newest records idle partitions are sealed; raised to the largest "
     "disorder.",
     50, 0, NULL, false},
    {"engine.take", CONFIG_COUNT, AT(engine.take), "512",
     "Records that are taken from a partition at once. Never shows in results.", 1, 65536, NULL,
     false},
    {"engine.alerts.max", CONFIG_COUNT, AT(engine.alerts_max), "1000000",
     "Bound of the alert table; beyond it the longest silent alerts go, counted.", 1,
     ALERTS_MAX_MOST, NULL, true},
    {"engine.expire", CONFIG_DURATION, AT(engine.expire_ms), "5m",
     "An alert that was silent for this long is over.", 1, 0, NULL, true},
    {"engine.flap.window", CONFIG_DURATION, AT(engine.flap_window_ms), "10m",
     "Stretch over which changes of an alert are counted.", 1, 0, NULL, true},
    {"engine.flap.start", CONFIG_COUNT, AT(engine.flap_start), "6",
     "Changes within the window that begin flapping.", 2, 64, NULL, true},
    {"engine.flap.stop", CONFIG_COUNT, AT(engine.flap_stop), "2",
     "Changes within the window at which flapping ends.", 0, 63, NULL, true},

    {"quotas.events", CONFIG_COUNT, AT(quotas.events), "0",
     "Events a second, in effective time, that each tenant may send on each partition; what is "
     "over it is rejected, but for clears. 0: no limit.",
     0, 10000000, NULL, false},
    {"quotas.burst", CONFIG_COUNT, AT(quotas.burst), "0",
     "Events that a tenant may send at once; 0: what it may in ten seconds.", 0, 1000000000, NULL,
     false},
    {"quotas.tracked.max", CONFIG_COUNT, AT(quotas.tracked_max), "10000",
     "Tenants that are counted apart on a partition, besides those that are named; beyond it "
     "further ones share one quota.",
     1, 1000000, NULL, false},
    {"quotas.tenants", CONFIG_QUOTAS, AT(quotas.tenants), "", "Tenants with quotas of their own.",
     0, 0, NULL, false},
    {"quotas.tenants[].tenant", CONFIG_TEXT, QUOTA(tenant), NULL, "Name of the tenant.", 0, 0, NULL,
     false},
    {"quotas.tenants[].events", CONFIG_COUNT, QUOTA(events), NULL,
     "As `quotas.events`, for this one.", 0, 10000000, NULL, false},
    {"quotas.tenants[].burst", CONFIG_COUNT, QUOTA(burst), "0", "As `quotas.burst`.", 0, 1000000000,
     NULL, false},

    {"shedding.behind", CONFIG_DURATION, AT(shedding.behind_ms), "0s",
     "How far reading of a partition may fall behind the clock while more records wait; one that "
     "is "
     "further behind for all of `shedding.for` leaves events out, but for clears, and rejects them "
     "as over a quota. At least 1s. 0s: nothing is ever left out.",
     0, 0, NULL, false},
    {"shedding.below", CONFIG_CHOICE, AT(shedding.below), "warning",
     "Events of severities below this are left out then.", 0, 0,
     "debug info warning minor major critical", false},
    {"shedding.for", CONFIG_DURATION, AT(shedding.for_ms), "30s",
     "How long it has to be so far behind without a break.", 1000, 86400000, NULL, false},
    {"shedding.until", CONFIG_DURATION, AT(shedding.until_ms), "0s",
     "It is read in full again when it has been no further behind than this for a second; less "
     "than "
     "`shedding.behind`. 0s: half of that.",
     0, 0, NULL, false},

    {"memory.budget", CONFIG_SIZE, AT(memory.budget), "0",
     "Memory that the daemon may take, at least 128MiB; 0: 3/4 of the limit of its cgroup, or of "
     "what the machine has. At 90 % of it partitions that are ahead of others wait, and sinks are "
     "told.",
     0, 0, NULL, false},

    {"rules", CONFIG_TEXTS, AT(rules), "demo",
     "Rule files, folders of *.yaml files (paths start at the folder of this file), or names of "
     "shipped packs.",
     0, 0, NULL, true},

    {"sinks", CONFIG_SINKS, AT(sinks), "", "Systems that are told of incidents.", 0, 0, NULL,
     false},
    {"sinks[].name", CONFIG_TEXT, SINK(name), NULL,
     "Name of the sink, at most 100 bytes, part of the ids of what is sent: do not change it while "
     "incidents are open.",
     0, 0, NULL, false},
    {"sinks[].type", CONFIG_TEXT, SINK(type), NULL,
     "Kind of system: pagerduty, servicenow, webhook, zendesk.", 0, 0, NULL, false},
    {"sinks[].priority", CONFIG_CHOICE, SINK(priority), "all",
     "Only incidents of this priority and more urgent ones are sent.", 0, 0, "all P1 P2 P3 P4 P5",
     false},
    {"sinks[].options", CONFIG_PAIRS, SINK(options), "",
     "Options of the sink's type; values may be env:NAME or file:PATH.", 0, 0, NULL, false},

    {"outbox.ops.max", CONFIG_COUNT, AT(outbox.ops_max), "1000000",
     "Undelivered changes that are held; at the bound input pauses, nothing is dropped.", 1, 0,
     NULL, false},
    {"outbox.bytes.max", CONFIG_SIZE, AT(outbox.bytes_max), "1GiB",
     "Memory for undelivered changes; at the bound input pauses.", 65536, 0, NULL, false},
    {"outbox.dead.max", CONFIG_COUNT, AT(outbox.dead_max), "10000",
     "Changes given up that are kept for `tocsin redrive`, in an eighth of outbox.bytes.max at "
     "most; beyond it the oldest go, counted.",
     1, 1000000, NULL, false},
    {"outbox.flush", CONFIG_DURATION, AT(outbox.flush_ms), "10s",
     "How long sinks get at a shutdown to take what is waiting.", 0, 3600000, NULL, true},

    {"admin.listen", CONFIG_ADDRESS, AT(admin.listen), "127.0.0.1:9099",
     "Where /metrics, /healthz and /readyz are served; off for nowhere.", 0, 0, NULL, false},
    {"admin.connections.max", CONFIG_COUNT, AT(admin.connections_max), "64",
     "Connections at once; further ones wait.", 1, 4096, NULL, false},
    {"admin.tokens", CONFIG_PAIRS, AT(admin.tokens), "",
     "Who may change and push something, by name, each with env:NAME or file:PATH of the token, "
     "16 characters or more, that is sent as Authorization: Bearer. Without any it is whoever is "
     "on this machine.",
     0, 0, NULL, false},

    {"intake.body.max", CONFIG_SIZE, AT(intake.body_max), "1MiB",
     "The largest request that pushes events.", 1024, 4 << 20, NULL, false},
    {"intake.backlog.max", CONFIG_SIZE, AT(intake.backlog_max), "64MiB",
     "What was pushed and not worked off yet; beyond it pushes are refused (503).", 1 << 20,
     1 << 30, NULL, false},
    {"intake.keep", CONFIG_DURATION, AT(intake.keep_ms), "400d",
     "How far back the record of pushes and of what people did reaches (tocsin audit): what no "
     "start "
     "needs any more and is older is let go of behind a snapshot. 0 keeps it whatever its age.",
     0, 0, NULL, false},
    {"intake.bytes.max", CONFIG_SIZE, AT(intake.bytes_max), "256MiB",
     "Beyond this size it reaches less far back; what a start needs stays in any case. 0 for no "
     "bound.",
     0, 0, NULL, false},

    {"log.level", CONFIG_CHOICE, AT(log.level), "info", "The least level that is written.", 0, 0,
     "debug info warning error", true},
    {"log.format", CONFIG_CHOICE, AT(log.format), "text",
     "text: key=value lines. json: one object "
     "a line.",
     0, 0, "text json", true},

    {"data.dir", CONFIG_TEXT, AT(data.dir), "",
     "Directory in which the run is journaled, so that a start after a crash goes on where it was "
     "broken off, and nothing is sent twice; made if it is not there. Empty for none: a restart "
     "begins anew.",
     0, 0, NULL, false},
    {"data.snapshot.every", CONFIG_DURATION, AT(data.snapshot_every_ms), "5m",
     "A snapshot of the run goes into data.dir at least so often, and each quarter of the shortest "
     "retention.ms of the topics, where there is news, and every 10 s while reading again what "
     "came since would take longer than 5 s. 0: none is taken.",
     0, 3600000, NULL, false},
    {"data.journal.keep", CONFIG_DURATION, AT(data.journal_keep_ms), "1d",
     "How far back the journal reaches at least, for people who ask (tocsin why, replay --data, "
     "digest --incidents): what no start and no history needs any more and is older is let go of "
     "behind a snapshot. 0 keeps it whatever its age.",
     0, 0, NULL, false},
    {"data.journal.bytes.max", CONFIG_SIZE, AT(data.journal_bytes_max), "1GiB",
     "Beyond this size it reaches less far back; what a start or the history needs stays in any "
     "case. 0 for no bound.",
     0, 0, NULL, false},

    {"shared.address", CONFIG_TEXT, AT(shared.address), "",
     "Redis that keeps what another machine needs to go on with this unit: host:port, or "
     "unix:/path. Of the daemons with the same address and unit one owns it, the others stand by. "
     "Empty for none.",
     0, 0, NULL, false},
    {"shared.unit", CONFIG_TEXT, AT(shared.unit), "main",
     "Name of the unit: its keys there begin with tocsin:{NAME}:.", 0, 0, NULL, false},
    {"shared.lease", CONFIG_DURATION, AT(shared.lease_ms), "10s",
     "For how long the owner is believed in after its last word; then a standby takes over.", 4000,
     600000, NULL, false},
    {"shared.hold", CONFIG_DURATION, AT(shared.hold_ms), "10m",
     "How long an owner that gets no answer keeps back what a sink of class C or D might be told "
     "twice; then it is sent as a possible repeat.",
     1000, 86400000, NULL, false},
    {"shared.options", CONFIG_PAIRS, AT(shared.options), "",
     "user and password of the Redis, each as env:NAME or file:PATH.", 0, 0, NULL, false},

    {"history.enabled", CONFIG_FLAG, AT(history.enabled), "true",
     "Keeps incidents, their changes and who was told of them in the data directory, for people to "
     "look at (tocsin history).",
     0, 0, NULL, false},
    {"history.keep", CONFIG_DURATION, AT(history.keep_ms), "90d",
     "Incidents that ended longer ago leave it; 0 keeps them whatever their age.", 0, 0, NULL,
     false},
    {"history.bytes.max", CONFIG_SIZE, AT(history.bytes_max), "1GiB",
     "Beyond this size those that ended first leave it; 0 for no bound.", 0, 0, NULL, false},
    {"history.timezone", CONFIG_TEXT, AT(history.timezone), "UTC",
     "Zone in which tocsin history shows times, like Europe/Zurich.", 0, 0, NULL, false},

    {"quarantine.path", CONFIG_TEXT, AT(quarantine.path), "",
     "File that keeps the beginning of every rejected record; empty for none.", 0, 0, NULL, false},
    {"quarantine.bytes.max", CONFIG_SIZE, AT(quarantine.bytes_max), "1GiB",
     "Bound of that file and its predecessor together.", 4096, 0, NULL, false},

    {"incident_log.path", CONFIG_TEXT, AT(incident_log.path), "",
     "File to which every change of an incident is appended as a line of JSON; empty for none.", 0,
     0, NULL, false},

    {"marks.path", CONFIG_TEXT, AT(marks.path), "",
     "File, made anew at each start, for what the clock decided, so that `tocsin replay --marks` "
     "of "
     "a recording gives the same incidents; empty for none.",
     0, 0, NULL, false},
};

const struct config_key *config_keys(size_t *count)
{
    *count = sizeof(keys) / sizeof(keys[0]);
    return keys;
}
