/* re2_search.cc - see re2_search.h. */
#include "re2_search.h"

#include <memory>
#include <string>

#include <re2/re2.h>

/* Built once for as long as the same pattern is asked about: that takes longer than most searches. */
static const RE2 &re2_of(const char *pattern, size_t bytes)
{
    static thread_local std::string last;
    static thread_local std::unique_ptr<RE2> re2;

    if (re2 == nullptr || last.compare(0, std::string::npos, pattern, bytes) != 0) {
        RE2::Options options;
        options.set_log_errors(false);
        last.assign(pattern, bytes);
        re2.reset(new RE2(re2::StringPiece(pattern, bytes), options));
    }
    return *re2;
}

int re2_search(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes)
{
    const RE2 &re2 = re2_of(pattern, pattern_bytes);

    if (!re2.ok())
        return -1;
    return RE2::PartialMatch(re2::StringPiece(text, text_bytes), re2) ? 1 : 0;
}

int re2_groups(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes,
               int max, long *from, long *to)
{
    enum { SUBMATCHES = 64 };
    const RE2 &re2 = re2_of(pattern, pattern_bytes);
    re2::StringPiece match[SUBMATCHES], whole(text, text_bytes);
    int at = 0;

    if (!re2.ok() || re2.NumberOfCapturingGroups() >= SUBMATCHES)
        return -1;
    if (!re2.Match(whole, 0, text_bytes, RE2::UNANCHORED, match, re2.NumberOfCapturingGroups() + 1))
        return 0;
    for (const auto &group : re2.CapturingGroupNames()) {
        const re2::StringPiece &found = match[group.first];
        if (at == max)
            break;
        from[at] = found.data() == nullptr ? -1 : found.data() - text;
        to[at] = found.data() == nullptr ? -1 : from[at] + static_cast<long>(found.size());
        at++;
    }
    return 1;
}
