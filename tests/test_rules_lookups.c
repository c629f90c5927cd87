/*
 * Aim: sets and tables answer what their files say, are the same whatever the order of their rows,
 * and belong to the form of the rules that use them; a wrong file is refused at its place. Method:
 * files in memory by name; small files with worked-out answers and messages; a random table against
 * a search from the top.
 */
#include "rules_support.h"
#include <errno.h>
#include "base/host.h"
#include "rules/mute.h"

/* ---- files in memory ---- */

struct file {
    const char *path, *text;
    size_t bytes; /* 0: as long as the text */
};

static struct file files[4];
static size_t file_at[4];
static size_t bytes_read; /* of all files */

static int files_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)flags, (void)mode;
    for (int i = 0; i < 4; i++) {
        if (files[i].path != NULL && strcmp(files[i].path, path) == 0) {
            file_at[i] = 0;
            return 1000 + i;
        }
    }
    return -ENOENT;
}

static ssize_t files_read(void *self, int fd, void *to, size_t bytes)
{
    const struct file *file = &files[fd - 1000];
    size_t *at = &file_at[fd - 1000], all = file->bytes > 0 ? file->bytes : strlen(file->text);

    (void)self;
    bytes = bytes < all - *at ? bytes : all - *at;
    memcpy(to, file->text + *at, bytes);
    *at += bytes;
    bytes_read += bytes;
    return (ssize_t)bytes;
}

static int files_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static int files_list(void *self, const char *path, void (*take)(void *user, const char *name),
                      void *user)
{
    (void)self, (void)path, (void)take, (void)user;
    return -ENOTDIR;
}

static bool files_are_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static void files_begin(void)
{
    static struct host fake;

    host_set(NULL);
    memset(files, 0, sizeof(files));
    bytes_read = 0;
    fake = *host();
    fake.open = files_open;
    fake.is_regular = files_are_regular;
    fake.read = files_read;
    fake.close = files_close;
    fake.list = files_list;
    host_set(&fake);
}

static int files_end(void **state)
{
    (void)state;
    host_set(NULL);
    return 0;
}

/* ---- one event, asked ---- */

static const struct words event_words = {
    .tenant = "acme",
    .resource = "db01/sda",
    .check = "disk",
    .label = {"port", "443", "owner", "db02", "half", "0.50"},
    .has_value = true,
    .value = 8080,
};

static bool matches(const char *head, const char *where)
{
    char text[4096];
    struct rule_set *set;
    struct sample sample;
    uint32_t out[1];

    snprintf(text, sizeof(text), "%s" HEAD "    where: |\n      %s\n" GOOD_WINDOW GOOD_WHEN TAIL,
             head, where);
    set = parse_good(text);
    sample_make(&sample, &event_words);
    size_t count = rule_set_match(set, &sample.view, out, 1);
    rule_set_destroy(set);
    return count == 1;
}

static const char owners_csv[] = "host,team,note\r\n"
                                 "db01,storage,\"said \"\"no\"\", twice\"\r\n"
                                 "\r\n"
                                 "db02,,\"\"\n"
                                 "db03,web,\"two\nlines\"";
static const char owners_json[] =
    "[ {\"host\": \"db01\", \"team\": \"storage\", \"note\": \"said \\\"no\\\", twice\"},\n"
    "  {\"note\": null, \"host\": \"db02\"}, "
    "{\"host\":\"db03\",\"note\":\"two\\nlines\",\"team\":\"w\\u0065b\"} ]";

static void sets_and_tables_answer_what_they_hold(void **state)
{
    static const char head[] = "sets:\n"
                               "  hosts: [db01, 'db02']\n"
                               "  ports: [80, 443, 8080]\n"
                               "  some: [0.5, x]\n"
                               "  large: [9007199254740993]\n"
                               "  mixed: [9007199254740993, 0.5, 4.0]\n"
                               "  from_csv: {file: hosts.csv, column: host}\n"
                               "  from_json: {file: list.json}\n"
                               "tables:\n"
                               "  owners: {file: owners.csv, key: host}\n"
                               "  map: {file: map.json, key: key}\n";
    static const struct {
        const char *where;
        bool is_true;
    } cases[] = {
        {"host in hosts", true},
        {"check in hosts", false},
        {"!(check in hosts)", true},
        {"labels.zone in hosts", false},
        {"!(labels.zone in hosts)", false},
        {"host.lowerAscii() in hosts", true},
        /* numbers: as text where a text is looked for, else by their value */
        {"labels.port in ports", true},
        {"value in ports", true},
        {"value + 1 in ports", false},
        {"value / 2 in ports || int(labels.port) in ports", true},
        {"int(labels.port) + 1 in ports", false},
        {"labels.half in some", false},
        /* 2^53 + 1 is no real number, and equal to none */
        {"int(\"9007199254740993\") in large && int(\"9007199254740993\") in mixed", true},
        {"int(\"9007199254740992\") in large || int(\"9007199254740992\") in mixed", false},
        {"double(\"9007199254740992\") in large || double(\"9007199254740992\") in mixed", false},
        {"double(\"0.5\") in mixed && double(\"4\") in mixed && int(\"4\") in mixed", true},
        {"int(\"0\") in mixed || double(\"0.25\") in mixed", false},
        {"size(ports) == 3 && size(owners) == 3 && size(from_csv) == 2", true},
        /* files: a cell that is there twice counts once, a missing one not at all */
        {"host in from_csv && !(\"\" in from_csv)", true},
        {"host in from_json && \"2.50\" in from_json && !(\"2.5\" in from_json)", true},
        {"\"true\" in from_json && \"\\u00e4\\\\U\" in from_json", true},
        /* tables */
        {"owners[host].team == \"storage\"", true},
        {"owners[host].note == \"said \\\"no\\\", twice\"", true},
        {"owners[\"db03\"].note == \"two\\nlines\" && owners[\"db03\"].team == \"web\"", true},
        {"host in owners && !(check in owners)", true},
        {"has(owners[host].team) && !has(owners[check].team)", true},
        {"has(owners[labels.owner].team)", false}, /* a cell that is missing */
        {"has(owners[labels.owner].note)", false},
        {"has(owners[labels.owner].host) && !has(owners[labels.zone].host)", true},
        {"owners[labels.owner].team == \"\"", false},
        {"owners[check].team != \"storage\"", false},
        {"!(owners[check].team == \"storage\")", false},
        {"owners[check].team == \"storage\" || check != \"\"", true},
        {"labels.zone in owners || !(labels.zone in owners)", false},
        {"(has(owners[check].team) ? owners[check].team : \"none\") == \"none\"", true},
        {"owners[owners[\"db0\" + \"1\"].host].team.startsWith(\"sto\")", true},
        {"int(map[host].rank) > 2 && map[host].flag == \"true\"", true},
        {"has(map[\"db02\"].rank)", false},
    };

    (void)state;
    files_begin();
    files[0] = (struct file){"./hosts.csv", "\xef\xbb\xbfhost,x\ndb01,1\ndb01,2\n,3\ndb09,4\n", 0};
    files[1] = (struct file){"./list.json",
                             "[\"db01\", 2.50, true, null, \"\\u00e4\\\\U\", \"db01\"]\n", 0};
    files[2] = (struct file){"./owners.csv", owners_csv, 0};
    files[3] = (struct file){
        "./map.json", "\xef\xbb\xbf{\"db01\": {\"rank\": 3, \"flag\": true}, \"db02\": {}}", 0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (matches(head, cases[i].where) != cases[i].is_true)
            fail_msg("%s is not %d", cases[i].where, cases[i].is_true);
    }
    /* The same table as JSON. */
    files[2] = (struct file){"./owners.json", owners_json, 0};
    assert_true(
        matches("tables: {owners: {file: owners.json, key: host}}\n",
                "owners[host].note == \"said \\\"no\\\", twice\" && "
                "owners[\"db03\"].team == \"web\" && owners[\"db03\"].note == \"two\\nlines\" && "
                "!has(owners[\"db02\"].note) && !has(owners[\"db02\"].team)"));
}

static struct id128 form_of(const char *head, const char *where, struct id128 *hash)
{
    char text[2048];
    struct rule_set *set;
    struct id128 form;

    snprintf(text, sizeof(text), "%s" HEAD "    where: %s\n" GOOD_WINDOW GOOD_WHEN TAIL, head,
             where);
    set = parse_good(text);
    form = rule_set_rule(set, 0)->form;
    *hash = rule_set_hash(set);
    rule_set_destroy(set);
    return form;
}

/* A rule has another form when what it looks up has changed, and for nothing else. */
static void content_belongs_to_the_form_of_who_uses_it(void **state)
{
    static const struct {
        const char *head, *where, *csv;
        const char *other_head, *other_where, *other_csv;
        bool is_same;
    } cases[] = {
        {"sets: {a: [x, y]}\n", "host in a", "", "sets: {b: [y, x, x]}\n", "host in b", "", true},
        {"sets: {a: [x, y]}\n", "host in a", "", "sets: {a: [x, z]}\n", "host in a", "", false},
        {"sets: {a: [x, y]}\n", "host in a", "", "sets: {a: [x]}\n", "host in a", "", false},
        {"sets: {a: [x, y]}\n", "check in a", "", "sets: {a: [x, y], b: [z]}\n", "check in a", "",
         true},
        /* rows in another order, another column */
        {"tables: {t: {file: t.csv, key: h}}\n", "t[host].a == 'x'", "h,a,b\n1,x,y\n2,z,w\n",
         "tables: {u: {file: t.csv, key: h}}\n", "u[host].a == 'x'", "h,b,a\n2,q,z\n1,q,x\n", true},
        {"tables: {t: {file: t.csv, key: h}}\n", "t[host].a == 'x'", "h,a,b\n1,x,y\n2,z,w\n",
         "tables: {t: {file: t.csv, key: h}}\n", "t[host].a == 'x'", "h,a,b\n1,z,y\n2,x,w\n",
         false},
        {"tables: {t: {file: t.csv, key: h}}\n", "t[host].a == 'x'", "h,a,b\n1,x,x\n",
         "tables: {t: {file: t.csv, key: h}}\n", "t[host].b == 'x'", "h,a,b\n1,x,x\n", true},
        {"tables: {t: {file: t.csv, key: h}}\n", "host in t", "h,a\n1,x\n",
         "tables: {t: {file: t.csv, key: h}}\n", "host in t", "h,a\n1,y\n", true},
        {"tables: {t: {file: t.csv, key: h}}\n", "host in t", "h,a\n1,x\n",
         "tables: {t: {file: t.csv, key: h}}\n", "host in t", "h,a\n2,x\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct id128 hash, other_hash, form, other;
        files_begin();
        files[0] = (struct file){"./t.csv", cases[i].csv, 0};
        form = form_of(cases[i].head, cases[i].where, &hash);
        files[0].text = cases[i].other_csv;
        other = form_of(cases[i].other_head, cases[i].other_where, &other_hash);
        if (id128_equal(form, other) != cases[i].is_same ||
            id128_equal(hash, other_hash) != cases[i].is_same)
            fail_msg("case %zu: %s", i, cases[i].where);
    }
}

static void files_are_found_beside_the_rules(void **state)
{
    static const char *const paths[] = {"etc/rules/a.yaml", "b.yaml"};
    struct rule_set *set = NULL;
    struct error err;

    (void)state;
    files_begin();
    /* A set of one file is seen by the other, too. */
    files[0] =
        (struct file){"etc/rules/a.yaml", "sets: {a: {file: a.csv}, c: {file: /abs/c.csv}}\n", 0};
    files[1] = (struct file){
        "b.yaml", HEAD "    where: host in a && host in c\n" GOOD_WINDOW GOOD_WHEN TAIL, 0};
    files[2] = (struct file){"etc/rules/a.csv", "host\ndb01\n", 0};
    files[3] = (struct file){"/abs/c.csv", "host\ndb01\n", 0};
    if (rule_set_load(paths, 2, &set, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(rule_set_count(set), 1);
    rule_set_destroy(set);
}

static void wrong_definitions_are_refused_at_their_place(void **state)
{
    static const struct {
        const char *head, *where, *line;
    } cases[] = {
        {"sets: [a]\n", "true", "r.yaml:1:7: sets takes a map of names, not a list"},
        {"sets: {a: x}\n", "true",
         "r.yaml:1:11: a set is a list of words, or {file: NAME.csv, column: NAME}"},
        {"sets: {a: []}\n", "true", "r.yaml:1:11: nothing is in an empty set"},
        {"sets: {a: [[b]]}\n", "true", "r.yaml:1:12: a set holds words of at most 1024 bytes"},
        {"sets: {host: [b]}\n", "true", "r.yaml:1:8: this is the name of a field"},
        {"sets: {a: [b]}\ntables: {a: {file: x.csv, key: k}}\n", "true",
         "r.yaml:2:10: the name \"a\" is taken already: r.yaml:1:8"},
        {"sets: {a: {fiel: x.csv}}\n", "true",
         "r.yaml:1:12: a set has no key \"fiel\"; did you mean \"file\"?"},
        {"sets: {a: {column: x}}\n", "true", "r.yaml:1:11: a set needs the key \"file\""},
        {"sets: {a: {file: x.txt}}\n", "true",
         "r.yaml:1:18: a file of a set ends with .csv or .json"},
        {"sets: {a: {file: none.csv}}\n", "true",
         "r.yaml:1:18: ./none.csv: No such file or directory"},
        {"sets: {a: {file: x.csv}}\n", "true",
         "r.yaml:1:11: a set of several columns needs the key \"column\""},
        {"sets: {a: {file: x.csv, column: tema}}\n", "true",
         "r.yaml:1:33: there is no column \"tema\"; did you mean \"team\"?"},
        {"tables: {a: [b]}\n", "true", "r.yaml:1:13: a table is {file: NAME.csv, key: COLUMN}"},
        {"tables: {a: {file: x.csv}}\n", "true",
         "r.yaml:1:13: a table needs the keys \"file\" and \"key\""},
        {"tables: {a: {file: x.csv, key: hots}}\n", "true",
         "r.yaml:1:32: there is no column \"hots\"; did you mean \"host\"?"},
        {"tables: {a: {file: x.csv, key: rack}}\n", "true",
         "r.yaml:1:32: there is no column \"rack\": there are host, team and note"},
        {"tables: {a: {file: y.csv, key: host}}\n", "true",
         "r.yaml:1:32: there is no column \"host\": columns are separated by commas, and this file "
         "has none in its first row"},
        {"tables: {a: {file: x.csv, key: team}}\n", "true",
         "./x.csv:3:1: a row with the key \"storage\" is there already"},
        {"tables: {a: {file: x.csv, key: note}}\n", "true",
         "./x.csv:2:1: this row has no \"note\", its key"},
        /* uses of them */
        {"sets: {core: [b]}\n", "host in coer",
         "r.yaml:4:20: there is no set or table \"coer\"; did you mean \"core\"?"},
        {"sets: {a: [b]}\n", "value in a", "r.yaml:4:21: not all of the set a are numbers"},
        {"sets: {a: [b]}\n", "severity in a",
         "r.yaml:4:12: a set holds texts or numbers, and this is a severity"},
        {"sets: {a: [b]}\n", "host == a", "r.yaml:4:20: a list stands on the right of \"in\" only"},
        {"sets: {a: [b]}\n", "a", "r.yaml:4:12: where is true or false, and this is a list"},
        {"sets: {a: [b]}\n", "a[host].x == 'y'",
         "r.yaml:4:12: only labels and tables are looked up by name: labels[\"NAME\"]"},
        {"tables: {owners: {file: x.csv, key: host}}\n", "ownrs[host].team == 'y'",
         "r.yaml:4:12: there is no table \"ownrs\"; did you mean \"owners\"?"},
        {"", "ownrs[host].team == 'y'",
         "r.yaml:3:12: there is no table \"ownrs\": only labels and tables are looked up by name"},
        {"tables: {t: {file: x.csv, key: host}}\n", "t[host].taem == 'y'",
         "r.yaml:4:12: the table t has no column \"taem\"; did you mean \"team\"?"},
        {"tables: {t: {file: x.csv, key: host}}\n", "t[host].rack == 'y'",
         "r.yaml:4:12: the table t has no column \"rack\": there are host, team and note"},
        {"tables: {t: {file: x.csv, key: host}}\n", "t[host] == 'y'",
         "r.yaml:4:23: this is text and cannot be compared with a row of a table"},
        {"tables: {t: {file: x.csv, key: host}}\n", "t[value].team == 'y'",
         "r.yaml:4:14: the key of a row is text, and this is a number"},
        {"tables: {t: {file: x.csv, key: host}}\n", "value in t",
         "r.yaml:4:12: the key of a row is text, and this is a number"},
        {"tables: {t: {file: x.csv, key: host}}\n", "t.team == 'y'",
         "r.yaml:4:12: only labels have members: labels.NAME or labels[\"NAME\"]"},
    };

    (void)state;
    files_begin();
    files[0] = (struct file){"./x.csv", "host,team,note\na,storage,\nb,storage,x\n", 0};
    files[1] = (struct file){"./y.csv", "host;team\na;storage\n", 0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "%s" HEAD "    where: %s\n" GOOD_WINDOW GOOD_WHEN TAIL,
                 cases[i].head, cases[i].where);
        assert_refused_line(text, cases[i].line);
    }
}

static void columns_that_keys_lack_are_told_with_those_there_are(void **state)
{
    static const struct {
        const char *first, *end;
    } cases[] = {
        {"hots,rack", "; did you mean \"hots\"?"},
        {"machine,rack", ": there are machine and rack"},
        {"machine", ": there is machine alone"},
        {"host;rack", ": columns are separated by commas, and this file has none in its first row"},
        {"a,b,c,d,e,f,g,h,i,j,k,l", ": there are a, b, c, d, e, f, g, h and 4 more"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200], line[300];
        files_begin();
        snprintf(text, sizeof(text), "%s\n", cases[i].first);
        files[0] = (struct file){"./x.csv", text, 0};
        snprintf(line, sizeof(line),
                 "r.yaml:5:31: the file has no column \"host\", which by names%s", cases[i].end);
        assert_refused_line("rules:\n  - id: a\n    where: check == \"up\"\n    by: [host]\n"
                            "    expect: {every: 1m, keys: {file: x.csv}}\n"
                            "    incident: {title: t}\n    close: cleared()\n",
                            line);
    }
}

/* ---- wrong files ---- */

static void wrong_files_are_refused_at_their_place(void **state)
{
    static const struct {
        const char *path, *text, *line;
    } cases[] = {
        {"./x.csv", "", "./x.csv:1:1: the file is empty: the first row names the columns"},
        {"./x.csv", "a,,b\n", "./x.csv:1:3: the first row names the columns: this one has no name"},
        {"./x.csv", "a,b,a\n", "./x.csv:1:5: a column of this name is there already"},
        {"./x.csv", "a,b\n1,2\n3\n",
         "./x.csv:3:2: this row has fewer cells than the first one has names"},
        {"./x.csv", "a,b\n1,2,3\n",
         "./x.csv:2:5: this row has more cells than the first one has names"},
        {"./x.csv", "a,b\n1,\"2\n\n", "./x.csv:2:3: the quote that begins here has no end"},
        {"./x.csv", "a,b\n1,\"2\"3\n",
         "./x.csv:2:6: a comma or the end of the line follows a quoted cell"},
        {"./x.csv", "a,b\n1,2\"3\n", "./x.csv:2:4: a cell with a quote in it begins with a quote"},
        {"./x.csv", "a,b\n1,2\r3\n", "./x.csv:2:4: a line ends with a line feed"},
        {"./x.csv", "a,b\n1,\xff\n", "./x.csv:2:3: the byte 0xff here is no UTF-8 text"},
        {"./x.csv", "a,b\n1,\x01\n", "./x.csv:2:3: the control character 0x01 cannot stand here"},
        {"./x.json", "", "./x.json:1:1: a list or a map should stand here"},
        {"./x.json", "5", "./x.json:1:1: a list or a map should stand here"},
        {"./x.json", "[", "./x.json:1:2: expected a value here"},
        {"./x.json", "[1", "./x.json:1:3: expected , or ] here"},
        {"./x.json", "[1,]", "./x.json:1:4: expected a value here"},
        {"./x.json", "[1] 2", "./x.json:1:5: nothing follows behind the end"},
        {"./x.json", "[01]",
         "./x.json:1:2: a value is a text in quotes, a number, true, false or null"},
        {"./x.json", "[1.]",
         "./x.json:1:2: a value is a text in quotes, a number, true, false or null"},
        {"./x.json", "[-]",
         "./x.json:1:2: a value is a text in quotes, a number, true, false or null"},
        {"./x.json", "[1e]",
         "./x.json:1:2: a value is a text in quotes, a number, true, false or null"},
        {"./x.json", "[nul]",
         "./x.json:1:2: a value is a text in quotes, a number, true, false or null"},
        {"./x.json", "[[1]]", "./x.json:1:2: a cell is a single value, not a list or map"},
        {"./x.json", "[{\"a\": {}}]", "./x.json:1:8: a cell is a single value, not a list or map"},
        {"./x.json", "[{\"a\" 1}]", "./x.json:1:7: expected : here"},
        {"./x.json", "[{a: 1}]", "./x.json:1:3: expected a name in quotes here"},
        {"./x.json", "[{\"a\": 1,\n \"a\": 2}]", "./x.json:2:2: this name is there already"},
        {"./x.json", "{\"a\": 1}", "./x.json:1:7: expected a map of columns here"},
        {"./x.json", "{\"a\": {\"key\": 1}}",
         "./x.json:1:2: a row of a map of maps has no column \"key\""},
        {"./x.json", "[\"a]", "./x.json:1:2: the text that begins here has no end"},
        {"./x.json", "[\"\\x\"]", "./x.json:1:4: there is no such escape"},
        {"./x.json", "[\"\\u12g4\"]", "./x.json:1:7: \\u is followed by four hex digits"},
        {"./x.json", "[\"\\ud83dx\"]", "./x.json:1:3: half of a surrogate pair"},
        {"./x.json", "[\"\\ude00\"]", "./x.json:1:3: half of a surrogate pair"},
        {"./x.json", "[\"\\u0000\"]", "./x.json:1:3: a zero byte in a text"},
        {"./x.json", "[\"a\nb\"]",
         "./x.json:1:4: a line end or control character inside of a text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        files_begin();
        files[0] = (struct file){cases[i].path, cases[i].text, 0};
        snprintf(text, sizeof(text),
                 "sets: {a: {file: %s, column: a}}\n" HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
                 cases[i].path + 2);
        assert_refused_line(text, cases[i].line);
    }
}

/* Whatever is too much is told at its place, at once. */
static void large_files_are_bounded(void **state)
{
    static const struct {
        const char *path, *head, *part, *line;
        size_t parts;
    } cases[] = {
        {"./x.csv", "a\n", "1234567\n",
         "r.yaml:1:18: a file of a set has at most 8 MiB, all of them together, each as often "
         "as it is named, 16 MiB",
         1048577},
        {"./x.csv", "a\n", "x\n", "./x.csv:2097154:1: more than 2097152 cells", 2500000},
        {"./x.csv", "a,", "b", "./x.csv:1:3: a cell has at most 1024 bytes", 1025},
        {"./x.json", "[", "{},", "./x.json:1:6291458: more than 2097152 cells", 2500000},
        {"./x.json", "[\"", "a", "./x.json:1:2: a cell has at most 1024 bytes", 1026},
        {"./x.json", "[", "[", "./x.json:1:2: a cell is a single value, not a list or map",
         8000000},
    };
    char *large = malloc(17000000);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t head = strlen(cases[i].head), part = strlen(cases[i].part);
        char text[1024];
        files_begin();
        memcpy(large, cases[i].head, head);
        for (size_t p = 0; p < cases[i].parts; p++)
            memcpy(large + head + p * part, cases[i].part, part);
        files[0] = (struct file){cases[i].path, large, head + part * cases[i].parts};
        snprintf(text, sizeof(text),
                 "sets: {a: {file: %s, column: a}}\n" HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN TAIL,
                 cases[i].path + 2);
        assert_refused_line(text, cases[i].line);
    }
    free(large);
}

/* What is refused is read as well: a set that names a file again and again reads no more than what
 * all files together may have, and the one with which they have more. */
static void a_refused_file_is_not_read_as_often_as_it_is_named(void **state)
{
    static const size_t sizes[] = {7 << 20, 9 << 20};
    char *large = malloc(9 << 20), *text = malloc(100000);

    (void)state;
    memset(large, 'x', 9 << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t used = 0;
        struct rule_set *set = NULL;
        struct error err = {""};
        files_begin();
        files[0] = (struct file){"./x.csv", large, sizes[i]};
        used += (size_t)sprintf(text, "rules:\n");
        for (int rule = 0; rule < 200; rule++)
            used += (size_t)sprintf(text + used,
                                    "- {id: r%d, where: value > 1, by: [host], expect: {every: 1h, "
                                    "keys: {file: x.csv}}, incident: {title: t}, close: "
                                    "cleared()}\n",
                                    rule);
        assert_int_equal(rule_set_parse("r.yaml", text, used, &set, &err), -EINVAL);
        assert_non_null(strstr(err.text, "each as often as it is named, 16 MiB"));
        assert_non_null(strstr(err.text, "... and 19"));
        assert_in_range(bytes_read, 16 << 20, 32 << 20);
    }
    free(large);
    free(text);
}

/* Many rows, whose keys begin alike: each is found, and no other. */
static void every_row_of_a_large_table_is_found(void **state)
{
    enum { ROWS = 5000 };
    char *csv = malloc(ROWS * 40), *at = csv, text[1024];
    struct rule_set *set;

    (void)state;
    files_begin();
    at += sprintf(at, "h,n\n");
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, "host-%d,%d\n", i * 3, i);
    files[0] = (struct file){"./t.csv", csv, 0};
    snprintf(text, sizeof(text),
             "tables: {t: {file: t.csv, key: h}}\n" HEAD
             "    where: int(t[check].n) * 3 == value\n" GOOD_WINDOW GOOD_WHEN TAIL);
    set = parse_good(text);
    for (int i = 0; i < 3 * ROWS; i++) {
        char check[32];
        struct words words = {.tenant = "t", .check = check, .has_value = true, .value = i};
        struct sample sample;
        uint32_t out[1];
        snprintf(check, sizeof(check), "host-%d", i);
        sample_make(&sample, &words);
        if ((rule_set_match(set, &sample.view, out, 1) == 1) != (i % 3 == 0))
            fail_msg("%s", check);
    }
    rule_set_destroy(set);
    free(csv);
}

/* They have their names in matchers of mutes, too. */
static void mutes_look_up_as_well(void **state)
{
    static const char text[] =
        "sets: {core: [db1, db2]}\ntables: {owners: {file: owners.csv, key: host}}\n"
        "silences:\n"
        "  - {id: a, where: host in core, to: \"2030-01-01T00:00:00Z\"}\n"
        "  - id: b\n    where: owners[host].team == \"storage\" && rule in core\n"
        "    to: \"2030-01-01T00:00:00Z\"\n";

    (void)state;
    files_begin();
    files[0] = (struct file){"./owners.csv", owners_csv, 0};
    struct rule_set *set = parse_good(text);
    assert_int_equal(rule_set_mute_count(set), 2);
    rule_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(mutes_look_up_as_well, files_end),
        cmocka_unit_test_teardown(sets_and_tables_answer_what_they_hold, files_end),
        cmocka_unit_test_teardown(content_belongs_to_the_form_of_who_uses_it, files_end),
        cmocka_unit_test_teardown(files_are_found_beside_the_rules, files_end),
        cmocka_unit_test_teardown(wrong_definitions_are_refused_at_their_place, files_end),
        cmocka_unit_test_teardown(columns_that_keys_lack_are_told_with_those_there_are, files_end),
        cmocka_unit_test_teardown(wrong_files_are_refused_at_their_place, files_end),
        cmocka_unit_test_teardown(large_files_are_bounded, files_end),
        cmocka_unit_test_teardown(a_refused_file_is_not_read_as_often_as_it_is_named, files_end),
        cmocka_unit_test_teardown(every_row_of_a_large_table_is_found, files_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
