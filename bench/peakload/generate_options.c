/* generate_options.c - the command line of `peakload generate`. */
#include <stdio.h>
#include <string.h>

#include "bench/peakload/generate.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

static const double ODDITIES_USUAL = 0.15, REPEATS_USUAL = 0.06;

static const char usage[] =
    "Usage: peakload generate [OPTION]…\n"
    "Sends the scans of a simulated parcel network: six eHubs, customs, flights, hubs, depots\n"
    "and stations; some of everything that goes wrong in one.\n"
    "\n";

static const char closing[] =
    "The key is the parcel number, its partition murmur2's.  With --rate or --curve alone each\n"
    "scan is stamped with the moment it is sent, and lives are compressed.  Else times are\n"
    "simulated, lives last days, and Kafka timestamps are simulated too, on a topic that keeps\n"
    "messages so old; by default such a run ends before now (without an end, it starts now).\n"
    "\n"
    "Exit codes: 0 all acknowledged, 1 not all or a limit exceeded, 64 a wrong option, 78 a\n"
    "wrong configuration or no such topic.\n";

static int take_start(void *self, const char *text)
{
    struct generate *g = self;

    g->times = TIMES_SIMULATED;
    if (strcmp(text, "now") == 0)
        g->start_ms = wall_ms();
    else if (time_read(text, strlen(text), 0, &g->start_ms) != 0)
        return say("--start %s: want a time as 2025-11-11T00:00:00+08:00, or now", text);
    return 0;
}

#define AT(field) offsetof(struct generate, field)

static const struct option_row much_rows[] = {
    {OPTION_HEADING, "How much (12 scans a parcel unless both are given; without any, until "
     "stopped):", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_INTEGER, "scans", "N", "exactly N scans, broken messages not counted", AT(scans), 0,
     OPTION_MANY, NULL},
    {OPTION_INTEGER, "parcels", "N", "of exactly N parcels", AT(parcels), 1, OPTION_MANY, NULL},
    {OPTION_INTEGER, "alive", "N", "parcels under way at once", AT(alive), 1, 50000000, NULL},
};

static const struct option_row fast_rows[] = {
    {OPTION_HEADING, "How fast, and when:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_REAL, "speed", "X", "the simulated network runs X times as fast as the clock",
     AT(speed), 0.001, 1e7, NULL},
    {OPTION_OTHER, "start", "TIME", "where the simulated clock starts: RFC 3339, or now", 0, 0, 0,
     take_start},
};

static const struct option_row what_rows[] = {
    {OPTION_HEADING, "What:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_INTEGER, "seed", "N", "the same seed and start give the same bytes (default 1)",
     AT(nature.seed), 0, OPTION_MANY, NULL},
    {OPTION_REAL, "repeats", "SHARE", "of scans that are said again (default 0.06)",
     AT(nature.repeats), 0, 0.5, NULL},
    {OPTION_REAL, "anomalies", "SHARE", "of parcels with which something goes wrong (default 0.15)",
     AT(nature.oddities), 0, 1, NULL},
    {OPTION_REAL, "broken", "SHARE", "of messages that are no scan, for every reason in turn, with "
     "a header\npeakload-expect: the reason, or `skipped` for a null value", AT(broken), 0, 0.99,
     NULL},
    {OPTION_TEXT, "csv-facilities", "FILE", "writes the network: code,name,kind,country,lat,lon,"
     "zone;\n- is standard output; with --scans 0 nothing is sent", AT(csv_facilities), 0, 0, NULL},
    {OPTION_TEXT, "truth", "FILE", "a labelled world of --parcels N: FILE says what really happens "
     "in it,\nfor `peakload verify --truth FILE`; it lasts 57 days and ends now", AT(truth), 0, 0,
     NULL},
    {OPTION_TEXT, "reference", "DIR", "with --truth: the world's facilities.csv, routes.csv, "
     "departures.csv\nand calendars.csv go there", AT(reference), 0, 0, NULL},
};

/* A labelled world makes as many scans as its parcels need, in times of its own. */
static int complete_labelled(struct generate *g)
{
    if (g->truth == NULL && g->reference != NULL)
        return say("--reference: only with --truth");
    if (g->truth == NULL)
        return 0;
    if (g->parcels < 0 || g->scans >= 0 || g->alive > 0 || g->speed > 0 ||
        g->run.schedule.rate > 0 || g->run.schedule.curve != NULL || g->run.span.workers > 1)
        return say("--truth: want --parcels, and neither --scans, --alive, --speed, --rate, "
                   "--curve nor --worker");
    if (g->nature.oddities != ODDITIES_USUAL || g->nature.repeats != REPEATS_USUAL)
        return say("--truth: its world has causes and repeats of its own: no --anomalies and "
                   "no --repeats");
    return 0;
}

/* One of scans and parcels follows from the other. */
static int complete(struct generate *g)
{
    if (complete_labelled(g) != 0)
        return -1;
    if (g->scans > 0 && g->parcels < 0)
        g->parcels = (g->scans + SCANS_PER_PARCEL - 1) / SCANS_PER_PARCEL;
    else if (g->scans < 0 && g->parcels > 0)
        g->scans = g->parcels * SCANS_PER_PARCEL;
    if (g->scans > 0 && (g->scans < g->parcels || g->scans > g->parcels * STEPS_MAX))
        return say("--scans %lld --parcels %lld: want 1 to %d scans a parcel",
                   (long long)g->scans, (long long)g->parcels, STEPS_MAX);
    if (g->run.schedule.rate > 0 && g->speed > 0 && g->alive > 0)
        return say("--rate, --speed and --alive: two of them decide the third");
    if (g->run.schedule.curve != NULL && g->speed > 0)
        return say("--curve or --speed, not both");
    if ((g->run.schedule.rate <= 0 && g->run.schedule.curve == NULL) || g->speed > 0)
        g->times = TIMES_SIMULATED;
    g->run.by_clock = g->speed > 0;
    return 0;
}

void generate_defaults(struct generate *g)
{
    *g = (struct generate) {
        .nature = {.seed = 1, .oddities = ODDITIES_USUAL, .repeats = REPEATS_USUAL},
        .times = TIMES_NOW, .scans = -1, .parcels = -1};
}

int generate_options(struct generate *g, int argc, char **argv)
{
    struct command command = {"generate", usage, closing, 0, 0, {
        {g, OPTION_ROWS(much_rows)}, {g, OPTION_ROWS(fast_rows)}, SCHEDULE_GROUP(&g->run.schedule),
        SPAN_GROUP(&g->run.span), {g, OPTION_ROWS(what_rows)}, RUN_GROUPS(&g->run)}};
    int operand, result;

    generate_defaults(g);
    g->run.arguments = argv;
    result = options_read(&command, argc, argv, &operand);
    return result != 0 ? result : complete(g);
}
