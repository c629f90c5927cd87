/* import_week.c - see import_week.h. */
#include "daemon/import_week.h"

#include <string.h>
#include <strings.h>
#include "rules/fields.h"

static const char *const day_names[WEEK_DAYS] = {"sunday",   "monday", "tuesday", "wednesday",
                                                 "thursday", "friday", "saturday"};

static int day_find(const char *name, size_t bytes)
{
    for (int day = 0; day < WEEK_DAYS; day++)
        if (strlen(day_names[day]) == bytes && strncasecmp(day_names[day], name, bytes) == 0)
            return day;
    return -1;
}

/* "monday", "monday:friday": from Sunday on, the end not before the start. */
static bool days_read(struct text text, bool day_is_in[WEEK_DAYS])
{
    const char *colon = memchr(text.at, ':', text.len);
    size_t first = colon != NULL ? (size_t)(colon - text.at) : text.len;
    int from = day_find(text.at, first), to = from;

    if (colon != NULL)
        to = day_find(colon + 1, text.len - first - 1);
    for (int day = from; from >= 0 && day <= to; day++)
        day_is_in[day] = true;
    return from >= 0 && to >= from;
}

/* "09:30" in minutes, up to "24:00"; -1 when it is none. */
static int minute_read(struct text text)
{
    int hour, minute;

    if (text.len != 5 || text.at[2] != ':')
        return -1;
    for (int i = 0; i < 5; i++)
        if (i != 2 && (text.at[i] < '0' || text.at[i] > '9'))
            return -1;
    hour = (text.at[0] - '0') * 10 + (text.at[1] - '0');
    minute = (text.at[3] - '0') * 10 + (text.at[4] - '0');
    return hour > 24 || minute > 59 || (hour == 24 && minute > 0) ? -1 : hour * 60 + minute;
}

static const char *const not_read = "its weekdays or times cannot be read";

static const char *add_times(struct import_week *week, const struct yaml_node *times,
                             const bool day_is_in[WEEK_DAYS])
{
    for (const struct yaml_node *node = times->first; node != NULL; node = node->next) {
        int from = minute_read(yaml_node_find(node, "start_time")->text);
        int to = minute_read(yaml_node_find(node, "end_time")->text);
        if (from < 0 || to <= from)
            return not_read;
        for (int day = 0; day < WEEK_DAYS; day++)
            for (int minute = from; day_is_in[day] && minute < to; minute++)
                week->is_active[day][minute] = true;
    }
    return NULL;
}

static bool is_same_location(const struct import_week *week, const struct yaml_node *location)
{
    if (!week->has_any)
        return true;
    if (location == NULL || week->location == NULL)
        return location == week->location;
    return location->text.len == week->location->text.len &&
           memcmp(location->text.at, week->location->text.at, location->text.len) == 0;
}

static bool is_given(const struct yaml_node *list)
{
    return list != NULL && list->first != NULL;
}

const char *import_week_add(struct import_week *week, const struct yaml_node *spec)
{
    const struct yaml_node *times = yaml_node_find(spec, "times");
    const struct yaml_node *weekdays = yaml_node_find(spec, "weekdays");
    const struct yaml_node *location = yaml_node_find(spec, "location");
    bool day_is_in[WEEK_DAYS] = {false};

    if (is_given(yaml_node_find(spec, "days_of_month")) ||
        is_given(yaml_node_find(spec, "months")) || is_given(yaml_node_find(spec, "years")))
        return "what lies outside of days of a month, of months or years is no such interval again";
    if (!is_same_location(week, location))
        return "its intervals are in different zones";
    week->location = location;
    week->has_any = true;
    for (const struct yaml_node *node = is_given(weekdays) ? weekdays->first : NULL; node != NULL;
         node = node->next)
        if (!days_read(node->text, day_is_in))
            return not_read;
    if (!is_given(weekdays))
        memset(day_is_in, true, sizeof(day_is_in));
    if (is_given(times))
        return add_times(week, times, day_is_in);
    for (int day = 0; day < WEEK_DAYS; day++)
        if (day_is_in[day])
            memset(week->is_active[day], true, sizeof(week->is_active[day]));
    return NULL;
}

static void put_times(const bool is_active[DAY_MINUTES], struct import_text *entry)
{
    const char *gap = "";

    import_text_put(entry, "times: [");
    for (int from = 0; from < DAY_MINUTES;) {
        int to = from + 1;
        while (to < DAY_MINUTES && is_active[to] == is_active[from])
            to++;
        if (!is_active[from]) {
            import_text_format(entry, "%s{start_time: \"%02d:%02d\", end_time: \"%02d:%02d\"}", gap,
                               from / 60, from % 60, to / 60, to % 60);
            gap = ", ";
        }
        from = to;
    }
    import_text_put(entry, "]\n");
}

/* Days that are alike stand together. */
bool import_week_write_rest(const struct import_week *week, struct import_text *entry)
{
    bool is_written[WEEK_DAYS] = {false}, is_any = false;

    for (int day = 0; day < WEEK_DAYS; day++) {
        const bool *minutes = week->is_active[day];
        if (is_written[day] || memchr(minutes, false, DAY_MINUTES) == NULL)
            continue;
        is_any = true;
        import_text_format(entry, "      - weekdays: [\"%s\"", day_names[day]);
        for (int other = day + 1; other < WEEK_DAYS; other++) {
            if (memcmp(week->is_active[other], minutes, DAY_MINUTES) != 0)
                continue;
            is_written[other] = true;
            import_text_format(entry, ", \"%s\"", day_names[other]);
        }
        import_text_put(entry, "]\n");
        if (memchr(minutes, true, DAY_MINUTES) != NULL) {
            import_text_put(entry, "        ");
            put_times(minutes, entry);
        }
        if (week->location != NULL) {
            import_text_put(entry, "        location: ");
            import_text_quoted(entry, week->location->text.at, week->location->text.len);
            import_text_put(entry, "\n");
        }
    }
    return is_any;
}
