/*
 * Aim: every construct of Sigma's detections is either carried over with its meaning or listed,
 * and nothing is silent. Method: rows of detections with the text that they have to become, worked
 * out by hand; a whole file; a sample in which every map gets one more key, which has to be in the
 * list. What was written is loaded by the engine as far as the engine has the constructs.
 * Correlations are in test_import_sigma_correlation.c.
 */
#include "import_support.h"

/* ---- detections ---- */

static const char detection_head[] = "title: T\nlevel: low\ndetection:\n";

static const struct detection_row {
    const char *detection; /* lines below `detection:` */
    const char *where;     /* NULL: left out */
    const char *finding;   /* NULL: none at all */
} detection_rows[] = {
    /* values: case does not matter where there are letters */
    {"  s: {A: 5}\n  condition: s\n", "labels.A == \"5\"", NULL},
    {"  s: {A: abc}\n  condition: s\n", "labels.A.matches(\"(?is)^abc$\")", NULL},
    {"  s: {A|cased: abC}\n  condition: s\n", "labels.A == \"abC\"", NULL},
    {"  s: {A: [1, 2, 3]}\n  condition: s\n", "labels.A in [\"1\", \"2\", \"3\"]", NULL},
    {"  s: {A: [ab, cd]}\n  condition: s\n", "labels.A.matches(\"(?is)(?:^ab$|^cd$)\")", NULL},
    {"  s: {A: [1, ab, 2]}\n  condition: s\n",
     "labels.A in [\"1\", \"2\"] || labels.A.matches(\"(?is)^ab$\")", NULL},
    {"  s: {a.b: 1}\n  condition: s\n", "labels[\"a.b\"] == \"1\"", NULL},
    {"  s: {A: \"\\u00fcber\"}\n  condition: s\n", "labels.A.matches(\"(?is)^\u00fcber$\")", NULL},
    /* wildcards and escapes */
    {"  s: {A: 'x*'}\n  condition: s\n", "labels.A.matches(\"(?is)^x\")", NULL},
    {"  s: {A: '5*'}\n  condition: s\n", "labels.A.startsWith(\"5\")", NULL},
    {"  s: {A: '*5'}\n  condition: s\n", "labels.A.endsWith(\"5\")", NULL},
    {"  s: {A: '*5*'}\n  condition: s\n", "labels.A.contains(\"5\")", NULL},
    {"  s: {A: '1?2*3'}\n  condition: s\n", "labels.A.matches(\"(?s)^1.2.*3$\")", NULL},
    {"  s: {A: '*'}\n  condition: s\n", "has(labels.A)", NULL},
    {"  s: {A: '\\*'}\n  condition: s\n", "labels.A == \"*\"", NULL},
    {"  s: {A: '1\\2'}\n  condition: s\n", "labels.A == \"1\\\\2\"", NULL},
    {"  s: {A: '1\\\\2'}\n  condition: s\n", "labels.A == \"1\\\\2\"", NULL},
    {"  s: {A: '1\\\\*'}\n  condition: s\n", "labels.A.startsWith(\"1\\\\\")", NULL},
    {"  s: {A: '1\\\\\\*'}\n  condition: s\n", "labels.A == \"1\\\\*\"", NULL},
    {"  s: {A: '\\\\\\\\'}\n  condition: s\n", "labels.A == \"\\\\\\\\\"", NULL},
    {"  s: {A: 'C:\\x.exe'}\n  condition: s\n", "labels.A.matches(\"(?is)^C:\\\\\\\\x\\\\.exe$\")",
     NULL},
    /* nothing, and its difference from nothing at all */
    {"  s: {A: ''}\n  condition: s\n", "labels.A == \"\"", NULL},
    {"  s: {A: null}\n  condition: s\n", "!has(labels.A)", NULL},
    {"  s: {A: 'null'}\n  condition: s\n", "labels.A.matches(\"(?is)^null$\")", NULL},
    {"  s: {A: [null, 5]}\n  condition: s\n", "labels.A == \"5\" || !has(labels.A)", NULL},
    /* modifiers */
    {"  s: {A|contains: ab}\n  condition: s\n", "labels.A.matches(\"(?is)ab\")", NULL},
    {"  s: {A|startswith: '1'}\n  condition: s\n", "labels.A.startsWith(\"1\")", NULL},
    {"  s: {A|endswith: '1'}\n  condition: s\n", "labels.A.endsWith(\"1\")", NULL},
    {"  s: {A|contains|all: [1, b]}\n  condition: s\n",
     "labels.A.contains(\"1\") && labels.A.matches(\"(?is)b\")", NULL},
    {"  s: {A|contains|cased: aB}\n  condition: s\n", "labels.A.contains(\"aB\")", NULL},
    {"  s: {A|re: 'a+b\\.'}\n  condition: s\n", "labels.A.matches(\"a+b\\\\.\")", NULL},
    {"  s: {A|re|i|m|s: '^a'}\n  condition: s\n", "labels.A.matches(\"(?ims)^a\")", NULL},
    {"  s: {A|exists: true}\n  condition: s\n", "has(labels.A)", NULL},
    {"  s: {A|exists: false}\n  condition: s\n", "!has(labels.A)", NULL},
    {"  s: {A|neq: 5}\n  condition: s\n", "!(has(labels.A) && labels.A == \"5\")", NULL},
    {"  s: {A|lt: 5}\n  condition: s\n", "double(labels.A) < 5", NULL},
    {"  s: {A|lte: 5}\n  condition: s\n", "double(labels.A) <= 5", NULL},
    {"  s: {A|gt: -1.5}\n  condition: s\n", "double(labels.A) > -1.5", NULL},
    {"  s: {A|gte: 5}\n  condition: s\n", "double(labels.A) >= 5", NULL},
    {"  s: {A|fieldref: B}\n  condition: s\n", "labels.A.lowerAscii() == labels.B.lowerAscii()",
     NULL},
    {"  s: {A|fieldref|cased: B}\n  condition: s\n", "labels.A == labels.B", NULL},
    {"  s: {A|fieldref|endswith|cased: B}\n  condition: s\n", "labels.A.endsWith(labels.B)", NULL},
    {"  s: {A|fieldref|neq|cased: B}\n  condition: s\n",
     "!(has(labels.A) && has(labels.B) && labels.A == labels.B)", NULL},
    {"  s: {A|windash|contains: ' -1'}\n  condition: s\n",
     "labels.A.matches(\"(?s) (?:-|/|\u2013|\u2014|\u2015)1\")", NULL},
    {"  s: {A|windash|contains: 'a-b'}\n  condition: s\n", "labels.A.matches(\"(?is)a-b\")", NULL},
    /* Base64 of "foo", RFC 4648, section 10 */
    {"  s: {A|base64|cased: foo}\n  condition: s\n", "labels.A == \"Zm9v\"", NULL},
    {"  s: {A|base64|contains|cased: fo}\n  condition: s\n", "labels.A.contains(\"Zm8=\")", NULL},
    /* "foo" at the three places of a group: Zm9v, Zvb, mb2 (python3: base64 of "foo", "?foo",
     * "??foo", without the digits that the neighbours decide) */
    {"  s: {A|base64offset|contains|cased: foo}\n  condition: s\n",
     "labels.A.contains(\"Zm9v\") || labels.A.contains(\"Zvb\") || labels.A.contains(\"mb2\")",
     NULL},
    /* 61 00 in UTF-16, Base64 YQA= */
    {"  s: {A|wide|base64|cased: a}\n  condition: s\n", "labels.A == \"YQA=\"", NULL},
    {"  s: {A|utf16le|base64|cased: a}\n  condition: s\n", "labels.A == \"YQA=\"", NULL},
    {"  s: {A|utf16be|base64|cased: a}\n  condition: s\n", "labels.A == \"AGE=\"", NULL},
    {"  s: {A|utf16|base64|cased: a}\n  condition: s\n", "labels.A == \"//5hAA==\"", NULL},
    /* ranges of addresses: whole octets are a prefix, 172.16/12 is 172.16 to 172.31 */
    {"  s: {A|cidr: 10.0.0.0/8}\n  condition: s\n", "labels.A.startsWith(\"10.\")", NULL},
    {"  s: {A|cidr: 192.168.7.0/24}\n  condition: s\n", "labels.A.startsWith(\"192.168.7.\")",
     NULL},
    {"  s: {A|cidr: 10.1.2.3/32}\n  condition: s\n", "labels.A.matches(\"^10\\\\.1\\\\.2\\\\.3$\")",
     NULL},
    {"  s: {A|cidr: 172.18.0.0/14}\n  condition: s\n",
     "labels.A.matches(\"^172\\\\.(?:16|17|18|19)\\\\.\")", NULL},
    {"  s: {A|cidr: 10.0.0.6/31}\n  condition: s\n",
     "labels.A.matches(\"^10\\\\.0\\\\.0\\\\.(?:6|7)$\")", NULL},
    {"  s: {A|cidr: 'fe80::/10'}\n  condition: s\n", NULL, "IPv6"},
    {"  s: {A|cidr: 10.0.0.0/33}\n  condition: s\n", NULL, "no range"},
    /* words without a field */
    {"  s: ['7', abc]\n  condition: s\n",
     "message.matches(\"(?is)abc\") || message.contains(\"7\")", NULL},
    {"  s: abc\n  condition: s\n", "message.matches(\"(?is)abc\")", NULL},
    {"  s:\n    '|all': [abc, '7']\n  condition: s\n",
     "message.matches(\"(?is)abc\") && message.contains(\"7\")", NULL},
    /* maps are and, lists of maps or */
    {"  s: {A: 1, B: 2}\n  condition: s\n", "labels.A == \"1\" && labels.B == \"2\"", NULL},
    {"  s:\n    - {A: 1, B: 2}\n    - C: 3\n  condition: s\n",
     "(labels.A == \"1\" && labels.B == \"2\") || labels.C == \"3\"", NULL},
    /* conditions; where a not stands above, an absent field is unequal */
    {"  a: {A: 1}\n  b: {B: 2}\n  condition: a and not b\n",
     "labels.A == \"1\" && !(has(labels.B) && labels.B == \"2\")", NULL},
    {"  a: {A: 1}\n  b: {B: 2}\n  c: {C: 3}\n  condition: a or b and c\n",
     "labels.A == \"1\" || (labels.B == \"2\" && labels.C == \"3\")", NULL},
    {"  a: {A: 1}\n  b: {B: 2}\n  c: {C: 3}\n  condition: (a or b) and c\n",
     "(labels.A == \"1\" || labels.B == \"2\") && labels.C == \"3\"", NULL},
    {"  a: {A: 1}\n  b: {B: 2}\n  condition: not (a or b)\n",
     "!((has(labels.A) && labels.A == \"1\") || (has(labels.B) && labels.B == \"2\"))", NULL},
    {"  a: {A: 1}\n  condition: not not a\n", "labels.A == \"1\"", NULL},
    {"  a: {A: 1}\n  condition: NOT a\n", "!(has(labels.A) && labels.A == \"1\")", NULL},
    {"  a1: {A: 1}\n  a2: {B: 2}\n  b: {C: 3}\n  condition: 1 of a* and b\n",
     "(labels.A == \"1\" || labels.B == \"2\") && labels.C == \"3\"", NULL},
    {"  a1: {A: 1}\n  a2: {B: 2}\n  condition: all of a*\n",
     "labels.A == \"1\" && labels.B == \"2\"", NULL},
    {"  a1: {A: 1}\n  a2: {B: 2}\n  condition: any of them\n",
     "labels.A == \"1\" || labels.B == \"2\"", NULL},
    {"  a: {A: 1}\n  _b: {B: 2}\n  condition: all of them\n", "labels.A == \"1\"",
     "ignored: key _b"},
    {"  x_net_1: {A: 1}\n  x_web_1: {B: 2}\n  y: {C: 3}\n  condition: 1 of *_net_* or y or 1 of "
     "*web*\n",
     "labels.A == \"1\" || labels.C == \"3\" || labels.B == \"2\"", NULL},
    {"  a: {A: 1}\n  b: {B: 2}\n  condition: [a, b]\n", "labels.A == \"1\" || labels.B == \"2\"",
     NULL},
    /* what is not carried over, with the place in the list */
    {"  s: {A|nearly: x}\n  condition: s\n", NULL,
     "in.yml:4:9: left out: field A: the modifier nearly "
     "is not known"},
    {"  s: {A|contians: x}\n  condition: s\n", NULL,
     "the modifier contians is not known; did you mean \"contains\"?"},
    {"  s: {A|re|cidr: x}\n  condition: s\n", NULL,
     "the modifier cidr does not stand together with those before it"},
    {"  s: {A|wide: x}\n  condition: s\n", NULL, "UTF-16"},
    {"  s: {A|base64offset: x}\n  condition: s\n", NULL, "base64offset"},
    {"  s: {A|minute: 5}\n  condition: s\n", NULL, "the modifier minute"},
    {"  s: {A|expand: '%Servers%'}\n  condition: s\n", NULL, "placeholder has no values"},
    {"  s: {A|expand: 'x%Servers%'}\n  condition: s\n", NULL, "one placeholder"},
    {"  s: {A|gt: many}\n  condition: s\n", NULL, "a number"},
    {"  s: {A|exists: perhaps}\n  condition: s\n", NULL, "true or false"},
    {"  s: {A: {B: 1}}\n  condition: s\n", NULL, "a map in the place of values"},
    {"  s: {A: [[1]]}\n  condition: s\n", NULL, "a value is text"},
    {"  s: {A: []}\n  condition: s\n", NULL, "empty list"},
    {"  s: {}\n  condition: s\n", NULL, "empty map"},
    {"  s: {A: 1}\n  condition: s | count() > 5\n", NULL, "in.yml:5:16: left out: condition"},
    {"  s: {A: 1}\n  condition: t\n", NULL,
     "in.yml:5:14: left out: condition: there is no search identifier \"t\""},
    {"  selection: {A: 1}\n  condition: selecton and not selection\n", NULL,
     "there is no search identifier \"selecton\"; did you mean \"selection\"?"},
    {"  filter: {A: 1}\n  condition: not fliter\n", NULL,
     "there is no search identifier \"fliter\"; did you mean \"filter\"?"},
    {"  s: {A: 1}\n  condition: 1 of t*\n", NULL, "no search identifier has a name like \"t*\""},
    {"  s: {A: 1}\n  condition: s nad not s\n", NULL,
     "and, or or the end is wanted here, not \"nad\"; did you mean \"and\"?"},
    {"  s: {A: 1}\n  condition: 2 of s*\n", NULL, "1, any or all"},
    {"  s: {A: 1}\n  condition: (s\n", NULL, ") is missing"},
    {"  s: {A: 1}\n  condition: s and\n", NULL, "a search identifier is wanted"},
    {"  s: {A: 1}\n  condition: s s\n", NULL, "and, or or the end"},
    {"  s: {A: 1}\n  condition: ''\n", NULL, "a search identifier is wanted"},
    {"  s: {A: 1}\n  timeframe: 5m\n  condition: s\n", NULL, "timeframe"},
    {"  s: {A: 1}\n", NULL, "needs a condition"},
    {"  s: {A: 1}\n  t: {B: 2}\n  condition: s\n", "labels.A == \"1\"", "ignored: key t"},
};

static void detections_become_conditions(void **state)
{
    (void)state;
    size_t loaded = 0;

    for (size_t i = 0; i < sizeof(detection_rows) / sizeof(detection_rows[0]); i++) {
        const struct detection_row *row = &detection_rows[i];
        char text[2000], where[2000] = "";
        struct imported got;
        snprintf(text, sizeof(text), "%s%s", detection_head, row->detection);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        if (got.result.entry_count > 0)
            entry_value(&got.result.entries[0], "where", where, sizeof(where));
        if ((row->finding == NULL && got.result.finding_count > 0) ||
            (row->finding != NULL && !has_finding(&got, row->finding))) {
            print_findings(&got);
            fail_msg("row %zu: other findings than %s\n%s", i, row->finding, text);
        }
        if (row->where == NULL)
            assert_int_equal(got.result.entry_count, 0);
        else
            assert_string_equal(where, row->where);
        loaded += assert_entries_load(&got);
        imported_release(&got);
    }
    assert_true(loaded >= 20); /* what the plainest engine has */
}

static void a_map_says_where_fields_lie(void **state)
{
    (void)state;
    static const char rule[] = "title: T\nlevel: low\n"
                               "logsource: {category: web, product: nginx, service: access}\n"
                               "detection:\n"
                               "  s: {Host: '7', Bytes: [5, 6], User|contains: 8, Role|expand: "
                               "'%Admins%'}\n"
                               "  n: {Host: null}\n"
                               "  w: ['9']\n"
                               "  condition: s and w and not n\n";
    static const char map[] = "case: exact\n"
                              "fields: {Host: host, Bytes: value, User: 'labels[\"u.n\"]'}\n"
                              "keywords: labels.raw\n"
                              "logsource: {category: check, service: ignore}\n"
                              "placeholders: {Admins: [root, Adm]}\n"
                              "prefix: soc-\n"
                              "by: [tenant, labels.zone]\n";
    struct imported got;
    char where[1000], by[100];

    import_text_with(&got, rule, map, false);
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.result.finding_count, 0);
    assert_int_equal(got.result.entry_count, 1);
    assert_string_equal(got.result.entries[0].id, "soc-t");
    entry_value(&got.result.entries[0], "where", where, sizeof(where));
    entry_value(&got.result.entries[0], "by", by, sizeof(by));
    assert_string_equal(by, "[tenant, labels.zone]");
    assert_string_equal(where,
                        "check == \"web\" && labels.product == \"nginx\" && host == \"7\" && "
                        "(value == 5 || value == 6) && labels[\"u.n\"].contains(\"8\") && "
                        "labels.Role in [\"root\", \"Adm\"] && labels.raw.contains(\"9\") && "
                        "has(host)");
    assert_int_equal(assert_entries_load(&got), 1);
    imported_release(&got);

    import_text_with(&got, rule,
                     "sources:\n  - {product: iis, where: 'false'}\n"
                     "  - {category: web, where: source == \"proxy\"}\nplaceholders: {Admins: "
                     "['1']}\n",
                     false);
    entry_value(&got.result.entries[0], "where", where, sizeof(where));
    where[strcspn(where, "&")] = '\0';
    assert_string_equal(where, "(source == \"proxy\") ");
    imported_release(&got);
}

static void a_bad_map_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *map, *part;
    } rows[] = {
        {"fields: {A: mesage}\n",
         "map.yml:1:13: there is no field \"mesage\"; did you mean \"message\"?"},
        {"by: [hst]\n", "map.yml:1:6: there is no field \"hst\"; did you mean \"host\"?"},
        {"fields: {A: lables.x}\n", "there is no field \"lables.x\"; did you mean \"labels.x\"?"},
        {"fields: {A: colour}\n", "there is no field \"colour\": a field that holds text"},
        {"fields: [A]\n", "a map is wanted here, not a list"},
        {"feilds: {A: host}\n", "did you mean \"fields\"?"},
        {"case: sometimes\n", "case is exact or ignore"},
        {"case: ingore\n", "case is exact or ignore; did you mean \"ignore\"?"},
        {"by: host\n", "a list is wanted"},
        {"prefix: 'A B'\n", "a prefix is made of"},
        {"sources: [{product: x}]\n", "needs the key \"where\""},
        {"receivers: {x: {colour: red}}\n", "has no key \"colour\""},
        {"fields: {A: ts}\n", "a field that holds text"},
        {"keywords: value\n", "map.yml:1:11: words are looked for in text"},
        {"fields: {A: state}\n", "a field that holds text"},
        {"placeholders: {A: x}\n", "a list is wanted"},
        {"- a\n", "a map is wanted"},
        /* What would spoil each rule that it comes to stand in. */
        {"receivers: {net: {priority: 1}}\n",
         "map.yml:1:29: a priority is P1, P2, P3, P4 or P5; did you mean P1?"},
        {"receivers: {net: {team: x, priority: critical}}\n", "map.yml:1:38: a priority is P1"},
        {"receivers:\n  net:\n    tier: \"a\\nb\"\n", "map.yml:3:12: tier is one line"},
        {"sources: [{product: x, where: 'source = \"x\"'}]\n", "map.yml:1:32: write == to compare"},
        {"by: [host, host]\n", "map.yml:1:5: by names host twice"},
        {"logsource: {products: source}\n",
         "map.yml:1:13: a logsource has no key \"products\"; did you mean \"product\"?"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = {""};
        assert_null(import_map_parse("map.yml", rows[i].map, strlen(rows[i].map), &err));
        if (strstr(err.text, rows[i].part) == NULL)
            fail_msg("%s: %s", rows[i].map, err.text);
    }
}

/* ---- a whole file ---- */

static const char whole_in[] = "title: Refused logins of one user {twice}\n"
                               "id: 5d2c\n"
                               "status: test\n"
                               "description: |\n"
                               "  Somebody tries\n"
                               "  passwords.\n"
                               "author: A. Nobody\n"
                               "license: CC0-1.0\n"
                               "references: ['https://example.org/a', 'https://example.org/b']\n"
                               "date: 2026-01-02\n"
                               "tags: [attack.t1110]\n"
                               "custom: 7\n"
                               "correlation:\n"
                               "  type: event_count\n"
                               "  rules: [refused]\n"
                               "  group-by: [TargetUserName]\n"
                               "  timespan: 10m\n"
                               "  condition: {gte: 20}\n"
                               "falsepositives: [a broken script]\n"
                               "level: critical\n"
                               "---\n"
                               "title: Refused\n"
                               "name: refused\n"
                               "scope: [server]\n"
                               "logsource:\n"
                               "  product: windows\n"
                               "  service: security\n"
                               "  definition: auditing is on\n"
                               "detection:\n"
                               "  selection: {EventID: 4625}\n"
                               "  condition: selection\n";

static const char whole_out[] =
    "# Rules converted by `tocsin import` from the form of Sigma:\n"
    "#   in.yml\n"
    "# Not carried over, or not quite (2):\n"
    "#   in.yml:12:1: ignored: key custom: it is not of the specification\n"
    "#   in.yml:24:1: ignored: key scope: which machines are meant is for `where`\n"
    "\n"
    "rules:\n"
    "  # rule: Refused logins of one user {twice}\n"
    "  # from: in.yml\n"
    "  # id: 5d2c\n"
    "  # author: A. Nobody\n"
    "  # license: CC0-1.0\n"
    "  # date: 2026-01-02\n"
    "  # status: test\n"
    "  # tags: attack.t1110\n"
    "  # references: https://example.org/a, https://example.org/b\n"
    "  # falsepositives: a broken script\n"
    "  # made of the rule: Refused\n"
    "  # from: in.yml\n"
    "  # name: refused\n"
    "  # logsource definition: auditing is on\n"
    "  - id: sigma-refused-logins-of-one-user-twice\n"
    "    description: \"Somebody tries passwords.\"\n"
    "    on: events\n"
    "    where: |\n"
    "      has(labels.TargetUserName) &&\n"
    "      labels.product == \"windows\" &&\n"
    "      labels.service == \"security\" &&\n"
    "      labels.EventID == \"4625\"\n"
    "    by: [tenant, labels.TargetUserName]\n"
    "    window: 10m\n"
    "    when: count() >= 20\n"
    "    incident:\n"
    "      title: \"Refused logins of one user {{twice}} ({labels.TargetUserName})\"\n"
    "      priority: P1\n"
    "    close: quiet(10m)\n";

static void a_whole_file_is_written_and_loads(void **state)
{
    (void)state;
    struct imported got;

    import_text_with(&got, whole_in, NULL, true);
    assert_int_equal(got.rc, 0);
    assert_string_equal(got.result.text, whole_out);
    assert_true(engine_takes(got.result.text));
    imported_release(&got);
}

static void what_the_engine_refuses_is_left_out_with_its_reason(void **state)
{
    (void)state;
    struct imported got;

    /* The condition of a mapping file may be good, and never true beside that of the rule. */
    import_text_with(&got,
                     "title: T\nlogsource: {product: x}\ndetection: {s: {A: 1}, condition: s}\n",
                     "sources: [{product: x, where: 'labels.A == \"2\"'}]\n", true);
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got,
                            "in.yml:1:1: left out: rule \"T\": this tocsin does not take what "
                            "it would become: this can never be true beside"));
    assert_non_null(strstr(got.result.text, "\nrules: []\n"));
    assert_true(engine_takes(got.result.text));
    imported_release(&got);
}

/* ---- nothing is silent ---- */

static const char walk_sample[] = "title: A\n"
                                  "name: a\n"
                                  "logsource:\n"
                                  "  product: x\n"
                                  "detection:\n"
                                  "  s:\n"
                                  "    X: 1\n"
                                  "  t:\n"
                                  "    - Y: 1\n"
                                  "  condition: s or t\n"
                                  "---\n"
                                  "title: C\n"
                                  "correlation:\n"
                                  "  type: value_count\n"
                                  "  rules: [a]\n"
                                  "  group-by: [U]\n"
                                  "  timespan: 5m\n"
                                  "  condition:\n"
                                  "    field: H\n"
                                  "    gte: 3\n"
                                  "  aliases:\n"
                                  "    U:\n"
                                  "      a: V\n"
                                  "level: low\n";

/* Before each line that begins a key, one more key of the same depth goes in; it has to be in the
 * list, or be a part of the result (the field of a search is one whatever its name). */
static void every_unknown_key_is_listed(void **state)
{
    (void)state;
    unsigned places = 0;

    for (const char *at = walk_sample; *at != '\0'; at += strcspn(at, "\n") + 1) {
        size_t indent = strspn(at, " -");
        char text[2000];
        struct imported got;
        if (strncmp(at, "---", 3) == 0)
            continue;
        snprintf(text, sizeof(text), "%.*s%.*s%s: 77\n%*s%s", (int)(at - walk_sample), walk_sample,
                 (int)indent, at, "unknown_key", (int)indent, "", at + indent);
        import_text_with(&got, text, NULL, false);
        if (got.rc != 0)
            fail_msg("%s\n%s", text, got.err.text);
        if (!has_finding(&got, "unknown_key") && !has_finding(&got, "gt, gte, lt") &&
            strstr(got.result.text, "labels.unknown_key == \"77\"") == NULL)
            fail_msg("lost:\n%s\n%s", text, got.result.text);
        places++;
        imported_release(&got);
    }
    assert_int_equal(places, 23);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"", "in.yml:1:1: the file is empty"},
        {"---\n---\n", "the file is empty"},
        {"title: [\n", "in.yml:"},
        {"- a\n", "in.yml:1:1: a document here is a map"},
        {"title: A\n", "neither Sigma rules"},
        {"a: &x 1\nb: *x\n", "in.yml:1:5: anchors"},
        {"detection: {}\n---\nroute: {}\n", "in.yml:3:1: this is of the form of alertmanager"},
        {"title: \x01\n", "in.yml:1:8"},
        {"groups:\n  - name: node\n    rules: []\n",
         "in.yml:1:1: this is a rule file of Prometheus, which works it out itself: its alerts "},
        {"route: {}\n---\ngroups: []\n", "in.yml:3:1: this is a rule file of Prometheus"},
        {"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: []}\n",
         "in.yml:2:1: this is a rule file of Prometheus"},
        {"apiVersion: v1\nkind: ConfigMap\n", "neither Sigma rules"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imported got;
        import_text_with(&got, rows[i].text, NULL, true);
        assert_int_not_equal(got.rc, 0);
        if (strstr(got.err.text, rows[i].part) == NULL)
            fail_msg("%s: %s", rows[i].text, got.err.text);
        imported_release(&got);
    }
}

static void other_documents_are_listed(void **state)
{
    (void)state;
    struct imported got;

    import_text_with(
        &got,
        "title: G\naction: global\nlogsource: {product: x}\n---\n"
        "title: F\nfilter: {rules: [a], s: {A: 1}, condition: not s}\n---\n"
        "title: N\nlogsource: {product: x}\n---\n"
        "title: A\nname: a\ntaxonomy: other\ndetection: {s: {A: 1}, condition: s}\n---\n"
        "title: B\nname: a\ndetection: {s: {A: 1}, condition: s}\n",
        NULL, false);
    assert_true(has_finding(&got, "in.yml:2:1: left out: rule \"G\": action"));
    assert_true(has_finding(&got, "in.yml:6:1: left out: rule \"F\": a filter"));
    assert_true(has_finding(&got, "in.yml:8:1: left out: rule \"N\": neither"));
    assert_true(has_finding(&got, "in.yml:13:11: differs: rule \"A\": its taxonomy"));
    assert_true(
        has_finding(&got, "in.yml:17:7: differs: rule \"B\": name a is that of an earlier"));
    imported_release(&got);
}

/* A condition that would be longer than the language takes is cut while it is made. */
static void what_would_grow_without_end_is_left_out(void **state)
{
    (void)state;
    struct import_text text = {NULL, 0, 0};
    struct imported got;

    import_text_put(&text, "title: T\ndetection:\n");
    for (int i = 0; i < 200; i++)
        import_text_format(&text, "  s%d: {A%d|contains: 1, B: 2}\n", i, i);
    import_text_put(&text, "  condition: 1 of s*");
    for (int i = 0; i < 200; i++)
        import_text_put(&text, " or not 1 of s*");
    import_text_put(&text, "\n");
    import_text_with(&got, text.at, NULL, false);
    assert_int_equal(got.result.entry_count, 0);
    assert_true(has_finding(&got, "16 KiB"));
    imported_release(&got);
    import_text_release(&text);
}

/* Each rule is good, and their file would be larger than one that is read. */
static void a_result_that_no_file_holds_is_refused(void **state)
{
    (void)state;
    struct import_text text = {NULL, 0, 0};
    struct imported got;

    for (int i = 0; i < 9000; i++)
        import_text_format(
            &text, "title: T%d\ndescription: %0370d\ndetection: {s: {A: %d}, condition: s}\n---\n",
            i, i, i);
    import_text_with(&got, text.at, NULL, false);
    assert_int_not_equal(got.rc, 0);
    assert_non_null(strstr(got.err.text, "larger than 4 MiB, the size of a rule file"));
    imported_release(&got);
    import_text_release(&text);
}

/* What a run of findings that is too long for the head comes to. */
static void the_head_lists_a_thousand_things(void **state)
{
    (void)state;
    struct import_text text = {NULL, 0, 0};
    struct imported got;

    for (int i = 0; i < 1200; i++)
        import_text_format(&text, "title: T\nx: 1\ndetection: {s: {A: 1}, condition: s}\n---\n");
    import_text_with(&got, text.at, NULL, false);
    assert_int_equal(got.rc, 0);
    assert_int_equal(got.result.finding_count, 1200);
    assert_non_null(strstr(got.result.text, "\n#   ... and 200 more, which the command lists\n"));
    imported_release(&got);
    import_text_release(&text);
}

/* Entries are shown to the engine many at once; among those refused together, each is asked for. */
static void one_bad_rule_among_many_is_left_out_alone(void **state)
{
    (void)state;
    struct import_text text = {NULL, 0, 0};
    struct imported got;

    for (int i = 0; i < 600; i++)
        import_text_format(&text,
                           "title: T%d\nlogsource: {product: %s}\ndetection: {s: {A: %d}, "
                           "condition: s}\n---\n",
                           i, i == 300 ? "bad" : "good", i);
    import_text_with(&got, text.at, "sources: [{product: bad, where: 'labels.A == \"2\"'}]\n",
                     true);
    assert_int_equal(got.result.entry_count, 599);
    assert_int_equal(got.result.finding_count, 1);
    assert_true(has_finding(&got, "in.yml:1201:1: left out: rule \"T300\""));
    imported_release(&got);
    import_text_release(&text);
}

/* What no entry is refused for alone: patterns of a thousand places, of which all ways are
 * followed, may be made in 0.4 s together, by an estimate. */
static void what_is_too_much_together_is_left_out_and_the_rest_taken(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    struct import_text text = {NULL, 0, 0};
    struct imported got;
    char want[80];
    uint32_t first = 0;

    for (int i = 0; i < COUNT; i++)
        import_text_format(
            &text, "title: T%d\ndetection: {s: {A|re: 'x%d[a-z]{0,990}y'}, condition: s}\n---\n", i,
            i);
    for (int i = 0; i < 2; i++) /* of one pattern: the second is found when the first is gone */
        import_text_format(&text, "title: N%d\ndetection: {s: {A|re: 'a$b'}, condition: s}\n---\n",
                           i);
    for (int i = 0; i < 2; i++) /* the same, refused for what stands before it */
        import_text_format(
            &text, "title: O%d\ndetection: {s: {A|re: 'o[a-z]{0,990}y'}, condition: s}\n---\n", i);
    import_text_put(&text, "title: G\ndetection: {s: {A|re: 'a.*b'}, condition: s}\n");
    import_text_with(&got, text.at, NULL, true);
    assert_int_equal(got.rc, 0);
    for (; first < COUNT; first++) {
        snprintf(want, sizeof(want), "left out: rule \"T%u\": this tocsin does not take it", first);
        if (has_finding(&got, want))
            break;
    }
    assert_in_range(first, 100, COUNT - 1); /* from there on none is taken */
    assert_int_equal(got.result.entry_count, first + 1);
    assert_true(has_finding(&got,
                            "left out: rule \"N0\": this tocsin does not take it with all the "
                            "others: the pattern can never match"));
    assert_true(has_finding(&got,
                            "left out: rule \"N1\": this tocsin does not take it with all the "
                            "others: the pattern can never match"));
    for (int i = 0; i < 2; i++) {
        snprintf(want, sizeof(want), "left out: rule \"O%d\": ", i);
        assert_true(has_finding(&got, want));
    }
    imported_release(&got);
    import_text_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detections_become_conditions),
        cmocka_unit_test(a_map_says_where_fields_lie),
        cmocka_unit_test(a_bad_map_is_refused_with_its_place),
        cmocka_unit_test(a_whole_file_is_written_and_loads),
        cmocka_unit_test(what_the_engine_refuses_is_left_out_with_its_reason),
        cmocka_unit_test(every_unknown_key_is_listed),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(other_documents_are_listed),
        cmocka_unit_test(a_result_that_no_file_holds_is_refused),
        cmocka_unit_test(the_head_lists_a_thousand_things),
        cmocka_unit_test(one_bad_rule_among_many_is_left_out_alone),
        cmocka_unit_test(what_is_too_much_together_is_left_out_and_the_rest_taken),
        cmocka_unit_test(what_would_grow_without_end_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
