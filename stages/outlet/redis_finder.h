/* redis_finder.h - which addresses a server has, asked on a thread of its own: sentinels and
 * names may take their time, and the pipeline's runner must not wait.
 */
#ifndef STAGES_OUTLET_REDIS_FINDER_H
#define STAGES_OUTLET_REDIS_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/redis_place.h"

struct addrinfo;
struct redis_finder;

/* Of the place's one server; of a cluster nobody's, until it is told whose.  owns: the caller;
 * the place outlives it.  thread: the runner's, and below.  Destroying waits for a question
 * that is out. */
struct redis_finder *redis_finder_create(const struct redis_place *, int64_t timeout_ms);
void                 redis_finder_destroy(struct redis_finder *);

/* From now on this one's addresses are wanted, whatever was asked before. */
void redis_finder_point(struct redis_finder *, const struct redis_address *);

/* Asks, unless it is asking, or knows and nobody has doubted it since. */
void redis_finder_ask(struct redis_finder *);
void redis_finder_doubt(struct redis_finder *);   /* a connection failed                   */

/* Is the answer here, to the last question? */
bool redis_finder_done(struct redis_finder *);

/* The answer: the server, and unless it is a Unix socket the addresses its name has; NULL and
 * a reason where there is none.  owns: the finder, until it is asked again. */
const struct redis_address *redis_finder_server(const struct redis_finder *);
const struct addrinfo      *redis_finder_list(const struct redis_finder *);
const char                 *redis_finder_error(const struct redis_finder *);

#endif
