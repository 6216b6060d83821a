/* Any bytes as Redis' replies, in pieces of any size: what the first byte says of the pieces
 * changes nothing, and counting replies sees what building them sees. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/outlet/redis_replies.h"

enum { WANTED = 64 };

struct heard { int replies, errors; char error[128]; };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct heard hear(bool build, const char *bytes, size_t length, size_t piece)
{
    struct redis_replies replies;
    struct heard heard = {0, 0, ""};

    memset(&replies, 0, sizeof replies);
    redis_replies_open(&replies);
    if (build)
        redis_replies_build(&replies, WANTED);
    else
        redis_replies_count(&replies);
    for (size_t at = 0; at < length && heard.replies >= 0; at += piece) {
        char  *exact = malloc(piece); /* so that one byte too far is seen */
        size_t part = length - at < piece ? length - at : piece;

        CHECK(exact != NULL);
        memcpy(exact, bytes + at, part);
        int came = redis_replies_feed(&replies, exact, part);

        heard.replies = came < 0 ? -1 : heard.replies + came;
        free(exact);
    }
    heard.errors = (int)replies.errors;
    memcpy(heard.error, replies.error, sizeof heard.error);
    redis_replies_clear(&replies);
    redis_replies_reset(&replies);
    redis_replies_close(&replies);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char  *bytes = (const char *)data + 1;
    size_t       piece = 1 + data[0] % 32;
    struct heard whole = hear(true, bytes, size - 1, size), parts = hear(true, bytes, size - 1,
                                                                         piece);
    struct heard counted = hear(false, bytes, size - 1, piece);

    CHECK((whole.replies < 0) == (parts.replies < 0));
    if (whole.replies < 0 || counted.replies < 0)
        return 0;
    CHECK(whole.replies == parts.replies && whole.errors == parts.errors);
    CHECK(strcmp(whole.error, parts.error) == 0);
    CHECK(counted.replies == whole.replies);
    return 0;
}
