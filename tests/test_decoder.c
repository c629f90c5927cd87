/*
 * Aim: the decoder takes and refuses what docs/events.md says, with the right
 * values, reasons and positions, and never looks past a record's ends.
 * Method: rows of documents with worked-out results; then the corpus and random
 * changes of it against a slow reference over jansson (reference_decoder.h), for
 * every kernel of this machine; buffers end and start at pages that must not be touched.
 * TOCSIN_SEED and TOCSIN_MUTATIONS change the random part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/mman.h>
#include "ingest/decode.h"
#include "tests/reference_decoder.h"

enum { DOCUMENTS_MAX = 2048, MUTATIONS = 300000 };

static const struct text tenant = {"t0", 2};
static struct decoder *decoders[ISA_COUNT];
static const char *kernel_names[ISA_COUNT];
static size_t decoder_count;

static struct document {
    char name[64];
    char *data;
    size_t bytes;
} documents[DOCUMENTS_MAX];
static size_t document_count;

static int compare_documents(const void *a, const void *b)
{
    return strcmp(((const struct document *)a)->name, ((const struct document *)b)->name);
}

static void load_corpus(void)
{
    const char *folder = TESTS_DIR "/corpus/events";
    DIR *dir = opendir(folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct document *doc = &documents[document_count];
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        assert_true(document_count < DOCUMENTS_MAX);
        snprintf(doc->name, sizeof(doc->name), "%.63s", entry->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        doc->data = malloc(RECORD_BYTES_MAX + 1);
        doc->bytes = fread(doc->data, 1, RECORD_BYTES_MAX + 1, file);
        doc->data = realloc(doc->data, doc->bytes + 1);
        fclose(file);
        document_count++;
    }
    closedir(dir);
    qsort(documents, document_count, sizeof(documents[0]), compare_documents);
}

static int setup(void **state)
{
    (void)state;
    /* One decoder for each kernel: some sets share theirs. */
    for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
        json_index_fn run = json_index_of((enum isa)isa);
        if (!isa_is_supported((enum isa)isa) ||
            (decoder_count > 0 && decoders[decoder_count - 1]->scan.index == run))
            continue;
        isa_use((enum isa)isa);
        kernel_names[decoder_count] = isa_name((enum isa)isa);
        decoders[decoder_count++] = decoder_create();
    }
    isa_use(isa_best());
    load_corpus();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < decoder_count; i++)
        decoder_destroy(decoders[i]);
    for (size_t i = 0; i < document_count; i++)
        free(documents[i].data);
    return 0;
}

static const struct decode_result *decode(const char *record)
{
    return decoder_decode(decoders[0], FORMAT_AUTO, record, strlen(record), tenant);
}

static void assert_text(struct text text, const char *want)
{
    if (!ref_same_text(want, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.at, want);
}

static void minimal_event_takes_the_defaults(void **state)
{
    (void)state;
    const struct decode_result *got = decode("{\"resource\":\"db-01\",\"check\":\"disk\"}");
    assert_int_equal(got->reason, REJECT_NONE);
    assert_int_equal(got->draft_count, 1);
    const struct event_draft *draft = &got->drafts[0];
    assert_text(draft->field[FIELD_TENANT], "t0");
    assert_text(draft->field[FIELD_SOURCE], "");
    assert_text(draft->field[FIELD_RESOURCE], "db-01");
    assert_text(draft->field[FIELD_CHECK], "disk");
    assert_int_equal(draft->severity, SEVERITY_WARNING);
    assert_int_equal(draft->state, EVENT_PROBLEM);
    assert_false(draft->has_time);
    assert_false(draft->has_value);
    assert_int_equal(draft->label_count, 0);
}

static void full_event_keeps_every_value(void **state)
{
    (void)state;
    const struct decode_result *got = decode(
        "{\"value\":-12.25,\"labels\":{\"site\":\"a\\u00e9\\ud83d\\ude00\",\"n\":1.50,\"up\":false,"
        "\"no\":null},"
        "\"time\":\"2026-02-01T10:00:00.265543312Z\",\"message\":\"say "
        "\\\"hi\\\"\\n\",\"state\":\"firing\","
        "\"severity\":\"Error\",\"dedup_key\":\"k\",\"check\":\"disk\",\"resource\":\"db-01\","
        "\"source\":\"zabbix\",\"tenant\":\"acme\",\"other\":[{\"x\":[1,2]}]}");
    assert_int_equal(got->reason, REJECT_NONE);
    const struct event_draft *draft = &got->drafts[0];
    assert_text(draft->field[FIELD_TENANT], "acme");
    assert_text(draft->field[FIELD_SOURCE], "zabbix");
    assert_text(draft->field[FIELD_DEDUP_KEY], "k");
    assert_text(draft->field[FIELD_MESSAGE], "say \"hi\"\n");
    assert_int_equal(draft->severity, SEVERITY_MAJOR);
    assert_true(draft->has_time);
    /* date -u -d 2026-02-01T10:00:00 +%s is 1769940000 */
    assert_true(draft->time_ms == 1769940000265);
    assert_true(draft->has_value && draft->value == -12.25);
    assert_int_equal(draft->label_count, 3);
    assert_text(draft->labels[0].value, "a\xc3\xa9\xf0\x9f\x98\x80");
    assert_text(draft->labels[1].value, "1.50");
    assert_text(draft->labels[2].name, "up");
    assert_text(draft->labels[2].value, "false");
}

static void alertmanager_body_gives_one_event_per_alert(void **state)
{
    (void)state;
    const struct decode_result *got =
        decode("{\"version\":\"4\",\"truncatedAlerts\":3,\"alerts\":["
               "{\"status\":\"firing\",\"labels\":{\"alertname\":\"DiskFull\",\"instance\":"
               "\"db01\",\"severity\":\"critical\"},"
               "\"annotations\":{\"summary\":\"disk "
               "98%\"},\"startsAt\":\"2026-02-01T10:00:00.265543312Z\","
               "\"endsAt\":\"0001-01-01T00:00:00Z\",\"fingerprint\":\"941f90aa0dff5c4c\"},"
               "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"DiskFull\",\"job\":\"node\"},"
               "\"startsAt\":\"2026-02-01T10:00:00Z\",\"endsAt\":\"2026-02-01T10:01:00Z\"}],"
               "\"externalURL\":\"http://am.example\"}");
    assert_int_equal(got->reason, REJECT_NONE);
    assert_int_equal(got->draft_count, 2);
    assert_int_equal(got->missing_count, 3);
    const struct event_draft *one = &got->drafts[0], *two = &got->drafts[1];
    assert_text(one->field[FIELD_SOURCE], "http://am.example");
    assert_text(one->field[FIELD_RESOURCE], "db01");
    assert_text(one->field[FIELD_CHECK], "DiskFull");
    assert_text(one->field[FIELD_DEDUP_KEY], "941f90aa0dff5c4c");
    assert_text(one->field[FIELD_MESSAGE], "disk 98%");
    assert_int_equal(one->severity, SEVERITY_CRITICAL);
    assert_int_equal(one->state, EVENT_PROBLEM);
    assert_true(one->time_ms == 1769940000265);
    assert_int_equal(one->label_count, 3);
    assert_text(two->field[FIELD_RESOURCE], "node");
    assert_text(two->field[FIELD_SOURCE], "http://am.example");
    assert_int_equal(two->state, EVENT_CLEAR);
    assert_int_equal(two->severity, SEVERITY_WARNING);
    assert_true(two->time_ms == 1769940060000);
    assert_int_equal(two->field[FIELD_DEDUP_KEY].len, 16);
}

/* The number that Alertmanager 0.25 itself sent for this label set. */
static void missing_fingerprint_is_computed_as_alertmanager_does(void **state)
{
    (void)state;
    const struct decode_result *got =
        decode("{\"alerts\":[{\"status\":\"firing\",\"labels\":{\"severity\":\"critical\","
               "\"instance\":\"db01\",\"alertname\":\"DiskFull\"}}]}");
    assert_int_equal(got->reason, REJECT_NONE);
    assert_text(got->drafts[0].field[FIELD_DEDUP_KEY], "941f90aa0dff5c4c");
}

/* Reason and position of one fault each; ^ marks the byte, and is taken out. */
static const struct fault {
    enum reject_reason reason;
    const char *record;
} faults[] = {
    {REJECT_PARSE, "^"},
    {REJECT_PARSE, "^   "},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b\"}^x}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b\",\"o\":^tru}"},
    {REJECT_PARSE, "{\"resource\":\"a\" ^\"check\":\"b\"}"},
    {REJECT_PARSE, "{\"resource\" ^\"a\",\"check\":\"b\"}"},
    {REJECT_PARSE, "{\"resource\":\"a\",^}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":^\"b}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b^\n\"}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b^\\x\"}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b\",\"value\":^01}"},
    {REJECT_PARSE, "{\"resource\":\"a\",\"check\":\"b\",\"value\":^1e999}"},
    {REJECT_UTF8, "{\"resource\":\"a\",\"check\":\"b^\xff\"}"},
    {REJECT_UTF8, "{\"resource\":\"a\",\"check\":\"b\\u^d800\"}"},
    {REJECT_SCHEMA, "{^\"resource\":\"a\",\"check\":\"b\",\"severity\":\"\xc2\xb5\"}"},
    {REJECT_SCHEMA, "{\"resource\":\"a\",\"check\":\"b\",^\"check\":\"c\"}"},
    {REJECT_SCHEMA, "{\"resource\":\"a\",\"check\":\"b\",\"labels\":{\"x\":\"1\",^\"x\":\"2\"}}"},
    {REJECT_SCHEMA, "{\"resource\":^7,\"check\":\"b\"}"},
    {REJECT_SCHEMA, "^{\"resource\":\"a\"}"},
    {REJECT_SCHEMA, "[{\"resource\":\"a\",\"check\":\"b\"},^{\"check\":\"b\"}]"},
    {REJECT_SCHEMA, "^[]"},
    {REJECT_DEPTH, "{\"o\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[^[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"},
};

static void faults_tell_reason_and_position(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const char *mark = strchr(faults[i].record, '^');
        size_t at = (size_t)(mark - faults[i].record);
        char record[256];
        memcpy(record, faults[i].record, at);
        strcpy(record + at, mark + 1);
        if (faults[i].reason == REJECT_SCHEMA && strstr(record, "severity") != NULL)
            at = (size_t)(strstr(record, "\"severity") - record);
        const struct decode_result *got = decode(record);
        if (got->reason != faults[i].reason || got->at != at || got->draft_count != 0)
            fail_msg("%s: %s at %u (%s), expected %s at %zu", record,
                     reject_reason_name(got->reason), got->at, got->why,
                     reject_reason_name(faults[i].reason), at);
    }
}

/* What is said of a word or time that is not known: the word itself, as far as a slip of the finger
 * goes and without what a terminal would obey, and the nearest that is right. */
static const struct named {
    const char *field, *value, *why;
} named[] = {
    {"severity", "hihg",
     "severity \"hihg\" is no word that docs/events.md lists; did you mean "
     "\"high\"?"},
    {"severity", "Critcal",
     "severity \"Critcal\" is no word that docs/events.md lists; did you "
     "mean \"critical\"?"},
    {"severity", "gravissimo", "severity \"gravissimo\" is no word that docs/events.md lists"},
    {"severity", "p9", "severity \"p9\" is no word that docs/events.md lists"},
    {"severity", "a\\u001b[2J\\nb\\u007f\\u0085\\u00b5",
     "severity \"a?[2J?b???\xc2\xb5\" is no word that docs/events.md lists"},
    {"severity",
     "\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5"
     "x\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5",
     "severity \"\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5"
     "x\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5\xc2\xb5...\" is no word that "
     "docs/events.md lists"},
    {"state", "fireing",
     "state \"fireing\" is no word that docs/events.md lists; did you mean "
     "\"firing\"?"},
    {"state", "2", "state \"2\" is no word that docs/events.md lists"},
    {"time", "2026-02-30T00:00:00Z",
     "time \"2026-02-30T00:00:00Z\" is in no form that docs/events.md lists"},
};

static void a_word_that_is_not_known_is_named_with_the_nearest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        char record[512];
        snprintf(record, sizeof(record), "{\"resource\":\"a\",\"check\":\"b\",\"%s\":\"%s\"}",
                 named[i].field, named[i].value);
        const struct decode_result *got = decode(record);
        assert_int_equal(got->reason, REJECT_SCHEMA);
        assert_string_equal(got->why, named[i].why);
    }
}

static void too_long_a_record_is_refused_by_size(void **state)
{
    (void)state;
    size_t bytes = RECORD_BYTES_MAX + 1;
    char *record = malloc(bytes);
    const char *event = "{\"resource\":\"a\",\"check\":\"b\"}";
    memset(record, ' ', bytes);
    memcpy(record, event, strlen(event));
    for (size_t k = 0; k < decoder_count; k++) {
        assert_int_equal(decoder_decode(decoders[k], FORMAT_AUTO, record, bytes, tenant)->reason,
                         REJECT_SIZE);
        assert_int_equal(
            decoder_decode(decoders[k], FORMAT_AUTO, record, bytes - 1, tenant)->reason,
            REJECT_NONE);
    }
    free(record);
}

/* The largest index there can be: nothing but quotes, and nothing but labels. */
static void fullest_records_stay_within_the_memory(void **state)
{
    (void)state;
    char *record = malloc(RECORD_BYTES_MAX);
    size_t bytes = 0;
    memset(record, '"', RECORD_BYTES_MAX);
    record[0] = '{';
    record[RECORD_BYTES_MAX - 1] = '}';
    for (size_t k = 0; k < decoder_count; k++)
        assert_int_equal(
            decoder_decode(decoders[k], FORMAT_AUTO, record, RECORD_BYTES_MAX, tenant)->reason,
            REJECT_PARSE);
    /* Events of 512 fields each, as many as fit. */
    bytes += (size_t)sprintf(record, "[");
    unsigned events = 0;
    while (bytes + 510 * 8 + 64 < RECORD_BYTES_MAX) {
        bytes += (size_t)sprintf(record + bytes, "%s{\"dedup_key\":\"k\",\"labels\":{",
                                 events++ > 0 ? "," : "");
        for (int i = 0; i < 510; i++)
            bytes += (size_t)sprintf(record + bytes, "%s\"%c%c\":1", i > 0 ? "," : "", 'a' + i % 26,
                                     'a' + i / 26);
        bytes += (size_t)sprintf(record + bytes, "}}");
    }
    bytes += (size_t)sprintf(record + bytes, "]");
    for (size_t k = 0; k < decoder_count; k++) {
        const struct decode_result *got =
            decoder_decode(decoders[k], FORMAT_AUTO, record, bytes, tenant);
        assert_int_equal(got->reason, REJECT_NONE);
        assert_int_equal(got->draft_count, events);
        assert_int_equal(got->drafts[events - 1].label_count, 510);
        assert_text(got->drafts[events - 1].labels[509].name, "pt");
    }
    free(record);
}

static void more_events_than_allowed_are_refused(void **state)
{
    (void)state;
    char *record = malloc(RECORD_BYTES_MAX);
    for (int more = 0; more < 2; more++) {
        size_t bytes = (size_t)sprintf(record, "[");
        for (int i = 0; i < RECORD_EVENTS_MAX + more; i++)
            bytes +=
                (size_t)sprintf(record + bytes, "%s{\"dedup_key\":\"%d\"}", i > 0 ? "," : "", i);
        bytes += (size_t)sprintf(record + bytes, "]");
        const struct decode_result *got =
            decoder_decode(decoders[0], FORMAT_AUTO, record, bytes, tenant);
        assert_int_equal(got->reason, more ? REJECT_SIZE : REJECT_NONE);
        assert_int_equal(got->draft_count, more ? 0 : RECORD_EVENTS_MAX);
    }
    free(record);
}

static void compare_all(const char *name, enum event_format format, const char *record,
                        size_t bytes)
{
    struct ref_result want = ref_decode(format, record, bytes, "t0");
    const struct decode_result *first = NULL;

    for (size_t k = 0; k < decoder_count; k++) {
        const struct decode_result *got =
            decoder_decode(decoders[k], format, record, bytes, tenant);
        const char *what = ref_compare(&want, got);
        if (what != NULL)
            fail_msg("%s, kernel %s: %s (%s at %u)\n%.*s", name, kernel_names[k], what, got->why,
                     got->at, (int)(bytes < 2000 ? bytes : 2000), record);
        if (first == NULL)
            first = got;
        if (got->reason != first->reason || got->at != first->at ||
            (got->why != first->why && strcmp(got->why, first->why) != 0))
            fail_msg("%s: kernel %s says %s at %u, %s says %s at %u", name, kernel_names[k],
                     got->why, got->at, kernel_names[0], first->why, first->at);
    }
    ref_release(&want);
}

static void corpus_is_taken_and_refused_as_its_names_say(void **state)
{
    (void)state;
    assert_true(document_count >= 200);
    for (size_t i = 0; i < document_count; i++) {
        const struct document *doc = &documents[i];
        const struct decode_result *got =
            decoder_decode(decoders[0], FORMAT_AUTO, doc->data, doc->bytes, tenant);
        if ((got->reason == REJECT_NONE) != (doc->name[0] == 'o'))
            fail_msg("%s: %s at %u", doc->name, got->why, got->at);
        for (int f = FORMAT_AUTO; f <= FORMAT_ALERTMANAGER; f++)
            compare_all(doc->name, (enum event_format)f, doc->data, doc->bytes);
    }
    print_message("%zu documents, %zu kernels\n", document_count, decoder_count);
}

static uint64_t random_state;

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static size_t random_below(size_t limit)
{
    return limit > 0 ? (size_t)(random_next() % limit) : 0;
}

/* Bits of JSON that matter somewhere. */
static const char *const tokens[] = {"\"",
                                     "\\",
                                     "{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "null",
                                     "true",
                                     "false",
                                     "0",
                                     "-",
                                     ".",
                                     "e",
                                     "1e5",
                                     "\\u0061",
                                     "\\ud83d",
                                     "\\ude00",
                                     "\\u0000",
                                     "\xc3\xa9",
                                     "\xff",
                                     "\n",
                                     " ",
                                     "\"time\":1,",
                                     "\"severity\":\"ok\",",
                                     "\"state\":1,",
                                     "\"labels\":{}",
                                     "\"labels\":{\"a\":\"b\"},",
                                     "\"alerts\":",
                                     "\"check\":\"c\",",
                                     "\"x\":[1,{\"y\":2}],",
                                     "9999999999999999999",
                                     "\"resource\"",
                                     "\\\"",
                                     "\\\\"};

static size_t mutate(char *record, size_t bytes, size_t room)
{
    unsigned changes = 1 + (unsigned)random_below(3);

    while (changes-- > 0) {
        size_t at = random_below(bytes + 1), len;
        const char *token;
        switch (random_below(10)) {
        case 0: /* another byte */
            if (at < bytes)
                record[at] = (char)random_below(256);
            break;
        case 1: /* one bit */
            if (at < bytes)
                record[at] = (char)(record[at] ^ 1 << random_below(8));
            break;
        case 2: /* cut out a stretch */
            len = random_below(bytes - at + 1);
            len = len > 12 && random_below(4) > 0 ? 1 : len;
            memmove(record + at, record + at + len, bytes - at - len);
            bytes -= len;
            break;
        case 3: /* a token goes in */
        case 4:
            token = tokens[random_below(sizeof(tokens) / sizeof(tokens[0]))];
            len = strlen(token);
            if (bytes + len > room)
                break;
            memmove(record + at + len, record + at, bytes - at);
            memcpy(record + at, token, len);
            bytes += len;
            break;
        case 5: /* a stretch comes twice */
            len = random_below(bytes - at + 1) % 64;
            if (bytes + len > room)
                break;
            memmove(record + at + len, record + at, bytes - at);
            bytes += len;
            break;
        case 6: /* another letter or digit, which most often leaves JSON behind */
        case 7:
        case 8:
            if (at < bytes)
                record[at] = "0123456789abcdefghijklmnopqrstuvwxyzABC-_. "[random_below(43)];
            break;
        default: /* a piece of another document */ {
            const struct document *doc = &documents[random_below(document_count)];
            size_t from = random_below(doc->bytes);
            len = random_below(doc->bytes - from + 1) % 64;
            if (at + len > room)
                break;
            memcpy(record + at, doc->data + from, len);
            bytes = at + len > bytes ? at + len : bytes;
            break;
        }
        }
    }
    return bytes;
}

static void random_changes_agree_with_the_reference(void **state)
{
    (void)state;
    enum { ROOM = 4096 };
    const char *seed = getenv("TOCSIN_SEED"), *runs = getenv("TOCSIN_MUTATIONS");
    unsigned long count = runs != NULL ? strtoul(runs, NULL, 10) : MUTATIONS, accepted = 0;
    char *buffer = malloc(ROOM);

    random_state = seed != NULL ? strtoull(seed, NULL, 0) : 20260201;
    print_message("TOCSIN_SEED=%llu TOCSIN_MUTATIONS=%lu\n", (unsigned long long)random_state,
                  count);
    for (unsigned long i = 0; i < count; i++) {
        const struct document *doc;
        /* Mostly documents that are right: what is wrong already stays so. */
        do
            doc = &documents[random_below(document_count)];
        while (doc->bytes > ROOM / 2 || (doc->name[0] == 'n' && random_below(4) > 0));
        memcpy(buffer, doc->data, doc->bytes);
        size_t bytes = mutate(buffer, doc->bytes, ROOM);
        char name[96];
        snprintf(name, sizeof(name), "change %lu of %s", i, doc->name);
        enum event_format format = (enum event_format)(i % 4 == 3 ? random_below(3) : FORMAT_AUTO);
        compare_all(name, format, buffer, bytes);
        accepted +=
            decoder_decode(decoders[0], format, buffer, bytes, tenant)->reason == REJECT_NONE;
    }
    print_message("%lu of %lu changed documents were accepted\n", accepted, count);
    /* A test that only refuses would see little. */
    assert_true(accepted > count / 20);
    free(buffer);
}

/* Pages before and behind may not be touched: the record starts right behind the
 * one, or ends right before the other, at every distance to a block of 64. */
static void no_byte_outside_of_the_record_is_read(void **state)
{
    (void)state;
    enum { PAGE = 4096, ROOM = 64 * PAGE };
    char *map =
        mmap(NULL, ROOM + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map, PAGE, PROT_NONE), 0);
    assert_int_equal(mprotect(map + PAGE + ROOM, PAGE, PROT_NONE), 0);
    for (size_t i = 0; i < document_count; i++) {
        const struct document *doc = &documents[i];
        if (doc->bytes + 64 > ROOM)
            continue;
        for (size_t shift = 0; shift<64; shift += doc->bytes> 2000 ? 13 : 1) {
            for (size_t k = 0; k < decoder_count; k++) {
                char *at_end = map + PAGE + ROOM - doc->bytes;
                enum reject_reason want =
                    decoder_decode(decoders[k], FORMAT_AUTO, doc->data, doc->bytes, tenant)->reason;
                /* Cut or blank-led, so that all lengths and alignments come. */
                memcpy(at_end, doc->data, doc->bytes);
                size_t cut = shift < doc->bytes ? shift : doc->bytes;
                decoder_decode(decoders[k], FORMAT_AUTO, at_end + cut, doc->bytes - cut, tenant);
                memset(at_end - shift, ' ', shift);
                assert_int_equal(decoder_decode(decoders[k], FORMAT_AUTO, at_end - shift,
                                                doc->bytes + shift, tenant)
                                     ->reason,
                                 doc->bytes == 0 ? REJECT_PARSE : want);
                memcpy(map + PAGE, doc->data, doc->bytes);
                decoder_decode(decoders[k], FORMAT_AUTO, map + PAGE, doc->bytes - cut, tenant);
                memcpy(map + PAGE + shift, doc->data, doc->bytes);
                assert_int_equal(
                    decoder_decode(decoders[k], FORMAT_AUTO, map + PAGE + shift, doc->bytes, tenant)
                        ->reason,
                    want);
            }
        }
    }
    munmap(map, ROOM + 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimal_event_takes_the_defaults),
        cmocka_unit_test(full_event_keeps_every_value),
        cmocka_unit_test(alertmanager_body_gives_one_event_per_alert),
        cmocka_unit_test(missing_fingerprint_is_computed_as_alertmanager_does),
        cmocka_unit_test(faults_tell_reason_and_position),
        cmocka_unit_test(a_word_that_is_not_known_is_named_with_the_nearest),
        cmocka_unit_test(too_long_a_record_is_refused_by_size),
        cmocka_unit_test(fullest_records_stay_within_the_memory),
        cmocka_unit_test(more_events_than_allowed_are_refused),
        cmocka_unit_test(corpus_is_taken_and_refused_as_its_names_say),
        cmocka_unit_test(random_changes_agree_with_the_reference),
        cmocka_unit_test(no_byte_outside_of_the_record_is_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
