/*
 * Question: what does it cost to take an event in, compared with simdjson's on-demand
 * parser that only pulls eight fields out of the same document?
 *
 * One unit is one event. Ours is the whole of what ingest does per event but binning:
 * strict decoding with every check of docs/events.md, packing (event_text_pack),
 * fingerprint and attribute hash. "decode" is the first of these alone. The yardstick
 * looks up eight fields by name with find_field_unordered and reads them; it checks
 * neither UTF-8-wide limits, repeated names nor what it does not visit.
 *
 * Events are native ones of about 300, 700 and 2,000 bytes; the order of the keys is
 * shuffled per event with a fixed seed, so nothing can be learned from the last one.
 * Rounds of the parties alternate; times are thread CPU time. The answer (a sum over
 * first bytes, lengths and values) must agree. Exit code 1: it does not.
 *
 * Each instruction set of base/isa.h that this processor has takes its turns; figures without a
 * name behind them are those of the largest. The yardstick uses what it takes for best always.
 *
 * usage: bench_decode [rounds, 9] [set, all] [bytes: 300 | 700 | 2000, all]
 */
#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "bench/decode_ours.h"
#include "bench/result.h"
extern "C" {
#include "base/isa.h"
struct decoder *decoder_create(void);
void decoder_destroy(struct decoder *decoder);
}

namespace {

constexpr size_t EVENTS = 4096;
constexpr double ROUND_SECONDS = 0.12;

double thread_cpu_s()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

uint64_t random_state;

uint64_t random_next()
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

template <typename T> void shuffle(std::vector<T> &items)
{
    for (size_t i = items.size(); i > 1; i--)
        std::swap(items[i - 1], items[random_next() % i]);
}

std::string format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
std::string format(const char *pattern, ...)
{
    char text[512];
    va_list list;
    va_start(list, pattern);
    vsnprintf(text, sizeof(text), pattern, list);
    va_end(list);
    return text;
}

std::string join(std::vector<std::string> parts)
{
    std::string all;
    shuffle(parts);
    for (size_t i = 0; i < parts.size(); i++)
        all += (i > 0 ? "," : "") + parts[i];
    return all;
}

/* An event of a made-up estate: eight fields at 300 bytes, then more labels, a
 * longer message and fields that tocsin does not know. */
std::string make_event(unsigned want)
{
    static const char *const checks[] = {"FilesystemAlmostFull", "CpuLoadHigh",   "InstanceDown",
                                         "PodCrashLooping",      "HttpErrorRate", "DiskLatencyHigh",
                                         "MemoryPressure",       "LinkFlapping"};
    static const char *const severities[] = {"critical", "warning", "info", "error"};
    static const char *const sources[] = {"prometheus", "zabbix", "nagios-main", "icinga2"};
    uint64_t r = random_next();
    const char *check = checks[r % 8];
    unsigned host = r >> 8 & 511, rack = host / 16;
    std::vector<std::string> labels = {
        format("\"site\":\"dc%u\"", host % 3 + 1), format("\"rack\":\"r%02u\"", rack),
        format("\"team\":\"%s\"", r & 1 << 20 ? "platform" : "storage")};
    std::string message =
        format("%s on web-%04u.dc1 for %u s", check, host, (unsigned)(r >> 30 & 1023));
    if (want >= 700) {
        labels.push_back(format("\"namespace\":\"payments\",\"pod\":\"checkout-%08x-%04x\"",
                                (unsigned)(r >> 13), (unsigned)(r >> 48)));
        labels.push_back(format("\"cluster\":\"prod-eu-west-1a\",\"job\":\"node-exporter\""));
        message += ". The value has been above 90 percent for more than five minutes; see the "
                   "dashboard of the host and of its neighbours.";
    }
    if (want >= 2000) {
        for (unsigned k = 0; k < 14; k++)
            labels.push_back(format("\"label_app_kubernetes_io_%02u\":\"v%u-%06x\"", k, k + 1,
                                    (unsigned)(r >> k & 0xffffff)));
        message +=
            " What it means: the service does not keep up with its load, requests queue up and "
            "latency rises. "
            "First steps: compare with the last roll-out, look at \\\"saturation\\\", drain the "
            "node if the error "
            "budget burns faster than 14.4 times the normal rate.\\nEscalation: page the owning "
            "team when three or "
            "more nodes of one cell fire at once, and note every manual action in the incident.";
    }
    std::vector<std::string> fields = {
        format("\"source\":\"%s\"", sources[r >> 22 & 3]),
        format("\"resource\":\"web-%04u.dc1.example.net\"", host),
        format("\"check\":\"%s\"", check),
        format("\"severity\":\"%s\"", severities[r >> 24 & 3]),
        format("\"state\":\"%s\"", r >> 26 & 3 ? "problem" : "clear"),
        format("\"time\":\"2026-11-21T22:%02u:%02u.%03uZ\"", (unsigned)(r >> 32) % 60,
               (unsigned)(r >> 38) % 60, (unsigned)(r >> 44) % 1000),
        "\"message\":\"" + message + "\"",
        format("\"value\":%.3f", (double)(r >> 40 & 0xfffff) / 1000.0),
        "\"labels\":{" + join(labels) + "}"};
    if (want >= 700) {
        fields.push_back(
            format("\"runbook_url\":\"https://runbooks.example.net/alerts/%s\"", check));
        fields.push_back(
            "\"generator\":\"http://prometheus.example.net:9090/graph?g0.expr=up&g0.tab=1\"");
    }
    if (want >= 2000) {
        fields.push_back(
            format("\"history\":[%u,%u,%u,{\"since\":%u}],\"acknowledged\":false,\"owner\":null",
                   host, rack, host * 7, host * 3));
        fields.push_back("\"dashboard\":\"https://grafana.example.net/d/abcd1234/"
                         "node-overview?var-instance=web&from=now-1h&to=now\"");
    }
    return "{" + join(fields) + "}";
}

struct documents {
    std::string all; /* with room behind each for the yardstick's padding */
    std::vector<size_t> at, bytes;
    double mean;
};

documents make_documents(unsigned want)
{
    documents docs;
    size_t sum = 0;
    random_state = 42;
    for (size_t i = 0; i < EVENTS; i++) {
        std::string event = make_event(want);
        docs.at.push_back(docs.all.size());
        docs.bytes.push_back(event.size());
        sum += event.size();
        docs.all += event + std::string(simdjson::SIMDJSON_PADDING, ' ');
    }
    docs.mean = static_cast<double>(sum) / EVENTS;
    return docs;
}

/* The answer: of the texts the first byte and the length, of the value its thousandths. */
uint64_t answer_of(const char *text, size_t len)
{
    return (len > 0 ? static_cast<unsigned char>(text[0]) : 0) + len;
}

uint64_t run_simdjson(const documents &docs)
{
    static simdjson::ondemand::parser parser;
    static const char *const names[] = {"source", "resource", "check",  "severity",
                                        "state",  "time",     "message"};
    uint64_t answer = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        simdjson::ondemand::document doc;
        simdjson::ondemand::object object;
        std::string_view text[7];
        double value;
        if (parser
                .iterate(docs.all.data() + docs.at[i], docs.bytes[i],
                         docs.bytes[i] + simdjson::SIMDJSON_PADDING)
                .get(doc) ||
            doc.get_object().get(object))
            exit(2);
        for (int f = 0; f < 7; f++)
            if (object.find_field_unordered(names[f]).get_string().get(text[f]))
                exit(2);
        if (object.find_field_unordered("value").get_double().get(value))
            exit(2);
        for (int f : {0, 1, 2, 6})
            answer += answer_of(text[f].data(), text[f].size());
        answer += static_cast<uint64_t>(value * 1000 + 0.5);
    }
    return answer;
}

volatile uint64_t kept; /* so that no work can be left out */

/* Ours, with one instruction set. */
struct party {
    enum isa isa;
    struct decoder *decoder; /* owned */
    std::vector<double> full, alone;
};
const party *current;

void take_turn(const party &one)
{
    current = &one;
    isa_use(one.isa);
}

template <bool WITH_PACK> uint64_t run_ours(const documents &docs)
{
    uint64_t answer = 0, hashes = 0;
    if (!decode_ours(current->decoder, docs.all.data(), docs.at.data(), docs.bytes.data(), EVENTS,
                     WITH_PACK, &answer, &hashes))
        exit(2);
    kept = kept + hashes;
    return answer;
}

/* CPU nanoseconds per event of one round. */
double time_round(uint64_t (*run)(const documents &), const documents &docs)
{
    double begin = thread_cpu_s(), seconds;
    uint64_t passes = 0;
    do {
        kept = kept + run(docs);
        passes++;
        seconds = thread_cpu_s() - begin;
    } while (seconds < ROUND_SECONDS);
    return seconds * 1e9 / static_cast<double>(passes * EVENTS);
}

/* `set`: the instruction set, empty for the largest. */
void report(unsigned size, const char *set, const char *id, const char *what,
            const std::vector<double> &ns, const std::vector<double> &yardstick)
{
    std::vector<double> ratio;
    for (size_t i = 0; i < ns.size(); i++)
        ratio.push_back(ns[i] / yardstick[i]);
    std::string tail = format("%u%s%s", size, set[0] != '\0' ? "." : "", set);
    std::string text = format("%s, %u bytes%s%s", what, size, set[0] != '\0' ? ", " : "", set);
    result_figure(format("%s.%s", id, tail.c_str()).c_str(), text.c_str(), "ns/event", ns.data(),
                  static_cast<int>(ns.size()));
    if (&ns == &yardstick)
        return;
    result_figure(format("%s-ratio.%s", id, tail.c_str()).c_str(), (text + " / simdjson").c_str(),
                  "", ratio.data(), static_cast<int>(ratio.size()));
}

bool bench_size(unsigned want, int rounds, std::vector<party> &parties)
{
    documents docs = make_documents(want);
    uint64_t theirs = run_simdjson(docs);
    std::vector<double> simd;
    bool agrees = true;
    for (party &one : parties) {
        take_turn(one);
        agrees &= run_ours<true>(docs) == theirs && run_ours<false>(docs) == theirs;
        one.full.clear();
        one.alone.clear();
    }
    for (int r = 0; r < rounds; r++) {
        simd.push_back(time_round(run_simdjson, docs));
        for (party &one : parties) {
            take_turn(one);
            one.full.push_back(time_round(run_ours<true>, docs));
            one.alone.push_back(time_round(run_ours<false>, docs));
        }
    }
    report(want, "", "simdjson", "simdjson, 8 fields", simd, simd);
    for (const party &one : parties) {
        /* What goals ask for is there by its own name, whichever is the largest. */
        bool is_best = one.isa == isa_best();
        for (const char *set : {"", isa_name(one.isa)}) {
            if (set[0] == '\0' ? !is_best : is_best && one.isa > ISA_SSE2)
                continue;
            report(want, set, "full", "decode, pack, hashes", one.full, simd);
            report(want, set, "alone", "decode alone", one.alone, simd);
        }
    }
    return agrees;
}

/* The sets that are asked for, the largest first; none when there is no such set here. */
std::vector<party> make_parties(const char *name)
{
    std::vector<party> parties;
    struct error err;
    bool wants_all = strcmp(name, "all") == 0;

    if (!wants_all && isa_choose(name, &err) != 0) {
        fprintf(stderr, "bench_decode: %s\n", err.text);
        return parties;
    }
    for (int isa = ISA_COUNT - 1; isa >= 0; isa--) {
        party one = {static_cast<enum isa>(isa), nullptr, {}, {}};
        if (!isa_is_supported(one.isa) || (!wants_all && strcmp(name, isa_name(one.isa)) != 0))
            continue;
        isa_use(one.isa);
        one.decoder = decoder_create();
        if (one.decoder == nullptr)
            exit(2);
        parties.push_back(one);
    }
    return parties;
}

} // namespace

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 9;
    std::vector<party> parties = make_parties(argc > 2 ? argv[2] : "all");
    unsigned only = argc > 3 ? static_cast<unsigned>(atoi(argv[3])) : 0;
    char list[ISA_LIST_BYTES];
    bool agrees = true;

    if (parties.empty() || rounds < 1) {
        fprintf(stderr, "usage: bench_decode [rounds] [all | %s] [bytes]\n", isa_list(list));
        return 2;
    }
    result_begin("decode", "%s; simdjson %d.%d.%d %s; keys in mixed order, %zu events",
                 isa_name(isa_best()), static_cast<int>(simdjson::SIMDJSON_VERSION_MAJOR),
                 static_cast<int>(simdjson::SIMDJSON_VERSION_MINOR),
                 static_cast<int>(simdjson::SIMDJSON_VERSION_REVISION),
                 std::string(simdjson::get_active_implementation()->name()).c_str(), EVENTS);
    for (unsigned size : {300u, 700u, 2000u})
        if (only == 0 || only == size)
            agrees &= bench_size(size, rounds, parties);
    if (!isa_is_supported(ISA_SSE2))
        for (unsigned size : {300u, 700u, 2000u})
            result_absent(format("full-ratio.%u.sse2", size).c_str(),
                          format("decode, pack, hashes, %u bytes, sse2 / simdjson", size).c_str(),
                          "this processor has no SSE2");
    for (party &one : parties)
        decoder_destroy(one.decoder);
    return result_answer(agrees, "all read the same from every event");
}
