/*
 * Aim: what was appended and synced is read back after any power cut, kill or fault, in order and
 * byte for byte, with at most the one frame besides that was under way; a frame that was whole and
 * is not any more is refused with file and offset, never passed over and never read wrong. Method:
 * the log runs on a disk in memory that can be cut at any call (tests/sim_disk.h), against a list
 * of what was promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include "store/segment_format.h"
#include "store/segment_walk.h"
#include "tests/sim_disk.h"

enum { SEGMENT = SEGMENT_BYTES_MIN, FRAMES_MAX = 4000 };

/* Power cuts, faults and damages: a short share of them, or with an argument all. */
static bool is_long;

static const struct segment_config config = {.folder = "data/journal",
                                             .kind = "journal",
                                             .directory = {0x1234, 0x5678},
                                             .segment_bytes = SEGMENT};

/* Frame n of a run: kind, length and bytes follow from its number and the run. */
static uint32_t frame_bytes(uint64_t run, uint64_t number)
{
    uint64_t h = hash_mix(run * 1000003 + number);

    return h % 16 == 0 ? (uint32_t)(h >> 8) % 30000 : (uint32_t)(h >> 8) % 700;
}

static void frame_fill(uint64_t run, uint64_t number, char *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint64_t word = hash_mix(run ^ number << 20 ^ i << 1);
        memcpy(to + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

static char payload[FRAME_PAYLOAD_MAX + 1], expected[FRAME_PAYLOAD_MAX + 1];

static void frame_matches(uint64_t run, const struct segment_frame *frame)
{
    uint32_t bytes = frame_bytes(run, frame->number);

    assert_int_equal(frame->bytes, bytes);
    assert_int_equal(frame->kind, frame->number % 5);
    frame_fill(run, frame->number, expected, bytes);
    assert_memory_equal(frame->payload, expected, bytes);
}

static int append_next(struct segment_log *log, uint64_t run, struct error *err)
{
    uint64_t number = segment_log_next_frame(log), got = 0;
    uint32_t bytes = frame_bytes(run, number);
    int rc;

    frame_fill(run, number, payload, bytes);
    rc = segment_log_append(log, (uint32_t)(number % 5), payload, bytes, &got, err);
    if (rc == 0)
        assert_int_equal(got, number);
    return rc != 0 ? rc : segment_log_sync(log, err);
}

/* Walks to the end; every frame has to be the run's. Returns the number after the last. */
static struct segment_walk *walk_all(uint64_t run, uint64_t *first, uint64_t *next)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct error err = {""};
    int rc;

    if (segment_walk_create(&config, &walk, &why, &err) != 0)
        fail_msg("%s", err.text);
    *first = *next = 0;
    while ((rc = segment_walk_next(walk, &frame, &err)) == 1) {
        if (*first == 0)
            *first = frame.number;
        else
            assert_int_equal(frame.number, *next);
        *next = frame.number + 1;
        frame_matches(run, &frame);
    }
    if (rc != 0)
        fail_msg("%s", err.text);
    if (*next == 0)
        *next = segment_walk_end(walk)->next_frame;
    return walk;
}

static struct segment_log *open_log(uint64_t run, uint64_t *next)
{
    struct segment_log *log;
    struct error err = {""};
    uint64_t first;
    struct segment_walk *walk = walk_all(run, &first, next);

    if (segment_log_open(&config, segment_walk_end(walk), &log, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(segment_log_next_frame(log), *next);
    segment_walk_destroy(walk);
    return log;
}

static void the_checksum_is_that_of_the_standard(void **state)
{
    /* RFC 3720, B.4: 32 bytes of zeros, of ones, counting up and counting down. */
    static const uint32_t sums[] = {0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c};
    uint8_t bytes[4][32];

    (void)state;
    for (int i = 0; i < 32; i++) {
        bytes[0][i] = 0;
        bytes[1][i] = 0xff;
        bytes[2][i] = (uint8_t)i;
        bytes[3][i] = (uint8_t)(31 - i);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(crc32c(0, bytes[i], 32), sums[i]);
        assert_int_equal(crc32c_by_table(0, bytes[i], 32), sums[i]);
    }
    /* In parts, of any length and at any place, it is the same sum. */
    for (uint32_t i = 0; i < sizeof(payload) && i < 5000; i++)
        payload[i] = (char)hash_mix(i);
    for (uint32_t from = 0; from < 16; from++)
        for (uint32_t bytes_all = 0; bytes_all < 300; bytes_all++) {
            uint32_t whole = crc32c(0, payload + from, bytes_all);
            uint32_t cut = bytes_all * 7 / 11;
            assert_int_equal(whole, crc32c_by_table(0, payload + from, bytes_all));
            assert_int_equal(whole, crc32c(crc32c(0, payload + from, cut), payload + from + cut,
                                           bytes_all - cut));
        }
}

static void what_was_appended_is_read_back(void **state)
{
    struct segment_log *log;
    struct segment_walk *walk;
    struct segment_counters counters;
    struct error err = {""};
    uint64_t first, next;

    (void)state;
    sim_disk_begin(1);
    log = open_log(7, &next);
    assert_int_equal(next, 1);
    for (int i = 0; i < 300; i++)
        assert_int_equal(append_next(log, 7, &err), 0);
    segment_log_counters(log, &counters);
    assert_int_equal(counters.frames, 300);
    assert_true(counters.segments > 3);
    segment_log_destroy(log);
    walk = walk_all(7, &first, &next);
    assert_int_equal(first, 1);
    assert_int_equal(next, 301);
    segment_walk_destroy(walk);
    sim_disk_end();
}

/* A frame of the largest size that fits, an empty one, and one that is too large. */
static void sizes_have_their_bounds(void **state)
{
    struct segment_log *log;
    struct error err = {""};
    uint64_t next;
    size_t most = SEGMENT - SEGMENT_HEAD_BYTES - frame_span(0);

    (void)state;
    sim_disk_begin(1);
    log = open_log(0, &next);
    assert_int_equal(segment_log_room(log), most);
    assert_int_equal(segment_log_append(log, 1, payload, most, NULL, &err), 0);
    assert_int_equal(segment_log_sync(log, &err), 0);
    assert_int_equal(segment_log_room(log), 0);
    assert_int_equal(segment_log_append(log, 1, payload, most + 1, NULL, &err), -EMSGSIZE);
    assert_int_equal(segment_log_append(log, 1, payload, sizeof(payload), NULL, &err), -EMSGSIZE);
    assert_int_equal(segment_log_append(log, 1, payload, 0, NULL, &err), 0);
    assert_int_equal(segment_log_sync(log, &err), 0);
    assert_int_equal(segment_log_next_frame(log), 3);
    segment_log_destroy(log);
    sim_disk_end();
}

static void released_segments_are_used_again(void **state)
{
    struct segment_counters counters;
    struct segment_log *log;
    struct error err = {""};
    uint64_t next, first, bytes = 0;

    (void)state;
    sim_disk_begin(1);
    log = open_log(3, &next);
    for (int i = 0; i < FRAMES_MAX; i++) {
        assert_int_equal(append_next(log, 3, &err), 0);
        while (segment_log_prepare(log, 16 << 10))
            ;
        if (i % 50 == 49)
            assert_int_equal(
                segment_log_release_before(log, segment_log_next_frame(log) - 10, &err), 0);
        if (i == 1000)
            bytes = sim_bytes();
    }
    segment_log_counters(log, &counters);
    assert_true(counters.recycled > 20);
    assert_int_equal(counters.waits, 0); /* a spare was always ready */
    assert_true(sim_bytes() <= bytes + 2 * SEGMENT);
    segment_log_destroy(log);
    segment_walk_destroy(walk_all(3, &first, &next));
    assert_true(first > 1 && first <= FRAMES_MAX - 9);
    assert_int_equal(next, FRAMES_MAX + 1);
    sim_disk_end();
}

/* Frames and segments that are made while it looks on, from any frame on. */
static void who_follows_a_log_finds_what_is_made_meanwhile(void **state)
{
    (void)state;
    for (uint64_t from = 0; from <= 200; from += 40) {
        struct segment_log *log;
        struct segment_walk *walk;
        struct segment_frame frame;
        enum segment_refusal why;
        struct error err = {""};
        uint64_t next, expected_next = 0;

        sim_disk_begin(1);
        log = open_log(9, &next);
        for (uint64_t i = 0; i < from; i++)
            assert_int_equal(append_next(log, 9, &err), 0);
        if (segment_walk_create_at(&config, from, &walk, &why, &err) != 0)
            fail_msg("%s", err.text);
        for (int i = 0; i < 400; i++) {
            assert_int_equal(append_next(log, 9, &err), 0);
            /* Never at the end: there it would stay. */
            while (i % 7 == 0 && expected_next < segment_log_next_frame(log)) {
                assert_int_equal(segment_walk_next(walk, &frame, &err), 1);
                if (expected_next == 0)
                    assert_in_range(frame.number, 1, from > 1 ? from : 1);
                else
                    assert_int_equal(frame.number, expected_next);
                expected_next = frame.number + 1;
                frame_matches(9, &frame);
                assert_int_equal(segment_walk_next_number(walk), expected_next);
            }
        }
        segment_walk_destroy(walk);
        segment_log_destroy(log);
        sim_disk_end();
    }
}

/* Power cuts at every kind of call: what was promised is there, and at most one frame more. */
static void a_power_cut_loses_nothing_that_was_synced(void **state)
{
    uint64_t cut_in_frame = 0;

    (void)state;
    for (uint64_t image = 1; image <= (is_long ? 20000 : 100); image++) {
        uint64_t promised = 0, released = 0, next, first;
        struct error err = {""};

        sim_disk_begin(image);
        for (int life = 0; life < 4; life++) {
            struct segment_log *log = open_log(image, &next);
            assert_in_range(next, promised + 1, promised + 2);
            promised = next - 1;
            sim.crash_at = sim.calls + 1 + sim_random() % 400;
            for (;;) {
                uint64_t what = sim_random() % 8;
                if (what == 0) {
                    segment_log_prepare(log, 20 << 10);
                } else if (what == 1 && promised > 20) {
                    uint64_t before = promised - sim_random() % 20;
                    released = released > before ? released : before;
                    if (segment_log_release_before(log, before, &err) != 0)
                        break;
                } else if (append_next(log, image, &err) == 0) {
                    promised++;
                } else {
                    break;
                }
            }
            segment_log_destroy(log);
            sim_disk_cut();
        }
        segment_walk_destroy(walk_all(image, &first, &next));
        assert_in_range(next, promised + 1, promised + 2);
        cut_in_frame += next == promised + 2;
        assert_true(first <= (released > 1 ? released : 1) || first == 0);
        sim_disk_end();
    }
    assert_true(cut_in_frame > 0); /* the cut was felt inside of frames, too */
}

/* Every call fails once, and for ever: never a wrong frame, never a lost one. */
static void a_fault_at_any_call_loses_nothing(void **state)
{
    static const int errors[] = {-EIO, -ENOSPC, -EINTR};

    (void)state;
    for (uint64_t kind = 0; kind < 7; kind++)
        for (uint64_t call = 1 + kind; call < 260; call += is_long ? 1 : 7) {
            uint64_t promised = 0, next, first;
            struct segment_log *log;
            struct segment_walk *walk;
            struct error err = {""};

            sim_disk_begin(call);
            log = open_log(kind, &next);
            sim.fault_at = sim.calls + call;
            sim.fault_errno = errors[kind % 3];
            sim.fault_for_ever = kind < 6 && kind / 3 == 1 && errors[kind % 3] != -EINTR;
            sim.fault_is_short = kind == 6;
            for (int i = 0; i < 80; i++) {
                segment_log_prepare(log, 16 << 10);
                if (i % 30 == 29)
                    segment_log_release_before(log, promised > 5 ? promised - 5 : 1, &err);
                if (append_next(log, kind, &err) == 0)
                    promised++;
                else if (segment_log_is_broken(log))
                    break;
            }
            if (errors[kind % 3] == -EINTR || kind == 6)
                assert_int_equal(promised, 80);
            segment_log_destroy(log);
            sim.fault_at = 0;
            sim_disk_cut();
            walk = walk_all(kind, &first, &next);
            assert_in_range(next, promised + 1, promised + 2);
            segment_walk_destroy(walk);
            sim_disk_end();
        }
}

/* After a failed write or sync not one byte more is written (C9). */
static void a_broken_log_writes_nothing(void **state)
{
    struct segment_log *log;
    struct error err = {""};
    uint64_t next, writes;

    (void)state;
    sim_disk_begin(1);
    log = open_log(1, &next);
    assert_int_equal(append_next(log, 1, &err), 0);
    sim.fault_at = sim.calls + 2; /* the write passes, its sync does not */
    sim.fault_errno = -EIO;
    assert_int_equal(append_next(log, 1, &err), -EIO);
    assert_true(segment_log_is_broken(log));
    writes = sim.writes;
    assert_int_equal(segment_log_append(log, 1, "x", 1, NULL, &err), -EIO);
    assert_int_equal(segment_log_sync(log, &err), -EIO);
    assert_false(segment_log_prepare(log, 1 << 20));
    assert_int_equal(segment_log_room(log), 0);
    assert_int_equal(sim.writes, writes);
    assert_non_null(strstr(err.text, "restart"));
    segment_log_destroy(log);
    sim_disk_end();
}

/* A full disk is no failure: the frame is refused, and taken once there is room. */
static void a_full_disk_refuses_and_goes_on(void **state)
{
    struct segment_log *log;
    struct error err = {""};
    uint64_t next, first;
    int rc = 0;

    (void)state;
    sim_disk_begin(1);
    log = open_log(5, &next);
    sim.bytes_max = 2 * SEGMENT;
    while (rc == 0) {
        uint64_t room = segment_log_room(log);
        uint32_t bytes = frame_bytes(5, segment_log_next_frame(log));
        segment_log_prepare(log, SEGMENT);
        rc = append_next(log, 5, &err);
        if (bytes <= room)
            assert_int_equal(rc, 0); /* what it says it has room for, it takes */
    }
    assert_int_equal(rc, -ENOSPC);
    assert_false(segment_log_is_broken(log));
    assert_non_null(strstr(err.text, "No space left"));
    next = segment_log_next_frame(log);
    assert_int_equal(append_next(log, 5, &err), -ENOSPC);
    sim.bytes_max = 0;
    assert_int_equal(append_next(log, 5, &err), 0);
    segment_log_destroy(log);
    segment_walk_destroy(walk_all(5, &first, &next));
    assert_int_equal(first, 1);
    sim_disk_end();
}

/* Where each frame lies, from a walk before the damage. */
static struct {
    char file[64];
    uint64_t from, to;
} frame_at[FRAMES_MAX];

static void note_frames(void)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct error err = {""};

    assert_int_equal(segment_walk_create(&config, &walk, &why, &err), 0);
    while (segment_walk_next(walk, &frame, &err) == 1) {
        snprintf(frame_at[frame.number].file, sizeof(frame_at[0].file), "%s", frame.file);
        frame_at[frame.number].from = frame.at;
        frame_at[frame.number].to = frame.at + frame_span(frame.bytes);
    }
    segment_walk_destroy(walk);
}

/* A bit flipped, a stretch of zeros, or the end cut off, anywhere: refused with the file, or, where
 * nothing whole is behind the damage, the log ends before it; never anything else. */
static void damage_is_refused_with_its_place(void **state)
{
    uint64_t refused = 0, cut = 0, unseen = 0;

    (void)state;
    for (uint64_t round = 0; round < (is_long ? 5000 : 90); round++) {
        struct segment_log *log;
        struct segment_walk *walk = NULL;
        struct segment_frame frame;
        struct sim_file *file;
        struct error err = {""};
        enum segment_refusal why = SEGMENT_REFUSED_NOT;
        uint64_t next, count = 0, at, to;
        char path[64];
        int rc, how = (int)(round % 3), segments;

        sim_disk_begin(round);
        log = open_log(2, &next);
        for (int i = 0; i < 150; i++)
            assert_int_equal(append_next(log, 2, &err), 0);
        segment_log_destroy(log);
        note_frames();
        for (segments = 1; segments < 20; segments++) {
            snprintf(path, sizeof(path), "data/journal/%016d.seg", segments + 1);
            if (sim_disk_file(path) == NULL)
                break;
        }
        snprintf(path, sizeof(path), "data/journal/%016d.seg",
                 1 + (int)(sim_random() % (uint64_t)segments));
        file = sim_disk_file(path);
        assert_non_null(file);
        at = sim_random() % file->now_bytes;
        to = at + 1;
        if (how == 0) {
            file->now[at] = (char)(file->now[at] ^ 1 << sim_random() % 8);
        } else if (how == 1) {
            to = at + 1 + sim_random() % 3000;
            to = to < file->now_bytes ? to : file->now_bytes;
            memset(file->now + at, 0, to - at);
        } else {
            file->now_bytes = at;
        }
        rc = segment_walk_create(&config, &walk, &why, &err);
        while (rc == 0 && (rc = segment_walk_next(walk, &frame, &err)) == 1) {
            count++;
            assert_int_equal(frame.number, count);
            frame_matches(2, &frame);
            rc = 0;
        }
        if (rc < 0) {
            if (walk != NULL)
                why = segment_walk_refusal(walk);
            assert_true(why == SEGMENT_REFUSED_DAMAGED || why == SEGMENT_REFUSED_FOREIGN ||
                        why == SEGMENT_REFUSED_NEWER);
            assert_non_null(strstr(err.text, "data/journal/0000"));
            refused++;
        } else if (count == 150) {
            unseen++; /* behind the last frame, or zeros onto zeros */
        } else {
            for (uint64_t lost = count + 1; lost <= 150; lost++) {
                assert_string_equal(frame_at[lost].file, path);
                assert_true(frame_at[lost].from < to && frame_at[lost].to > at);
            }
            cut++;
        }
        segment_walk_destroy(walk);
        sim_disk_end();
    }
    assert_true(refused > 10);
    assert_true(cut > 0 || !is_long);
    assert_true(unseen > 0 || !is_long);
}

/* `--accept-loss`: what was good before the damage stays, and the log goes on from there; nothing
 * of what was given up comes back, not from recycled segments either. */
static void a_loss_that_was_accepted_stays_lost(void **state)
{
    struct segment_log *log;
    struct segment_walk *walk;
    struct segment_frame frame;
    struct sim_file *file;
    enum segment_refusal why;
    struct error err = {""};
    uint64_t next, first, last = 0;
    int rc;

    (void)state;
    sim_disk_begin(9);
    log = open_log(9, &next);
    for (int i = 0; i < 200; i++)
        assert_int_equal(append_next(log, 9, &err), 0);
    segment_log_destroy(log);
    file = sim_disk_file("data/journal/0000000000000002.seg");
    file->now[SEGMENT_HEAD_BYTES + 1000] ^= 1;
    assert_int_equal(segment_walk_create(&config, &walk, &why, &err), 0);
    while ((rc = segment_walk_next(walk, &frame, &err)) == 1)
        last = frame.number;
    assert_int_equal(rc, -EBADMSG);
    assert_non_null(strstr(err.text, "data/journal/0000000000000002.seg: byte "));
    assert_int_equal(segment_walk_refusal(walk), SEGMENT_REFUSED_DAMAGED);
    segment_walk_accept_loss(walk);
    assert_int_equal(segment_walk_next(walk, &frame, &err), 0);
    assert_int_equal(segment_log_open(&config, segment_walk_end(walk), &log, &err), 0);
    segment_walk_destroy(walk);
    assert_int_equal(segment_log_next_frame(log), last + 1);
    segment_walk_destroy(walk_all(9, &first, &next)); /* also of what lay in later segments */
    assert_int_equal(next, last + 1);
    assert_null(sim_disk_file("data/journal/0000000000000003.seg"));
    for (int i = 0; i < 400; i++) {
        assert_int_equal(append_next(log, 9, &err), 0);
        if (i % 40 == 0)
            segment_log_release_before(log, segment_log_next_frame(log) - 5, &err);
    }
    segment_log_destroy(log);
    segment_walk_destroy(walk_all(9, &first, &next));
    assert_int_equal(next, last + 401);
    sim_disk_end();
}

/* A payload that looks like frames is only a payload. */
static void a_frame_inside_of_a_payload_is_none(void **state)
{
    struct frame_head forged = {.magic = FRAME_MAGIC, .number = 1000, .directory = {1, 1}};
    struct segment_log *log;
    struct segment_walk *walk;
    struct segment_frame frame;
    enum segment_refusal why;
    struct error err = {""};
    uint64_t next;

    (void)state;
    forged.crc = frame_head_crc(&forged);
    for (int i = 0; i < 100; i++)
        memcpy(payload + (size_t)i * sizeof(forged), &forged, sizeof(forged));
    sim_disk_begin(1);
    log = open_log(0, &next);
    assert_int_equal(segment_log_append(log, 1, payload, 100 * sizeof(forged), NULL, &err), 0);
    segment_log_destroy(log); /* torn: its tail never came */
    sim_disk_file("data/journal/0000000000000001.seg")
        ->now[SEGMENT_HEAD_BYTES + frame_span(100 * sizeof(forged)) - 1] ^= 1;
    assert_int_equal(segment_walk_create(&config, &walk, &why, &err), 0);
    assert_int_equal(segment_walk_next(walk, &frame, &err), 0);
    assert_int_equal(segment_walk_end(walk)->torn_bytes, frame_span(100 * sizeof(forged)));
    segment_walk_destroy(walk);
    sim_disk_end();
}

static void what_is_not_ours_is_refused(void **state)
{
    struct segment_config other = config;
    struct segment_log *log;
    struct segment_walk *walk;
    enum segment_refusal why;
    struct error err = {""};
    uint64_t next;
    struct sim_file *file;
    struct segment_head *head;

    (void)state;
    sim_disk_begin(1);
    log = open_log(1, &next);
    assert_int_equal(append_next(log, 1, &err), 0);
    segment_log_destroy(log);

    other.directory.lo++;
    assert_true(segment_walk_create(&other, &walk, &why, &err) < 0);
    assert_int_equal(why, SEGMENT_REFUSED_FOREIGN);
    assert_non_null(strstr(err.text, "another data directory"));
    other = config;
    other.kind = "intake";
    assert_true(segment_walk_create(&other, &walk, &why, &err) < 0);
    assert_int_equal(why, SEGMENT_REFUSED_FOREIGN);
    assert_non_null(strstr(err.text, "another log"));

    file = sim_disk_file("data/journal/0000000000000001.seg");
    head = (struct segment_head *)(void *)file->now;
    head->version = SEGMENT_VERSION + 1;
    head->crc = segment_head_crc(head);
    assert_true(segment_walk_create(&config, &walk, &why, &err) < 0);
    assert_int_equal(why, SEGMENT_REFUSED_NEWER);
    assert_non_null(strstr(err.text, "newer tocsin"));
    head->version = SEGMENT_VERSION;
    head->sequence = 2;
    head->crc = segment_head_crc(head);
    assert_true(segment_walk_create(&config, &walk, &why, &err) < 0);
    assert_int_equal(why, SEGMENT_REFUSED_DAMAGED);
    assert_non_null(strstr(err.text, "another's name"));
    sim_disk_end();
}

/* Who writes something that names a frame before it writes the frame. */
static void the_checksum_of_a_frame_is_known_beforehand(void **state)
{
    static const char bytes[] = "0123456789abcdefg";
    struct segment_log *log;
    struct segment_frame frame;
    struct segment_walk *walk;
    enum segment_refusal why;
    struct error err;
    uint32_t chain = 0;
    uint64_t next;

    (void)state;
    sim_disk_begin(1);
    log = open_log(7, &next);
    for (uint32_t i = 0; i <= 17; i++) {
        assert_int_equal(segment_log_append(log, i + 3, bytes, i, NULL, &err), 0);
        assert_int_equal(segment_log_sync(log, &err), 0);
    }
    segment_log_destroy(log);
    assert_int_equal(segment_walk_create(&config, &walk, &why, &err), 0);
    for (uint32_t i = 0; i <= 17; i++) {
        assert_int_equal(segment_walk_next(walk, &frame, &err), 1);
        assert_int_equal(segment_frame_crc(&config, i + 1, i + 3, chain, bytes, i), frame.crc);
        chain = frame.crc;
    }
    segment_walk_destroy(walk);
    sim_disk_end();
}

int main(int argc, char **argv)
{
    (void)argv;
    is_long = argc > 1;

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_that_of_the_standard),
        cmocka_unit_test(what_was_appended_is_read_back),
        cmocka_unit_test(the_checksum_of_a_frame_is_known_beforehand),
        cmocka_unit_test(sizes_have_their_bounds),
        cmocka_unit_test(released_segments_are_used_again),
        cmocka_unit_test(who_follows_a_log_finds_what_is_made_meanwhile),
        cmocka_unit_test(a_power_cut_loses_nothing_that_was_synced),
        cmocka_unit_test(a_fault_at_any_call_loses_nothing),
        cmocka_unit_test(a_broken_log_writes_nothing),
        cmocka_unit_test(a_full_disk_refuses_and_goes_on),
        cmocka_unit_test(damage_is_refused_with_its_place),
        cmocka_unit_test(a_loss_that_was_accepted_stays_lost),
        cmocka_unit_test(a_frame_inside_of_a_payload_is_none),
        cmocka_unit_test(what_is_not_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
