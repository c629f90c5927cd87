/*
 * Aim: what the importers write means what was read. Method: what they wrote is loaded and
 * matched against events, and the answer compared with that of a slow, obvious reading of the
 * same input: Sigma's conditions with two truth values, in which an absent field is unequal;
 * Alertmanager's walk down its routing tree. Random inputs, the seed printed when they differ.
 */
#include "import_support.h"
#include "rules_support.h"

/* Deterministic and good enough: xorshift64. */
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) % bound);
}

/* ---- single values of Sigma ---- */

static const struct value_row {
    const char *search; /* what stands below one search identifier */
    const char *value;  /* of the label A; NULL: absent */
    bool fits;
} value_rows[] = {
    {"A: Abc", "aBC", true},
    {"A: Abc", "abcd", false},
    {"A: '*b?d*'", "xaBcDe", true},
    {"A: '*b?d*'", "xabd", false},
    {"A: 'a*c'", "a\nc", true},
    {"A: 'a.c'", "abc", false},
    {"A: 'a\\*c'", "a*c", true},
    {"A: 'a\\*c'", "abc", false},
    {"A: 'C:\\Users\\\\*\\x.exe'", "c:\\users\\ann\\X.EXE", true},
    {"A|endswith: '\\cmd.exe'", "C:\\Windows\\CMD.exe", true},
    {"A|endswith: '\\cmd.exe'", "C:\\Windows\\cmd.exe.bak", false},
    {"A|endswith: '\\cmd.exe'", "xcmd.exe", false},
    {"A|startswith: ['x', 'y1']", "Y1z", true},
    {"A|startswith: ['x', 'y1']", "ay1", false},
    {"A|contains|all: [foo, bar]", "BAR and Foo", true},
    {"A|contains|all: [foo, bar]", "bar", false},
    {"A|cased: Abc", "abc", false},
    {"A|contains|cased: B", "aBc", true},
    {"A: [1, 22, x*]", "22", true},
    {"A: [1, 22, x*]", "XYZ", true},
    {"A: [1, 22, x*]", "2", false},
    {"A: \u00dcber*", "\u00fcberall", true},
    {"A|re: 'a[0-9]+$'", "xa12", true},
    {"A|re: 'a[0-9]+$'", "xA12", false},
    {"A|re|i: 'a[0-9]+$'", "xA12", true},
    {"A|re: '^a.b$'", "a\nb", false},
    {"A|re|s: '^a.b$'", "a\nb", true},
    {"A|cidr: 10.0.0.0/8", "10.255.1.2", true},
    {"A|cidr: 10.0.0.0/8", "101.1.1.1", false},
    {"A|cidr: 172.16.0.0/12", "172.31.9.9", true},
    {"A|cidr: 172.16.0.0/12", "172.32.9.9", false},
    {"A|cidr: 172.16.0.0/12", "172.160.9.9", false},
    {"A|cidr: 10.0.0.128/25", "10.0.0.127", false},
    {"A|cidr: 10.0.0.128/25", "10.0.0.255", true},
    {"A|cidr: 10.0.0.7/32", "10.0.0.7", true},
    {"A|cidr: 10.0.0.7/32", "10.0.0.70", false},
    {"A|gt: 5", "5.5", true},
    {"A|gt: 5", "5", false},
    {"A|gt: 5", "many", false},
    {"A|gt: 5", NULL, false},
    {"A|lte: -1", "-1", true},
    {"A|exists: true", "", true},
    {"A|exists: true", NULL, false},
    {"A|exists: false", NULL, true},
    {"A: null", NULL, true},
    {"A: null", "null", false},
    {"A: ''", "", true},
    {"A: ''", NULL, false},
    {"A: '*'", "x", true},
    {"A: '*'", NULL, false},
    {"A|neq: x", "X", false},
    {"A|neq: x", "y", true},
    {"A|neq: x", NULL, true},
    {"A|neq: [x, y]", "y", false},
    {"A|windash|contains: ' -enc '", "ps /ENC x", true},
    {"A|windash|contains: ' -enc '", "ps \u2013enc x", true},
    {"A|windash|contains: ' -enc '", "ps +enc x", false},
    {"A|base64offset|contains: secret", "eHhzZWNyZXQ=", true},       /* "xxsecret" */
    {"A|base64offset|contains: secret", "eHNlY3JldHg=", true},       /* "xsecretx" */
    {"A|base64offset|contains: secret", "Z3NlY3JldGc=", true},       /* "gsecretg" */
    {"A|base64offset|contains: secret", "Z2dzZWNyZXQ=", true},       /* "ggsecret" */
    {"A|base64offset|contains: secret", "c2VjcmV0", true},           /* "secret" */
    {"A|base64offset|contains: secret", "b3RoZXIgdGV4dA==", false},  /* "other text" */
    {"A|wide|base64offset|contains: cmd", "eABjAG0AZAB4AA==", true}, /* "xcmdx" in UTF-16 */
};

static struct rule_set *loaded(const struct imported *got)
{
    struct rule_set *set = NULL;
    struct error err = {""};

    if (rule_set_parse("converted.yaml", got->result.text, got->result.bytes, &set, &err) != 0)
        fail_msg("%s\n%s", got->result.text, err.text);
    return set;
}

static bool fits(const struct rule_set *set, const struct words *words)
{
    struct sample sample;
    uint32_t found[4];

    sample_make(&sample, words);
    return rule_set_match(set, &sample.view, found, 4) > 0;
}

static void values_mean_what_sigma_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(value_rows) / sizeof(value_rows[0]); i++) {
        const struct value_row *row = &value_rows[i];
        struct words words = {.tenant = "t", .resource = "r", .severity = SEVERITY_WARNING};
        /* As it stands, and negated: then an absent field counts as unequal. */
        for (int is_negated = 0; is_negated < 2; is_negated++) {
            struct imported got;
            struct rule_set *set;
            char text[500];
            bool is_number = strstr(row->search, "|gt") != NULL && row->value != NULL &&
                             strcmp(row->value, "many") == 0;
            if (is_negated && is_number)
                continue; /* what is no number compares with none, either way: docs/importing.md */
            snprintf(text, sizeof(text), "title: T\ndetection:\n  s: {%s}\n  condition: %ss\n",
                     row->search, is_negated ? "not " : "");
            import_text_with(&got, text, NULL, true);
            if (got.rc != 0 || got.result.finding_count > 0) {
                print_findings(&got);
                fail_msg("%s%s", text, got.err.text);
            }
            set = loaded(&got);
            words.label[0] = row->value != NULL ? "A" : NULL;
            words.label[1] = row->value;
            if (fits(set, &words) != (row->fits != (bool)is_negated))
                fail_msg("row %zu: %sof %s is taken for %s\n%s", i, is_negated ? "not " : "",
                         row->value, row->fits ? "false" : "true", got.result.text);
            rule_set_destroy(set);
            imported_release(&got);
        }
    }
}

/* ---- conditions of Sigma ---- */

enum { SEARCHES = 4, VALUES = 3, DEPTH = 4 };

static const char *const label_values[VALUES] = {"1", "x", NULL};
static const char *const searches[SEARCHES] = {"{A: 1}", "{B: [1, X]}", "{A: x, B: null}",
                                               "{C|exists: true, A|neq: '1'}"};

static bool equals(const char *value, const char *wanted)
{
    return value != NULL && strcmp(value, wanted) == 0;
}

static bool search_truth(int search, const char *const label[3])
{
    switch (search) {
    case 0:
        return equals(label[0], "1");
    case 1:
        return equals(label[1], "1") || equals(label[1], "x");
    case 2:
        return equals(label[0], "x") && label[1] == NULL;
    default:
        return label[2] != NULL && !equals(label[0], "1");
    }
}

/* Writes a random condition and gives its truth for the labels. */
static bool write_condition(struct import_text *text, const char *const label[3], int depth)
{
    uint32_t choice = random_below(depth == 0 ? 2 : 6);
    bool left, right, is_and;

    switch (choice) {
    case 0: {
        int search = (int)random_below(SEARCHES);
        import_text_format(text, "s%d", search);
        return search_truth(search, label);
    }
    case 1: {
        bool is_all = random_below(2) == 0, all = true, any = false;
        import_text_put(text, is_all ? "all of s*" : "1 of them");
        for (int search = 0; search < SEARCHES; search++) {
            all = all && search_truth(search, label);
            any = any || search_truth(search, label);
        }
        return is_all ? all : any;
    }
    case 2:
    case 3:
        import_text_put(text, "not (");
        left = write_condition(text, label, depth - 1);
        import_text_put(text, ")");
        return !left;
    default:
        is_and = choice == 4;
        import_text_put(text, "(");
        left = write_condition(text, label, depth - 1);
        import_text_put(text, is_and ? ") and (" : ") or (");
        right = write_condition(text, label, depth - 1);
        import_text_put(text, ")");
        return is_and ? left && right : left || right;
    }
}

static void conditions_have_two_truth_values(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        for (int event = 0; event < VALUES * VALUES * VALUES; event++) {
            const char *label[3] = {label_values[event % 3], label_values[event / 3 % 3],
                                    label_values[event / 9]};
            struct words words = {.tenant = "t", .resource = "r", .severity = SEVERITY_WARNING};
            struct import_text text = {NULL, 0, 0};
            struct imported got;
            struct rule_set *set;
            bool is_true;
            int at = 0;
            if (((uint64_t)event + seed) % 5 != 0)
                continue; /* a fifth of the events for each condition */
            import_text_put(&text, "title: T\ndetection:\n");
            for (int i = 0; i < SEARCHES; i++)
                import_text_format(&text, "  s%d: %s\n", i, searches[i]);
            import_text_put(&text, "  condition: ");
            random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
            random_below(2);
            is_true = write_condition(&text, label, DEPTH);
            import_text_put(&text, "\n");
            import_text_with(&got, text.at, NULL, false);
            /* A condition may come out as plain false: the loader refuses that. */
            assert_int_equal(got.rc, 0);
            if (got.result.entry_count == 1 && engine_takes(got.result.text)) {
                set = loaded(&got);
                for (int i = 0; i < 3; i++) {
                    if (label[i] == NULL)
                        continue;
                    words.label[at++] = i == 0 ? "A" : i == 1 ? "B" : "C";
                    words.label[at++] = label[i];
                }
                if (fits(set, &words) != is_true)
                    fail_msg("seed %d, A %s, B %s, C %s: not %s\n%s\n%s", (int)seed, label[0],
                             label[1], label[2], is_true ? "true" : "false", text.at,
                             got.result.text);
                rule_set_destroy(set);
            }
            imported_release(&got);
            import_text_release(&text);
        }
    }
}

/* ---- Alertmanager's tree ---- */

enum { NODES_MAX = 10, SIGNS = 5, MATCHERS_MAX = 2 };

struct tree_matcher {
    int label, sign, value;
};

struct node {
    int parent; /* -1: the root */
    bool goes_on;
    struct tree_matcher matcher[MATCHERS_MAX]; /* of one label, maybe: nothing may fulfil both */
    int matcher_count;
};

struct tree {
    struct node node[NODES_MAX];
    int count;
};

static const char *const tree_labels[2] = {"A", "B"};
static const char *const tree_values[3] = {"x", "y", ""};

static bool matcher_matches(const struct tree_matcher *matcher, const char *const label[2])
{
    const char *value = label[matcher->label] == NULL ? "" : label[matcher->label];
    const char *wanted = tree_values[matcher->value];

    switch (matcher->sign) {
    case 0:
        return strcmp(value, wanted) == 0;
    case 1:
        return strcmp(value, wanted) != 0;
    case 2: /* x|y */
        return strcmp(value, "x") == 0 || strcmp(value, "y") == 0;
    case 3: /* x* */
        return value[strspn(value, "x")] == '\0';
    default: /* not .+ */
        return value[0] == '\0';
    }
}

static bool node_matches(const struct node *node, const char *const label[2])
{
    for (int i = 0; i < node->matcher_count; i++)
        if (!matcher_matches(&node->matcher[i], label))
            return false;
    return true;
}

/* The walk of Alertmanager's documentation: children in order, the first that matches unless it
 * goes on; what no child takes is the node's own. */
static bool walk(const struct tree *tree, int at, const char *const label[2], bool *gets)
{
    bool is_taken = false;

    if (!node_matches(&tree->node[at], label))
        return false;
    for (int child = at + 1; child < tree->count; child++) {
        if (tree->node[child].parent != at || !walk(tree, child, label, gets))
            continue;
        is_taken = true;
        if (!tree->node[child].goes_on)
            break;
    }
    gets[at] = gets[at] || !is_taken;
    return true;
}

static void tree_make(struct tree *tree)
{
    tree->count = 2 + (int)random_below(NODES_MAX - 1);
    for (int i = 0; i < tree->count; i++) {
        struct node *node = &tree->node[i];
        node->parent =
            i == 0 ? -1 : (int)random_below((uint32_t)(i < 5 ? i : 5)); /* not too deep */
        node->goes_on = random_below(3) == 0;
        node->matcher_count = i == 0 ? 0 : (int)random_below(MATCHERS_MAX + 1);
        for (int k = 0; k < node->matcher_count; k++)
            node->matcher[k] = (struct tree_matcher){(int)random_below(2), (int)random_below(SIGNS),
                                                     (int)random_below(3)};
    }
}

static void tree_write(const struct tree *tree, int at, int depth, struct import_text *text)
{
    static const char *const forms[SIGNS] = {"%s=\"%s\"", "%s!=\"%s\"", "%s=~\"x|y\"", "%s=~\"x*\"",
                                             "%s!~\".+\""};
    const struct node *node = &tree->node[at];
    bool has_children = false;
    char matcher[40];

    import_text_format(text, "%*s%sreceiver: n%d\n", depth * 4, "", depth > 0 ? "- " : "", at);
    depth = depth * 4 + (depth > 0 ? 2 : 0);
    for (int i = 0; i < node->matcher_count; i++) {
        const struct tree_matcher *one = &node->matcher[i];
        snprintf(matcher, sizeof(matcher), forms[one->sign], tree_labels[one->label],
                 tree_values[one->value]);
        if (i == 0)
            import_text_format(text, "%*smatchers:\n", depth, "");
        import_text_format(text, "%*s- '%s'\n", depth, "", matcher);
    }
    if (node->goes_on && at > 0)
        import_text_format(text, "%*scontinue: true\n", depth, "");
    for (int child = at + 1; child < tree->count; child++)
        if (tree->node[child].parent == at) {
            if (!has_children)
                import_text_format(text, "%*sroutes:\n", depth, "");
            has_children = true;
            tree_write(tree, child, depth / 4 + 1, text);
        }
}

/* The form of the rules does not matter here: a window that every engine has takes its place. */
static void put_plain_windows(const char *from, struct import_text *to)
{
    for (; *from != '\0'; from += strcspn(from, "\n") + 1) {
        if (strncmp(from, "    window: open\n", 17) == 0)
            import_text_put(to, "    window: 1m\n");
        else if (strncmp(from, "    for: ", 9) != 0)
            import_text_add(to, from, strcspn(from, "\n") + 1);
    }
}

static void assert_tree(const struct tree *tree, const struct rule_set *set,
                        const char *const label[2], const char *text)
{
    struct words words = {.tenant = "t", .resource = "r", .severity = SEVERITY_WARNING};
    bool wanted[NODES_MAX] = {false}, got[NODES_MAX] = {false};
    uint32_t found[NODES_MAX * 2];
    struct sample sample;
    size_t count;
    int at = 0;

    for (int i = 0; i < 2; i++) {
        if (label[i] == NULL)
            continue;
        words.label[at++] = tree_labels[i];
        words.label[at++] = label[i];
    }
    sample_make(&sample, &words);
    count = rule_set_match(set, &sample.view, found, NODES_MAX * 2);
    for (size_t i = 0; i < count; i++)
        got[atoi(rule_set_rule(set, found[i])->id + 4)] = true; /* "am-n7" */
    walk(tree, 0, label, wanted);
    for (int i = 0; i < tree->count; i++)
        if (wanted[i] != got[i])
            fail_msg("A %s, B %s: n%d %s it\n%s", label[0], label[1], i,
                     wanted[i] ? "should get" : "should not get", text);
}

static void alerts_reach_the_rules_of_their_routes(void **state)
{
    (void)state;
    static const char *const values[4] = {"x", "y", "", NULL};
    unsigned compared = 0;

    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct import_text text = {NULL, 0, 0}, plain = {NULL, 0, 0};
        struct rule_set *set = NULL;
        struct imported got;
        struct error err = {""};
        struct tree tree;
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
        tree_make(&tree);
        import_text_put(&text, "route:\n");
        tree_write(&tree, 0, 0, &text);
        /* The root's keys stand one level below `route:`. */
        struct import_text deep = {NULL, 0, 0};
        for (const char *line = text.at; *line != '\0'; line += strcspn(line, "\n") + 1)
            import_text_format(&deep, "%s%.*s\n", line == text.at ? "" : "  ",
                               (int)strcspn(line, "\n"), line);
        assert_non_null(deep.at);
        import_text_with(&got, deep.at, NULL, false);
        if (got.rc != 0)
            fail_msg("seed %d\n%s\n%s", (int)seed, deep.at, got.err.text);
        put_plain_windows(got.result.text, &plain);
        /* Routes that no alert reaches are left out: of them nothing may be missed. */
        if (rule_set_parse("c.yaml", plain.at, plain.bytes, &set, &err) != 0)
            fail_msg("seed %d\n%s\n%s", (int)seed, plain.at, err.text);
        for (int event = 0; event < 16; event++) {
            const char *label[2] = {values[event % 4], values[event / 4]};
            assert_tree(&tree, set, label, deep.at);
            compared++;
        }
        rule_set_destroy(set);
        imported_release(&got);
        import_text_release(&text);
        import_text_release(&deep);
        import_text_release(&plain);
    }
    assert_int_equal(compared, 500 * 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_mean_what_sigma_means),
        cmocka_unit_test(conditions_have_two_truth_values),
        cmocka_unit_test(alerts_reach_the_rules_of_their_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
