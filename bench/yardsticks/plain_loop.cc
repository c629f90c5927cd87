/* plain_loop.cc - see plain_loop.h. */
#include "bench/yardsticks/plain_loop.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <simdjson.h>
#include <xxhash.h>

namespace {

constexpr size_t PIECE = 1 << 20, LONGEST = 1 << 16;
constexpr int64_t EXPIRE_MS = 300000, WINDOW_MS = 60000, QUIET_MS = 600000, NEVER = INT64_MIN / 2;
constexpr size_t REACHES = 5, ROOM = 1 << 20; /* keys: far more than the list has */

struct event {
    int64_t at_ms = 0;
    std::string_view source, resource, check, severity;
};

struct alert {
    uint64_t key;
    int64_t last_ms;
};

struct host {
    uint64_t key;
    int64_t last_ms;         /* an alert of it */
    int64_t open_ms;         /* the last one while an incident was open; NEVER: none is */
    uint64_t check[REACHES]; /* the last ones that differ, the oldest first */
    int64_t at_ms[REACHES];
    size_t checks;
};

/* Open addressing by a hash that is good already; none is ever taken out. */
template <typename T> T &find(std::vector<T> &table, uint64_t key)
{
    size_t at = key & (ROOM - 1);
    while (table[at].key != 0 && table[at].key != key)
        at = (at + 1) & (ROOM - 1);
    return table[at];
}

uint64_t hash_of(std::string_view text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.data(), text.size(), seed) | 1; /* 0 is a free place */
}

class loop {
  public:
    plain_loop_answer answer = {};

    void line(const char *at, size_t bytes, size_t room)
    {
        event event;
        if (!read(at, bytes, room, event)) {
            answer.refused++;
            return;
        }
        answer.events++;
        if (event.severity == "info" || event.severity == "ok")
            return;
        uint64_t check = hash_of(event.check, 1), of_host = hash_of(event.resource, 2);
        uint64_t key = hash_of(event.source, check ^ of_host);
        alert &alert = find(alerts, key);
        bool is_repeat = alert.key != 0 && event.at_ms - alert.last_ms <= EXPIRE_MS;
        alert.key = key;
        alert.last_ms = event.at_ms;
        if (is_repeat) {
            answer.repeats++;
            return;
        }
        answer.alerts++;
        heard(find(hosts, of_host), of_host, check, event.at_ms);
    }

  private:
    simdjson::ondemand::parser parser;
    std::vector<alert> alerts{ROOM};
    std::vector<host> hosts{ROOM};

    bool read(const char *at, size_t bytes, size_t room, event &event)
    {
        simdjson::ondemand::document document;
        simdjson::ondemand::object object;
        unsigned seen = 0;
        if (parser.iterate(at, bytes, room).get(document) || document.get_object().get(object))
            return false;
        for (auto field : object) {
            simdjson::ondemand::raw_json_string name;
            if (field.key().get(name))
                return false;
            if (name == "time")
                seen += !field.value().get_int64().get(event.at_ms);
            else if (name == "source")
                seen += !field.value().get_string().get(event.source);
            else if (name == "resource")
                seen += !field.value().get_string().get(event.resource);
            else if (name == "check")
                seen += !field.value().get_string().get(event.check);
            else if (name == "severity")
                seen += !field.value().get_string().get(event.severity);
        }
        return seen == 5;
    }

    void heard(host &host, uint64_t key, uint64_t check, int64_t at_ms)
    {
        if (host.key == 0)
            host = {key, NEVER, NEVER, {}, {}, 0};
        size_t kept = 0; /* what is in the window and of another check */
        for (size_t i = 0; i < host.checks; i++)
            if (at_ms - host.at_ms[i] < WINDOW_MS && host.check[i] != check) {
                host.check[kept] = host.check[i];
                host.at_ms[kept++] = host.at_ms[i];
            }
        if (kept == REACHES) {
            memmove(host.check, host.check + 1, (REACHES - 1) * sizeof(host.check[0]));
            memmove(host.at_ms, host.at_ms + 1, (REACHES - 1) * sizeof(host.at_ms[0]));
            kept--;
        }
        host.check[kept] = check;
        host.at_ms[kept++] = at_ms;
        host.checks = kept;
        if (host.open_ms != NEVER && at_ms - host.open_ms > QUIET_MS)
            host.open_ms = NEVER;
        if (host.open_ms != NEVER) {
            host.open_ms = at_ms;
        } else if (kept == REACHES) {
            host.open_ms = at_ms;
            answer.incidents++;
        }
    }
};

} // namespace

plain_loop_answer plain_loop_run(const char *path)
{
    loop loop;
    std::vector<char> buffer(PIECE + LONGEST + simdjson::SIMDJSON_PADDING);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t held = 0;
    ssize_t got;

    while (file >= 0 && (got = read(file, buffer.data() + held, PIECE)) > 0) {
        const char *at = buffer.data(), *end = at + held + got, *newline;
        while ((newline = static_cast<const char *>(
                    memchr(at, '\n', static_cast<size_t>(end - at)))) != nullptr) {
            loop.line(at, static_cast<size_t>(newline - at),
                      static_cast<size_t>(buffer.data() + buffer.size() - at));
            at = newline + 1;
        }
        held = static_cast<size_t>(end - at);
        if (held > LONGEST)
            break;
        memmove(buffer.data(), at, held);
    }
    if (file < 0 || got != 0 || held != 0) {
        fprintf(stderr, "%s: cannot be read as lines\n", path);
        exit(2);
    }
    close(file);
    return loop.answer;
}
