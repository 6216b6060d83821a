/* dice.c - chance, and what may go wrong. */
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/check.h"
#include "tests/sim/sim.h"

char complaint[512];

const char *const fault_names[FAULTS] = {
    [FAULT_CRASH] = "crash",
    [FAULT_PAUSE] = "pause",
    [FAULT_REBALANCE] = "rebalance",
    [FAULT_COMMIT_RETRY] = "commit-retry",
    [FAULT_ACK_LOST] = "ack-lost",
    [FAULT_PRODUCER_FATAL] = "producer-fatal",
    [FAULT_CUT_LINK] = "cut-link",
    [FAULT_ANSWER_LOST] = "answer-lost",
    [FAULT_FAILOVER] = "failover",
    [FAULT_FLUSH] = "flush",
    [FAULT_OOM] = "oom",
    [FAULT_READONLY] = "readonly",
    [FAULT_LOADING] = "loading",
    [FAULT_EVICT] = "evict",
    [FAULT_CRASH_ALL] = "crash-all",
    [FAULT_RESET] = "reset",
    [FAULT_TWINS] = "twins",
    [FAULT_CLOCK] = "clock",
    [FAULT_COMMIT_FENCED] = "commit-fenced",
    [FAULT_ANSWER_LATE] = "answer-late",
    [FAULT_ANSWER_TWICE] = "answer-twice",
    [FAULT_ACK_ORDER] = "ack-order",
    [FAULT_RECREATED] = "recreated",
    [FAULT_CUT_ANSWER] = "cut-answer",
    [FAULT_REFUSED] = "refused",
};

const char *const invariant_names[INVARIANTS] = {
    [NO_LOSS] = "no loss",
    [WATERMARK] = "watermark monotone and justified",
    [NO_INVENTION] = "nothing invented",
    [REPEATS] = "repeats only by replay, bounded",
    [ORDER] = "order per parcel",
    [FOLD] = "Redis is the fold of a prefix",
    [FENCED] = "a fenced writer changes nothing",
    [DEAD_LETTERS] = "dead letters and processed are the input, disjoint",
    [COUNTERS] = "counters conserve",
    [LIVENESS] = "liveness",
    [RETURNED] = "memory returns",
    [CLEAN_EXIT] = "clean exit",
    [NOT_VACUOUS] = "not vacuous",
    [SOUND] = "sound",
};
uint64_t invariant_looks[INVARIANTS];

void complain(enum invariant invariant, const char *format, ...)
{
    va_list arguments;
    int     used;

    if (complaint[0] != '\0')
        return;   /* the first one is the cause */
    va_start(arguments, format);
    used = snprintf(complaint, sizeof complaint, "[%s] ", invariant_names[invariant]);
    vsnprintf(complaint + used, sizeof complaint - (size_t)used, format, arguments);
    va_end(arguments);
}

void dice_begin(struct dice *dice, uint64_t seed)
{
    *dice = (struct dice){.state = seed * 0x9E3779B97F4A7C15ull + 1};
    for (int i = 0; i < 8; i++)
        dice_next(dice);
}

/* Is this the nth chance, or beyond it? */
static bool is_nth(struct chosen *chosen)
{
    uint64_t chance = ++chosen->chances;

    return chance == chosen->nth || (chosen->lasting && chance > chosen->nth);
}

bool dice_fault_drawn(struct dice *dice, enum fault fault, uint32_t per_million)
{
    bool nth = dice->chosen != NULL && dice->chosen->nth > 0;

    if (nth ? !is_nth(dice->chosen) : !dice_chance(dice, per_million))
        return false;
    uint32_t ordinal = dice->ordinal++;

    if (dice->chosen != NULL && ordinal < CHOSEN_MAX) {
        dice->chosen->kind[ordinal] = fault;
        dice->chosen->step[ordinal] = dice->step;
        dice->chosen->count = ordinal + 1;
        if (dice->chosen->no[ordinal])
            return false;
    }
    dice->happened[fault]++;
    return true;
}
