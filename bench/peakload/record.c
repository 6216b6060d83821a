/* record.c - reads topics to their ends, or until stopped, into an archive. */
#include "bench/peakload/record.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/peakload/archive.h"
#include "bench/peakload/kcat.h"
#include "bench/peakload/pace.h"
#include "bench/peakload/pseudonym.h"
#include "bench/peakload/reader.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

enum { POLL_MS = 100, SHOW_MS = 1000, DEFAULT_LEVEL = 3 };

static const char usage[] =
    "Usage: peakload record [OPTION]… FILE\n"
    "Writes what topics hold to FILE (- is standard output): lines as `kcat -J` writes them, in\n"
    "zstd frames with checksums, indexed by time; `peakload replay FILE` sends them again,\n"
    "zstdcat shows them.  Bytes that are no UTF-8 stand as base64.  Captures hold personal\n"
    "data: --pseudonymise, or keep them as such data must be kept.\n"
    "\n";

static const char closing[] =
    "--pseudonymise hides parcel (and with it the Kafka key), courier and carrier_number; a\n"
    "message whose value is not a JSON object is left out then, and counted, and so are headers\n"
    "but traceparent and peakload's.  Positions (lat, lon, dest_lat, dest_lon) stay.\n"
    "\n"
    "Exit codes: 0 recorded, 1 not all, 64 a wrong option, 78 a wrong configuration or no such\n"
    "topic.\n";

struct record {
    struct output output;
    struct reader_wish wish;
    const char *file, *key;
    bool    follow;
    double  seconds;
    int64_t level;
    struct pseudonym pseudonym;
    struct archive *archive;
    uint64_t recorded, left_out;
    int64_t begun_ms, shown_ms;
};

static int take_topic(void *self, const char *text)
{
    struct record *r = self;

    if (r->wish.topics == READER_TOPICS_MAX)
        return say("more than %d topics", READER_TOPICS_MAX);
    r->wish.topic[r->wish.topics++] = text;
    return 0;
}

static int take_from(void *self, const char *text)
{
    struct reader_wish *w = &((struct record *)self)->wish;

    if (strcmp(text, "begin") == 0) {
        w->from = READER_FROM_BEGIN;
    } else if (strcmp(text, "end") == 0) {
        w->from = READER_FROM_END;
    } else {
        w->from = READER_FROM_TIME;
        if (time_read(text, strlen(text), 0, &w->from_ms) != 0)
            return say("--from %s: want begin, end or a time as 2025-11-11T00:00:00Z", text);
    }
    return 0;
}

#define AT(field) offsetof(struct record, field)

static const struct option_row rows[] = {
    {OPTION_OTHER, "also", "TOPIC", "a further topic besides --topic", 0, 0, 0, take_topic},
    {OPTION_OTHER, "from", "WHERE", "begin (default), end, or a time: of Kafka's timestamps", 0, 0,
     0, take_from},
    {OPTION_FLAG, "follow", NULL, "goes on at the topics' ends, until stopped", AT(follow), 0, 0,
     NULL},
    {OPTION_REAL, "seconds", "S", "stops after S seconds", AT(seconds), 0.001, 1e9, NULL},
    {OPTION_INTEGER, "level", "N", "of zstd (default 3)", AT(level), 1, 19, NULL},
    {OPTION_TEXT, "pseudonymise", "FILE", "parcels, couriers and carrier numbers become names, by "
     "the key in\nFILE: 32 hexadecimal digits", AT(key), 0, 0, NULL},
};

static bool may_keep(const struct header *h)
{
    return (h->name_length == 11 && memcmp(h->name, "traceparent", 11) == 0) ||
           (h->name_length > 9 && memcmp(h->name, "peakload-", 9) == 0);
}

static int take_headers(const struct record *r, const rd_kafka_message_t *m, struct header *header)
{
    rd_kafka_headers_t *headers;
    int count = 0;

    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (size_t i = 0; count < HEADERS_MAX; i++) {
        struct header *h = &header[count];

        if (rd_kafka_header_get_all(headers, i, &h->name, &h->value, &h->length) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        h->name_length = strlen(h->name);
        count += r->key == NULL || may_keep(h);
    }
    return count;
}

/* False: the message cannot be told without telling who. */
static bool hide_names(struct record *r, struct message *m, char key[PSEUDONYM_TEXT])
{
    if (r->key == NULL)
        return true;
    if (m->value != NULL) {
        if (pseudonym_edit(&r->pseudonym, m->value, m->length) != 0)
            return false;
        m->value = r->pseudonym.value.at;
        m->length = r->pseudonym.value.length;
    }
    if (m->key != NULL) {
        pseudonym_make(&r->pseudonym, m->key, m->key_length, key);
        m->key = key;
        m->key_length = PSEUDONYM_TEXT;
    }
    return true;
}

static int write_message(struct record *r, const rd_kafka_message_t *m)
{
    struct header header[HEADERS_MAX];
    char key[PSEUDONYM_TEXT];
    struct message out = {.key = m->key, .key_length = m->key_len, .value = m->payload,
                          .length = m->len, .kafka_ms = rd_kafka_message_timestamp(m, NULL),
                          .headers = take_headers(r, m, header), .header = header};

    if (!hide_names(r, &out, key)) {
        r->left_out++;
        return 0;
    }
    if (kcat_write(archive_line(r->archive), rd_kafka_topic_name(m->rkt), m->partition, m->offset,
                   &out) != 0)
        return say("out of memory");
    r->recorded++;
    return archive_end_line(r->archive, out.kafka_ms);
}

static void show(struct record *r, int64_t total, bool last)
{
    int64_t now_ms = wall_ms();

    if (r->output.quiet || !isatty(STDERR_FILENO) || (!last && now_ms - r->shown_ms < SHOW_MS))
        return;
    r->shown_ms = now_ms;
    fprintf(stderr, "\r%llu recorded", (unsigned long long)r->recorded);
    if (!r->follow && total > 0)
        fprintf(stderr, " of %lld (%.0f %%)", (long long)total,
                100 * (double)(r->recorded + r->left_out) / (double)total);
    fprintf(stderr, ", %.1f MB %s", (double)archive_bytes(r->archive) / 1e6, last ? "\n" : "");
    fflush(stderr);
}

static bool is_over(const struct record *r, const struct reader *reader)
{
    return stop_wanted || reader_finished(reader) ||
           (r->seconds > 0 && (double)(wall_ms() - r->begun_ms) >= r->seconds * 1000);
}

static int copy_all(struct record *r, struct reader *reader)
{
    rd_kafka_message_t *messages[READER_LOT];
    int failed = 0;

    while (!failed && !is_over(r, reader)) {
        int count = reader_next(reader, messages, POLL_MS);

        failed = count < 0;
        for (int i = 0; i < count; i++) {
            failed = failed || write_message(r, messages[i]) != 0;
            rd_kafka_message_destroy(messages[i]);
        }
        show(r, reader_total(reader), false);
    }
    show(r, reader_total(reader), true);
    return failed ? -1 : 0;
}

static void sum_up(const struct record *r, uint64_t bytes)
{
    double seconds = (double)(wall_ms() - r->begun_ms) / 1000;

    if (!r->output.quiet)
        fprintf(stderr, "record: %llu messages in %.1f s, %.1f MB, %llu left out\n",
                (unsigned long long)r->recorded, seconds, (double)bytes / 1e6,
                (unsigned long long)r->left_out);
    if (r->output.json)
        fprintf(strcmp(r->file, "-") == 0 ? stderr : stdout,
                "{\"command\":\"record\",\"recorded\":%llu,\"left_out\":%llu,\"bytes\":%llu,"
                "\"seconds\":%.3f}\n", (unsigned long long)r->recorded,
                (unsigned long long)r->left_out, (unsigned long long)bytes, seconds);
}

static int run(struct record *r)
{
    struct reader *reader = reader_open(&r->output, &r->wish);
    uint64_t bytes;
    int failed;

    if (reader == NULL)
        return EXIT_CONFIG;
    r->archive = archive_open(r->file, (int)r->level);
    if (r->archive == NULL) {
        reader_close(reader);
        return EXIT_FAILED;
    }
    stop_on_signals();
    r->begun_ms = r->shown_ms = wall_ms();
    failed = copy_all(r, reader);
    bytes = archive_bytes(r->archive);
    failed |= archive_close(r->archive);
    sum_up(r, bytes);
    reader_close(reader);
    bytes_free(&r->pseudonym.value);
    return failed ? EXIT_FAILED : EXIT_DONE;
}

int record_main(int argc, char **argv)
{
    static struct record r = {.level = DEFAULT_LEVEL};
    struct command command = {"record", usage, closing, 1, 1,
                              {{&r, OPTION_ROWS(rows)}, OUTPUT_GROUP(&r.output)}};
    int operand, result = options_read(&command, argc, argv, &operand);

    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    r.file = argv[operand];
    if (output_complete(&r.output) != 0 ||
        (r.key != NULL && pseudonym_read_key(&r.pseudonym, r.key) != 0))
        return EXIT_CONFIG;
    if (take_topic(&r, r.output.topic) != 0)
        return EXIT_USAGE;
    r.wish.to_end = !r.follow && r.wish.from != READER_FROM_END;
    r.follow = !r.wish.to_end;
    return run(&r);
}
