/* lines.c - one growing buffer, filled from the file or from zstd. */
#include "bench/peakload/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bench/peakload/archive.h"
#include "bench/peakload/say.h"

enum { CHUNK = 1 << 17 };

struct lines {
    const char *name;
    FILE     *in;
    ZSTD_DStream *zstd;        /* NULL = the file is not compressed                          */
    char      raw[CHUNK];      /* compressed bytes                                           */
    ZSTD_inBuffer pending;     /* of raw                                                     */
    char     *text;            /* text[begin … end) is read and not yet given                */
    size_t    begin, end, room;
    uint64_t  number;
    size_t    unfinished;      /* zstd: 0 = at the end of a frame                            */
};

static int look_for_zstd(struct lines *l)
{
    static const unsigned char magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

    l->pending = (ZSTD_inBuffer) {l->raw, fread(l->raw, 1, CHUNK, l->in), 0};
    if (ferror(l->in))
        return say("%s: %s", l->name, strerror(errno));
    if (l->pending.size < 4 || memcmp(l->raw, magic, 4) != 0)
        return 0;
    l->zstd = must(ZSTD_createDStream());
    ZSTD_initDStream(l->zstd);
    return 0;
}

struct lines *lines_open(const char *file)
{
    struct lines *l = must(calloc(1, sizeof *l));

    l->name = file;
    l->room = CHUNK;
    l->text = must(malloc(l->room));
    l->in = strcmp(file, "-") == 0 ? stdin : fopen(file, "r");
    if (l->in == NULL)
        say("%s: %s", file, strerror(errno));
    if (l->in == NULL || look_for_zstd(l) != 0) {
        lines_close(l);
        return NULL;
    }
    return l;
}

void lines_skip_to(struct lines *l, int64_t from_ms)
{
    long place = ftell(l->in), found;

    if (l->zstd == NULL || place < 0)
        return;
    if (archive_find(l->in, from_ms, &found, &l->number) == 0) {
        place = found;
        l->pending = (ZSTD_inBuffer) {l->raw, 0, 0};
        ZSTD_initDStream(l->zstd);
    }
    fseek(l->in, place, SEEK_SET);
}

static int inflate(struct lines *l)
{
    ZSTD_outBuffer out = {l->text, l->room, l->end};
    size_t before = l->pending.pos, wants = ZSTD_decompressStream(l->zstd, &out, &l->pending);

    if (ZSTD_isError(wants))
        return say("%s: %s", l->name, ZSTD_getErrorName(wants));
    /* Between frames zstd asks for the next one's head: that is not the middle of one. */
    if (l->pending.pos > before || out.pos > l->end)
        l->unfinished = wants;
    l->end = out.pos;
    return 0;
}

/* Reads more behind `end`; *more 0 = the file has ended. */
static int fill(struct lines *l, int *more)
{
    size_t before = l->end;

    if (l->pending.pos == l->pending.size) {
        l->pending = (ZSTD_inBuffer) {l->raw, fread(l->raw, 1, CHUNK, l->in), 0};
        if (ferror(l->in))
            return say("%s: %s", l->name, strerror(errno));
    }
    *more = l->pending.size > 0;
    if (l->zstd == NULL) {
        size_t count = l->pending.size - l->pending.pos;

        count = count < l->room - l->end ? count : l->room - l->end;
        memcpy(l->text + l->end, l->raw + l->pending.pos, count);
        l->pending.pos += count;
        l->end += count;
        return 0;
    }
    if (inflate(l) != 0)
        return -1;
    *more |= l->end > before;       /* zstd may hold more than it has been given room for */
    if (!*more && l->unfinished != 0)
        return say("%s: ends inside a zstd frame", l->name);
    return 0;
}

static int make_room(struct lines *l)
{
    if (l->begin > 0) {
        memmove(l->text, l->text + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    if (l->room - l->end > 1)
        return 0;
    if (l->room >= LINE_BYTES_MAX)
        return say("%s:%llu: a line of more than %d bytes", l->name,
                   (unsigned long long)l->number + 1, LINE_BYTES_MAX);
    l->room *= 2;
    l->text = must(realloc(l->text, l->room));
    return 0;
}

static char *give(struct lines *l, size_t length, size_t skip, size_t *out)
{
    char *line = l->text + l->begin;

    l->begin += length + skip;
    l->number++;
    *out = length > 0 && line[length - 1] == '\r' ? length - 1 : length;
    return line;
}

char *lines_next(struct lines *l, size_t *length, int *result)
{
    size_t searched = l->begin;
    int    more = 1;

    *result = 0;
    for (;;) {
        char *newline = memchr(l->text + searched, '\n', l->end - searched);

        if (newline != NULL)
            return give(l, (size_t)(newline - l->text) - l->begin, 1, length);
        searched = l->end - l->begin;
        if (!more)
            return l->end > l->begin ? give(l, l->end - l->begin, 0, length) : NULL;
        if (make_room(l) != 0 || fill(l, &more) != 0) {
            *result = -1;
            return NULL;
        }
    }
}

uint64_t lines_number(const struct lines *l)
{
    return l->number;
}

void lines_close(struct lines *l)
{
    if (l->in != NULL && l->in != stdin)
        fclose(l->in);
    ZSTD_freeDStream(l->zstd);
    free(l->text);
    free(l);
}
