/*
 * Aim (C7, C8, C12): a data directory in which anything was changed, lost or put is refused with
 * the file and what to do, and left as it is; or its end is cut, as a torn write is, and counted;
 * but never is anything told that had not been told, and nothing told again. Method: the disk of a
 * life (tests/durable_load.h), and on each copy of it one place that is flipped, zeroed, swapped,
 * cut off or gone, in any file of the directory; then a start. Snapshots are damaged by themselves,
 * too: the newest, or both that there are (C6). The seed is printed; a second argument sets it.
 */
#include "store/segment_format.h"
#include "tests/durable_load.h"

static uint64_t seed, damages;

enum damage { FLIP, ZERO, SWAP, TRUNCATE, GROW, REMOVE, DAMAGES };
static const char *const damage_names[] = {"flip", "zero", "swap", "truncate", "grow", "remove"};

/* One that is in the data directory. */
static struct sim_name *any_file(void)
{
    struct sim_name *found = NULL;
    uint64_t seen = 0;

    for (int i = 0; i < SIM_FILES; i++)
        if (strncmp(sim.now[i].path, "data/", 5) == 0 && sim.now[i].file != SIM_FOLDER &&
            draw(++seen) == 0)
            found = &sim.now[i];
    assert_non_null(found);
    return found;
}

/* Where something was written, mostly: segments are full of zeros. */
static size_t any_place(const struct sim_file *file)
{
    size_t used = file->now_bytes;

    while (used > 0 && file->now[used - 1] == '\0')
        used--;
    if (draw(8) == 0 || used == 0)
        return draw(file->now_bytes);
    return draw(4) == 0 && used > 600 ? used - 1 - draw(600) : draw(used); /* the last frame */
}

static void swap(char *a, char *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char was = a[i];
        a[i] = b[i];
        b[i] = was;
    }
}

/* Without the last segment a log is as if it had never gone further, and nobody can tell. */
static bool is_last_segment(const char *path)
{
    size_t folder = sim_folder_bytes(path);

    if (strstr(path, ".seg") == NULL)
        return false;
    for (int i = 0; i < SIM_FILES; i++)
        if (strncmp(sim.now[i].path, path, folder + 1) == 0 &&
            strstr(sim.now[i].path, ".seg") != NULL && strcmp(sim.now[i].path, path) > 0)
            return false;
    return true;
}

/* Whether anything is other than before. */
static bool do_damage(enum damage damage, struct sim_name *name)
{
    struct sim_file *file = &sim.files[name->file];
    size_t bytes = file->now_bytes, at = bytes > 0 ? any_place(file) : 0, other, length;
    char *before = memory_alloc(bytes + 1);
    bool is_other;

    if (bytes > 0)
        memcpy(before, file->now, bytes);
    switch (damage) {
    case FLIP:
        if (bytes > 0)
            file->now[at] ^= (char)(1 << draw(8));
        break;
    case ZERO:
        length = 1 + draw(600);
        for (size_t i = at; i < bytes && i < at + length; i++)
            file->now[i] = '\0';
        break;
    case SWAP:
        at = at / SIM_SECTOR * SIM_SECTOR;
        other = bytes > 0 ? any_place(file) / SIM_SECTOR * SIM_SECTOR : 0;
        length = bytes - (at > other ? at : other);
        swap(file->now + at, file->now + other, length < SIM_SECTOR ? length : SIM_SECTOR);
        break;
    case TRUNCATE:
        memset(file->now + at, 0, bytes - at);
        file->now_bytes = at;
        break;
    case GROW:
        sim_file_put(file, "more", 4, bytes);
        break;
    case REMOVE:
        if (is_last_segment(name->path)) {
            free(before);
            return false;
        }
        sim_name_set(sim.now, name->path, -1);
        free(before);
        return true;
    case DAMAGES:
        break;
    }
    is_other = file->now_bytes != bytes || memcmp(file->now, before, bytes) != 0;
    free(before);
    return is_other;
}

/* Of all that lies in the directory but LOCK, which says who looks. */
static uint64_t sum_of_all(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < SIM_FILES; i++) {
        const char *path = sim.now[i].path;
        if (strncmp(path, "data/", 5) == 0 && strcmp(path, "data/LOCK") != 0 &&
            sim.now[i].file != SIM_FOLDER) {
            const struct sim_file *file = &sim.files[sim.now[i].file];
            sum += hash64(path, strlen(path), 1) * 3 + hash64(file->now, file->now_bytes, 2) * 5 +
                   hash_mix(file->now_bytes);
        }
    }
    return sum;
}

static uint64_t refused, cut, healed, differed;

/* A start on what there is; `path` is what was damaged. */
static void start_on_damage(enum damage damage, const char *path)
{
    uint64_t sum = sum_of_all();
    int code = world_start(&world, load.last_rules, 0);

    if (code != EXIT_OK) {
        const char *what = damage_names[damage];
        if (code != EXIT_DATA && code != EXIT_CONFIG)
            fail_msg("%s in %s: code %d: %s", what, path, code, world.why.text);
        if (strstr(world.why.text, "data/") == NULL)
            fail_msg("%s in %s: no file is named: %s", what, path, world.why.text);
        if (sum != sum_of_all())
            fail_msg("%s in %s: it was refused, and is not as it was: %s", what, path,
                     world.why.text);
        if (damage == REMOVE && strstr(path, "/journal/") != NULL)
            assert_non_null(strstr(world.why.text, "what was before is missing; put back"));
        if (damage == REMOVE && strstr(path, "FORMAT") != NULL)
            assert_non_null(strstr(world.why.text, "data/FORMAT: it is missing, and data/"));
        refused++;
        return;
    }
    if (!world_recover(&world)) {
        if (world_verdict(&world) != EXIT_DATA)
            fail_msg("%s in %s: %d: %s", damage_names[damage], path, world_verdict(&world),
                     world.why.text);
        differed++;
    } else {
        world_sync(&world);
    }
    code = world_stop(&world);
    if (code != EXIT_OK && code != EXIT_DATA)
        fail_msg("%s in %s: %d: %s", damage_names[damage], path, code, world.why.text);
}

/* The life's disk, with one damage. */
static void damage_and_start(uint64_t number)
{
    enum damage damage = (enum damage)(number % DAMAGES);
    char path[SIM_NAME];
    struct sim_name *name;
    struct error err = {""};
    bool is_good;

    sim_disk_image(&load.trace, load.trace.count, number);
    do {
        name = any_file();
        snprintf(path, sizeof(path), "%s", name->path);
    } while (!do_damage(damage, name));
    held.was_told = load.told;
    is_good = look_for(&err);
    if (is_good && held.is_there) {
        assert_begins(load.told, load.told_bytes, held.told.at, held.told.used,
                      "it says what was never told");
        if (held.told.used < load.told_bytes) {
            cut++;
            if (held.torn_bytes == 0 && held.unfinished == 0)
                fail_msg("%s in %s: its end is gone, and nothing says so", damage_names[damage],
                         path);
        } else {
            healed++;
        }
    }
    start_on_damage(damage, path);
    if (!is_good || !held.is_there) {
        sim_disk_end();
        return;
    }
    /* Whatever it told then, it had told before, or it comes to the same. */
    if (look_for(&err) && load.is_plain && load.late_by_seal == 0 && world.late_by_seal == 0) {
        size_t same = held.told.used < load.told_bytes ? held.told.used : load.told_bytes;
        assert_begins(load.told, load.told_bytes, held.told.at, same, "it tells otherwise");
    }
    sim_disk_end();
}

static void what_is_damaged_is_refused_or_cut(void **state)
{
    const uint64_t per_load = damages / 6 < 60 ? damages / 6 + 1 : 60;
    uint64_t done = 0;

    (void)state;
    for (uint64_t of = 0; done < damages; of++) {
        live(seed + of);
        for (uint64_t i = 0; i < per_load && done < damages; i++, done++) {
            dice = hash_mix(seed + 1000003 * of + i);
            damage_and_start(done);
        }
        forget_load();
    }
    print_message("%" PRIu64 " damages, seed %" PRIu64 ": %" PRIu64 " refused, %" PRIu64
                  " ends cut, %" PRIu64 " of no consequence for what was told, %" PRIu64
                  " found by the recovery\n",
                  done, seed, refused, cut, healed, differed);
    forget_held();
}

/* ---- snapshots ---- */

/* The disk of the life as it ended; the numbers of its two snapshots, the newest first. */
static void snapshots_of_life(uint64_t number[SNAPSHOT_LIST_MAX], struct snapshot_folder *folder)
{
    struct error err = {""};
    enum data_dir_refusal why;
    struct data_dir dir;

    sim_disk_image(&load.trace, load.trace.count, 1);
    assert_int_equal(data_dir_open(&dir, "data", DATA_DIR_LOOK, &why, &err), 0);
    *folder = (struct snapshot_folder){"data/snapshots", dir.id};
    data_dir_close(&dir);
    assert_int_equal(snapshot_file_list(folder, number), 2);
    held.was_told = load.told;
    look();
    assert_begins(held.told.at, held.told.used, load.told, load.told_bytes, "before any damage");
}

/* A life whose journal has let go of its beginning: few are as long as that. Its disk is there. */
static void live_late(uint64_t number[SNAPSHOT_LIST_MAX], struct snapshot_folder *folder)
{
    for (uint64_t of = 4;; of += of % 2 == 0 ? 1 : 5) { /* those that let go of what they may */
        live(of);
        snapshots_of_life(number, folder);
        if (held.begins_late)
            return;
        sim_disk_end();
        forget_load();
    }
}

/* Something is done to one of them. */
typedef void rot_fn(const struct snapshot_folder *folder, uint64_t number, size_t at);

static struct sim_file *file_of(const struct snapshot_folder *folder, uint64_t number)
{
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_path(folder, number, path);
    return sim_disk_file(path);
}

static void flip_one(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    file_of(folder, number)->now[at] ^= (char)(1 << draw(8));
}

static void zero_from(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    struct sim_file *file = file_of(folder, number);

    file->now[at] = (char)~file->now[at]; /* there may be zeros */
    memset(file->now + at + 1, 0, file->now_bytes - at - 1);
}

static void cut_off(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    struct sim_file *file = file_of(folder, number);

    memset(file->now + at, 0, file->now_bytes - at);
    file->now_bytes = at;
}

static void lengthen(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    struct sim_file *file = file_of(folder, number);

    (void)at;
    sim_file_put(file, "more", 4, file->now_bytes);
}

/* As a file system does that mixes up two blocks. */
static void swap_sectors(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    struct sim_file *file = file_of(folder, number);
    size_t first = at / SIM_SECTOR * SIM_SECTOR, bytes = file->now_bytes - first;

    bytes = bytes < SIM_SECTOR ? bytes : SIM_SECTOR;
    if (first == 0 || memcmp(file->now, file->now + first, bytes) == 0)
        file->now[at] ^= 1;
    else
        swap(file->now, file->now + first, bytes);
}

static void vanish(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    char path[SNAPSHOT_PATH_BYTES];

    (void)at;
    snapshot_file_path(folder, number, path);
    sim_name_set(sim.now, path, -1);
}

/* Whole, with all checksums right, but its image is of a version that nobody knows. */
static void image_of_later(const struct snapshot_folder *folder, uint64_t number, size_t at)
{
    struct snapshot_content content;
    struct snapshot_written written;
    enum snapshot_refusal why;
    struct error err;

    (void)at;
    assert_int_equal(snapshot_file_read(folder, number, &content, &why, &err), 0);
    content.image[4] = 99; /* behind the mark "TOCS" */
    const struct snapshot_piece known = {content.known, content.known_bytes},
                                image = {content.image, content.image_bytes};
    assert_int_equal(
        snapshot_file_write(folder, number, &content.facts, &known, &image, 1, &written, &err), 0);
    snapshot_content_release(&content);
}

static const struct rot {
    const char *name, *says; /* of the newest that cannot be gone on from */
    rot_fn *rot;
} rots[] = {
    {"flip", ": byte ", flip_one},
    {"zero", ": byte ", zero_from},
    {"truncate", ": byte ", cut_off},
    {"grow", "the file goes on behind its end", lengthen},
    {"swap", ": byte ", swap_sectors},
    {"remove", NULL, vanish},
    {"later version", ": the image of the engine's state has version 99", image_of_later},
};
enum { ROTS = sizeof(rots) / sizeof(rots[0]) };

static void assert_goes_on(const char *what, uint64_t passed_over)
{
    struct durable_snapshot_counters counters;
    int code = world_start(&world, load.last_rules, 0);

    if (code != EXIT_OK)
        fail_msg("%s: %d: %s", what, code, world.why.text);
    durable_snapshot_counters(world.durable, &counters);
    assert_int_equal(counters.passed_over, passed_over);
    if (!world_recover(&world))
        fail_msg("%s: it does not recover: %s", what, world.why.text);
    world_sync(&world);
    assert_int_equal(world_stop(&world), EXIT_OK);
    look();
    assert_begins(held.told.at, held.told.used, load.told, load.told_bytes, what);
}

static void assert_gone(const struct rot *rot)
{
    uint64_t sum = sum_of_all();
    int code = world_start(&world, load.last_rules, 0);

    if (code != EXIT_DATA ||
        strstr(world.why.text, "data/journal: it begins with frame ") == NULL ||
        strstr(world.why.text, "what was before is missing; put back the files of a copy") == NULL)
        fail_msg("%s: %d: %s", rot->name, code, world.why.text);
    if (rot->says != NULL && (strstr(world.why.text, "data/snapshots/0") == NULL ||
                              strstr(world.why.text, rot->says) == NULL ||
                              strstr(world.why.text, "of 2 snapshots none is good") == NULL))
        fail_msg("%s: %s", rot->name, world.why.text);
    if (sum != sum_of_all())
        fail_msg("%s: it was refused, and is not as it was", rot->name);
}

/* At the file's begin, at its end, and anywhere. */
static size_t place_of(const struct snapshot_folder *folder, uint64_t number, int nth)
{
    size_t bytes = file_of(folder, number)->now_bytes;

    return nth == 0 ? draw(72 + 16) : nth == 1 ? bytes - 1 - draw(24) : draw(bytes);
}

static uint64_t passed, refused_for_both;

static void rot_and_start(const struct rot *rot, int nth, bool is_both)
{
    uint64_t number[SNAPSHOT_LIST_MAX], over = rot->rot != vanish;
    struct snapshot_folder folder;

    snapshots_of_life(number, &folder);
    bool is_late = held.begins_late;
    rot->rot(&folder, number[0], place_of(&folder, number[0], nth));
    if (is_both)
        rot->rot(&folder, number[1], place_of(&folder, number[1], nth));
    if (is_both && is_late) {
        assert_gone(rot);
        refused_for_both++;
    } else {
        assert_goes_on(rot->name, is_both ? 2 * over : over);
        passed++;
    }
    sim_disk_end();
}

/* What the journal needs for the older of the two is there, and what is told stays the same. */
static void C6_a_damaged_snapshot_is_passed_over_for_the_one_before(void **state)
{
    uint64_t number[SNAPSHOT_LIST_MAX];
    struct snapshot_folder folder;

    (void)state;
    for (uint64_t of = 2; of < 5; of++) {
        if (of < 4) { /* their journals are whole */
            live(of);
        } else {
            live_late(number, &folder);
            sim_disk_end();
        }
        for (int nth = 0; nth < 3; nth++)
            for (size_t i = 0; i < ROTS; i++) {
                dice = hash_mix(seed + 1000 * of + 10 * (uint64_t)nth + i);
                rot_and_start(&rots[i], nth, false);
                rot_and_start(&rots[i], nth, true);
            }
        forget_load();
    }
    assert_int_equal(refused_for_both, 3 * ROTS);
    assert_int_equal(passed, 3 * 3 * ROTS + 2 * 3 * ROTS);
    forget_held();
}

/* A journal that is shorter than a snapshot says may be put back: until it is sure that it is gone
 * on from, the snapshot stays. */
static void C6_a_snapshot_that_is_ahead_stays_while_the_start_is_refused(void **state)
{
    uint64_t number[SNAPSHOT_LIST_MAX], sum;
    struct snapshot_folder folder;
    struct sim_name *last = NULL;

    (void)state;
    live_late(number, &folder);
    for (int i = 0; i < SIM_FILES; i++)
        if (strncmp(sim.now[i].path, "data/journal/", 13) == 0 &&
            (last == NULL || strcmp(sim.now[i].path, last->path) > 0) &&
            strstr(sim.now[i].path, ".seg") != NULL)
            last = &sim.now[i];
    assert_non_null(last);
    /* Nothing but its head is left. */
    struct sim_file *file = &sim.files[last->file];
    memset(file->now + SEGMENT_HEAD_BYTES, 0, file->now_bytes - SEGMENT_HEAD_BYTES);
    sum = sum_of_all();
    int code = world_start(&world, load.last_rules, 0);
    if (code == EXIT_OK)
        world_stop(&world);
    else if (sum != sum_of_all())
        fail_msg("it was refused, and is not as it was: %s", world.why.text);
    assert_int_equal(code, EXIT_DATA);
    sim_disk_end();
    forget_load();
    forget_held();
}

/* ---- what is not ours, not of our time, or means harm ---- */

static void put_text(const char *path, const char *text)
{
    struct sim_file *file = sim_disk_file(path);

    memset(file->now, 0, file->room);
    file->now_bytes = 0;
    sim_file_put(file, text, strlen(text), 0);
}

static void change_head(void (*change)(struct segment_head *head))
{
    struct sim_file *file = sim_disk_file("data/journal/0000000000000001.seg");
    struct segment_head head;

    memcpy(&head, file->now, sizeof(head));
    change(&head);
    head.crc = segment_head_crc(&head);
    memcpy(file->now, &head, sizeof(head));
}

static void of_another(struct segment_head *head)
{
    head->directory.hi ^= 1;
}

static void of_the_intake(struct segment_head *head)
{
    snprintf(head->kind, sizeof(head->kind), "intake");
}

static void of_later(struct segment_head *head)
{
    head->version = SEGMENT_VERSION + 1;
}

static void of_no_version(struct segment_head *head)
{
    head->version = 0;
}

static void too_large(struct segment_head *head)
{
    head->bytes = UINT32_MAX;
}

static const struct {
    const char *path, *format; /* of FORMAT; NULL: it stays */
    void (*change)(struct segment_head *head);
    int code;
    const char *sentence;
} strangers[] = {
    {"FORMAT", "a list of things\n", NULL, EXIT_CONFIG,
     "data/FORMAT:1: this is not the directory of a tocsin"},
    {"FORMAT", "", NULL, EXIT_CONFIG, "data/FORMAT:1: this is not the directory of a tocsin"},
    {"FORMAT", "tocsin data directory\nversion 2\nid x\n", NULL, EXIT_DATA,
     "data/FORMAT:2: version 2 was written by a newer tocsin, and this one reads up to 1; start "
     "the"},
    {"FORMAT", "tocsin data directory\nversion 0\nid 00\n", NULL, EXIT_DATA,
     "data/FORMAT: the file is damaged; put back the one of a copy"},
    {"FORMAT", "tocsin data directory\nversion 1\nid 0123456789abc", NULL, EXIT_DATA,
     "data/FORMAT: the file is damaged; put back the one of a copy"},
    {"FORMAT", "tocsin data directory\nversion 99999999999999999999\n", NULL, EXIT_DATA,
     "was written by a newer tocsin"},
    {"head", NULL, of_another, EXIT_DATA,
     "journal/0000000000000001.seg: byte 16: this is a segment of another data directory"},
    {"head", NULL, of_the_intake, EXIT_DATA,
     "journal/0000000000000001.seg: byte 16: this is a segment of another log"},
    {"head", NULL, of_later, EXIT_DATA,
     "journal/0000000000000001.seg: byte 8: format 2 was written by a newer tocsin"},
    {"head", NULL, of_no_version, EXIT_DATA,
     "journal/0000000000000001.seg: byte 0: the checksum of the head is wrong"},
    {"head", NULL, too_large, EXIT_DATA,
     "journal/0000000000000001.seg: the file has 65536 bytes and should have 4294967295"},
};

static void what_is_foreign_is_refused_and_left_alone(void **state)
{
    (void)state;
    live(seed % 2); /* of those that let nothing go: the first segment is there */
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        uint64_t sum;
        int code;
        sim_disk_image(&load.trace, load.trace.count, i);
        if (strangers[i].format != NULL)
            put_text("data/FORMAT", strangers[i].format);
        else
            change_head(strangers[i].change);
        sum = sum_of_all();
        code = world_start(&world, load.last_rules, 0);
        if (code != strangers[i].code || strstr(world.why.text, strangers[i].sentence) == NULL)
            fail_msg("row %zu: code %d: %s", i, code, world.why.text);
        assert_true(sum == sum_of_all());
        sim_disk_end();
    }
    forget_load();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_damaged_is_refused_or_cut),
        cmocka_unit_test(C6_a_damaged_snapshot_is_passed_over_for_the_one_before),
        cmocka_unit_test(C6_a_snapshot_that_is_ahead_stays_while_the_start_is_refused),
        cmocka_unit_test(what_is_foreign_is_refused_and_left_alone),
    };

    damages = argc > 1 ? strcmp(argv[1], "long") == 0 ? 1000 : strtoull(argv[1], NULL, 10) : 90;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
