/* main.c - seeds, one after the other; a failing one is shrunk and named. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/log.h"
#include "tests/sim/sim.h"

enum { FAULT_KINDS_MIN = 3, VACUOUS_BELOW = 500 };

static uint64_t happened[FAULTS];
static uint64_t scans, steps;

/* At least three kinds of faults, drawn by the seed. */
static uint32_t faults_of(uint64_t seed)
{
    struct dice dice;
    uint32_t faults = 0;

    dice_begin(&dice, seed * 31 + 7);
    for (uint32_t count = FAULT_KINDS_MIN + dice_roll(&dice, 5); count > 0;) {
        uint32_t fault = 1u << dice_roll(&dice, FAULTS);

        if (faults & fault)
            continue;
        faults |= fault;
        count--;
    }
    return faults;
}

/* One seed against its undisturbed twin; true = nothing to complain of. */
static bool seed_passes(uint64_t seed, uint32_t faults)
{
    bool idle_advance = seed % 8 == 0;   /* wall time decides: only checked against the log */

    complaint[0] = '\0';
    struct world *reference = world_run(seed, 0, 1, false, NULL);

    if (complaint[0] == '\0')
        judge_alone(reference);
    struct world *w = complaint[0] == '\0' ? world_run(seed, faults, INSTANCES, idle_advance,
                                                       reference) : NULL;

    if (w != NULL && complaint[0] == '\0')
        judge_alone(w);
    if (w != NULL && complaint[0] == '\0' && !idle_advance)
        judge_against(w, reference);
    if (w != NULL) {
        for (int i = 0; i < FAULTS; i++)
            happened[i] += w->dice.happened[i];
        scans += w->traffic->scans;
        steps += w->steps;
        world_destroy(w);
    }
    world_destroy(reference);
    return complaint[0] == '\0';
}

static void print_faults(uint32_t faults)
{
    for (int i = 0; i < FAULTS; i++)
        if (faults >> i & 1)
            printf(" %s", fault_names[i]);
}

/* Drops kinds of faults one by one while the seed still fails. */
static void report(uint64_t seed, uint32_t faults)
{
    char first[sizeof complaint];

    memcpy(first, complaint, sizeof first);
    printf("seed %llu FAILED: %s\n  faults:", (unsigned long long)seed, first);
    print_faults(faults);
    for (int i = 0; i < FAULTS; i++)
        if (faults >> i & 1 && !seed_passes(seed, faults & ~(1u << i)))
            faults &= ~(1u << i);
    printf("\n  still fails with:");
    print_faults(faults);
    printf("\n  again: tests/run sim --seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
}

/* Over many seeds each kind of fault must really have happened. */
static uint32_t vacuous(uint64_t seeds)
{
    uint32_t missing = 0;

    printf("faults:");
    for (int i = 0; i < FAULTS; i++) {
        printf(" %s %llu", fault_names[i], (unsigned long long)happened[i]);
        missing += happened[i] == 0;
    }
    printf("\n");
    if (missing == 0 || seeds < VACUOUS_BELOW)
        return 0;
    printf("FAILED: %u kinds of faults never happened\n", missing);
    return 1;
}

static void usage(void)
{
    printf("usage: sim [--seeds N] [--first K] [--seed K] [--verbose]\n"
           "  --seeds N   so many seeds (1000)\n"
           "  --first K   beginning with this one (1)\n"
           "  --seed K    this one alone, with the product's log\n");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
                                            {"first", required_argument, NULL, 'f'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint64_t seeds = 1000, first = 1, failed = 0;
    bool verbose = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'n')
            seeds = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            first = strtoull(optarg, NULL, 10);
        else if (c == 's')
            first = strtoull(optarg, NULL, 10), seeds = 1, verbose = true;
        else if (c == 'v')
            verbose = true;
        else
            return usage(), c == 'h' ? 0 : 64;
    }
    log_open(verbose ? LOG_LEVEL_INFO : LOG_LEVEL_NONE, LOG_FORM_TEXT);
    time_t began = time(NULL);

    for (uint64_t seed = first; seed < first + seeds; seed++) {
        uint32_t faults = faults_of(seed);

        if (!seed_passes(seed, faults)) {
            report(seed, faults);
            if (++failed == 10)
                break;
        }
        if (isatty(STDERR_FILENO) && seed % 10 == 0)
            fprintf(stderr, "\r%llu seeds, %llu failed ", (unsigned long long)(seed - first + 1),
                    (unsigned long long)failed);
    }
    failed += vacuous(seeds);
    printf("%llu scans, %llu steps in %lld s\n", (unsigned long long)scans,
           (unsigned long long)steps, (long long)(time(NULL) - began));
    printf("%llu passed, %llu failed\n", (unsigned long long)(seeds > failed ? seeds - failed : 0),
           (unsigned long long)failed);
    return failed != 0;
}
