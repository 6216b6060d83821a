/* dead_letter - what is no scan goes to the dead-letter topic: its bytes, key and headers
 * as they came, and headers of ours that say why and from where.
 *
 *   reason            why it is no scan ("bad-json"), stable names of scan/scan.c
 *   field             which field, where one is to blame
 *   source-topic      ┐
 *   source-partition  │ where it stands, so that it is found again
 *   source-offset     ┘
 *   source-timestamp  Kafka's, Unix ms, where there is one
 *
 * Nothing is copied but those few texts: the letter's bytes stay in the consumer's message,
 * which its REJECTS batch keeps alive until Kafka has acknowledged the letter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config.h"
#include "stages/intake/intake.h"
#include "stages/intake/passage.h"
#include "stages/outlet/output.h"

enum { HEADERS_MAX = 6, NUMBERS_MAX = 3, NUMBER_TEXT = 24 };

_Static_assert((int)HEADERS_MAX <= (int)OUTPUT_HEADERS_MAX, "OUTPUT_HEADERS_MAX");

struct dead_letter {
    struct pool *pool;
    const char  *topic;     /* the configuration's */
};

/* One letter's headers, in the batch's arena: all are of a size, so none needs counting. */
struct letter {
    struct output_header headers[HEADERS_MAX];
    char                 numbers[NUMBERS_MAX][NUMBER_TEXT];
    uint8_t              headers_count, numbers_count;
};

static void add_text(struct letter *letter, const char *name, const char *text)
{
    CHECK(letter->headers_count < HEADERS_MAX);
    letter->headers[letter->headers_count++] = (struct output_header) {
        .name = name, .value = text, .length = (uint32_t)strlen(text)};
}

static void add_number(struct letter *letter, const char *name, int64_t number)
{
    CHECK(letter->numbers_count < NUMBERS_MAX);
    char *text = letter->numbers[letter->numbers_count++];

    (void)snprintf(text, NUMBER_TEXT, "%" PRId64, number);
    add_text(letter, name, text);
}

static void write_letter(const struct dead_letter *state, const struct rejected *rejected,
                         int32_t partition, struct letter *letter, struct output *output)
{
    const struct raw *raw = &rejected->raw;

    letter->headers_count = letter->numbers_count = 0;
    add_text(letter, "reason", reject_name(rejected->reject));
    if (rejected->field[0] != '\0')
        add_text(letter, "field", rejected->field);
    add_text(letter, "source-topic", state->topic);
    add_number(letter, "source-partition", partition);
    add_number(letter, "source-offset", raw->offset);
    if (raw->kafka_ms >= 0)
        add_number(letter, "source-timestamp", raw->kafka_ms);
    *output = (struct output) {
        .topic         = TOPIC_DEAD_LETTERS,
        .headers       = letter->headers,
        .headers_count = letter->headers_count,
        .key           = raw->key,
        .key_length    = raw->key_length,
        .value         = raw->value,
        .length        = raw->length,
        .home          = parcel_home(raw->key, raw->key_length),
        .original      = raw->message,
    };
}

static enum stage_verdict on_batch(struct stage *stage, struct batch *rejects, uint64_t now_ns)
{
    struct dead_letter    *state = stage_state(stage);
    const struct rejected *rejected = rejects->records;
    struct batch          *outputs = pool_take(state->pool);

    (void)now_ns;
    CHECK(outputs != NULL); /* the output has room, and its pool as much */
    struct outputs *head = outputs->head;
    struct output  *output = outputs->records;
    struct letter  *letters = (struct letter *)(void *)outputs->arena;

    CHECK(rejects->count <= outputs->capacity);
    for (uint32_t i = 0; i < rejects->count; i++)
        write_letter(state, &rejected[i], rejects->partition, &letters[i], &output[i]);
    outputs->count = rejects->count;
    outputs->partition = rejects->partition;
    outputs->assignment = rejects->assignment;
    outputs->offset_first = rejects->offset_first;
    outputs->offset_next = rejects->offset_next;
    outputs->kept = rejects;
    head->mode = OUTPUTS_AT_ONCE;
    head->used = rejects->count * (uint32_t)sizeof(struct letter);
    stage_emit(stage, 0, &outputs);
    return STAGE_TAKEN;
}

/* Kafka has the letters, or the graph has failed: either way decode is told which. */
static void on_return(struct stage *stage, struct batch *outputs)
{
    struct batch *rejects = outputs->kept;
    enum outcome  outcome = outputs->outcome;

    pool_give(outputs->pool, &outputs);
    stage_finish(stage, &rejects, outcome);
}

static int init(struct stage *stage, const struct config *config)
{
    static const struct batch_shape shape = {
        .kind = KIND_OUTPUTS, .head_size = sizeof(struct outputs),
        .record_size = sizeof(struct output), .capacity = REJECTS_RECORDS,
        .arena_size = REJECTS_RECORDS * sizeof(struct letter)};
    struct dead_letter *state = stage_state(stage);

    state->topic = config_text(config, "kafka.topics.scans");
    state->pool = stage_pool(stage, 0, &shape);
    return 0;
}

static void fini(struct stage *stage)
{
    struct dead_letter *state = stage_state(stage);

    pool_destroy(state->pool);
}

const struct stage_type stage_dead_letter = {
    .name        = "dead_letter",
    .state_size  = sizeof(struct dead_letter),
    .inputs_min  = 1,
    .inputs_max  = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .burst       = 1,
    .init        = init,
    .on_batch    = on_batch,
    .on_return   = on_return,
    .fini        = fini,
};
