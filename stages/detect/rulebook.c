/* rulebook.c - the current book, and who holds which. */
#include "stages/detect/rulebook.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pipeline/check.h"
#include "pipeline/log.h"
#include "stages/detect/detect.h"
#include "stages/reference/reference.h"

/* A book whose address is compared is held by whoever compares it: it cannot be another. */
static _Atomic(struct rulebook *) current;
static pthread_mutex_t            lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t                   joined;    /* who holds a book, whichever                    */
static struct rulebook           *retired;   /* nobody's, to be freed                          */
static atomic_bool                reloaded;  /* another has been published since the first       */

struct rulebook *rulebook_create(const struct config *config)
{
    struct reference *reference = reference_load(config);
    struct rules     *rules = reference == NULL ? NULL
                            : rules_create(config, reference_parts(reference));

    if (rules == NULL) {
        reference_destroy(reference);
        return NULL;
    }
    struct rulebook *book = calloc(1, sizeof *book);

    CHECK(book != NULL);
    book->rules = rules;
    book->reference = reference;
    return book;
}

void rulebook_destroy(struct rulebook *book)
{
    if (book == NULL)
        return;
    CHECK(book->holders == 0);
    rules_destroy(book->rules);
    reference_destroy(book->reference);
    free(book);
}

/* Under the lock: one holder less; NULL, or the book that is to be freed. */
static struct rulebook *let_go(const struct rulebook *held)
{
    struct rulebook *book = (struct rulebook *)held;

    CHECK(book->holders > 0);
    return --book->holders == 0 && book != current ? book : NULL;
}

void rulebook_publish(struct rulebook *book)
{
    pthread_mutex_lock(&lock);
    struct rulebook *before = current;

    CHECK(book != NULL && book != before);
    current = book;
    reloaded = true;
    if (before != NULL && before->holders > 0)
        before = NULL;        /* the last who turns away from it retires it */
    pthread_mutex_unlock(&lock);
    rulebook_destroy(before);
    (void)rulebook_sweep();
}

uint32_t rulebook_sweep(void)
{
    uint32_t count = 0;

    pthread_mutex_lock(&lock);
    struct rulebook *book = retired;

    retired = NULL;
    pthread_mutex_unlock(&lock);
    for (struct rulebook *next; book != NULL; book = next, count++) {
        next = book->retired;
        rulebook_destroy(book);
    }
    return count;
}

const struct rulebook *rulebook_join(const struct config *config)
{
    pthread_mutex_lock(&lock);
    if (current == NULL)
        current = rulebook_create(config);
    struct rulebook *book = current;

    if (book != NULL) {
        book->holders++;
        joined++;
    }
    pthread_mutex_unlock(&lock);
    return book;
}

void rulebook_leave(const struct rulebook *held)
{
    struct rulebook *last = NULL;

    pthread_mutex_lock(&lock);
    CHECK(joined > 0);
    struct rulebook *gone = let_go(held);

    if (--joined == 0) {
        last = current;
        current = NULL;
        reloaded = false;
    }
    pthread_mutex_unlock(&lock);
    rulebook_destroy(gone);
    rulebook_destroy(last);
    (void)rulebook_sweep();
}

bool rulebook_reloaded(void)
{
    return reloaded;
}

bool rulebook_is_old(const struct rulebook *held)
{
    return held != atomic_load_explicit(&current, memory_order_relaxed);
}

const struct rulebook *rulebook_turn(const struct rulebook *held)
{
    pthread_mutex_lock(&lock);
    struct rulebook *book = current;

    CHECK(book != NULL);
    book->holders++;
    struct rulebook *gone = let_go(held);

    if (gone != NULL) {
        gone->retired = retired;
        retired = gone;
    }
    pthread_mutex_unlock(&lock);
    return book;
}

void rulebook_say(const struct rulebook *book)
{
    uint32_t parts = reference_parts(book->reference);

    for (uint32_t part = REFERENCE_FACILITIES; part <= REFERENCE_CALENDARS; part <<= 1) {
        const char *name = reference_part_name((enum reference_part)part);

        if (parts & part)
            log_info("reference", "%zu %s", reference_count(book->reference,
                                                            (enum reference_part)part), name);
        else
            log_info("reference", "reference.%s is not given: %s", name,
                     reference_part_lack((enum reference_part)part));
    }
}
