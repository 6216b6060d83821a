/* link.c - two of ck's rings, one each way, and who is woken when.
 *
 * Woken    the consumer by a push and by the close; the producer by a batch on
 *          its way back, and by a pop only if it said that it wants room.
 * Counted  here rather than asked of the rings: a peeked batch has left its ring
 *          and yet waits, so a ring's own size would be one short.
 * TSan     ck's atomics are assembler, which ThreadSanitizer cannot see: it would
 *          call every hand-over a race.  The rings' own accesses are hidden from
 *          it and the hand-over is told to it, here and nowhere else, so a batch
 *          touched after it was given away is still found.
 */
#include "pipeline/link.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <ck_ring.h>

#include "pipeline/batch.h"
#include "pipeline/check.h"
#include "pipeline/runner.h"
#include "pipeline/weave.h"

#if defined(__SANITIZE_THREAD__)
#define LINK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LINK_TSAN 1
#endif
#endif

#ifdef LINK_TSAN
void __tsan_acquire(void *);
void __tsan_release(void *);
void AnnotateIgnoreReadsBegin(const char *, int);
void AnnotateIgnoreReadsEnd(const char *, int);
void AnnotateIgnoreWritesBegin(const char *, int);
void AnnotateIgnoreWritesEnd(const char *, int);
#define TSAN_ACQUIRE(at) __tsan_acquire(at)
#define TSAN_RELEASE(at) __tsan_release(at)
#define TSAN_HIDE()                                   \
    (AnnotateIgnoreReadsBegin(__FILE__, __LINE__),    \
     AnnotateIgnoreWritesBegin(__FILE__, __LINE__))
#define TSAN_SHOW()                                   \
    (AnnotateIgnoreWritesEnd(__FILE__, __LINE__),     \
     AnnotateIgnoreReadsEnd(__FILE__, __LINE__))
#else
#define TSAN_ACQUIRE(at) ((void)(at))
#define TSAN_RELEASE(at) ((void)(at))
#define TSAN_HIDE()      ((void)0)
#define TSAN_SHOW()      ((void)0)
#endif

enum { LINK_MAGIC = 0x0011A4C5, LINE_BYTES = 64 };

struct ring {
    struct ck_ring    ck;
    ck_ring_buffer_t *slots;
};

struct link {
    uint32_t     magic;
    uint16_t     kind;
    uint32_t     depth;
    uint32_t     outstanding_max;
    struct wake *producer_wake;
    struct wake *consumer_wake;
    char        *name;
    struct ring  ahead;
    struct ring  back;

    /* The producer's line.  Its counters run on and wrap; only differences count. */
    _Alignas(LINE_BYTES) uint32_t pushed;
    uint32_t                      returned;
    _Atomic bool                  wants_room; /* cleared by the consumer */
    _Atomic bool                  closed;

    /* The consumer's line. */
    _Alignas(LINE_BYTES) _Atomic uint32_t popped; /* read by the producer */
    uint32_t                              finished;
    struct batch                         *head; /* peeked, not yet popped */
};

static void ring_create(struct ring *ring, uint32_t batches)
{
    uint32_t size = 2;

    CHECK(batches > 0 && batches <= 1u << 20);
    while (size < batches + 1) /* a ring of ck's holds one less than its size */
        size *= 2;
    ck_ring_init(&ring->ck, size);
    ring->slots = calloc(size, sizeof *ring->slots);
    CHECK(ring->slots != NULL);
}

static void ring_put(struct ring *ring, struct batch *batch)
{
    CHECK(ring != NULL);
    TSAN_RELEASE(ring);
    TSAN_HIDE();
    bool put = ck_ring_enqueue_spsc(&ring->ck, ring->slots, batch);
    TSAN_SHOW();
    CHECK(put); /* the counters keep it from ever being full */
}

static struct batch *ring_get(struct ring *ring)
{
    void *batch = NULL;

    CHECK(ring != NULL);
    TSAN_HIDE();
    bool got = ck_ring_dequeue_spsc(&ring->ck, ring->slots, &batch);
    TSAN_SHOW();
    if (!got)
        return NULL;
    TSAN_ACQUIRE(ring);
    CHECK(batch != NULL);
    return batch;
}

static bool ring_empty(const struct ring *ring)
{
    CHECK(ring->slots != NULL);
    TSAN_HIDE();
    bool empty = ck_ring_size(&ring->ck) == 0;
    TSAN_SHOW();
    return empty;
}

static void wake(struct wake *wake)
{
    if (wake != NULL)
        wake_up(wake);
}

struct link *link_create(const char *name, uint16_t kind, uint32_t depth,
                         uint32_t outstanding_max, struct wake *producer, struct wake *consumer)
{
    CHECK(name != NULL);
    CHECK(kind < BATCH_KINDS_MAX);
    struct link *link = aligned_alloc(LINE_BYTES, sizeof *link);

    CHECK(link != NULL);
    memset(link, 0, sizeof *link);
    link->magic = LINK_MAGIC;
    link->kind = kind;
    link->depth = depth;
    link->outstanding_max = outstanding_max;
    link->producer_wake = producer;
    link->consumer_wake = consumer;
    link->name = strdup(name);
    CHECK(link->name != NULL);
    ring_create(&link->ahead, depth);
    ring_create(&link->back, outstanding_max);
    return link;
}

void link_destroy(struct link *link)
{
    if (link == NULL)
        return;
    CHECK_MAGIC(link, LINK_MAGIC);
    link->magic = 0;
    free(link->ahead.slots);
    free(link->back.slots);
    free(link->name);
    free(link);
}

uint32_t link_outstanding(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(link->pushed - link->returned <= link->outstanding_max);
    return link->pushed - link->returned;
}

uint32_t link_waiting(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    uint32_t waiting = link->pushed - atomic_load(&link->popped);

    CHECK(waiting <= link->depth);
    return waiting;
}

uint32_t link_room(const struct link *link)
{
    uint32_t ahead = link->depth - link_waiting(link);
    uint32_t out = link->outstanding_max - link_outstanding(link);

    CHECK(ahead <= link->depth && out <= link->outstanding_max);
    return ahead < out ? ahead : out;
}

bool link_ready(struct link *link, uint32_t batches)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(batches <= link->depth && batches <= link->outstanding_max);
    if (link_room(link) >= batches)
        return true;
    weave_point();
    atomic_store(&link->wants_room, true);
    weave_point();
#ifdef CANARY_LINK_ASK_ONCE
    return false; /* planted: a pop before the wish was seen wakes nobody */
#else
    /* A pop just before the wish was seen wakes nobody, so look once more. */
    return link_room(link) >= batches;
#endif
}

void link_push(struct link *link, struct batch **batch)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(batch != NULL);
    CHECK_MAGIC(*batch, BATCH_MAGIC);
    CHECK((*batch)->kind == link->kind);
    CHECK((*batch)->hops < BATCH_HOPS_MAX);
    CHECK(link_room(link) > 0);
    CHECK(!atomic_load_explicit(&link->closed, memory_order_relaxed));
#ifdef CANARY_LINK_HOP_LOST
    (*batch)->hops = 0; /* planted: a forwarded batch forgets where it came from */
#endif
    (*batch)->via[(*batch)->hops++] = link;
    link->pushed++;
    weave_point();
    ring_put(&link->ahead, *batch);
#ifdef CANARY_LINK_TOUCH
    (*batch)->kind = link->kind; /* planted: it belongs to the consumer by now */
#endif
    *batch = NULL;
    weave_point();
    wake(link->consumer_wake);
}

struct batch *link_returned(struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    struct batch *batch = ring_get(&link->back);

    if (batch == NULL)
        return NULL;
    CHECK_MAGIC(batch, BATCH_MAGIC);
    CHECK(batch_via(batch) == link);
    batch->hops--;
    weave_point();
    link->returned++;
    return batch;
}

void link_close(struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(!atomic_load_explicit(&link->closed, memory_order_relaxed));
    weave_point();
    atomic_store(&link->closed, true);
    weave_point();
    wake(link->consumer_wake);
}

struct batch *link_peek(struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    if (link->head != NULL)
        return link->head;
    weave_point();
    struct batch *batch = ring_get(&link->ahead);

    if (batch != NULL) {
        CHECK_MAGIC(batch, BATCH_MAGIC);
        CHECK(batch_via(batch) == link && batch->kind == link->kind);
    }
    link->head = batch;
    return batch;
}

struct batch *link_pop(struct link *link)
{
    struct batch *batch = link_peek(link); /* may be finished already: not looked into */

    CHECK(batch != NULL);
    uint32_t popped = atomic_load_explicit(&link->popped, memory_order_relaxed) + 1;
    link->head = NULL;
    weave_point();
    atomic_store(&link->popped, popped);
    weave_point();
    if (atomic_load(&link->wants_room)) {
        atomic_store(&link->wants_room, false);
        weave_point();
        wake(link->producer_wake);
    }
    return batch;
}

void link_finish(struct link *link, struct batch **batch)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(batch != NULL);
    CHECK_MAGIC(*batch, BATCH_MAGIC);
    CHECK(batch_via(*batch) == link);
    link->finished++;
    weave_point();
    ring_put(&link->back, *batch);
    *batch = NULL;
    weave_point();
    wake(link->producer_wake);
}

uint32_t link_held(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    uint32_t held = atomic_load_explicit(&link->popped, memory_order_relaxed) - link->finished;

    CHECK(held <= link->outstanding_max);
    return held;
}

bool link_finished(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
#ifdef CANARY_LINK_CLOSED_LATE
    bool empty = link->head == NULL && ring_empty(&link->ahead); /* planted: the wrong order */

    weave_point();
    return empty && atomic_load(&link->closed);
#else
    /* First closed, then empty: what was pushed before the close is then in sight. */
    if (!atomic_load(&link->closed))
        return false;
    weave_point();
    return link->head == NULL && ring_empty(&link->ahead);
#endif
}

const char *link_name(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(link->name != NULL);
    return link->name;
}

uint16_t link_kind(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(link->kind < BATCH_KINDS_MAX);
    return link->kind;
}

uint32_t link_outstanding_max(const struct link *link)
{
    CHECK_MAGIC(link, LINK_MAGIC);
    CHECK(link->outstanding_max > 0);
    return link->outstanding_max;
}
