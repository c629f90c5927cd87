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
