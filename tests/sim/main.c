/* main.c - seeds, one after the other or several at once; a failing one is shrunk and named. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/batch.h"
#include "pipeline/check.h"
#include "pipeline/log.h"
#include "tests/sim/sim.h"

enum { FAULT_KINDS_MIN = 3, VACUOUS_BELOW = 500, JOBS_MAX = 16, FAILED_MAX = 10,
       SEEDS_PER_LOG = 8, SHRINK_MAX = 400 /* runs */, WARM_LOGS = 2, GROWTH_MAX = 65536,
       LAZY_BYTES = 4 << 20, KEPT_BYTES = 1 << 29 };

/* What a process has seen; added up over the jobs. */
struct tally {
    uint64_t happened[FAULTS], looks[INVARIANTS];
    uint64_t seeds, failed, scans, steps, varied;
    int64_t  healed_ms_max;
};

static struct tally tally;

/* At least three kinds of faults, drawn by the seed. */
static uint32_t faults_of(uint64_t seed)
{
    struct dice dice;
    uint32_t faults = 0;

    dice_begin(&dice, seed * 31 + 7);
    for (uint32_t count = FAULT_KINDS_MIN + 1 + dice_roll(&dice, 6); count > 0;) {
        uint32_t fault = 1u << dice_roll(&dice, FAULTS);

        if (faults & fault)
            continue;
        faults |= fault;
        count--;
    }
    return faults;
}

static void add_up(const struct world *w)
{
    uint32_t kinds = 0;

    for (int i = 0; i < FAULTS; i++) {
        tally.happened[i] += w->dice.happened[i];
        kinds += w->dice.happened[i] > 0;
    }
    tally.varied += kinds >= FAULT_KINDS_MIN;
    looked_at(NOT_VACUOUS);
    tally.scans += w->traffic->scans;
    tally.steps += w->steps;
    if (w->healed_ms > tally.healed_ms_max)
        tally.healed_ms_max = w->healed_ms;
}

/* The undisturbed run of a log is kept while its seeds run: they share it. */
static struct world *reference;
static uint64_t      reference_log;

static void reference_drop(void)
{
    if (reference != NULL)
        world_destroy(reference);
    reference = NULL;
}

static const struct world *reference_of(uint64_t log)
{
    if (reference != NULL && reference_log == log)
        return reference;
    reference_drop();
    reference = world_undisturbed(log);
    reference_log = log;
    if (complaint[0] == '\0')
        judge_alone(reference);
    if (complaint[0] != '\0')
        reference_drop();   /* whoever asks again, hears it again */
    return reference;
}

/* One seed against its undisturbed twin; true = nothing to complain of. */
static bool seed_passes(uint64_t seed, uint32_t faults, struct chosen *chosen)
{
    bool idle_advance = seed % 8 == 0;   /* wall time decides: only checked against the log */

    complaint[0] = '\0';
    const struct world *undisturbed = reference_of(seed / SEEDS_PER_LOG);

    if (complaint[0] != '\0')
        return false;
    struct world *w = world_run(seed, faults, chosen, idle_advance, undisturbed);

    if (complaint[0] == '\0')
        judge_alone(w);
    if (complaint[0] == '\0' && !idle_advance)
        judge_against(w, undisturbed);
    add_up(w);
    world_destroy(w);
    return complaint[0] == '\0';
}

/* ── Shrinking ────────────────────────────────────────────────────────────── */

static uint32_t shrink_runs;

static bool still_fails(uint64_t seed, uint32_t faults, struct chosen *chosen)
{
    return shrink_runs < SHRINK_MAX && ++shrink_runs > 0 && !seed_passes(seed, faults, chosen);
}

static uint32_t shrink_kinds(uint64_t seed, uint32_t faults)
{
    for (int i = 0; i < FAULTS; i++)
        if (faults >> i & 1 && still_fails(seed, faults & ~(1u << i), NULL))
            faults &= ~(1u << i);
    return faults;
}

/* Leaves out whole stretches of faults, then shorter ones, then single ones. */
static void shrink_list(uint64_t seed, uint32_t faults, struct chosen *chosen)
{
    (void)seed_passes(seed, faults, chosen);
    uint32_t count = chosen->count;

    for (uint32_t stretch = count; stretch > 0; stretch /= 2)
        for (uint32_t from = 0; from < count; from += stretch) {
            bool before[CHOSEN_MAX];

            memcpy(before, chosen->no, sizeof before);
            for (uint32_t i = from; i < from + stretch && i < CHOSEN_MAX; i++)
                chosen->no[i] = true;
            if (memcmp(before, chosen->no, sizeof before) != 0 &&
                !still_fails(seed, faults, chosen))
                memcpy(chosen->no, before, sizeof before);
        }
    (void)seed_passes(seed, faults, chosen);   /* what and when those left are now */
}

static void print_faults(uint32_t faults)
{
    const char *between = "";

    for (int i = 0; i < FAULTS; i++)
        if (faults >> i & 1) {
            printf("%s%s", between, fault_names[i]);
            between = ",";
        }
}

/* What is left, and the line that repeats it. */
static void print_left(uint64_t seed, uint32_t faults, const struct chosen *chosen)
{
    const char *between = "";

    for (uint32_t i = 0; i < chosen->count; i++)
        if (!chosen->no[i])
            printf("    fault %u: %s at step %llu\n", i, fault_names[chosen->kind[i]],
                   (unsigned long long)chosen->step[i]);
    printf("  shrunk: tests/run sim --seed %llu --faults ", (unsigned long long)seed);
    print_faults(faults);
    printf(" --only ");
    for (uint32_t i = 0; i < chosen->count; i++)
        if (!chosen->no[i]) {
            printf("%s%u", between, i);
            between = ",";
        }
    printf("\n");
}

static void report(uint64_t seed, uint32_t faults)
{
    static struct chosen chosen;
    struct tally kept = tally;

    memset(&chosen, 0, sizeof chosen);
    shrink_runs = 0;
    printf("seed %llu FAILED: %s\n  again: tests/run sim --seed %llu\n  of:",
           (unsigned long long)seed, complaint, (unsigned long long)seed);
    print_faults(faults);
    printf("\n");
    fflush(stdout);
    faults = shrink_kinds(seed, faults);
    shrink_list(seed, faults, &chosen);
    print_left(seed, faults, &chosen);
    fflush(stdout);
    tally = kept;
}

/* ── Many seeds ───────────────────────────────────────────────────────────── */

struct wanted {
    uint64_t       first, seeds;
    uint32_t       jobs, faults;    /* faults 0 = as drawn */
    struct chosen *chosen;          /* NULL = all          */
    bool           shrink, lasting;
    uint64_t       nth;             /* the first chance to be taken alone; 0 = as drawn       */
};

/* Memory in use grows no more once tables that are kept have been made. */
static void look_at_memory(uint64_t log)
{
    static size_t   used;
    static uint32_t looks;
    struct mallinfo2 info = mallinfo2();
    size_t           now = info.uordblks + info.hblkhd;

    if (looks++ < WARM_LOGS) {
        used = now;
        return;
    }
    looked_at(RETURNED);
    if (now <= used + GROWTH_MAX)
        return;
    complaint[0] = '\0';
    complain(RETURNED, "%zu bytes more in use than after the first logs", now - used);
    printf("log %llu (seeds from %llu) FAILED: %s\n", (unsigned long long)log,
           (unsigned long long)log * SEEDS_PER_LOG, complaint);
    tally.failed++;
}

static void run_seed(const struct wanted *wanted, uint64_t seed)
{
    uint32_t faults = wanted->faults != 0 ? wanted->faults : faults_of(seed);

    tally.seeds++;
    if (seed_passes(seed, faults, wanted->chosen))
        return;
    tally.failed++;
    if (wanted->shrink && wanted->chosen == NULL)
        report(seed, faults);
    else
        printf("seed %llu FAILED: %s\n", (unsigned long long)seed, complaint);
}

/* The seeds of a log, and then nothing may be left of them. */
static void run_log(const struct wanted *wanted, uint64_t log)
{
    uint64_t end = wanted->first + wanted->seeds;
    uint64_t failed = tally.failed;

    for (uint64_t seed = log * SEEDS_PER_LOG; seed < (log + 1) * SEEDS_PER_LOG; seed++)
        if (seed >= wanted->first && seed < end && tally.failed < FAILED_MAX)
            run_seed(wanted, seed);
    reference_drop();
    if (tally.failed == failed)
        look_at_memory(log);
}

static void run_seeds(const struct wanted *wanted, uint32_t job)
{
    uint64_t last = (wanted->first + wanted->seeds - 1) / SEEDS_PER_LOG;

    for (uint64_t log = wanted->first / SEEDS_PER_LOG + job;
         log <= last && tally.failed < FAILED_MAX; log += wanted->jobs)
        run_log(wanted, log);
    memcpy(tally.looks, invariant_looks, sizeof tally.looks);
}

static void tally_join(const struct tally *other)
{
    for (int i = 0; i < FAULTS; i++)
        tally.happened[i] += other->happened[i];
    for (int i = 0; i < INVARIANTS; i++)
        tally.looks[i] += other->looks[i];
    tally.seeds += other->seeds;
    tally.failed += other->failed;
    tally.scans += other->scans;
    tally.steps += other->steps;
    tally.varied += other->varied;
    if (other->healed_ms_max > tally.healed_ms_max)
        tally.healed_ms_max = other->healed_ms_max;
}

/* A process for each job; what it has seen comes home through a pipe. */
static void run_jobs(const struct wanted *wanted)
{
    int   ends[JOBS_MAX];
    pid_t pids[JOBS_MAX];

    fflush(stdout);
    for (uint32_t job = 0; job < wanted->jobs; job++) {
        int pair[2];

        CHECK(pipe(pair) == 0);
        ends[job] = pair[0];
        pids[job] = fork();
        CHECK(pids[job] >= 0);
        if (pids[job] == 0) {
            run_seeds(wanted, job);
            fflush(stdout);
            _exit(write(pair[1], &tally, sizeof tally) != sizeof tally);
        }
        close(pair[1]);
    }
    for (uint32_t job = 0; job < wanted->jobs; job++) {
        struct tally its;
        int          status;
        bool         told = read(ends[job], &its, sizeof its) == sizeof its;

        close(ends[job]);
        CHECK(waitpid(pids[job], &status, 0) == pids[job]);
        if (told)
            tally_join(&its);
        if (told && status == 0)
            continue;
        printf("FAILED: job %u ended with status %d\n", job, status);
        tally.failed++;
    }
}

/* Over many seeds each kind of fault must really have happened, and each invariant been
 * looked at. */
static uint32_t vacuous(void)
{
    uint32_t missing = 0;

    printf("faults:");
    for (int i = 0; i < FAULTS; i++) {
        printf(" %s %llu", fault_names[i], (unsigned long long)tally.happened[i]);
        missing += tally.happened[i] == 0;
    }
    printf("\nlooked at:");
    for (int i = 0; i < SOUND; i++) {
        printf("%s %s %llu", i > 0 ? ";" : "", invariant_names[i],
               (unsigned long long)tally.looks[i]);
        missing += tally.looks[i] == 0;
    }
    printf("\nseeds with at least %d kinds: %llu of %llu; longest healing %lld ms\n",
           FAULT_KINDS_MIN, (unsigned long long)tally.varied, (unsigned long long)tally.seeds,
           (long long)tally.healed_ms_max);
    if (tally.seeds < VACUOUS_BELOW || (missing == 0 && tally.varied >= tally.seeds / 10 * 9))
        return 0;
    printf("FAILED: [%s] %u kinds of faults or invariants never came up\n",
           invariant_names[NOT_VACUOUS], missing);
    return 1;
}

/* ── The nth chance ───────────────────────────────────────────────────────── */

/* One seed over and over: what is wanted happens at the first chance alone, then at the second,
 * until there are no more. */
static void run_nth(const struct wanted *wanted)
{
    static struct chosen chosen;
    uint64_t happened = 0;

    CHECK(wanted->seeds == 1 && wanted->faults != 0);
    for (uint64_t n = wanted->nth; n < UINT64_MAX && tally.failed < FAILED_MAX; n++) {
        memset(&chosen, 0, sizeof chosen);
        chosen.nth = n;
        chosen.lasting = wanted->lasting;
        tally.seeds++;
        bool passed = seed_passes(wanted->first, wanted->faults, &chosen);

        if (!passed) {
            tally.failed++;
            printf("seed %llu FAILED: %s\n", (unsigned long long)wanted->first, complaint);
            printf("  again: tests/run sim --seed %llu --nth %llu%s --faults ",
                   (unsigned long long)wanted->first, (unsigned long long)n,
                   wanted->lasting ? " --lasting" : "");
            print_faults(wanted->faults);
            printf("\n");
        } else if (chosen.chances < n) {
            break;
        }
        happened = n;
    }
    reference_drop();
    memcpy(tally.looks, invariant_looks, sizeof tally.looks);
    printf("each of %llu chances taken%s\n", (unsigned long long)happened,
           wanted->lasting ? ", and all after it" : ", alone");
}

/* ── The command ──────────────────────────────────────────────────────────── */

static void usage(void)
{
    printf("usage: sim [--seeds N] [--first K] [--jobs N] [--verbose]\n"
           "       sim --seed K [--faults NAME,…] [--only N,…]\n"
           "  --seeds N   so many seeds (1000)\n"
           "  --first K   beginning with this one (1)\n"
           "  --jobs N    so many at once (1)\n"
           "  --quick     a failing seed is named, not shrunk\n"
           "  --seed K    this one alone, with the product's log\n"
           "  --faults …  these kinds and no others\n"
           "  --only …    of the faults drawn, only these happen, by their number\n"
           "  --nth N     nothing goes wrong but at the Nth chance for --faults, then at N + 1, …\n"
           "              until none is left\n"
           "  --lasting   at the Nth and from then on, until all is mended\n");
}

/* Names, separated by commas; 0 = one of them is none. */
static uint32_t faults_read(char *names)
{
    uint32_t faults = 0;

    for (char *name = strtok_r(names, ",", &names); name != NULL;
         name = strtok_r(NULL, ",", &names)) {
        int i = 0;

        while (i < FAULTS && strcmp(fault_names[i], name) != 0)
            i++;
        if (i == FAULTS) {
            printf("no fault \"%s\"; there are ", name);
            print_faults((1u << FAULTS) - 1);
            printf("\n");
            return 0;
        }
        faults |= 1u << i;
    }
    return faults;
}

static struct chosen *only_read(const char *numbers)
{
    static struct chosen chosen;

    memset(chosen.no, true, sizeof chosen.no);
    for (const char *at = numbers; *at != '\0';) {
        char         *end;
        unsigned long number = strtoul(at, &end, 10);

        if (end == at || number >= CHOSEN_MAX)
            break;
        chosen.no[number] = false;
        at = end + (*end == ',');
    }
    return &chosen;
}

static const struct option options[] = {
    {"seeds", required_argument, NULL, 'n'},  {"first", required_argument, NULL, 'f'},
    {"seed", required_argument, NULL, 's'},   {"jobs", required_argument, NULL, 'j'},
    {"faults", required_argument, NULL, 'F'}, {"only", required_argument, NULL, 'o'},
    {"quick", no_argument, NULL, 'q'},        {"verbose", no_argument, NULL, 'v'},
    {"nth", required_argument, NULL, 'N'},    {"lasting", no_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};

/* 0, or -1: not understood. */
static int option_take(struct wanted *wanted, bool *verbose, int c)
{
    switch (c) {
    case 'n': wanted->seeds = strtoull(optarg, NULL, 10); break;
    case 'f': wanted->first = strtoull(optarg, NULL, 10); break;
    case 's':
        wanted->first = strtoull(optarg, NULL, 10);
        wanted->seeds = 1;
        *verbose = true;
        break;
    case 'j': wanted->jobs = (uint32_t)strtoul(optarg, NULL, 10); break;
    case 'F': wanted->faults = faults_read(optarg); return wanted->faults != 0 ? 0 : -1;
    case 'o': wanted->chosen = only_read(optarg); break;
    case 'N': wanted->nth = strtoull(optarg, NULL, 10); break;
    case 'l': wanted->lasting = true; break;
    case 'q': wanted->shrink = false; break;
    case 'v': *verbose = true; break;
    default: return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct wanted wanted = {.first = 1, .seeds = 1000, .jobs = 1, .shrink = true};
    bool verbose = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option_take(&wanted, &verbose, c) != 0 || wanted.jobs < 1 || wanted.jobs > JOBS_MAX)
            return usage(), c == 'h' ? 0 : 64;
    /* What a short life hardly touches is not worth clearing; all else stays with us. */
    mallopt(M_MMAP_THRESHOLD, LAZY_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    pool_recycle(true);
    if (wanted.nth > 0 && (wanted.seeds != 1 || wanted.faults == 0))
        return printf("--nth is of one --seed, and of --faults\n"), 64;
    log_open(verbose && wanted.nth == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_NONE, LOG_FORM_TEXT);
    time_t began = time(NULL);

    if (wanted.nth > 0)
        run_nth(&wanted);
    else if (wanted.jobs == 1)
        run_seeds(&wanted, 0);
    else
        run_jobs(&wanted);
    if (wanted.nth == 0)
        tally.failed += vacuous();
    long long seconds = (long long)(time(NULL) - began);

    printf("%llu scans, %llu steps, %llu seeds in %lld s: %.1f seeds/s\n",
           (unsigned long long)tally.scans, (unsigned long long)tally.steps,
           (unsigned long long)tally.seeds, seconds,
           (double)tally.seeds / (double)(seconds > 0 ? seconds : 1));
    printf("%llu passed, %llu failed\n",
           (unsigned long long)(tally.seeds > tally.failed ? tally.seeds - tally.failed : 0),
           (unsigned long long)tally.failed);
    return tally.failed != 0;
}
