/* archive.c - frames, the index by time, zstd's seek table; and finding a place again. */
#include "bench/peakload/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bench/peakload/say.h"

enum { FRAME_BYTES = 4 << 20, INDEX_MAGIC = 0x184D2A50, SEEK_MAGIC = 0x184D2A5E, HEAD_BYTES = 8,
       FOOT_BYTES = 9, SEEK_ENTRY = 8, INDEX_ENTRY = 24, NAME_BYTES = 4 };

static const uint32_t foot_magic = 0x8F92EAB1;
static const char index_name[] = "PLIX";

struct frame {
    uint32_t packed, plain;
    int64_t  least_ms, most_ms;
    uint64_t lines;
};

struct archive {
    const char *name;
    FILE     *out, *lines;       /* `lines` fills `text` */
    char     *text;
    size_t    size;
    ZSTD_CCtx *zstd;
    void     *packed;
    size_t    room;
    struct frame *frame;         /* the last one is being filled */
    size_t    frames;
    uint64_t  bytes;
};

static struct frame *begin_frame(struct archive *a)
{
    if ((a->frames & (a->frames + 1)) == 0)
        a->frame = must(realloc(a->frame, sizeof *a->frame * (a->frames + 1) * 2));
    a->frame[a->frames] = (struct frame) {.least_ms = INT64_MAX, .most_ms = INT64_MIN};
    return &a->frame[a->frames++];
}

struct archive *archive_open(const char *file, int level)
{
    struct archive *a = must(calloc(1, sizeof *a));

    a->name = file;
    a->out = strcmp(file, "-") == 0 ? stdout : fopen(file, "wb");
    if (a->out == NULL) {
        say("%s: %s", file, strerror(errno));
        free(a);
        return NULL;
    }
    a->lines = must(open_memstream(&a->text, &a->size));
    a->zstd = must(ZSTD_createCCtx());
    ZSTD_CCtx_setParameter(a->zstd, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(a->zstd, ZSTD_c_checksumFlag, 1);
    begin_frame(a);
    return a;
}

static int put(struct archive *a, const void *bytes, size_t length)
{
    a->bytes += length;
    if (fwrite(bytes, 1, length, a->out) == length)
        return 0;
    return say("%s: %s", a->name, strerror(errno));
}

/* The lines gathered become a frame. */
static int end_frame(struct archive *a)
{
    struct frame *f = &a->frame[a->frames - 1];
    size_t length = (size_t)ftell(a->lines), packed;

    fflush(a->lines);
    if (a->room < ZSTD_compressBound(length)) {
        a->room = ZSTD_compressBound(length);
        free(a->packed);
        a->packed = must(malloc(a->room));
    }
    packed = ZSTD_compress2(a->zstd, a->packed, a->room, a->text, length);
    if (ZSTD_isError(packed))
        return say("%s: %s", a->name, ZSTD_getErrorName(packed));
    f->packed = (uint32_t)packed;
    f->plain = (uint32_t)length;
    rewind(a->lines);
    return put(a, a->packed, packed);
}

FILE *archive_line(struct archive *a)
{
    return a->lines;
}

int archive_end_line(struct archive *a, int64_t kafka_ms)
{
    struct frame *f = &a->frame[a->frames - 1];

    f->lines++;
    if (kafka_ms < f->least_ms)
        f->least_ms = kafka_ms;
    if (kafka_ms > f->most_ms)
        f->most_ms = kafka_ms;
    if (ftell(a->lines) < FRAME_BYTES)
        return 0;
    if (end_frame(a) != 0)
        return -1;
    begin_frame(a);
    return 0;
}

uint64_t archive_bytes(const struct archive *a)
{
    return a->bytes;
}

static int put_little(struct archive *a, uint64_t value, size_t bytes)
{
    uint8_t text[8];

    for (size_t i = 0; i < bytes; i++)
        text[i] = (uint8_t)(value >> (8 * i));
    return put(a, text, bytes);
}

static int put_index(struct archive *a)
{
    int bad = put_little(a, INDEX_MAGIC, 4);

    bad |= put_little(a, NAME_BYTES + a->frames * INDEX_ENTRY, 4);
    bad |= put(a, index_name, NAME_BYTES);
    for (size_t i = 0; i < a->frames; i++) {
        bad |= put_little(a, (uint64_t)a->frame[i].least_ms, 8);
        bad |= put_little(a, (uint64_t)a->frame[i].most_ms, 8);
        bad |= put_little(a, a->frame[i].lines, 8);
    }
    return bad;
}

static int put_seek_table(struct archive *a)
{
    int bad = put_little(a, SEEK_MAGIC, 4);

    bad |= put_little(a, a->frames * SEEK_ENTRY + FOOT_BYTES, 4);
    for (size_t i = 0; i < a->frames; i++) {
        bad |= put_little(a, a->frame[i].packed, 4);
        bad |= put_little(a, a->frame[i].plain, 4);
    }
    bad |= put_little(a, a->frames, 4);
    bad |= put_little(a, 0, 1);
    bad |= put_little(a, foot_magic, 4);
    return bad;
}

int archive_close(struct archive *a)
{
    int bad = end_frame(a);

    bad |= put_index(a);
    bad |= put_seek_table(a);
    if (fflush(a->out) != 0)
        bad = say("%s: %s", a->name, strerror(errno));
    if (a->out != stdout && fclose(a->out) != 0 && !bad)
        bad = say("%s: %s", a->name, strerror(errno));
    fclose(a->lines);
    free(a->text);
    ZSTD_freeCCtx(a->zstd);
    free(a->packed);
    free(a->frame);
    free(a);
    return bad ? -1 : 0;
}

/* ── Finding ──────────────────────────────────────────────────────────────── */

static uint64_t little(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

/* Reads so many bytes at a place; owns: the caller, free().  NULL: they are not there. */
static uint8_t *read_at(FILE *in, long place, int whence, size_t length)
{
    uint8_t *bytes = must(malloc(length + 1));

    if (fseek(in, place, whence) == 0 && fread(bytes, 1, length, in) == length)
        return bytes;
    free(bytes);
    return NULL;
}

/* The number of frames by the seek table's foot; 0 = there is none. */
static size_t count_frames(FILE *in)
{
    uint8_t *foot = read_at(in, -FOOT_BYTES, SEEK_END, FOOT_BYTES);
    size_t   frames = 0;

    if (foot != NULL && little(foot + 5, 4) == foot_magic && foot[4] == 0)
        frames = little(foot, 4);
    free(foot);
    return frames < 1 << 24 ? frames : 0;
}

int archive_find(FILE *in, int64_t from_ms, long *place, uint64_t *skipped)
{
    size_t frames = count_frames(in), i = 0;
    long   seek_bytes = (long)(frames * SEEK_ENTRY), index_bytes = (long)(frames * INDEX_ENTRY);
    uint8_t *table, *index;
    int    result = -1;

    if (frames == 0)
        return -1;
    table = read_at(in, -(FOOT_BYTES + seek_bytes), SEEK_END, (size_t)seek_bytes);
    index = read_at(in, -(FOOT_BYTES + seek_bytes + HEAD_BYTES + index_bytes + NAME_BYTES),
                    SEEK_END, (size_t)index_bytes + NAME_BYTES);
    if (table != NULL && index != NULL && memcmp(index, index_name, NAME_BYTES) == 0) {
        *place = 0;
        *skipped = 0;
        for (; i < frames; i++) {
            const uint8_t *entry = index + NAME_BYTES + i * INDEX_ENTRY;

            if ((int64_t)little(entry + 8, 8) >= from_ms)
                break;
            *place += (long)little(table + i * SEEK_ENTRY, 4);
            *skipped += little(entry + 16, 8);
        }
        result = 0;
    }
    free(table);
    free(index);
    return result;
}
