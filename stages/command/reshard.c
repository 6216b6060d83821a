/* reshard - moves the stored state to the partition count that the topic has now.
 *
 * Offline: stop the instances, alter the topic, run this, start again.  It may be
 * interrupted anywhere and is then run once more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/board.h"
#include "stages/command/command.h"
#include "stages/command/reshard.h"
#include "stages/serve/view.h"
#include "stages/serve/view_redis.h"

enum { MEMBERS_WAIT_S = 90 };

/* A static member that has stopped stays in the group for its session's time-out. */
static int wait_for_idle(struct reshard_log *log)
{
    for (int waited = 0;; waited++) {
        int members = reshard_log_members(log);

        if (members <= 0)
            return members;
        if (waited == MEMBERS_WAIT_S)
            return error_set("the group has %d members still: stop every instance first", members);
        if (waited == 0)
            (void)fprintf(stderr, "Waiting for %d members to leave the group …\n", members);
        (void)sleep(1);
    }
}

/* Where partition p's backlog begins, and that Kafka still has it. */
static int part_begin(struct reshard *r, struct reshard_log *log, uint32_t p)
{
    struct reshard_part *part = &r->parts[p];
    int64_t              low = 0, high = 0;

    if (reshard_log_ends(log, p, &low, &high) != 0)
        return -1;
    part->from = p < r->before && part->there ? part->was.offset : low;
    part->end = high;
    if (part->from > high)
        return error_set("partition %" PRIu32 ": stored offset %" PRId64 " but the log ends at %"
                         PRId64 ": it was cut or made anew", p, part->from, high);
    if (part->from >= low)
        return 0;
    if (!config_bool(r->config, "kafka.accept_gap"))
        return error_set("partition %" PRIu32 ": stored offset %" PRId64 " but the log begins at %"
                         PRId64 ": %" PRId64 " records are gone; --set kafka.accept_gap=true goes "
                         "on without them", p, part->from, low, low - part->from);
    part->from = low;
    return 0;
}

/* With the count as it was nothing is away from home: each partition goes on where it is. */
static int plan_new(struct reshard *r, struct reshard_log *log)
{
    for (uint32_t p = r->before; p < r->after; p++)
        r->parts[p].last_ms = r->parts[p].last_home = -1;
    for (uint32_t p = 0; p < r->after; p++) {
        if (part_begin(r, log, p) != 0)
            return -1;
        if (r->before == r->after)
            r->parts[p].end = r->parts[p].from;
    }
    return reshard_plan_write(r, RESHARD_SENDING);
}

/* A plan is held to; one that does not fit the topic any more only before anything of it
 * has been put in place. */
static int plan_take_up(struct reshard *r, uint32_t count, bool again)
{
    if (r->planned && !again && (r->after == count || r->step == RESHARD_SWITCHING)) {
        (void)printf("Taken up where an earlier run ended: %" PRIu32 " to %" PRIu32
                     " partitions.\n", r->before, r->after);
        return 0;
    }
    if (r->planned && reshard_plan_drop(r) != 0)
        return -1;
    r->after = count;
    r->buckets = (uint32_t)config_integer(r->config, "redis.buckets");
    return 0;
}

static bool nothing_to_do(const struct reshard *r)
{
    bool same = r->before == r->after && !r->planned;

    for (uint32_t p = 0; same && p < r->before; p++)
        same = !r->parts[p].there || r->parts[p].was.buckets == r->buckets;
    return same;
}

static int carry_out(struct reshard *r, struct reshard_log *log)
{
    if (r->step == RESHARD_SENDING) {
        if (reshard_log_home(log, r) != 0 || reshard_plan_write(r, RESHARD_COPYING) != 0)
            return -1;
        (void)printf("%" PRIu64 " records that no checkpoint held were sent to their homes.\n",
                     r->sent);
    }
    if (r->step == RESHARD_COPYING) {
        if (reshard_copy(r) != 0 || reshard_plan_write(r, RESHARD_SWITCHING) != 0)
            return -1;
        (void)printf("%" PRIu64 " parcels were copied.\n", r->moved);
    }
    if (reshard_switch(r) != 0)
        return -1;
    (void)printf("The state is made for %" PRIu32 " partitions now, with %" PRIu32
                 " buckets each.\n", r->after, r->buckets);
    return 0;
}

static int reshard(struct reshard *r, struct reshard_log *log, bool again)
{
    int32_t count = reshard_log_partitions(log);

    if (count < 0 || wait_for_idle(log) != 0 || view_redis_begin(r->redis) != 0)
        return -1;
    if (reshard_plan_read(r) != 0 || plan_take_up(r, (uint32_t)count, again) != 0)
        return -1;
    if ((!r->planned || r->step != RESHARD_SWITCHING) && reshard_look(r) != 0)
        return -1;
    if (r->before == 0)
        return error_set("partition 0 of this group and topic has no state in Redis: there is "
                         "nothing to move");
    if (r->before > r->after)
        return error_set("the state is made for %" PRIu32 " partitions, the topic has %" PRIu32
                         ": a topic that was made anew with fewer is another topic; use another "
                         "group", r->before, r->after);
    if (nothing_to_do(r)) {
        (void)printf("The state is made for %" PRIu32 " partitions and %" PRIu32 " buckets already."
                     "\n", r->before, r->buckets);
        return 0;
    }
    if (!r->planned && plan_new(r, log) != 0)
        return -1;
    return carry_out(r, log);
}

static int connect_and_run(const struct config *config, bool again)
{
    struct reshard r = {.config = config};
    struct view   *view = view_open(config);
    struct reshard_log *log = view != NULL ? reshard_log_open(config) : NULL;
    int            result = -1;

    r.parts = calloc(BOARD_PARTITIONS_MAX, sizeof *r.parts);
    CHECK(r.parts != NULL);
    if (log != NULL) {
        r.redis = view_redis_of(view);
        result = reshard(&r, log, again);
    }
    reshard_log_close(log);
    view_close(view);
    reshard_free(&r);
    return result;
}

static int run(int argc, char **argv)
{
    bool again = false;
    const struct command_option own[] = {
        {"again", NULL, "begin anew instead of taking up what an earlier run has left", NULL,
         &again},
        {NULL, NULL, NULL, NULL, NULL}};
    struct command_line line;
    struct config      *config;
    int                 code = command_options(&command_reshard, own, argc, argv, &line);

    if (code != COMMAND_GO_ON)
        return code;
    if (line.operands_count > 0)
        return command_misused(&command_reshard, "no operand is wanted: %s", line.operands[0]);
    code = command_config(&line, &config);
    if (code != COMMAND_GO_ON)
        return code;
    if (strcmp(config_text(config, "kafka.partitioner"), "any") == 0)
        code = command_misused(&command_reshard, "with kafka.partitioner any no parcel has a home, "
                               "so nobody knows where its next scan comes");
    else
        code = connect_and_run(config, again) == 0
                   ? 0 : command_failed(&command_reshard, EX_UNAVAILABLE);
    config_destroy(config);
    return code;
}

const struct command command_reshard = {
    .name     = "reshard",
    .operands = "",
    .summary  = "move the state to another number of partitions or buckets",
    .about    = "After partitions were added to the scan topic: moves every parcel, alert and\n"
                "name to the partition that is its home now, and gives each partition\n"
                "redis.buckets hashes.  Stop the producers and every instance first.  What was\n"
                "sent and not yet processed is sent again, each record to its home.  It may be\n"
                "interrupted anywhere; run again, it goes on.  Until it has ended, instances\n"
                "refuse to start.",
    .run      = run,
};
