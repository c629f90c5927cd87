/*
 * Aim: rule_set_match() answers what the rules say, in order, whatever the index
 * leaves out. Method: random sets of random expressions over small vocabularies,
 * and random events; a slow model in this file holds each expression as a tree of
 * its own and evaluates it with three-valued truth. Printed seed on failure.
 */
#include "rules_support.h"

enum { SETS = 400, EVENTS = 60, RULES_PER_SET_MAX = 90, NODES_MAX = 20000, PARTS_MAX = 4 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

/* ---- vocabulary: few words, many coincidences, prefixes of each other ---- */

static const char *const words_list[] = {
    "a",
    "ab",
    "abc",
    "abcd",
    "b",
    "ba",
    "disk",
    "disk.full",
    "disk.smart",
    "host-1",
    "host-2",
    "",
    "a/b",
    "host-1/sda",
    "abcdefghijklmnopq",
    "abcdefghijklmnopr",
    "\xc3\xa4",
};
static const char *const texts[] = {"tenant",      "source",         "resource", "check",
                                    "dedup_key",   "message",        "host",     "labels.x",
                                    "labels.host", "labels[\"y z\"]"};
static const char *const severities[] = {"OK",    "DEBUG", "INFO",    "WARNING",
                                         "MINOR", "MAJOR", "CRITICAL"};
static const char *const relations[] = {"==", "!=", "<", "<=", ">", ">="};

enum { WORDS = 17, TEXTS = 10 };

/* ---- trees of the model ---- */

enum kind {
    AND,
    OR,
    NOT,
    TEXT_TEST,
    TEXT_PAIR,
    IN,
    SEARCH,
    SEVERITY_TEST,
    SEVERITY_IN,
    VALUE_TEST,
    HAS_TEST
};
enum truth3 { NO, YES, ERR };

struct node {
    enum kind kind;
    struct node *part[PARTS_MAX];
    uint32_t parts;
    uint32_t field, other, relation, word, list[PARTS_MAX], search;
    bool is_mirrored;
};

static struct node nodes[NODES_MAX];
static uint32_t node_count;

static struct node *grow(uint32_t depth)
{
    assert_true(node_count < NODES_MAX);
    struct node *node = &nodes[node_count++];

    memset(node, 0, sizeof(*node));
    node->kind = depth > 0 && below(3) > 0 ? (enum kind)below(3)
                                           : (enum kind)(TEXT_TEST + below(HAS_TEST - NOT));
    /* Most rules begin with a plain equality: that is what the index is for. */
    if (node->kind >= TEXT_TEST && below(2) == 0)
        node->kind = TEXT_TEST;
    node->parts = node->kind == NOT ? 1 : node->kind < NOT ? 2 + below(PARTS_MAX - 1) : 0;
    for (uint32_t i = 0; i < node->parts; i++)
        node->part[i] = grow(depth - 1);
    node->field = below(TEXTS);
    node->other = below(TEXTS);
    node->relation = below(3) > 0 ? 0 : below(6);
    node->word = below(WORDS);
    node->search = below(3);
    node->is_mirrored = below(4) == 0;
    for (int i = 0; i < PARTS_MAX; i++)
        node->list[i] = below(WORDS);
    return node;
}

/* ---- as text ---- */

static size_t put(char *to, size_t used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    used += (size_t)vsnprintf(to + used, 16000 - used, format, args);
    va_end(args);
    assert_true(used < 16000);
    return used;
}

static size_t write_node(const struct node *node, char *to, size_t used)
{
    static const char *const searches[] = {"startsWith", "endsWith", "contains"};

    switch (node->kind) {
    case AND:
    case OR:
        used = put(to, used, "(");
        for (uint32_t i = 0; i < node->parts; i++) {
            used = put(to, used, i == 0 ? "" : node->kind == AND ? " && " : " || ");
            used = write_node(node->part[i], to, used);
        }
        return put(to, used, ")");
    case NOT:
        used = put(to, used, "!(");
        used = write_node(node->part[0], to, used);
        return put(to, used, ")");
    case TEXT_TEST:
        return node->is_mirrored ? put(to, used, "\"%s\" %s %s", words_list[node->word],
                                       relations[node->relation], texts[node->field])
                                 : put(to, used, "%s %s \"%s\"", texts[node->field],
                                       relations[node->relation], words_list[node->word]);
    case TEXT_PAIR:
        return put(to, used, "%s %s %s", texts[node->field], relations[node->relation],
                   texts[node->other]);
    case IN:
        return put(to, used, "%s in [\"%s\", \"%s\", \"%s\"]", texts[node->field],
                   words_list[node->list[0]], words_list[node->list[1]], words_list[node->list[2]]);
    case SEARCH:
        return put(to, used, "%s.%s(\"%s\")", texts[node->field], searches[node->search],
                   words_list[node->word]);
    case SEVERITY_TEST:
        return node->is_mirrored ? put(to, used, "%s %s severity", severities[node->word % 7],
                                       relations[node->relation])
                                 : put(to, used, "severity %s %s", relations[node->relation],
                                       severities[node->word % 7]);
    case SEVERITY_IN:
        return put(to, used, "severity in [%s, %s]", severities[node->list[0] % 7],
                   severities[node->list[1] % 7]);
    case VALUE_TEST:
        return put(to, used, "value %s %u.5", relations[node->relation], node->word % 4);
    default:
        return put(to, used, "has(%s)", node->field < 2 ? "value" : texts[node->field]);
    }
}

/* ---- as truth ---- */

static const char *field_of(const struct words *words, uint32_t field)
{
    const char *fields[] = {words->tenant, words->source,    words->resource,
                            words->check,  words->dedup_key, words->message};
    static const char *const labels[] = {"host", "x", "host", "y z"};
    static char host[64];

    if (field < 6)
        return fields[field] != NULL ? fields[field] : "";
    for (int i = 0; i < 8 && words->label[i] != NULL; i += 2)
        if (strcmp(words->label[i], labels[field - 6]) == 0)
            return words->label[i + 1];
    if (field != 6)
        return NULL;
    snprintf(host, sizeof(host), "%s", words->resource != NULL ? words->resource : "");
    host[strcspn(host, "/")] = '\0';
    return host;
}

static enum truth3 by_relation(uint32_t relation, int order)
{
    bool truth[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};

    return truth[relation] ? YES : NO;
}

static enum truth3 search(uint32_t how, const char *text, const char *part)
{
    size_t length = strlen(text), wanted = strlen(part);

    if (how == 2)
        return strstr(text, part) != NULL ? YES : NO;
    if (wanted > length)
        return NO;
    return strncmp(how == 0 ? text : text + length - wanted, part, wanted) == 0 ? YES : NO;
}

static enum truth3 judge(const struct node *node, const struct words *words);

static enum truth3 judge_parts(const struct node *node, const struct words *words)
{
    bool any_no = false, any_yes = false, any_err = false;

    for (uint32_t i = 0; i < node->parts; i++) {
        enum truth3 part = judge(node->part[i], words);
        any_no = any_no || part == NO;
        any_yes = any_yes || part == YES;
        any_err = any_err || part == ERR;
    }
    if (node->kind == AND)
        return any_no ? NO : any_err ? ERR : YES;
    return any_yes ? YES : any_err ? ERR : NO;
}

static enum truth3 judge(const struct node *node, const struct words *words)
{
    const char *text = node->kind >= TEXT_TEST ? field_of(words, node->field) : NULL;
    const char *word = words_list[node->word];
    int severity = (int)words->severity, other = (int)(node->word % 7);

    switch (node->kind) {
    case AND:
    case OR:
        return judge_parts(node, words);
    case NOT: {
        enum truth3 part = judge(node->part[0], words);
        return part == ERR ? ERR : part == YES ? NO : YES;
    }
    case TEXT_TEST:
        if (text == NULL)
            return ERR;
        return by_relation(node->relation,
                           node->is_mirrored ? strcmp(word, text) : strcmp(text, word));
    case TEXT_PAIR: {
        char copy[64];
        if (text == NULL)
            return ERR;
        snprintf(copy, sizeof(copy), "%s", text); /* field_of() may reuse its buffer */
        text = field_of(words, node->other);
        return text == NULL ? ERR : by_relation(node->relation, strcmp(copy, text));
    }
    case IN:
        if (text == NULL)
            return ERR;
        for (int i = 0; i < 3; i++)
            if (strcmp(text, words_list[node->list[i]]) == 0)
                return YES;
        return NO;
    case SEARCH:
        return text == NULL ? ERR : search(node->search, text, word);
    case SEVERITY_TEST:
        return by_relation(node->relation, node->is_mirrored ? other - severity : severity - other);
    case SEVERITY_IN:
        return severity == (int)(node->list[0] % 7) || severity == (int)(node->list[1] % 7) ? YES
                                                                                            : NO;
    case VALUE_TEST: {
        double want = (double)(node->word % 4) + 0.5;
        if (!words->has_value)
            return ERR;
        return by_relation(node->relation, (words->value > want) - (words->value < want));
    }
    default:
        if (node->field < 2)
            return words->has_value ? YES : NO;
        /* A label is there even when it is empty; a field is not. */
        return text != NULL && (node->field > 6 || text[0] != '\0') ? YES : NO;
    }
}

/* ---- events ---- */

static const char *word_or_none(void)
{
    return below(4) == 0 ? NULL : words_list[below(WORDS)];
}

static void event_draw(struct words *words)
{
    static const char *const labels[] = {"x", "host", "y z", "other"};
    int count = 0;

    memset(words, 0, sizeof(*words));
    words->tenant = words_list[below(WORDS)];
    words->source = word_or_none();
    words->resource = word_or_none();
    words->check = word_or_none();
    words->dedup_key = word_or_none();
    words->message = word_or_none();
    words->severity = (enum severity)below(SEVERITY_COUNT);
    words->has_value = below(2) == 0;
    words->value = (double)below(8) / 2;
    for (int i = 0; i < 4; i++) {
        if (below(2) == 0)
            continue;
        words->label[count++] = labels[i];
        words->label[count++] = words_list[below(WORDS)];
    }
}

/* ---- the comparison ---- */

/* What can never be true is refused, and random conditions are that now and then. */
static bool is_possible(const struct node *root)
{
    static char where[16000], text[20000];
    struct rule_set *set = NULL;
    struct error err = {""};
    int rc;

    where[write_node(root, where, 0)] = '\0';
    rule_with_where(where, text, sizeof(text));
    rc = rule_set_parse("r.yaml", text, strlen(text), &set, &err);
    if (rc != 0 && !is_said_impossible(err.text))
        fail_msg("%s\n%s", err.text, where);
    rule_set_destroy(set);
    return rc == 0;
}

static void set_agrees_with_model(uint64_t seed)
{
    static char text[RULES_PER_SET_MAX * 20000];
    char where[16000];
    struct node *roots[RULES_PER_SET_MAX];
    uint32_t out[RULES_PER_SET_MAX], rules;
    size_t used = 0;

    random_state = seed;
    node_count = 0;
    rules = 1 + below(RULES_PER_SET_MAX);
    used = (size_t)sprintf(text, "rules:\n");
    for (uint32_t r = 0; r < rules; r++) {
        uint32_t before = node_count;
        do {
            node_count = before;
            roots[r] = grow(below(4));
            /* has(tenant) is refused, and has() of two fields stands for has(value). */
        } while ((roots[r]->kind == HAS_TEST && roots[r]->field == 0) || !is_possible(roots[r]));
        where[write_node(roots[r], where, 0)] = '\0';
        used += (size_t)sprintf(text + used,
                                "- id: r%04u\n  where: |\n    %s\n  window: 1m\n"
                                "  when: count() > 0\n  incident: {title: t}\n  close: cleared()\n",
                                r, where);
    }
    struct rule_set *set = parse_good(text);
    for (int e = 0; e < EVENTS; e++) {
        struct words words;
        struct sample sample;
        uint32_t expected = 0;
        event_draw(&words);
        sample_make(&sample, &words);
        size_t count = rule_set_match(set, &sample.view, out, RULES_PER_SET_MAX);
        for (uint32_t r = 0; r < rules; r++) {
            if (judge(roots[r], &words) != YES)
                continue;
            if (expected >= count || out[expected] != r) {
                where[write_node(roots[r], where, 0)] = '\0';
                fail_msg("seed %llu event %d: rule %u should match: %s", (unsigned long long)seed,
                         e, r, where);
            }
            expected++;
        }
        if (expected != count)
            fail_msg("seed %llu event %d: %zu matches instead of %u", (unsigned long long)seed, e,
                     count, expected);
    }
    rule_set_destroy(set);
}

static void random_sets_match_as_the_model_says(void **state)
{
    const char *one = getenv("TOCSIN_TEST_SEED");

    (void)state;
    if (one != NULL)
        set_agrees_with_model(strtoull(one, NULL, 10));
    else
        for (uint64_t seed = 1; seed <= SETS; seed++)
            set_agrees_with_model(seed);
}

/* Prefixes of every length around those that the index cuts at. */
static void prefixes_of_all_lengths_match(void **state)
{
    static char text[20000];
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    size_t used = (size_t)sprintf(text, "rules:\n");
    struct sample sample;
    uint32_t out[26];

    (void)state;
    for (int length = 1; length <= 26; length++)
        used += (size_t)sprintf(text + used,
                                "- {id: r%02d, where: 'check.startsWith(\"%.*s\")', window: 1m, "
                                "when: count()>0, incident: {title: t}, close: cleared()}\n",
                                length, length, alphabet);
    struct rule_set *set = parse_good(text);
    for (uint32_t length = 0; length <= 26; length++) {
        char check[30];
        snprintf(check, sizeof(check), "%.*s", (int)length, alphabet);
        struct words words = {.tenant = "t", .check = check};
        sample_make(&sample, &words);
        assert_int_equal(rule_set_match(set, &sample.view, out, 26), length);
        for (uint32_t i = 0; i < length; i++)
            assert_int_equal(out[i], i);
    }
    rule_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sets_match_as_the_model_says),
        cmocka_unit_test(prefixes_of_all_lengths_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
