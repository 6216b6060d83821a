/* generate_options.c - the command line of `peakload generate`. */
#include <stdio.h>
#include <string.h>

#include "bench/peakload/generate.h"
#include "bench/peakload/say.h"
#include "bench/peakload/times.h"

static const char help[] =
    "Usage: peakload generate [OPTION]…\n"
    "Sends the scans of a simulated parcel network: six eHubs, customs, flights, hubs, depots\n"
    "and stations; some of everything that goes wrong in one.\n"
    "\n"
    "How much (12 scans a parcel unless both are given; without any, until stopped):\n"
    "  --scans N          exactly N scans, broken messages not counted\n"
    "  --parcels N        of exactly N parcels\n"
    "  --seconds S        stops after S seconds, whatever is under way\n"
    "  --alive N          parcels under way at once\n"
    "How fast:\n"
    "  --rate N           scans a second; 0 (default) = as fast as possible\n"
    "  --speed X          the simulated network runs X times as fast as the clock\n"
    "When:\n"
    "  --start TIME       where the simulated clock starts: RFC 3339, or now\n"
    "                     With --rate alone each scan is stamped with the moment it is sent,\n"
    "                     and lives are compressed.  Else times are simulated, lives last days,\n"
    "                     and Kafka timestamps are simulated too; by default such a run ends\n"
    "                     before now (without an end, it starts now).\n"
    "What:\n"
    "  --seed N           the same seed and start give the same bytes (default 1)\n"
    "  --repeats SHARE    of scans that are said again (default 0.06)\n"
    "  --anomalies SHARE  of parcels with which something goes wrong (default 0.15)\n"
    "  --broken SHARE     of messages that are no scan, for every reason in turn, with a header\n"
    "                     peakload-expect: the reason, or `skipped` for a null value\n"
    "  --csv-facilities FILE  writes the network: code,name,kind,country,lat,lon,zone;\n"
    "                     - is standard output; with --scans 0 nothing is sent\n"
    "\n"
    OUTPUT_HELP
    "\n"
    "The key is the parcel number, its partition murmur2's.  Exit codes: 0 all acknowledged,\n"
    "1 not all, 64 a wrong option, 78 a wrong configuration or no such topic.\n";

enum { SCANS = 256, PARCELS, SECONDS, ALIVE, RATE, SPEED, START, SEED, REPEATS, ANOMALIES, BROKEN,
       CSV_FACILITIES };

static const struct option rows[] = {
    {"scans", required_argument, NULL, SCANS},
    {"parcels", required_argument, NULL, PARCELS},
    {"seconds", required_argument, NULL, SECONDS},
    {"alive", required_argument, NULL, ALIVE},
    {"rate", required_argument, NULL, RATE},
    {"speed", required_argument, NULL, SPEED},
    {"start", required_argument, NULL, START},
    {"seed", required_argument, NULL, SEED},
    {"repeats", required_argument, NULL, REPEATS},
    {"anomalies", required_argument, NULL, ANOMALIES},
    {"broken", required_argument, NULL, BROKEN},
    {"csv-facilities", required_argument, NULL, CSV_FACILITIES},
    {"help", no_argument, NULL, 'h'},
    OUTPUT_OPTIONS,
    {NULL, 0, NULL, 0},
};

static int read_start(struct generate *g, const char *text)
{
    g->times = TIMES_SIMULATED;
    if (strcmp(text, "now") == 0)
        g->start_ms = wall_ms();
    else if (time_read(text, strlen(text), 0, &g->start_ms) != 0)
        return say("--start %s: want a time as 2025-11-11T00:00:00+08:00, or now", text);
    return 0;
}

static int take(struct generate *g, int code, const char *text)
{
    const int64_t many = INT64_C(1) << 40;
    int64_t seed;

    switch (code) {
    case SCANS: return option_integer("scans", text, 0, many, &g->scans);
    case PARCELS: return option_integer("parcels", text, 1, many, &g->parcels);
    case ALIVE: return option_integer("alive", text, 1, 50000000, &g->alive);
    case SECONDS: return option_real("seconds", text, 0.001, 1e9, &g->seconds);
    case RATE: return option_real("rate", text, 0, 1e8, &g->rate);
    case SPEED: return option_real("speed", text, 0.001, 1e7, &g->speed);
    case REPEATS: return option_real("repeats", text, 0, 0.5, &g->nature.repeats);
    case ANOMALIES: return option_real("anomalies", text, 0, 1, &g->nature.oddities);
    case BROKEN: return option_real("broken", text, 0, 0.99, &g->broken);
    case START: return read_start(g, text);
    case CSV_FACILITIES: g->csv_facilities = text; return 0;
    case SEED:
        if (option_integer("seed", text, 0, INT64_MAX, &seed) != 0)
            return -1;
        g->nature.seed = (uint64_t)seed;
        return 0;
    default:
        return output_option(&g->output, code, text) > 0 ? 0 : -1;
    }
}

/* One of scans and parcels follows from the other. */
static int complete(struct generate *g)
{
    if (g->scans > 0 && g->parcels < 0)
        g->parcels = (g->scans + SCANS_PER_PARCEL - 1) / SCANS_PER_PARCEL;
    else if (g->scans < 0 && g->parcels > 0)
        g->scans = g->parcels * SCANS_PER_PARCEL;
    if (g->scans > 0 && (g->scans < g->parcels || g->scans > g->parcels * STEPS_MAX))
        return say("--scans %lld --parcels %lld: want 1 to %d scans a parcel",
                   (long long)g->scans, (long long)g->parcels, STEPS_MAX);
    if (g->rate > 0 && g->speed > 0 && g->alive > 0)
        return say("--rate, --speed and --alive: two of them decide the third");
    if (g->rate <= 0 || g->speed > 0)
        g->times = TIMES_SIMULATED;
    return 0;
}

int generate_options(struct generate *g, int argc, char **argv)
{
    int code;

    *g = (struct generate) {.nature = {.seed = 1, .oddities = 0.15, .repeats = 0.06},
                            .times = TIMES_NOW, .scans = -1, .parcels = -1};
    while ((code = getopt_long(argc, argv, "X:h", rows, NULL)) != -1) {
        if (code == 'h') {
            fputs(help, stdout);
            return 1;
        }
        if (code == '?' || take(g, code, optarg) != 0)
            return -1;
    }
    if (optind < argc)
        return say("%s: generate takes options only", argv[optind]);
    return complete(g);
}
