/*
 * durable_load.h - for tests: a life of the daemon's parts on a disk in memory (durable_world.h)
 * with random records, pushes and switches of rules, what it had promised by when, and what is
 * found on a disk afterwards.
 */
#ifndef TESTS_DURABLE_LOAD_H
#define TESTS_DURABLE_LOAD_H

#include "daemon/incident_lines.h"
#include "tests/durable_world.h"
#include "tests/fake_sink.h"

enum { TURNS = 32, SENT_MAX = 512, HORIZON_MS = 1500 };

static uint64_t dice;
static inline uint64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return hash_mix(dice) % below;
}

#define DOWN(title)                                                                                \
    "  - {id: down, where: 'check == \"down\"', by: [resource], window: 1m, when: count() >= 1,\n" \
    "     incident: {title: \"{resource} " title "\", priority: P1}, close: cleared()}\n"
#define SLOW                                                                                       \
    "  - {id: slow, where: 'check == \"slow\"', by: [labels.rack], window: 5s, when: count() >= "  \
    "3,\n"                                                                                         \
    "     incident: {title: \"{labels.rack} is slow\", priority: P2}, close: quiet(1s)}\n"

static const char *const rule_texts[] = {
    "rules:\n" DOWN("is down") SLOW,
    "rules:\n" DOWN("is down"),
    "rules:\n" DOWN("fell") SLOW,
};
enum { TEXTS = sizeof(rule_texts) / sizeof(rule_texts[0]) };

/* What was promised by when, in calls of the trace. */
struct promise {
    size_t at;
    size_t told_bytes; /* lines that are committed */
    size_t kept;       /* pushes that are answered */
};
struct sent {
    size_t at;
    struct id128 op;
};

static struct {
    struct sim_trace trace;
    VECTOR_OF(struct promise) promises;
    struct sent sent[SENT_MAX];
    _Atomic size_t sent_count;
    char *told;
    size_t told_bytes;
    uint64_t *kept;
    size_t kept_count;
    int64_t watermark;
    uint64_t late_by_seal;
    bool is_plain;          /* without pushes and switches: all of it can come again */
    uint64_t snapshots;     /* that it wrote */
    const char *last_rules; /* that were asked for */
} load;

static struct world world;

static inline void on_told(struct world *of)
{
    vector_add(&load.promises) = (struct promise){sim.traced, of->told.used, of->kept.count};
}

/* A request has come in whole: its first byte left before. Thread: the sink's. */
static inline void on_request(const char *request)
{
    const char *id = strstr(request, "\"op\":{\"id\":\"");
    char hex[ID128_TEXT_BYTES];
    size_t at = sim.traced;

    if (strncmp(request, "POST /hook", 10) != 0 || load.sent_count == SENT_MAX)
        return;
    if (id == NULL)
        abort();
    snprintf(hex, sizeof(hex), "%.32s", id + 12);
    if (!id128_parse(hex, &load.sent[load.sent_count].op))
        abort();
    load.sent[load.sent_count].at = at;
    load.sent_count++;
}

static inline void put_some(struct bench *bench)
{
    char resource[16], more[3500], words[3001];

    for (uint64_t n = draw(5); n > 0; n--) {
        int64_t at = atomic_load(&bench->wall_ms) - BENCH_T0 - (int64_t)draw(20);
        snprintf(resource, sizeof(resource), "r%d", (int)draw(6));
        memset(words, 'w', sizeof(words)); /* so that it takes a few segments */
        words[2000 + draw(1000)] = '\0';
        words[sizeof(words) - 1] = '\0';
        snprintf(more, sizeof(more), ",\"labels\":{\"rack\":\"k%d\"},\"message\":\"%s\"%s",
                 (int)draw(2), words, draw(3) == 0 ? BENCH_CLEAR : "");
        bench_put(bench->feed[draw(WORLD_FEEDS)], at, resource, draw(2) == 0 ? "down" : "slow",
                  more);
    }
}

static inline void no_more_promises(struct world *of)
{
    (void)of;
}

/* As a kernel does after a while with what nobody syncs. */
static inline void write_back(const char *path)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDWR, 0);

    assert_true(fd >= 0);
    assert_int_equal(h->sync(h->self, fd), 0);
    assert_int_equal(h->close(h->self, fd), 0);
    assert_int_equal(h->sync_dir(h->self, "."), 0);
}

/* So that what is sent, and what becomes of it, comes between the rest: a pace, and no more. */
static inline void let_some_be_sent(void)
{
    size_t before = load.sent_count;

    world_sync(&world);
    for (int i = 0; i < 10 && load.sent_count == before; i++)
        usleep(1000);
}

/* Of three loads each: one without snapshots, one with them, and one whose journal begins where
 * they let it. */
static inline void live_with_snapshots(uint64_t of)
{
    if (of / 2 % 3 == 0)
        return;
    world.snapshot_every_ms = 100 + (int64_t)draw(600);
    world.snapshot_bytes = draw(3) == 0 ? 0 : 4096 + draw(8192); /* some moments: 512 lanes */
    world.takes_last = draw(2) == 0;
    world.recycles = of / 2 % 3 == 2;
}

/* Two of them at least, however little of the processor their thread got. */
static inline void await_snapshots(void)
{
    const struct host *real = world.bench->real;
    uint64_t until_ns = real->mono_ns(real->self) + UINT64_C(60000000000);
    struct durable_snapshot_counters counters = {.taken = 0};

    while (world.snapshot_every_ms > 0) {
        durable_snapshot_counters(world.durable, &counters);
        if (counters.taken >= 2)
            break;
        if (real->mono_ns(real->self) > until_ns)
            fail_msg("no snapshots are written");
        bench_pass(world.bench, 100, 20);
    }
    load.snapshots = counters.taken;
}

/* One undisturbed life. */
static inline void live(uint64_t of)
{
    static const struct fake_step steps[] = {{FAKE_ANSWER_CLOSE, FAKE_200}};
    struct fake_sink sink;
    char push[16];
    int code;

    dice = of;
    memset(&load, 0, sizeof(load));
    load.is_plain = of % 2 == 0;
    load.last_rules = rule_texts[0];
    world_create(&world);
    live_with_snapshots(of);
    sim_disk_begin(of);
    sim_trace_begin();
    world.on_told = on_told;
    fake_start(&sink, steps, 1);
    sink.seen = on_request;
    code = world_start(&world, rule_texts[0], sink.port);
    if (code != EXIT_OK)
        fail_msg("%d: %s", code, world.why.text);
    for (int turn = 0; turn < TURNS; turn++) {
        put_some(world.bench);
        if (!load.is_plain && draw(2) == 0) {
            snprintf(push, sizeof(push), "p%d", turn);
            world_push(&world, push, "down");
        }
        if (!load.is_plain && draw(8) == 0) {
            load.last_rules = rule_texts[draw(TEXTS)];
            assert_int_equal(world_switch(&world, load.last_rules), 0);
        }
        bench_pass(world.bench, (int64_t)draw(240) + 1, 240);
        if (draw(4) == 0)
            write_back(WORLD_LOG);
        let_some_be_sent();
    }
    bench_pass(world.bench, HORIZON_MS, 300);
    world_sync(&world);
    await_snapshots();
    world_sync(&world);
    load.watermark = engine_watermark(world.bench->engine);
    code = world_stop(&world);
    if (code != EXIT_OK)
        fail_msg("%d: %s", code, world.why.text);
    fake_stop(&sink);
    load.late_by_seal = world.late_by_seal;
    load.told_bytes = world.told.used;
    load.told = strdup(world.told.at != NULL ? world.told.at : "");
    load.kept_count = world.kept.count;
    load.kept = memory_alloc((load.kept_count + 1) * sizeof(*load.kept));
    if (load.kept_count > 0)
        memcpy(load.kept, world.kept.at, load.kept_count * sizeof(*load.kept));
    load.trace = sim_trace_take();
    world.on_told = no_more_promises;
    sim_disk_end();
    assert_true(load.told_bytes > 1000);
    assert_int_equal(world.pushes_open + world.pushes_refused, 0);
}

static inline void forget_load(void)
{
    world_destroy(&world);
    sim_trace_release(&load.trace);
    free(load.promises.at);
    free(load.told);
    free(load.kept);
}

/* ---- what an image holds ---- */

struct state_of {
    struct id128 op;
    uint8_t fate;
};

static struct {
    bool is_there;        /* there is a data directory */
    bool begins_late;     /* the journal has let go of its beginning */
    const char *was_told; /* before anything was let go of: what a snapshot counts has to be this */
    struct bench_text told; /* as lines, from the first one ever */
    VECTOR_OF(struct id128) ops;
    VECTOR_OF(struct state_of) states; /* in their order */
    uint64_t pushes;
    uint64_t torn_bytes, unfinished; /* at the ends of journal and intake */
} held;

static inline void on_record(void *self, const struct intake_record *record)
{
    (void)self;
    assert_int_equal(record->position, held.pushes++);
}

static inline void on_line(void *self, const char *line, size_t bytes)
{
    bench_text_add(self, "%.*s\n", (int)bytes, line);
}

/* The first lines of what was told, when the snapshot says that these come to what it knows. */
static inline void lines_before(const struct snapshot_facts *facts)
{
    struct snapshot_lines lines = {.count = 0};
    const char *at = held.was_told, *end;

    for (; lines.count < facts->lines.count && (end = strchr(at, '\n')) != NULL; at = end + 1)
        incident_lines_add(&lines, at, (size_t)(end - at));
    if (lines.count != facts->lines.count || !id128_equal(lines.hash, facts->lines.hash))
        fail_msg("a snapshot counts %" PRIu64 " lines, and %" PRIu64 " were told, or others",
                 facts->lines.count, lines.count);
    held.told.used = 0;
    for (const char *from = held.was_told; from < at; from = strchr(from, '\n') + 1)
        on_line(&held.told, from, (size_t)(strchr(from, '\n') - from));
}

/* Of a journal that begins late: the newest snapshot says what was before, and the journal has the
 * rest. */
static inline bool look_behind_snapshot(const struct segment_config *config, struct error *err)
{
    const struct snapshot_folder folder = {"data/snapshots", config->directory};
    uint64_t number[SNAPSHOT_LIST_MAX];
    int count = snapshot_file_list(&folder, number);
    struct bench_text there = held.told;
    bool is_good = false;

    held.told = (struct bench_text){.at = NULL};
    for (int i = 0; i < count && !is_good; i++) {
        struct snapshot_content content;
        struct journal_reader *reader;
        enum snapshot_refusal why;
        if (snapshot_file_read(&folder, number[i], &content, &why, err) != 0)
            continue;
        const struct journal_span span = {.from = content.facts.known, .to = UINT64_MAX};
        if (journal_reader_create_span(config, &span, &reader, err) == 0) {
            lines_before(&content.facts);
            is_good = incident_lines_read(reader, on_line, &held.told, err) == 0;
            journal_reader_destroy(reader);
        }
        snapshot_content_release(&content);
    }
    if (is_good && (held.told.used < there.used ||
                    memcmp(held.told.at + held.told.used - there.used, there.at, there.used) != 0))
        fail_msg("the journal and its snapshot do not come to the same");
    free(there.at);
    return is_good;
}

static inline bool look_at_journal(const struct segment_config *config, struct error *err)
{
    struct journal_reader *reader;
    struct journal_record record;
    struct incident incident;
    enum segment_refusal why;
    char line[WORLD_LINE];
    int rc;

    if (journal_reader_create(config, &reader, &why, err) != 0)
        return false;
    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1)
        if (record.kind == JOURNAL_CHANGE) {
            memcpy((void *)&incident, (const void *)&record.change, sizeof(incident));
            incident_log_change(&incident, line, sizeof(line));
            bench_text_add(&held.told, "%s\n", line);
        } else if (record.kind == JOURNAL_OP) {
            const struct op op = {.id = record.op.id,
                                  .number = record.op.number,
                                  .kind = record.op.kind,
                                  .incident = &incident};
            incident_log_op(&op, record.op.sink, line, sizeof(line));
            bench_text_add(&held.told, "%s\n", line);
            vector_add(&held.ops) = record.op.id;
        } else if (record.kind == JOURNAL_OP_STATE) {
            vector_add(&held.states) = (struct state_of){record.op_state.op, record.op_state.fate};
        }
    if (rc == 0)
        held.torn_bytes += journal_reader_end(reader)->torn_bytes;
    held.begins_late = rc == 0 && journal_reader_end(reader)->place_count > 0 &&
                       journal_reader_end(reader)->places[0].first_frame != 1;
    if (held.begins_late && world.recycles) {
        rc = look_behind_snapshot(config, err) ? 0 : -EBADMSG;
    } else if (held.begins_late) {
        error_set(err, "%s: its first segment is missing", config->folder);
        rc = -EBADMSG;
    }
    held.unfinished = journal_reader_unfinished(reader);
    journal_reader_destroy(reader);
    return rc == 0;
}

/* What the disk holds, read as a recovery reads it; false: it is refused, with a sentence. */
static inline bool look_for(struct error *err)
{
    struct segment_config config = {.segment_bytes = WORLD_SEGMENT};
    char folder[DATA_DIR_PATH_BYTES];
    enum data_dir_refusal why;
    enum segment_refusal refused;
    struct segment_end end;
    struct data_dir dir;
    bool is_good;

    held.told.used = 0;
    held.ops.count = held.states.count = 0;
    held.pushes = held.torn_bytes = held.unfinished = 0;
    held.is_there = data_dir_open(&dir, "data", DATA_DIR_LOOK, &why, err) == 0;
    if (!held.is_there)
        return why == DATA_DIR_MISSING;
    config.directory = dir.id;
    config.folder = folder;
    config.kind = "journal";
    data_dir_folder(&dir, "journal", folder);
    is_good = look_at_journal(&config, err);
    config.kind = "intake";
    data_dir_folder(&dir, "intake", folder);
    is_good = is_good && intake_log_read(&config, on_record, NULL, &end, &refused, err) == 0;
    held.torn_bytes += is_good ? end.torn_bytes : 0;
    data_dir_close(&dir);
    return is_good;
}

static inline void look(void)
{
    struct error err = {""};

    if (!look_for(&err))
        fail_msg("%s", err.text);
}

static inline void forget_held(void)
{
    free(held.told.at);
    free(held.ops.at);
    free(held.states.at);
    memset(&held, 0, sizeof(held));
}

/* One text begins with another. */
static inline void assert_begins(const char *text, size_t bytes, const char *with,
                                 size_t with_bytes, const char *what)
{
    size_t same = 0, line;

    while (same < bytes && same < with_bytes && text[same] == with[same])
        same++;
    if (same == with_bytes)
        return;
    line = same;
    while (line > 0 && text[line - 1] != '\n')
        line--;
    fail_msg("%s: of %zu bytes %zu are there, the same up to %zu:\n%.*s\n%.*s", what, with_bytes,
             bytes, same, (int)(same < bytes ? bytes - line > 300 ? 300 : bytes - line : 0),
             text + line, (int)(with_bytes - line > 300 ? 300 : with_bytes - line), with + line);
}

/* Is its record still there? */
static inline bool has_op(struct id128 op)
{
    for (size_t i = 0; i < held.ops.count; i++)
        if (id128_equal(held.ops.at[i], op))
            return true;
    return false;
}

static inline int fate_of(struct id128 op)
{
    int fate = JOURNAL_FATE_OWED;

    for (size_t i = 0; i < held.states.count; i++)
        if (id128_equal(held.states.at[i].op, op))
            fate = held.states.at[i].fate;
    return fate;
}

#endif
