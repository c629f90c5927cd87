/*
 * journal_format.c - see journal_format.h.
 *
 * Every kind has one description of its fields, which both directions follow: struct codec either
 * writes what is there or fills it in. So what is written is what is read, by construction.
 */
#include "store/journal_format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "store/recording_format.h"

enum { HEAD_BYTES = 5 }; /* of a record: kind, bytes */

static const char *const kind_names[JOURNAL_KIND_COUNT] = {
    [JOURNAL_GROUP] = "group",       [JOURNAL_PART] = "part",     [JOURNAL_POSITION] = "position",
    [JOURNAL_MARK] = "mark",         [JOURNAL_CHANGE] = "change", [JOURNAL_OP] = "op",
    [JOURNAL_OP_STATE] = "op state", [JOURNAL_COUNTS] = "counts", [JOURNAL_RULES] = "rules",
    [JOURNAL_MEMBER] = "member",
};

const char *journal_kind_name(enum journal_kind kind)
{
    return kind > 0 && kind < JOURNAL_KIND_COUNT ? kind_names[kind] : "unknown";
}

/* One direction through the fields of a record. */
struct codec {
    struct journal_buffer *to; /* NULL: reading */
    const char *at, *end;
    const char *wrong; /* the first thing that was; NULL: nothing */
};

static void put_bytes(struct journal_buffer *to, const void *from, size_t bytes)
{
    vector_reserve(&to->bytes, bytes);
    if (bytes > 0)
        memcpy(to->bytes.at + to->bytes.count, from, bytes);
    to->bytes.count += bytes;
}

static void put_number(struct journal_buffer *to, uint64_t value)
{
    char room[10];

    put_bytes(to, room, (size_t)(varint_put(room, value) - room));
}

static uint64_t code(struct codec *c, uint64_t value)
{
    if (c->to != NULL) {
        put_number(c->to, value);
        return value;
    }
    const char *next = c->wrong == NULL ? varint_get(c->at, c->end, &value) : NULL;
    if (next == NULL) {
        c->wrong = c->wrong != NULL ? c->wrong : "a number is cut off";
        return 0;
    }
    c->at = next;
    return value;
}

/* A number that has to be at most `max`; else `wrong` is said. */
static uint64_t code_up_to(struct codec *c, uint64_t value, uint64_t max, const char *wrong)
{
    value = code(c, value);
    if (value <= max)
        return value;
    c->wrong = c->wrong != NULL ? c->wrong : wrong;
    return 0;
}

#define CODE_UINT(c, field, max)                                                                   \
    ((field) = (__typeof__(field))code_up_to(c, (uint64_t)(field), max, "a number is too large"))
#define CODE_INT(c, field) ((field) = unzigzag(code(c, zigzag(field))))

static void code_id(struct codec *c, struct id128 *id)
{
    if (c->to != NULL) {
        put_bytes(c->to, id, sizeof(*id));
    } else if (c->wrong == NULL && (size_t)(c->end - c->at) >= sizeof(*id)) {
        memcpy(id, c->at, sizeof(*id));
        c->at += sizeof(*id);
    } else {
        c->wrong = c->wrong != NULL ? c->wrong : "an id is cut off";
    }
}

/* A stretch of bytes with a zero byte behind it. */
static const char *code_bytes(struct codec *c, const char *from, size_t *bytes)
{
    *bytes = (size_t)code(c, *bytes);
    if (c->to != NULL) {
        put_bytes(c->to, from, *bytes);
        put_bytes(c->to, "", 1);
        return from;
    }
    if (c->wrong == NULL && *bytes < (size_t)(c->end - c->at) && c->at[*bytes] == '\0') {
        from = c->at;
        c->at += *bytes + 1;
        return from;
    }
    c->wrong = c->wrong != NULL ? c->wrong : "a text is cut off";
    *bytes = 0;
    return "";
}

static void code_text(struct codec *c, const char **text)
{
    size_t bytes = c->to != NULL ? strlen(*text) : 0;

    *text = code_bytes(c, *text, &bytes);
    if (c->to == NULL && c->wrong == NULL && strlen(*text) != bytes)
        c->wrong = "a text holds a zero byte";
}

/* ---- kinds ---- */

static void code_group(struct codec *c, struct journal_group *group)
{
    CODE_INT(c, group->from_ms);
    CODE_INT(c, group->to_ms);
    CODE_INT(c, group->n_ms);
    CODE_INT(c, group->r_ms);
    code_text(c, &group->engine);
}

static void code_part(struct codec *c, struct journal_part *part)
{
    int64_t partition = part->partition;

    CODE_UINT(c, part->part, UINT16_MAX);
    CODE_INT(c, partition);
    if (partition < INT32_MIN || partition > INT32_MAX)
        c->wrong = c->wrong != NULL ? c->wrong : "a number is too large";
    part->partition = (int32_t)partition;
    code_text(c, &part->topic);
}

static void code_position(struct codec *c, struct journal_position *position)
{
    CODE_UINT(c, position->part, UINT16_MAX);
    CODE_INT(c, position->low);
    CODE_INT(c, position->read);
}

static void code_mark(struct codec *c, struct mark *mark)
{
    mark->kind = (enum mark_kind)code_up_to(c, (uint64_t)mark->kind, MARK_KIND_COUNT - 1,
                                            "its kind is not known here; a newer tocsin wrote it");
    CODE_UINT(c, mark->part, UINT16_MAX);
    CODE_INT(c, mark->offset);
    CODE_INT(c, mark->value_ms);
}

/* The names and values of `by`: is it as many as `count` says? */
static bool fields_hold(const char *fields, size_t bytes, unsigned count)
{
    for (unsigned i = 0; i < 2 * count; i++) {
        uint32_t len;
        if (bytes < sizeof(len))
            return false;
        memcpy(&len, fields, sizeof(len));
        if (bytes - sizeof(len) < len)
            return false;
        fields += sizeof(len) + len;
        bytes -= sizeof(len) + len;
    }
    return bytes == 0;
}

static size_t fields_bytes(const struct incident *inc)
{
    struct text last;

    if (inc->field_count == 0)
        return 0;
    last = incident_field(inc, inc->field_count - 1u, true);
    return (size_t)(last.at + last.len - inc->fields);
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* What people did: only where somebody did something, so that all other records are as they were
 * before that could be. */
static void code_by_hand(struct codec *c, struct incident *inc)
{
    bool is_there = c->to != NULL
                        ? is_given(inc->acked_by) || is_given(inc->by) || is_given(inc->comment)
                        : c->wrong == NULL && c->at != c->end;

    if (is_there) {
        code_text(c, &inc->acked_by);
        code_text(c, &inc->by);
        code_text(c, &inc->comment);
    } else if (c->to == NULL) {
        inc->acked_by = inc->by = inc->comment = "";
    }
}

static void code_change(struct codec *c, struct incident *inc)
{
    const char **const texts[] = {&inc->tenant, &inc->rule_id,  &inc->key,   &inc->title,
                                  &inc->tier,   &inc->runbook,  &inc->team,  &inc->why,
                                  &inc->source, &inc->resource, &inc->check, &inc->message,
                                  &inc->host,   &inc->muted_by};
    size_t bytes = c->to != NULL ? fields_bytes(inc) : 0;

    code_id(c, &inc->id);
    CODE_UINT(c, inc->change, INCIDENT_CLOSED);
    CODE_UINT(c, inc->cause, INCIDENT_CAUSE_COUNT - 1);
    CODE_INT(c, inc->at_ms);
    CODE_INT(c, inc->opened_ms);
    CODE_INT(c, inc->first_ts_ms);
    CODE_UINT(c, inc->change_number, UINT32_MAX);
    CODE_UINT(c, inc->severity, SEVERITY_COUNT - 1);
    CODE_UINT(c, inc->priority, PRIORITY_P5);
    CODE_UINT(c, inc->event_count, UINT64_MAX);
    CODE_UINT(c, inc->alert_count, UINT32_MAX);
    CODE_UINT(c, inc->open_count, UINT32_MAX);
    CODE_UINT(c, inc->is_forgotten, 1);
    CODE_UINT(c, inc->field_count, UINT8_MAX);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        code_text(c, texts[i]);
    inc->fields = code_bytes(c, inc->fields, &bytes);
    code_by_hand(c, inc);
    if (c->to == NULL && c->wrong == NULL && !fields_hold(inc->fields, bytes, inc->field_count))
        c->wrong = "the values of its key do not fit";
}

static void code_op(struct codec *c, struct journal_op *op)
{
    code_id(c, &op->id);
    code_id(c, &op->incident);
    CODE_UINT(c, op->number, UINT32_MAX);
    CODE_UINT(c, op->kind, OP_RESOLVE);
    code_text(c, &op->sink);
}

static void code_op_state(struct codec *c, struct journal_op_state *state)
{
    code_id(c, &state->op);
    CODE_UINT(c, state->fate, JOURNAL_FATE_COUNT - 1);
    CODE_UINT(c, state->may_exist, 1);
    CODE_INT(c, state->not_before_ms);
    CODE_INT(c, state->at_ms);
    code_text(c, &state->reference);
    code_text(c, &state->label);
    code_text(c, &state->reason);
}

static void code_counts(struct codec *c, struct journal_counts *counts)
{
    CODE_UINT(c, counts->count, JOURNAL_COUNTS_MAX);
    for (uint32_t i = 0; i < counts->count; i++)
        CODE_UINT(c, counts->value[i], UINT64_MAX);
}

static void code_rules(struct codec *c, struct journal_rules *rules)
{
    CODE_INT(c, rules->from_ms);
    code_id(c, &rules->set);
    code_id(c, &rules->settings);
}

static void code_member(struct codec *c, struct journal_member *member)
{
    code_id(c, &member->incident);
    CODE_INT(c, member->at_ms);
    code_text(c, &member->source);
    code_text(c, &member->resource);
    code_text(c, &member->check);
    code_text(c, &member->dedup_key);
    code_text(c, &member->host);
    CODE_UINT(c, member->severity, SEVERITY_COUNT - 1);
}

static void code_body(struct codec *c, struct journal_record *record)
{
    switch (record->kind) {
    case JOURNAL_GROUP:
        code_group(c, &record->group);
        break;
    case JOURNAL_PART:
        code_part(c, &record->part);
        break;
    case JOURNAL_POSITION:
        code_position(c, &record->position);
        break;
    case JOURNAL_MARK:
        code_mark(c, &record->mark);
        break;
    case JOURNAL_CHANGE:
        code_change(c, &record->change);
        break;
    case JOURNAL_OP:
        code_op(c, &record->op);
        break;
    case JOURNAL_OP_STATE:
        code_op_state(c, &record->op_state);
        break;
    case JOURNAL_COUNTS:
        code_counts(c, &record->counts);
        break;
    case JOURNAL_RULES:
        code_rules(c, &record->rules);
        break;
    case JOURNAL_MEMBER:
        code_member(c, &record->member);
        break;
    case JOURNAL_KIND_COUNT:
        break;
    }
}

/* ---- records ---- */

void journal_put(struct journal_buffer *buffer, const struct journal_record *record)
{
    struct journal_record copy = *record; /* the codec writes back what it has written */
    struct codec c = {.to = buffer};
    size_t body;
    uint32_t bytes;

    assert(record->kind > 0 && record->kind < JOURNAL_KIND_COUNT);
    put_bytes(buffer, &(uint8_t){(uint8_t)record->kind}, 1);
    put_bytes(buffer, &(uint32_t){0}, sizeof(bytes));
    body = buffer->bytes.count;
    code_body(&c, &copy);
    bytes = (uint32_t)(buffer->bytes.count - body);
    memcpy(buffer->bytes.at + body - sizeof(bytes), &bytes, sizeof(bytes));
}

const char *journal_record_end(const char *at)
{
    uint32_t bytes;

    memcpy(&bytes, at + 1, sizeof(bytes));
    return at + HEAD_BYTES + bytes;
}

void journal_buffer_release(struct journal_buffer *buffer)
{
    free(buffer->bytes.at);
    *buffer = (struct journal_buffer){0};
}

int journal_get(struct journal_cursor *cursor, struct journal_record *out, struct error *err)
{
    struct codec c = {0};
    uint32_t bytes;

    if (cursor->at == cursor->end && cursor->began)
        return 0;
    memset(out, 0, sizeof(*out));
    if (cursor->end - cursor->at < HEAD_BYTES) {
        error_set(err, "a record of the group is cut off");
        return -EBADMSG;
    }
    out->kind = (enum journal_kind)(uint8_t)*cursor->at;
    memcpy(&bytes, cursor->at + 1, sizeof(bytes));
    if (out->kind < JOURNAL_GROUP || out->kind >= JOURNAL_KIND_COUNT) {
        error_set(err, "a record of the group is of kind %d, which is not known", (int)out->kind);
        return -EBADMSG;
    }
    if ((out->kind == JOURNAL_GROUP) == cursor->began) {
        error_set(err, cursor->began ? "the group has two heads" : "the group has no head");
        return -EBADMSG;
    }
    if (bytes > (size_t)(cursor->end - cursor->at) - HEAD_BYTES) {
        error_set(err, "a %s record of the group is cut off", journal_kind_name(out->kind));
        return -EBADMSG;
    }
    c.at = cursor->at + HEAD_BYTES;
    c.end = c.at + bytes;
    code_body(&c, out);
    if (c.wrong == NULL && c.at != c.end)
        c.wrong = "bytes are left over";
    if (c.wrong != NULL) {
        error_set(err, "a %s record of the group does not hold: %s", journal_kind_name(out->kind),
                  c.wrong);
        return -EBADMSG;
    }
    cursor->at = c.end;
    cursor->began = true;
    return 1;
}
