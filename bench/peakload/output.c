/* output.c - options of the messages' destination, and the configuration file. */
#include "bench/peakload/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/yaml.h"

enum { NAME_MAX_BYTES = 256 };

static int add_setting(struct output *o, const char *name, size_t name_length, const char *value,
                       enum scope scope)
{
    if (o->settings == SETTINGS_MAX)
        return say("more than %d librdkafka settings", SETTINGS_MAX);
    o->setting[o->settings++] =
        (struct setting) {must(strndup(name, name_length)), must(strdup(value)), scope};
    return 0;
}

static int take_pair(void *self, const char *pair)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL || equals == pair)
        return say("-X %s: want NAME=VALUE", pair);
    return add_setting(self, pair, (size_t)(equals - pair), equals + 1, SCOPE_BOTH);
}

static int take_stdout(void *self, const char *text)
{
    (void)text;
    ((struct output *)self)->sink = SINK_STDOUT;
    return 0;
}

static int take_null(void *self, const char *text)
{
    (void)text;
    ((struct output *)self)->sink = SINK_NULL;
    return 0;
}

#define AT(field) offsetof(struct output, field)

const struct option_row output_rows[OUTPUT_ROWS] = {
    {OPTION_HEADING, "Kafka, and what is said:", NULL, NULL, 0, 0, 0, NULL},
    {OPTION_TEXT, "brokers", "HOST:PORT[,…]", "Kafka (default localhost:9092)", AT(brokers), 0, 0,
     NULL},
    {OPTION_TEXT, "topic", "NAME", "default scans", AT(topic), 0, 0, NULL},
    {OPTION_TEXT, "config", "FILE",
     "YAML: kafka.brokers, kafka.topics, kafka.group, redis.address, and a block\n"
     "rdkafka: of librdkafka settings (TLS, SASL); peakline's own will do", AT(config), 0, 0, NULL},
    {OPTION_OTHER, "X", "NAME=VALUE", "a librdkafka setting", 0, 0, 0, take_pair},
    {OPTION_FLAG, "json", NULL,
     "ends with one JSON object on standard output (with --stdout: on\nstandard error)",
     AT(json), 0, 0, NULL},
    {OPTION_FLAG, "quiet", NULL, "neither progress nor summary", AT(quiet), 0, 0, NULL},
};

const struct option_row output_place_rows[OUTPUT_PLACE_ROWS] = {
    {OPTION_OTHER, "stdout", NULL, "JSON lines as `kcat -J` writes them, instead of Kafka", 0, 0, 0,
     take_stdout},
    {OPTION_OTHER, "null", NULL, "nowhere: what making the messages costs", 0, 0, 0, take_null},
    {OPTION_INTEGER, "partitions", "N", "with --stdout or --null (default 12); Kafka is asked",
     AT(partitions), 1, 100000, NULL},
    {OPTION_FLAG, "any-retention", NULL,
     "old timestamps whatever the topic's retention: a broker that cannot tell it",
     AT(any_retention), 0, 0, NULL},
};

/* Replaces ${NAME} by the environment's.  NULL having said why; owns: the caller. */
static char *expand(const struct yaml *y, const yaml_node_t *node)
{
    const char *text = yaml_text(node), *open;
    char  *whole = NULL;
    size_t size;
    FILE  *out = must(open_memstream(&whole, &size));

    while ((open = strstr(text, "${")) != NULL) {
        const char *close = strchr(open, '}');
        char name[NAME_MAX_BYTES];
        const char *value = NULL;

        if (close != NULL && close - open - 2 < (int)sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)(close - open - 2), open + 2);
            value = getenv(name);
        }
        if (value == NULL) {
            say("%s:%d: %s: no such environment variable", y->file, yaml_line(node), open);
            fclose(out);
            free(whole);
            return NULL;
        }
        fwrite(text, 1, (size_t)(open - text), out);
        fputs(value, out);
        text = close + 1;
    }
    fputs(text, out);
    fclose(out);
    return whole;
}

/* One setting of the file, `producer.NAME` and `consumer.NAME` being for one kind of client. */
static int set_from_file(struct output *o, struct yaml *y, const yaml_node_t *node,
                         const char *name)
{
    enum scope scope = strncmp(name, "consumer.", 9) == 0 ? SCOPE_CONSUMER
                     : strncmp(name, "producer.", 9) == 0 ? SCOPE_PRODUCER : SCOPE_BOTH;
    char *value = expand(y, node);
    int   result;

    if (value == NULL)
        return -1;
    name += scope == SCOPE_BOTH ? 0 : 9;
    result = add_setting(o, name, strlen(name), value, scope);
    free(value);
    return result;
}

/* Nested mappings stand for dotted names: depth is bounded by the name's length. */
static int set_block(struct output *o, struct yaml *y, const yaml_node_t *block,
                     const char *prefix)
{
    if (block->type != YAML_MAPPING_NODE)
        return say("%s:%d: rdkafka: want NAME: VALUE lines", y->file, yaml_line(block));
    for (yaml_node_pair_t *pair = block->data.mapping.pairs.start;
         pair < block->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&y->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(&y->document, pair->value);
        char name[NAME_MAX_BYTES];
        int length = yaml_text(key) == NULL
            ? -1
            : snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", yaml_text(key));

        if (length < 0 || length >= (int)sizeof name)
            return say("%s:%d: no name of a setting", y->file, yaml_line(key));
        if (yaml_text(value) == NULL ? set_block(o, y, value, name)
                                     : set_from_file(o, y, value, name))
            return -1;
    }
    return 0;
}

/* Takes kafka.NAME, unless the command line said it. */
static int take_text(struct yaml *y, const yaml_node_t *node, const char **target)
{
    if (*target != NULL || yaml_text(node) == NULL)
        return 0;
    *target = expand(y, node);
    return *target == NULL ? -1 : 0;
}

/* What the file says and the command line did not. */
static int take_names(struct output *o, struct yaml *y)
{
    yaml_node_t *kafka = yaml_get(y, y->root, "kafka"), *topics = yaml_get(y, kafka, "topics");
    yaml_node_t *redis = yaml_get(y, y->root, "redis");
    const struct { yaml_node_t *block; const char *name; const char **target; } names[] = {
        {kafka, "brokers", &o->brokers}, {kafka, "group", &o->group},
        {topics, "scans", &o->topic}, {topics, "alerts", &o->alerts}, {topics, "etas", &o->etas},
        {topics, "dead_letters", &o->dead_letters},
        {redis, "address", &o->redis}, {redis, "user", &o->redis_user},
        {redis, "password", &o->redis_password}};
    int result = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        result |= take_text(y, yaml_get(y, names[i].block, names[i].name), names[i].target);
    return result;
}

static int read_file(struct output *o)
{
    struct yaml  y;
    yaml_node_t *block;
    int result;

    if (yaml_open(&y, o->config) != 0)
        return -1;
    block = yaml_get(&y, y.root, "rdkafka");
    result = take_names(o, &y);
    if (result == 0 && block != NULL)
        result = set_block(o, &y, block, "");
    yaml_close(&y);
    return result;
}

static void default_to(const char **target, const char *text)
{
    if (*target == NULL)
        *target = text;
}

int output_complete(struct output *o)
{
    struct setting said[SETTINGS_MAX];
    int count = o->settings;

    /* The file's settings come first, so that the command line's win. */
    memcpy(said, o->setting, sizeof said[0] * (size_t)count);
    o->settings = 0;
    if (o->config != NULL && read_file(o) != 0)
        return -1;
    if (o->settings + count > SETTINGS_MAX)
        return say("more than %d librdkafka settings", SETTINGS_MAX);
    memcpy(o->setting + o->settings, said, sizeof said[0] * (size_t)count);
    o->settings += count;
    default_to(&o->brokers, "localhost:9092");
    default_to(&o->topic, "scans");
    default_to(&o->alerts, "alerts");
    default_to(&o->etas, "etas");
    default_to(&o->dead_letters, "dead-letters");
    default_to(&o->group, "peakline");
    if (o->partitions == 0)
        o->partitions = 12;
    return 0;
}
