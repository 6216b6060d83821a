/* verify.c - reads alerts and dead letters to their ends, and compares. */
#include "bench/peakload/verify.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/json.h"
#include "bench/peakload/pace.h"
#include "bench/peakload/reader.h"
#include "bench/peakload/say.h"
#include "bench/peakload/thresholds.h"
#include "bench/peakload/times.h"
#include "bench/peakload/verify_score.h"

enum { POLL_MS = 100, HEX = 16 };

static const char usage[] =
    "Usage: peakload verify [OPTION]…\n"
    "Compares what Peakline made of a run with what was sent: how many scans took effect, were\n"
    "merged, duplicates or dead letters; with --truth, which happenings were told, missed or\n"
    "told for nothing.  Reads the topics of alerts and dead letters to their ends.\n"
    "\n";

static const char closing[] =
    "The magnitude of a happening is what there was of it against the threshold in force: the\n"
    "documented default unless --threshold says otherwise; below 1 it must not be told.\n"
    "\n"
    "Exit codes: 0 all as it should be, 1 not, 64 a wrong option, 78 a wrong configuration, or no\n"
    "such topic or file.\n";

struct verify {
    struct output output;
    const char *truth;
    int64_t sent, broken, effective, merged, duplicate;     /* -1 = not said                  */
    struct limits_of_score limits;
    struct truth_table table;
    struct score score[TYPES_MAX];
    struct forecast forecast;
    uint64_t alerts, opened, dead_letters, unreadable;
};

#define AT(field) offsetof(struct verify, field)

static const struct option_row rows[] = {
    {OPTION_HEADING, "What was sent, and what became of it:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_TEXT, "truth", "FILE", "of `peakload generate --truth FILE`", AT(truth), 0, 0, NULL},
    {OPTION_INTEGER, "sent", "N", "scans, broken messages not counted (default: the truth's)",
     AT(sent), 0, OPTION_MANY, NULL},
    {OPTION_INTEGER, "broken", "N", "messages that must be dead letters (default 0)", AT(broken), 0,
     OPTION_MANY, NULL},
    {OPTION_INTEGER, "effective", "N", "Peakline's counter scans_effective_total; with --merged "
     "and\n--duplicate: every scan must have been one of them", AT(effective), 0, OPTION_MANY,
     NULL},
    {OPTION_INTEGER, "merged", "N", "scans_merged_total", AT(merged), 0, OPTION_MANY, NULL},
    {OPTION_INTEGER, "duplicate", "N", "scans_duplicate_total", AT(duplicate), 0, OPTION_MANY,
     NULL},
    {OPTION_HEADING, "Limits:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_REAL, "least", "SHARE", "of precision and recall, each type (default 0.99)",
     AT(limits.least), 0, 1, NULL},
    {OPTION_REAL, "least-learned", "SHARE", "the same for types that rest on what was learned "
     "(default 0.95)", AT(limits.least_learned), 0, 1, NULL},
    {OPTION_REAL, "foreseen", "SHARE", "of late parcels whose cause was a day old, told half a "
     "day before\ntheir promise (default 0.9)", AT(limits.foreseen), 0, 1, NULL},
    {OPTION_FLAG, "forecasts", NULL, "promise-at-risk, too, has to reach its limits",
     AT(limits.forecasts), 0, 0, NULL},
    {OPTION_OTHER, "threshold", "TYPE=VALUE", "in force, where it is not the default: stalled=6h, "
     "clock-skew=600", 0, 0, 0, thresholds_take},
};

/* The members of an alert that count here. */
struct alert {
    struct json_value id, type, subject, state, severity, opened_at, at;
    long long sequence;
};

static int take_member(void *self, struct json_value name, struct json_value value)
{
    struct alert *a = self;
    const struct { const char *name; struct json_value *to; } members[] = {
        {"id", &a->id}, {"type", &a->type}, {"parcel", &a->subject}, {"subject", &a->subject},
        {"state", &a->state}, {"severity", &a->severity}, {"opened_at", &a->opened_at},
        {"at", &a->at}};

    if (json_is(name, "sequence"))
        return json_integer(value, &a->sequence);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_is(name, members[i].name) && value.length >= 2 && value.text[0] == '"')
            *members[i].to = (struct json_value) {value.text + 1, value.length - 2};
    return 0;
}

static int64_t time_of(struct json_value v)
{
    int64_t ms;

    return v.text != NULL && time_read(v.text, v.length, 0, &ms) == 0 ? ms / 1000 : 0;
}

/* Receivers keep the highest sequence of each id; of a parcel's alerts of one type the latest is
 * the one that may be open. */
static void keep_alert(struct verify *v, const struct alert *a)
{
    int type = truth_table_type(&v->table, a->type.text, a->type.length);
    struct entry *e = truth_table_entry(&v->table, a->subject.text, a->subject.length, type);
    uint64_t id = 0;
    bool opens = json_is(a->state, "OPENED");

    for (size_t i = 0; i < a->id.length && i < HEX; i++)
        id = id << 4 ^ (uint64_t)(unsigned char)a->id.text[i] * 0x9e3779b9U;
    if (e->id == id && a->sequence <= e->sequence)
        return;
    e->id = id;
    e->sequence = a->sequence;
    e->open = !json_is(a->state, "RESOLVED");
    e->warning = e->warning || !json_is(a->severity, "info");
    v->opened += opens;
    if (!e->told)
        e->told_s = time_of(a->at);
    e->told = true;
}

static void read_alert(struct verify *v, const rd_kafka_message_t *m)
{
    struct alert a = {0};

    v->alerts++;
    if (m->payload == NULL || json_each(m->payload, m->len, take_member, &a) != 0 ||
        a.type.length == 0 || a.subject.length == 0)
        v->unreadable++;
    else
        keep_alert(v, &a);
}

static int read_topics(struct verify *v, struct reader *reader)
{
    rd_kafka_message_t *messages[READER_LOT];
    int count = 0;

    while (count >= 0 && !stop_wanted && !reader_finished(reader)) {
        count = reader_next(reader, messages, POLL_MS);
        for (int i = 0; i < count; i++) {
            if (strcmp(rd_kafka_topic_name(messages[i]->rkt), v->output.dead_letters) == 0)
                v->dead_letters++;
            else
                read_alert(v, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
    }
    return count < 0 || stop_wanted ? -1 : 0;
}

/* Every scan is exactly one of effective, merged, duplicate; none wrongly, none left. */
static bool check_count(const char *what, int64_t is, int64_t wanted)
{
    if (is < 0 || wanted < 0 || is == wanted)
        return true;
    say("%s: %lld, not %lld", what, (long long)is, (long long)wanted);
    return false;
}

static bool check_counts(const struct verify *v)
{
    bool all = v->effective >= 0 && v->merged >= 0 && v->duplicate >= 0;
    bool right = check_count("dead letters", (int64_t)v->dead_letters, v->broken);

    if (all)
        right &= check_count("effective, merged and duplicate scans",
                             v->effective + v->merged + v->duplicate, v->sent);
    if (v->truth != NULL) {
        right &= check_count("duplicates", v->duplicate, v->table.tally.repeats);
        right &= check_count("near duplicates merged", v->merged, v->table.tally.near);
    }
    if (v->unreadable > 0)
        say("alerts that could not be read: %llu", (unsigned long long)v->unreadable);
    return right && v->unreadable == 0;
}

static struct score sum_up(const struct verify *v, bool *passed)
{
    struct score sum = {0};

    for (int type = 0; type < v->table.types; type++) {
        const struct score *s = &v->score[type];

        if (!score_counts(&v->table, type))
            continue;
        sum.planted += s->planted;
        sum.found += s->found;
        sum.missed += s->missed;
        sum.told_for_nothing += s->told_for_nothing;
        sum.unresolved += s->unresolved;
        *passed &= score_passes(&v->table, type, s, &v->limits);
    }
    return sum;
}

static void print_json(const struct verify *v, const struct score *sum, bool passed)
{
    printf("{\"command\":\"verify\",\"sent\":%lld,\"alerts\":%llu,\"opened\":%llu,"
           "\"dead_letters\":%llu", (long long)v->sent, (unsigned long long)v->alerts,
           (unsigned long long)v->opened, (unsigned long long)v->dead_letters);
    if (v->truth != NULL) {
        printf(",\"planted\":%llu,\"found\":%llu,\"missed\":%llu,\"false\":%llu,"
               "\"unresolved\":%llu", (unsigned long long)sum->planted,
               (unsigned long long)sum->found, (unsigned long long)sum->missed,
               (unsigned long long)sum->told_for_nothing, (unsigned long long)sum->unresolved);
        score_print_json(&v->table, v->score, &v->forecast, stdout);
    }
    printf(",\"passed\":%s}\n", passed ? "true" : "false");
}

static int judge(struct verify *v)
{
    FILE *out = v->output.json ? stderr : stdout;
    bool passed = check_counts(v);
    struct score sum = {0};

    if (v->truth != NULL) {
        score_types(&v->table, v->score);
        v->forecast = score_forecast(&v->table);
        sum = sum_up(v, &passed);
        passed &= forecast_passes(&v->forecast, &v->limits);
        score_print(&v->table, v->score, &v->forecast, &v->limits, out);
    }
    fprintf(out, "%s%lld scans, %llu alerts opened, %llu dead letters",
           v->truth != NULL ? "\n" : "", (long long)v->sent, (unsigned long long)v->opened,
           (unsigned long long)v->dead_letters);
    if (v->truth != NULL)
        fprintf(out, "; %llu planted, %llu found, %llu missed, %llu false, %llu unresolved",
               (unsigned long long)sum.planted, (unsigned long long)sum.found,
               (unsigned long long)sum.missed, (unsigned long long)sum.told_for_nothing,
               (unsigned long long)sum.unresolved);
    fprintf(out, ": %s\n", passed ? "passed" : "failed");
    if (v->output.json)
        print_json(v, &sum, passed);
    return passed ? EXIT_DONE : EXIT_FAILED;
}

static int run(struct verify *v)
{
    struct reader_wish wish = {.topic = {v->output.alerts, v->output.dead_letters}, .topics = 2,
                               .to_end = true};
    struct reader *reader;
    int failed;

    if (v->truth != NULL && truth_table_read(&v->table, v->truth) != 0)
        return EXIT_CONFIG;
    if (v->truth != NULL && v->sent < 0)
        v->sent = v->table.tally.scans;
    reader = reader_open(&v->output, &wish);
    if (reader == NULL)
        return EXIT_CONFIG;
    stop_on_signals();
    failed = read_topics(v, reader);
    reader_close(reader);
    return failed ? EXIT_FAILED : judge(v);
}

int verify_main(int argc, char **argv)
{
    static struct verify v = {.sent = -1, .effective = -1, .merged = -1, .duplicate = -1,
                              .limits = {0.99, 0.95, 0.9, false}};
    struct command command = {"verify", usage, closing, 0, 0,
                              {{&v, OPTION_ROWS(rows)}, OUTPUT_GROUP(&v.output)}};
    int operand, result = options_read(&command, argc, argv, &operand);

    if (result != 0)
        return result > 0 ? EXIT_DONE : EXIT_USAGE;
    if (output_complete(&v.output) != 0)
        return EXIT_CONFIG;
    truth_table_make(&v.table);
    result = run(&v);
    truth_table_free(&v.table);
    return result;
}
