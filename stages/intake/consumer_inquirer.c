/* consumer_inquirer.c - a thread for the questions that librdkafka answers only by blocking. */
#include "stages/intake/consumer_inquirer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/log.h"
#include "stages/board.h"

#define ROOM "consumer_kafka"

/* How often the partition count is looked at: a producer that knows of a new partition sends
 * keys there, and until we know too, their scans look misplaced. */
enum { COUNT_S = 5, METADATA_MS = 5000, PARTITIONS_MAX = BOARD_PARTITIONS_MAX };

enum wish { WISH_NONE, WISH_ENDS, WISH_GROUP };

struct slot {
    uint8_t               wish;      /* enum wish: asked, not yet taken up */
    uint8_t               asking;    /* enum wish: under way               */
    bool                  answered;
    struct consumer_event answer;
};

struct inquirer {
    rd_kafka_t      *rk;
    rd_kafka_topic_t *topic;
    char             name[256];
    struct start     start;
    void           (*wake)(void *);
    void            *wake_self;
    pthread_t        thread;
    pthread_mutex_t  lock;           /* all below */
    pthread_cond_t   changed;
    bool             stopping;
    uint32_t         wishes, answers; /* slots with a wish, with an answer */
    uint32_t         forgotten;      /* times inquirer_forget was called    */
    int32_t          count;          /* partitions; 0 = not known           */
    bool             count_new;
    struct slot      slots[PARTITIONS_MAX];
};

/* One round: the partitions asked about, and what each question brought. */
struct round {
    rd_kafka_topic_partition_list_t *group, *start, *low, *high;
    int64_t                          sent_ms;
    rd_kafka_resp_err_t              error, group_error;
};

/* ── the thread ── */

static void look_at_count(struct inquirer *inquirer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(inquirer->rk, 0, inquirer->topic, &metadata, METADATA_MS);

    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_warning(ROOM, "brokers can't be asked for topic %s: %s", inquirer->name,
                    rd_kafka_err2str(error));
        return;
    }
    if (metadata->topic_cnt == 1 && metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warning(ROOM, "topic %s: %s", inquirer->name,
                    rd_kafka_err2str(metadata->topics[0].err));
    int32_t count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    bool    changed;

    rd_kafka_metadata_destroy(metadata);
    (void)pthread_mutex_lock(&inquirer->lock);
    changed = count > 0 && count != inquirer->count;
    if (changed) {
        inquirer->count = count;
        inquirer->count_new = true;
    }
    (void)pthread_mutex_unlock(&inquirer->lock);
    if (changed)
        inquirer->wake(inquirer->wake_self);
}

static void add(rd_kafka_topic_partition_list_t *list, const struct inquirer *inquirer,
                int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_add(list, inquirer->name, partition)->offset = offset;
}

/* Takes up every wish.  Under the lock. */
static void collect(struct inquirer *inquirer, struct round *round)
{
    int most = (int)inquirer->wishes;

    round->group = rd_kafka_topic_partition_list_new(most);
    round->start = rd_kafka_topic_partition_list_new(most);
    round->low = rd_kafka_topic_partition_list_new(most);
    round->high = rd_kafka_topic_partition_list_new(most);
    for (int32_t p = 0; p < PARTITIONS_MAX && inquirer->wishes > 0; p++) {
        struct slot *slot = &inquirer->slots[p];

        if (slot->wish == WISH_NONE)
            continue;
        add(round->low, inquirer, p, RD_KAFKA_OFFSET_BEGINNING);
        add(round->high, inquirer, p, RD_KAFKA_OFFSET_END);
        if (slot->wish == WISH_GROUP)
            add(round->group, inquirer, p, RD_KAFKA_OFFSET_INVALID);
        if (slot->wish == WISH_GROUP && inquirer->start.kind == START_TIME)
            add(round->start, inquirer, p, inquirer->start.unix_ms);
        slot->asking = slot->wish;
        slot->wish = WISH_NONE;
        inquirer->wishes--;
    }
}

/* The calls that block.  A log's begin is asked for first: it only rises, so what is read of
 * the ends never says that there is more than there is. */
static void inquire(struct inquirer *inquirer, struct round *round)
{
    if (round->group->cnt > 0)
        round->group_error = rd_kafka_committed(inquirer->rk, round->group, INQUIRER_MS_MAX);
    if (round->start->cnt > 0 && round->group_error == RD_KAFKA_RESP_ERR_NO_ERROR)
        round->group_error =
            rd_kafka_offsets_for_times(inquirer->rk, round->start, INQUIRER_MS_MAX);
    round->error = rd_kafka_offsets_for_times(inquirer->rk, round->low, INQUIRER_MS_MAX);
    round->sent_ms = clock_wall_ms();
    if (round->error == RD_KAFKA_RESP_ERR_NO_ERROR)
        round->error = rd_kafka_offsets_for_times(inquirer->rk, round->high, INQUIRER_MS_MAX);
}

static void group_answer(const struct inquirer *inquirer, const struct round *round, int32_t p,
                         struct consumer_event *event, rd_kafka_resp_err_t *error)
{
    const rd_kafka_topic_partition_t *found =
        rd_kafka_topic_partition_list_find(round->group, inquirer->name, p);
    const rd_kafka_topic_partition_t *start =
        rd_kafka_topic_partition_list_find(round->start, inquirer->name, p);

    event->with_group = true;
    *error = round->group_error != RD_KAFKA_RESP_ERR_NO_ERROR ? round->group_error : found->err;
    event->offset = found->offset >= 0 ? found->offset : -1;
    if (found->metadata_size > 0)
        (void)snprintf(event->metadata, sizeof event->metadata, "%.*s",
                       (int)found->metadata_size, (const char *)found->metadata);
    if (start == NULL)
        return;
    if (start->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        *error = start->err;
    event->start = start->offset >= 0 ? start->offset : -1;
}

static void answer(const struct inquirer *inquirer, const struct round *round, int32_t p,
                   bool with_group, struct consumer_event *event)
{
    const rd_kafka_topic_partition_t *low =
        rd_kafka_topic_partition_list_find(round->low, inquirer->name, p);
    const rd_kafka_topic_partition_t *high =
        rd_kafka_topic_partition_list_find(round->high, inquirer->name, p);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    *event = (struct consumer_event){.kind = CONSUMER_POSITION, .partition = p, .offset = -1,
                                     .start = -1, .low = low->offset, .high = high->offset,
                                     .sent_ms = round->sent_ms};
    if (with_group)
        group_answer(inquirer, round, p, event, &error);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = round->error;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = low->err != RD_KAFKA_RESP_ERR_NO_ERROR ? low->err : high->err;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && low->offset >= 0 && high->offset >= low->offset)
        return;
    event->error = CONSUMER_RETRY;
    (void)snprintf(event->text, sizeof event->text, "%s",
                   error != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(error)
                                                       : "the broker gave no offsets");
}

/* Hands the answers over, unless nobody waits for them any more. */
static void hand_over(struct inquirer *inquirer, const struct round *round, uint32_t forgotten)
{
    (void)pthread_mutex_lock(&inquirer->lock);
    for (int i = 0; i < round->low->cnt; i++) {
        int32_t      p = round->low->elems[i].partition;
        struct slot *slot = &inquirer->slots[p];

        if (forgotten == inquirer->forgotten) {
            answer(inquirer, round, p, slot->asking == WISH_GROUP, &slot->answer);
            inquirer->answers += slot->answered ? 0 : 1;
            slot->answered = true;
        }
        slot->asking = WISH_NONE;
    }
    (void)pthread_mutex_unlock(&inquirer->lock);
    inquirer->wake(inquirer->wake_self);
}

static void go_round(struct inquirer *inquirer)
{
    struct round round = {0};
    uint32_t     forgotten;

    (void)pthread_mutex_lock(&inquirer->lock);
    collect(inquirer, &round);
    forgotten = inquirer->forgotten;
    (void)pthread_mutex_unlock(&inquirer->lock);
    inquire(inquirer, &round);
    hand_over(inquirer, &round, forgotten);
    rd_kafka_topic_partition_list_destroy(round.group);
    rd_kafka_topic_partition_list_destroy(round.start);
    rd_kafka_topic_partition_list_destroy(round.low);
    rd_kafka_topic_partition_list_destroy(round.high);
}

static void *run(void *self)
{
    struct inquirer *inquirer = self;
    struct timespec  until = {0};
    bool             stopping = false, wishes = false;

    while (!stopping) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= until.tv_sec) {
            look_at_count(inquirer);
            until = (struct timespec){.tv_sec = now.tv_sec + COUNT_S};
        }
        (void)pthread_mutex_lock(&inquirer->lock);
        while (!inquirer->stopping && inquirer->wishes == 0 &&
               pthread_cond_timedwait(&inquirer->changed, &inquirer->lock, &until) == 0)
            continue;
        stopping = inquirer->stopping;
        wishes = inquirer->wishes > 0;
        (void)pthread_mutex_unlock(&inquirer->lock);
        if (wishes && !stopping)
            go_round(inquirer);
    }
    return NULL;
}

/* ── the consumer's side ── */

struct inquirer *inquirer_start(rd_kafka_t *rk, const char *topic, const struct start *start,
                                void (*wake)(void *), void *wake_self)
{
    struct inquirer   *inquirer = calloc(1, sizeof *inquirer);
    pthread_condattr_t monotonic;

    CHECK(inquirer != NULL);
    CHECK(strlen(topic) < sizeof inquirer->name);
    inquirer->rk = rk;
    inquirer->start = *start;
    inquirer->wake = wake;
    inquirer->wake_self = wake_self;
    (void)snprintf(inquirer->name, sizeof inquirer->name, "%s", topic);
    inquirer->topic = rd_kafka_topic_new(rk, topic, NULL);
    CHECK(inquirer->topic != NULL);
    (void)pthread_mutex_init(&inquirer->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&inquirer->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    CHECK(pthread_create(&inquirer->thread, NULL, run, inquirer) == 0);
    return inquirer;
}

void inquirer_stop(struct inquirer *inquirer)
{
    (void)pthread_mutex_lock(&inquirer->lock);
    inquirer->stopping = true;
    (void)pthread_cond_signal(&inquirer->changed);
    (void)pthread_mutex_unlock(&inquirer->lock);
    (void)pthread_join(inquirer->thread, NULL);
    rd_kafka_topic_destroy(inquirer->topic);
    (void)pthread_cond_destroy(&inquirer->changed);
    (void)pthread_mutex_destroy(&inquirer->lock);
    free(inquirer);
}

void inquirer_ask(struct inquirer *inquirer, int32_t partition, bool with_group)
{
    CHECK(partition >= 0 && partition < PARTITIONS_MAX);
    struct slot *slot = &inquirer->slots[partition];
    uint8_t      wish = with_group ? WISH_GROUP : WISH_ENDS;

    (void)pthread_mutex_lock(&inquirer->lock);
    inquirer->wishes += slot->wish == WISH_NONE;
    slot->wish = slot->wish > wish ? slot->wish : wish;
    (void)pthread_cond_signal(&inquirer->changed);
    (void)pthread_mutex_unlock(&inquirer->lock);
}

void inquirer_forget(struct inquirer *inquirer)
{
    (void)pthread_mutex_lock(&inquirer->lock);
    inquirer->forgotten++;
    inquirer->wishes = inquirer->answers = 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        inquirer->slots[p].wish = WISH_NONE;
        inquirer->slots[p].answered = false;
    }
    (void)pthread_mutex_unlock(&inquirer->lock);
}

static bool take_answer(struct inquirer *inquirer, struct consumer_event *event)
{
    if (inquirer->count_new) {
        inquirer->count_new = false;
        *event = (struct consumer_event){.kind = CONSUMER_COUNT, .count = inquirer->count};
        return true;
    }
    for (int32_t p = 0; p < PARTITIONS_MAX && inquirer->answers > 0; p++) {
        if (!inquirer->slots[p].answered)
            continue;
        inquirer->slots[p].answered = false;
        inquirer->answers--;
        *event = inquirer->slots[p].answer;
        return true;
    }
    return false;
}

bool inquirer_answer(struct inquirer *inquirer, struct consumer_event *event)
{
    (void)pthread_mutex_lock(&inquirer->lock);
    bool taken = take_answer(inquirer, event);
    (void)pthread_mutex_unlock(&inquirer->lock);
    return taken;
}
