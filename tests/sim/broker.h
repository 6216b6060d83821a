/* broker.h - the inside of the model of Kafka, for the two files it is made of.
 *
 *   broker.c     the scan topic, the group, the consumer port
 *   producer.c   the output topics, the producer port
 */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include "stages/intake/consumer.h"
#include "stages/outlet/output.h"
#include "stages/outlet/producer.h"
#include "tests/sim/sim.h"

enum { EVENTS_MAX = 256, PENDING_MAX = 8192 };

struct log {
    struct message *messages;
    int64_t         count, size, shown;
    bool            borrowed;        /* another broker's messages                           */
};

struct event {
    struct consumer_event what;
    int64_t               due_ms;
    uint32_t              life;      /* of the member's assignment when it was asked        */
    bool                  answer;    /* dropped when the assignment has changed              */
    bool                  fill;      /* POSITION: the ends are filled in when it is given      */
};

/* A message on its way to an output topic. */
struct pending {
    struct told told;
    void       *owner;
    int64_t     due_ms;
    uint64_t    ordinal;             /* of all that its client sent                        */
    bool        failed;              /* one before it was, or its client was made anew     */
};

/* What is on its way to one topic, in order: a ring. */
struct stream {
    struct pending *ring;
    uint32_t        first, count, size;
    int64_t         due_ms;          /* of the last message sent: it keeps order            */
};

struct member {
    struct broker *broker;
    int            instance;
    uint32_t       who;              /* its life                                           */
    bool           present;          /* in the group                                       */
    bool           expired;          /* put out, and does not know yet                      */
    bool           joining;          /* waits for the next generation                       */
    bool           asked;            /* REVOKED was sent                                   */
    uint32_t       life;
    int64_t        position[PARTITIONS];
    bool           assigned;
    size_t         handed;           /* records out, which come back each once              */
    int32_t        given[PARTITIONS];
    struct event   events[EVENTS_MAX];
    uint32_t       events_count;
    struct stream  streams[TOPICS];
    uint64_t       sent;             /* messages, ever                                     */
    uint32_t       pending_count;    /* of them on their way                               */
    bool           fatal;
};

struct broker {
    struct dice   *dice;
    const int64_t *now_ms;
    struct log     logs[PARTITIONS];
    bool           another;          /* the first records stand in the reverse order        */
    int64_t        reversed[PARTITIONS];   /* so many of them                               */
    struct { int64_t offset; char metadata[96]; } committed[PARTITIONS];
    int            holder[PARTITIONS];
    bool           rebalancing;
    struct member  members[INSTANCES];
    struct told   *told;
    uint32_t       told_count, told_size;
    void         (*heard)(void *, struct told *);
    void         (*commits)(void *, const struct commit *);
    void         (*resent)(void *);
    void          *ears;
};

char *copy_text(const void *bytes, size_t length);   /* NUL-terminated */
void  pending_free(struct member *);
void  producer_died(struct broker *, struct member *);
void  producer_open(struct member *, struct producer *);

#endif
