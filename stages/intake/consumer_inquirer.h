/* consumer_inquirer.h - a thread for the questions that librdkafka answers only by blocking.
 *
 * The group's commit, a log's ends and a topic's partition count have no
 * asynchronous call in librdkafka 2.0.  All questions that wait are asked
 * together: one round trip to the coordinator and one to each leader, however
 * many partitions there are.
 */
#ifndef STAGES_INTAKE_CONSUMER_INQUIRER_H
#define STAGES_INTAKE_CONSUMER_INQUIRER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "stages/intake/consumer.h"
#include "stages/intake/start.h"

struct inquirer;

/* Longest that inquirer_stop waits: the questions under way have this time-out. */
enum { INQUIRER_MS_MAX = 5000 };

/* owns: the caller keeps rk and topic (copied name aside) alive until inquirer_stop.
 * `wake` is called from the inquirer's thread. */
struct inquirer *inquirer_start(rd_kafka_t *rk, const char *topic, const struct start *,
                                void (*wake)(void *), void *wake_self);
void             inquirer_stop(struct inquirer *);

/* thread (all three): the consumer's. */
void    inquirer_ask(struct inquirer *, int32_t partition, bool with_group);
void    inquirer_forget(struct inquirer *);  /* what was asked until now stays unanswered */
bool    inquirer_answer(struct inquirer *, struct consumer_event *); /* POSITION, COUNT   */

#endif
