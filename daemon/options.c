/*
 * options.c - see options.h. getopt_long() is not used: it knows no kinds, ranges
 * and defaults, and its error sentences cannot name the nearest option.
 */
#include "daemon/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/brokers.h"
#include "daemon/command.h"
#include "daemon/choice.h"
#include "daemon/units.h"
#include "base/nearest.h"

static const struct {
    int code;
    const char *meaning;
} exit_codes[] = {
    {EXIT_OK, "all went well"},
    {EXIT_CHANGED, "the check or comparison found something"},
    {EXIT_USAGE, "a wrong option or argument"},
    {EXIT_DATA, "input or data directory is not what it must be"},
    {EXIT_NO_INPUT, "a named file cannot be read"},
    {EXIT_UNAVAILABLE, "a service that is needed does not answer"},
    {EXIT_INTERNAL, "a mistake of tocsin: a sum of the ledger does not hold"},
    {EXIT_SYSTEM, "out of memory, threads or sockets"},
    {EXIT_LOCKED, "the data directory is in use by another process"},
    {EXIT_IO, "a write or sync failed"},
    {EXIT_OVERTAKEN, "another daemon owns the unit now: started again, this one stands by for it"},
    {EXIT_CONFIG, "configuration or rules refused, nothing was started"},
};

const char *exit_code_meaning(int code)
{
    for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
        if (exit_codes[i].code == code)
            return exit_codes[i].meaning;
    return NULL;
}

/* As it would be written. */
static void format_number(const struct option_row *row, int64_t number, char to[UNIT_TEXT_BYTES])
{
    if (row->kind == OPTION_DURATION)
        unit_format_duration(number, to);
    else if (row->kind == OPTION_SIZE)
        unit_format_size(number, to);
    else
        snprintf(to, UNIT_TEXT_BYTES, "%" PRId64, number);
}

static int check_range(const struct option_row *row, const char *text, int64_t value,
                       struct error *err)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];

    if (value >= row->min && (row->max == 0 || value <= row->max))
        return 0;
    format_number(row, row->min, low);
    format_number(row, row->max, high);
    if (row->max == 0)
        error_set(err, "%s: %s is too small, it must be at least %s", row->name, text, low);
    else
        error_set(err, "%s: %s is out of range, it must be from %s to %s", row->name, text, low,
                  high);
    return -EINVAL;
}

static int set_number(const struct option_row *row, const char *text, int64_t *to,
                      struct error *err)
{
    int rc = 0;

    switch (row->kind) {
    case OPTION_DURATION:
        rc = unit_parse_duration(text, to, err);
        break;
    case OPTION_SIZE:
        rc = unit_parse_size(text, to, err);
        break;
    case OPTION_TIME:
        rc = unit_parse_time(text, to, err);
        break;
    default:
        rc = unit_parse_count(text, to, err);
    }
    if (rc != 0) {
        error_prefix(err, "%s: ", row->name);
        return rc;
    }
    return check_range(row, text, *to, err);
}

static int set_value(const struct option_row *row, const char *text, void *to, struct error *err)
{
    char *at = (char *)to + row->offset;
    struct brokers_fault fault;
    char hint[NEAREST_HINT_BYTES];

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)at = text;
        return 0;
    case OPTION_BROKERS:
        *(const char **)at = text;
        if (text[0] == '\0') {
            error_set(err, "%s: must not be empty", row->name);
            return -EINVAL;
        }
        if (brokers_check(text, &fault))
            return 0;
        *err = fault.why;
        error_prefix(err, "%s: ", row->name);
        return -EINVAL;
    case OPTION_CHOICE:
        *(int64_t *)at = choice_index(row->choices, text);
        if (*(int64_t *)at >= 0)
            return 0;
        error_set(err, "%s: '%s' is not one of: %s%s", row->name, text, row->choices,
                  choice_hint(row->choices, text, hint));
        return -EINVAL;
    case OPTION_LIST: {
        struct option_list *list = (struct option_list *)at;
        if (list->count == OPTION_LIST_MAX) {
            error_set(err, "%s is given more than %d times", row->name, OPTION_LIST_MAX);
            return -EINVAL;
        }
        list->item[list->count++] = text;
        return 0;
    }
    default:
        return set_number(row, text, (int64_t *)at, err);
    }
}

static int unknown_option(const struct option_table *table, const char *name, struct error *err)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX] = {"help"}, *near;
    size_t count = 1, dashes = strncmp(name, "--", 2) == 0 ? 2 : 0;

    /* Without the dashes, which would count as likeness. */
    for (size_t i = 0; i < table->row_count && count < NAMES_MAX; i++)
        names[count++] = table->rows[i].name + 2;
    near =
        nearest_name((struct text){name + dashes, (uint32_t)strlen(name + dashes)}, names, count);
    if (near != NULL)
        error_set(err, "unknown option %s; did you mean --%s?", name, near);
    else
        error_set(err, "unknown option %s", name);
    return -EINVAL;
}

/* Reads the option at argv[*i] and moves *i to its last word. */
static int read_option(const struct option_table *table, int argc, char **argv, int *i, void *to,
                       struct error *err)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option_row *row = NULL;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1),
             word);
    for (size_t r = 0; r < table->row_count; r++)
        if (strlen(table->rows[r].name) == length &&
            strncmp(table->rows[r].name, word, length) == 0)
            row = &table->rows[r];
    if (row == NULL)
        return unknown_option(table, name, err);
    if (row->kind == OPTION_FLAG && equals != NULL) {
        error_set(err, "%s takes no value", name);
        return -EINVAL;
    }
    if (row->kind == OPTION_FLAG)
        return set_value(row, NULL, to, err);
    if (equals == NULL && *i + 1 >= argc) {
        error_set(err, "%s needs a value: %s %s", name, name, row->value);
        return -EINVAL;
    }
    return set_value(row, equals != NULL ? equals + 1 : argv[++*i], to, err);
}

/* What looks like a file of rules, where an option is wanted. */
static bool rules_are_named(const struct option_table *table, const char *text)
{
    const char *dot = strrchr(text, '.');
    bool is_yaml = dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);

    for (size_t i = 0; i < table->row_count && is_yaml; i++)
        if (strcmp(table->rows[i].name, "--rules") == 0)
            return true;
    return false;
}

static int add_argument(const struct option_table *table, const char *text, void *to,
                        struct error *err)
{
    struct option_list *list = (struct option_list *)((char *)to + table->arguments_offset);

    if (table->arguments_max == 0 || list->count >= table->arguments_max ||
        list->count == OPTION_LIST_MAX) {
        error_set(err, "'%s' is one argument too many%s", text,
                  rules_are_named(table, text) ? "; rules are named by --rules FILE" : "");
        return -EINVAL;
    }
    list->item[list->count++] = text;
    return 0;
}

static int set_defaults(const struct option_table *table, void *to, struct error *err)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const struct option_row *row = &table->rows[i];
        int rc = row->fallback != NULL ? set_value(row, row->fallback, to, err) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

int options_parse(const struct option_table *table, int argc, char **argv, void *to,
                  struct error *err)
{
    bool only_arguments = false;
    int rc = set_defaults(table, to, err);

    for (int i = 1; i < argc && rc == 0; i++) {
        const char *word = argv[i];
        if (only_arguments || word[0] != '-' || word[1] == '\0')
            rc = add_argument(table, word, to, err);
        else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return 1;
        else if (strcmp(word, "--") == 0)
            only_arguments = true;
        else
            rc = read_option(table, argc, argv, &i, to, err);
    }
    if (rc == 0 && table->arguments_min > 0) {
        const struct option_list *list =
            (const struct option_list *)((char *)to + table->arguments_offset);
        if (list->count < table->arguments_min) {
            error_set(err, "an argument is missing: tocsin %s %s", table->command, table->usage);
            rc = -EINVAL;
        }
    }
    return rc;
}

bool options_read(const struct option_table *table, int argc, char **argv, void *to, int *exit_code)
{
    struct error err = {{0}};
    int rc = options_parse(table, argc, argv, to, &err);

    if (rc == 0)
        return true;
    if (rc > 0) {
        options_print_help(table);
        *exit_code = EXIT_OK;
    } else {
        fprintf(stderr, "tocsin %s: %s\nTry: tocsin %s --help\n", table->command, err.text,
                table->command);
        *exit_code = EXIT_USAGE;
    }
    return false;
}

/* Prints `text` broken at blanks, at most `width` columns, every line after the
 * first indented by `indent`. */
static void print_wrapped(const char *text, int indent, int width)
{
    int column = indent;

    while (*text != '\0') {
        int word = (int)strcspn(text, " \n");
        bool is_first = column == indent;
        if (!is_first && column + 1 + word > width) {
            printf("\n%*s", indent, "");
            column = indent;
            is_first = true;
        }
        printf("%s%.*s", is_first ? "" : " ", word, text);
        column += word + !is_first;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

static void print_row(const char *name, const char *value, const char *help, const char *fallback)
{
    char line[512], left[64];

    snprintf(left, sizeof(left), "%s%s%s", name, value != NULL ? " " : "",
             value != NULL ? value : "");
    if (fallback != NULL)
        snprintf(line, sizeof(line), "%s [%s]", help, fallback);
    else
        snprintf(line, sizeof(line), "%s", help);
    printf("  %-22s ", left);
    if (strlen(left) > 22)
        printf("\n%25s", "");
    print_wrapped(line, 25, 100);
}

void options_print_help(const struct option_table *table)
{
    const char *exits = table->exits;

    printf("Usage: tocsin %s %s\n\n", table->command, table->usage);
    print_wrapped(table->about, 0, 100);
    printf("\nOptions:\n");
    for (size_t i = 0; i < table->row_count; i++) {
        const struct option_row *row = &table->rows[i];
        print_row(row->name, row->value, row->help, row->fallback);
    }
    print_row("--help", NULL, "Prints this.", NULL);
    if (exits == NULL)
        return;
    printf("\nExit codes:\n");
    while (*exits != '\0') {
        char *end;
        int code = (int)strtol(exits, &end, 10);
        const char *meaning = exit_code_meaning(code);
        printf("  %-4d %s\n", code, meaning != NULL ? meaning : "");
        for (exits = end; *exits == ' ';)
            exits++;
    }
}
