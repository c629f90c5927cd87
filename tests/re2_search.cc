/* re2_search.cc - see re2_search.h. */
#include "re2_search.h"

#include <re2/re2.h>

int re2_search(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes)
{
    RE2::Options options;

    options.set_log_errors(false);
    RE2 re2(re2::StringPiece(pattern, pattern_bytes), options);
    if (!re2.ok())
        return -1;
    return RE2::PartialMatch(re2::StringPiece(text, text_bytes), re2) ? 1 : 0;
}

int re2_groups(const char *pattern, size_t pattern_bytes, const char *text, size_t text_bytes,
               int max, long *from, long *to)
{
    enum { SUBMATCHES = 64 };
    RE2::Options options;
    re2::StringPiece match[SUBMATCHES], whole(text, text_bytes);
    int at = 0;

    options.set_log_errors(false);
    RE2 re2(re2::StringPiece(pattern, pattern_bytes), options);
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
