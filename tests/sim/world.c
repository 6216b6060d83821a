/* world.c - time and instances: turns the crank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/config.h"
#include "pipeline/env.h"
#include "pipeline/error.h"
#include "pipeline/graph.h"
#include "pipeline/metric.h"
#include "stages/detect/rulebook.h"
#include "stages/outlet/mark.h"
#include "stages/ports.h"
#include "stages/settings.h"
#include "stages/topology.h"
#include "tests/sim/sim.h"

enum { LINKS_MAX = 16, STEPS_MAX = 3000000, HEAL_MS_MAX = 10000, REST_MS = 1000, SMALL = 16,
       TURNS_MAX = 8, ANOTHER_MS = 1500, AHEAD_MS = 60000, BACK_MS_MAX = 200000,
       FORTH_MS_MAX = 20 * 3600000 };

#define LOADING_NS 100000000ull   /* about as long as state takes to stream in */

struct instance {
    struct graph *graph;
    int64_t       away_until_ms;    /* dead or paused until then                        */
    bool          paused;
    uint32_t      who;              /* this life of it, for Redis                       */
    int64_t       ahead_ms;         /* its clock is so much ahead of the world's        */
};

/* One world at a time: the ports and the clock have no other way to find it. */
static struct world    *here;
static struct instance  instances[INSTANCES];
static int              acting;     /* whose turn it is: whose ports, whose clock       */
static uint32_t         lives;
static int64_t          another_until_ms;   /* another topic stands under the name */
static char             stored[PARTITIONS][MARK_TEXT_MAX];   /* marks at the log's end */
static struct config   *config;

static int open_consumer(const struct config *c, void (*wake)(void *), void *wake_self,
                         struct consumer *consumer)
{
    (void)c, (void)wake, (void)wake_self;
    broker_open(here->broker, acting, instances[acting].who, consumer, NULL);
    return 0;
}

static int open_producer(const struct config *c, void (*wake)(void *), void *wake_self,
                         bool (*header)(const void *, size_t, const char **, const void **,
                                        size_t *),
                         struct producer *producer)
{
    (void)c, (void)wake, (void)wake_self, (void)header;
    broker_open(here->broker, acting, instances[acting].who, NULL, producer);
    return 0;
}

static int open_redis(const struct config *c, uint32_t streams, struct redis_io *io)
{
    (void)c;
    return server_open_io(here->server, instances[acting].who, streams, io);
}

static bool no_header(const void *message, size_t i, const char **name, const void **value,
                      size_t *length)
{
    (void)message, (void)i, (void)name, (void)value, (void)length;
    return false;
}

static uint64_t clock_ns(void *self) { (void)self; return here->now_ns; }

static int64_t clock_ms(void *self)
{
    (void)self;
    return here->now_ms + instances[acting].ahead_ms;
}

/* The product's own plan with smaller pools: a life of an instance is short here. */
static const struct graph_plan *plan_small(void)
{
    static struct graph_link links[LINKS_MAX];
    static struct graph_plan plan;

    plan = *topology_plan(config);
    CHECK(plan.links_count <= LINKS_MAX);
    memcpy(links, plan.links, plan.links_count * sizeof links[0]);
    for (size_t i = 0; i < plan.links_count; i++) {
        links[i].depth = SMALL;
        links[i].outstanding_max = SMALL * 2;
    }
    plan.links = links;
    return &plan;
}

/* What the machine has must not decide. */
static const char *const settings[] = {
    "redis.buckets=8", "redis.connections=2", "checkpoint.interval=200ms",
    "checkpoint.records_max=100", "progress.interval=5s", "model.cells_max=128",
    "retention.linger=100d", "retention.terminal=100d", "memory.max=1024GiB",
    "http.listen=", "kafka.start=earliest", "catch_up.age=0ms",
    "activity.enabled=true", "activity.shares=2",
    "runners.workers=1",   /* a second one is stepped in turn, too */
    NULL};

static struct config *config_make(bool idle_advance, bool undisturbed)
{
    size_t rows;
    const struct config_row *table = settings_rows(&rows);
    struct config *made = config_create(table, rows);
    bool bad = false;

    CHECK(made != NULL);
    for (size_t i = 0; settings[i] != NULL; i++)
        bad = config_set(made, settings[i]) != 0 || bad;
    bad = config_set(made, idle_advance ? "clock.idle_advance=true"
                                        : "clock.idle_advance=false") != 0 || bad;
    bad = config_set(made, undisturbed ? "catch_up.records=0" : "catch_up.records=20") != 0 || bad;
    if (bad || config_finish(made) != 0)
        complain(SOUND, "configuration: %s", error_text());
    return made;
}

/* One of each kind is made, and serves all worlds; and so is what is reckoned from it alone. */
static void config_choose(bool idle_advance, bool undisturbed)
{
    static struct config *made[2][2];
    static const struct rulebook *book;
    struct config **wanted = &made[idle_advance][undisturbed];

    if (*wanted == NULL)
        *wanted = config_make(idle_advance, undisturbed);
    config = *wanted;
    if (book == NULL)
        book = rulebook_join(config);
    CHECK(book != NULL);
}

static void instance_begin(int i)
{
    instances[i] = (struct instance){.who = ++lives};
    if (here->dice.faults >> FAULT_TWINS & 1 && here->dice.happened[FAULT_TWINS] == 0)
        instances[i].ahead_ms = AHEAD_MS;
    instances[i].graph = graph_create(plan_small(), config);
    if (instances[i].graph == NULL)
        complain(SOUND, "instance %d does not start: %s", i, error_text());
}

static void instance_crash(int i)
{
    graph_destroy(instances[i].graph);
    instances[i].graph = NULL;
    broker_died(here->broker, i);
    instances[i].away_until_ms = here->now_ms + 50 + dice_roll(&here->dice, 500);
}

static void instance_pause(int i)
{
    instances[i].paused = true;
    instances[i].away_until_ms = here->now_ms + 500 + dice_roll(&here->dice, 12000);
}

/* One turn of one stage of one instance, or a few while there is work for it. */
static void instance_step(int i)
{
    struct instance *instance = &instances[i];
    struct dice *dice = &here->dice;

    if (instance->away_until_ms > here->now_ms) {
        if (instance->paused && dice_chance(dice, 300))
            broker_expire(here->broker, i);
        return;
    }
    acting = i;
    if (instance->graph == NULL)
        instance_begin(i);
    instance->paused = false;
    if (complaint[0] != '\0')
        return;
    if (dice_fault(dice, FAULT_CRASH, 250)) {
        instance_crash(i);
        return;
    }
    if (dice_fault(dice, FAULT_PAUSE, 100)) {
        instance_pause(i);
        return;
    }
    uint32_t stage = dice_roll(dice, graph_stages(instance->graph));
    int turns = dice_chance(dice, 200000) ? TURNS_MAX : 1;

    while (graph_step(instance->graph, stage, here->now_ns) > 0 && --turns > 0)
        ;
    if (graph_failed(instance->graph))
        complain(CLEAN_EXIT, "instance %d gave up: %s", i, error_text());
}

static bool crash_all(void)
{
    for (int i = 0; i < INSTANCES; i++)
        if (instances[i].graph != NULL)
            instance_crash(i);
    return true;
}

/* A lost bucket is noticed when state is streamed in: everybody starts again. */
static bool evict(void)
{
    return server_evict(here->server) && crash_all();
}

static const char *mark_key(int32_t partition)
{
    static char keys[PARTITIONS][KEY_MAX];
    char *key = keys[partition];

    if (key[0] == '\0')
        key_print(key, sizeof keys[0], "peakline", "scans", partition, "mark");
    return key;
}

/* Each partition has records in Redis, and the other topic's one before mark is another. */
static bool would_be_noticed(void)
{
    struct mark mark;
    size_t length;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        const char *text = server_get(here->server, mark_key(p), "", &length);

        if (text == NULL || mark_parse(text, length, &mark) != 0 || mark.home < 0 ||
            !broker_would_differ(here->broker, p, mark.offset - 1))
            return false;
    }
    return !server_evicted(here->server);
}

/* Everybody starts anew and finds another topic under the name: they touch nothing, until a
 * person has seen it and they start with the right one. */
static bool recreate(void)
{
    if (!would_be_noticed() || !crash_all())
        return false;
    broker_recreate(here->broker, true);
    another_until_ms = here->now_ms + ANOTHER_MS + dice_roll(&here->dice, ANOTHER_MS);
    return true;
}

static void recreate_end(void)
{
    if (!broker_is_another(here->broker) ||
        (here->now_ms < another_until_ms && !here->dice.healing))
        return;
    crash_all();
    broker_recreate(here->broker, false);
}

/* Kafka's tools take a group that nobody is in. */
static bool reset(void)
{
    if (!crash_all())
        return false;
    broker_reset(here->broker);
    return true;
}

/* Who has just claimed sleeps, Redis forgets the claim, and another claims the same again.
 * Until the first time all clocks are ahead, then right: epochs stay ahead of them, each claim
 * takes the stored one plus one, and nothing but the token tells two claims apart. */
static bool twins(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        uint32_t who = server_writer(here->server, mark_key(p));

        for (int i = 0; i < INSTANCES; i++) {
            if (who == 0 || instances[i].who != who || instances[i].graph == NULL ||
                instances[i].paused || !server_unclaim(here->server, mark_key(p)))
                continue;
            instance_pause(i);
            instances[i].away_until_ms = here->now_ms + dice_roll(&here->dice, 1500);
            broker_expire(here->broker, i);
            for (int k = 0; k < INSTANCES; k++)
                instances[k].ahead_ms = 0;
            return true;
        }
    }
    return false;
}

/* An instance's wall time is set, back by minutes or ahead by hours. */
static void jump_clock(void)
{
    struct dice *dice = &here->dice;

    instances[dice_roll(dice, INSTANCES)].ahead_ms =
        dice_chance(dice, 500000) ? -(int64_t)dice_roll(dice, BACK_MS_MAX)
                                  : (int64_t)dice_roll(dice, FORTH_MS_MAX);
}

/* What may happen to all of it at once, each with its chance at every step.  Redis loses nothing
 * while another topic is there: with the mark goes what tells it from ours. */
static void misfortune(void)
{
    struct dice *dice = &here->dice;
    bool keeps = broker_is_another(here->broker);
    bool loading = here->now_ns - here->claimed_ns < LOADING_NS;   /* a bad moment */

    if (dice_chance(dice, 300))
        server_snapshot(here->server);
    if (!keeps && dice_fault(dice, FAULT_FAILOVER, loading ? 4000 : 120))
        dice->happened[FAULT_FAILOVER] -= !server_failover(here->server);
    if (!keeps && dice_fault(dice, FAULT_FLUSH, 50))
        server_flush(here->server);
    if (!keeps && dice_fault(dice, FAULT_EVICT, 60))
        dice->happened[FAULT_EVICT] -= !evict();
    if (dice_fault(dice, FAULT_CRASH_ALL, 100))
        crash_all();
    if (!keeps && dice_fault(dice, FAULT_RESET, 100))
        dice->happened[FAULT_RESET] -= !reset();
    if (!keeps && dice_fault(dice, FAULT_RECREATED, 100))
        dice->happened[FAULT_RECREATED] -= !recreate();
    if (!keeps && dice_fault(dice, FAULT_TWINS, 5000))
        dice->happened[FAULT_TWINS] -= !twins();
    if (dice_fault(dice, FAULT_REBALANCE, 200))
        broker_rebalance(here->broker);
    if (!here->idle_advance && !(dice->faults >> FAULT_TWINS & 1) &&
        dice_fault(dice, FAULT_CLOCK, 100))
        jump_clock();
}

static void turn(uint32_t count)
{
    here->now_ns += 20000 + dice_roll(&here->dice, 1500000);
    here->now_ms = (int64_t)(here->now_ns / 1000000);
    here->dice.step = ++here->steps;
    broker_turn(here->broker);
    misfortune();
    recreate_end();
    instance_step((int)dice_roll(&here->dice, count));
}

/* Is the partition's last record in Redis?  A mark is the same text for seconds on end. */
static bool partition_stored(int32_t p)
{
    struct mark mark;
    size_t length;
    const char *text = server_get(here->server, mark_key(p), "", &length);

    if (text != NULL && strcmp(text, stored[p]) == 0)
        return true;
    if (text == NULL || mark_parse(text, length, &mark) != 0 ||
        mark.offset != broker_end(here->broker, p))
        return false;
    snprintf(stored[p], sizeof stored[p], "%s", text);
    return true;
}

static bool partition_done(int32_t p)
{
    return broker_committed(here->broker, p) == broker_end(here->broker, p) && partition_stored(p);
}

static bool all_done(void)
{
    if (!broker_shown(here->broker) || !broker_quiet(here->broker))
        return false;
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (!partition_done(p))
            return false;
    return true;
}

/* Where each partition stands, for whoever looks for the cause. */
static void complain_restless(void)
{
    char text[256] = "";
    size_t used = 0;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        size_t length;
        const char *mark = server_get(here->server, mark_key(p), "", &length);

        used += (size_t)snprintf(text + used, sizeof text - used, "; %d: end %lld, commit %lld, %s",
                                 p, (long long)broker_end(here->broker, p),
                                 (long long)broker_committed(here->broker, p),
                                 mark != NULL ? mark : "no mark");
        used = used < sizeof text ? used : sizeof text - 1;
    }
    complain(LIVENESS, "not at rest %d s after the last fault%s", HEAL_MS_MAX / 1000, text);
}

/* Nothing goes wrong any more: it must come to rest in time, and then stay so for a while, which
 * may end later: several checkpoints. */
static void heal(uint32_t count)
{
    int64_t since_ms = here->now_ms, rest_ms = 0;

    looked_at(LIVENESS);
    here->dice.healing = true;
    for (uint32_t i = 0; i < count; i++)
        instances[i].away_until_ms = 0;
    while (complaint[0] == '\0') {
        turn(count);
        if (!all_done())
            rest_ms = here->now_ms, here->healed_ms = rest_ms - since_ms;
        else if (here->now_ms - rest_ms > REST_MS)
            return;
        if (here->healed_ms > HEAL_MS_MAX)
            complain_restless();
    }
}

/* An orderly end: everything comes home, or fini says so. */
static void stop(uint32_t count)
{
    looked_at(CLEAN_EXIT);
    for (uint32_t i = 0; i < count; i++)
        if (instances[i].graph != NULL)
            graph_stop(instances[i].graph);
    for (uint32_t n = 0; n < 400000 && complaint[0] == '\0'; n++) {
        uint32_t halted = 0;

        turn(count);
        for (uint32_t i = 0; i < count; i++)
            halted += instances[i].graph == NULL || graph_halted(instances[i].graph);
        if (halted == count)
            return;
    }
    complain(CLEAN_EXIT, "the drain does not end");
}

static void instances_end(void)
{
    for (int i = 0; i < INSTANCES; i++) {
        if (instances[i].graph != NULL)
            graph_destroy(instances[i].graph);
        instances[i] = (struct instance){.graph = NULL};
    }
    clock_use(NULL);
    env_seed(0);
}

/* Each record read is counted once, by what became of it: where nobody crashes, that can be
 * compared. */
static int64_t counted(void)
{
    return metric_sum("scans_effective_total") + metric_sum("scans_merged_total") +
           metric_sum("scans_duplicate_total") + metric_sum("scans_skipped_total") +
           metric_sum("dead_letters_total");
}

static void compare_counters(const struct broker *broker, int64_t kinds, int64_t read)
{
    int64_t records = 0;

    looked_at(COUNTERS);
    for (int32_t p = 0; p < PARTITIONS; p++)
        records += broker_end(broker, p);
    if (kinds != records || read != records)
        complain(COUNTERS, "%lld records, %lld read, %lld counted as something",
                 (long long)records, (long long)read, (long long)kinds);
}

/* All of the log arrives by and by. */
static void flow(uint32_t count)
{
    while (!broker_shown(here->broker) && complaint[0] == '\0' && here->steps < STEPS_MAX) {
        if (dice_chance(&here->dice, 12000))
            broker_show(here->broker, 1 + dice_roll(&here->dice, 16));
        turn(count);
    }
}

/* Over the log of the reference, or else a log of its own. */
static struct world *world_create(uint64_t seed, const struct world *reference)
{
    struct world *w = calloc(1, sizeof *w);

    CHECK(w != NULL);
    dice_begin(&w->dice, seed ^ 0xC0FFEE);
    w->reference = reference;
    w->now_ms = ((int64_t)TRAFFIC_BASE_S + TRAFFIC_END_S + 300) * 1000;
    w->now_ns = (uint64_t)w->now_ms * 1000000;
    w->broker = broker_create(&w->dice, &w->now_ms);
    w->server = server_create(&w->dice);
    if (reference != NULL) {
        broker_borrow(w->broker, reference->broker);
        w->traffic = reference->traffic;
    } else {
        w->traffic = calloc(1, sizeof *w->traffic);
        CHECK(w->traffic != NULL);
        traffic_make(w->traffic, seed, w->broker);
    }
    w->witness = witness_create(w);
    return w;
}

void world_destroy(struct world *w)
{
    broker_destroy(w->broker);
    server_destroy(w->server);
    witness_destroy(w->witness);
    if (w->reference == NULL)
        free(w->traffic);
    free(w);
}

static void world_turn(struct world *w, uint64_t seed, uint32_t count)
{
    static const struct clock_source source = {clock_ns, clock_ms, clock_ns, NULL};

    here = w;
    memset(stored, 0, sizeof stored);
    clock_use(&source);
    env_seed(seed + 1);
    ports = (struct ports){.consumer_open = open_consumer, .message_header = no_header,
                           .producer_open = open_producer, .redis_open = open_redis};
    config_choose(w->idle_advance, w->reference == NULL);
    broker_listen(w->broker, witness_hears, witness_commits, witness_resent, w);
    server_listen(w->server, witness_moved, w);
    for (uint32_t i = 0; i < count && complaint[0] == '\0'; i++) {
        acting = (int)i;
        instance_begin(acting);
    }
    flow(count);
    heal(count);
    stop(count);
    instances_end();
}

struct world *world_undisturbed(uint64_t log)
{
    struct world *w = world_create(log, NULL);
    int64_t before = counted(), read = metric_sum("messages_read_total");

    world_turn(w, log, 1);
    if (complaint[0] == '\0')
        compare_counters(w->broker, counted() - before, metric_sum("messages_read_total") - read);
    return w;
}

struct world *world_run(uint64_t seed, uint32_t faults, struct chosen *chosen,
                        bool idle_advance, const struct world *reference)
{
    struct world *w = world_create(seed, reference);

    w->dice.faults = faults;
    w->dice.chosen = chosen;
    w->idle_advance = idle_advance;
    world_turn(w, seed, INSTANCES);
    return w;
}
