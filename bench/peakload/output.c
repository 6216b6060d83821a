/* output.c - options of the messages' destination, and the configuration file. */
#include "bench/peakload/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"
#include "bench/peakload/times.h"
#include "bench/peakload/yaml.h"

enum { NAME_MAX_BYTES = 256 };

int option_integer(const char *name, const char *text, int64_t from, int64_t to, int64_t *value)
{
    char *end;
    long long read = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || read < from || read > to)
        return say("--%s %s: want a whole number from %lld to %lld", name, text, (long long)from,
                   (long long)to);
    *value = read;
    return 0;
}

int option_real(const char *name, const char *text, double from, double to, double *value)
{
    char  *end;
    double read = strtod(text, &end);

    if (end == text || *end != '\0' || !(read >= from) || !(read <= to))
        return say("--%s %s: want a number from %g to %g", name, text, from, to);
    *value = read;
    return 0;
}

int option_duration(const char *name, const char *text, int64_t *ms)
{
    if (duration_read(text, ms) != 0)
        return say("--%s %s: want a duration (90, 90s, 15m, 12h, 3d)", name, text);
    return 0;
}

int output_set(struct output *o, const char *name, size_t name_length, const char *value)
{
    if (o->settings == SETTINGS_MAX)
        return say("more than %d librdkafka settings", SETTINGS_MAX);
    o->setting[o->settings++] =
        (struct setting) {must(strndup(name, name_length)), must(strdup(value))};
    return 0;
}

static int set_pair(struct output *o, const char *pair)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL || equals == pair)
        return say("-X %s: want NAME=VALUE", pair);
    return output_set(o, pair, (size_t)(equals - pair), equals + 1);
}

int output_option(struct output *o, int code, const char *argument)
{
    int64_t value;

    switch (code) {
    case OUTPUT_BROKERS: o->brokers = argument; return 1;
    case OUTPUT_TOPIC: o->topic = argument; return 1;
    case OUTPUT_CONFIG: o->config = argument; return 1;
    case OUTPUT_STDOUT: o->sink = SINK_STDOUT; return 1;
    case OUTPUT_NULL: o->sink = SINK_NULL; return 1;
    case OUTPUT_JSON: o->json = true; return 1;
    case OUTPUT_QUIET: o->quiet = true; return 1;
    case OUTPUT_PARTITIONS:
        if (option_integer("partitions", argument, 1, 100000, &value) != 0)
            return -1;
        o->partitions = (int32_t)value;
        return 1;
    case 'X':
        return set_pair(o, argument) == 0 ? 1 : -1;
    default:
        return 0;
    }
}

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

/* One setting of the file.  `consumer.X` is for peakline, `producer.X` for us too. */
static int set_from_file(struct output *o, struct yaml *y, const yaml_node_t *node,
                         const char *name)
{
    char *value;
    int   result;

    if (strncmp(name, "consumer.", 9) == 0)
        return 0;
    if (strncmp(name, "producer.", 9) == 0)
        name += 9;
    value = expand(y, node);
    if (value == NULL)
        return -1;
    result = output_set(o, name, strlen(name), value);
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

static int read_file(struct output *o)
{
    struct yaml  y;
    yaml_node_t *kafka, *block;
    int result;

    if (yaml_open(&y, o->config) != 0)
        return -1;
    kafka = yaml_get(&y, y.root, "kafka");
    block = yaml_get(&y, y.root, "rdkafka");
    result = take_text(&y, yaml_get(&y, kafka, "brokers"), &o->brokers);
    if (result == 0)
        result = take_text(&y, yaml_get(&y, yaml_get(&y, kafka, "topics"), "scans"), &o->topic);
    if (result == 0 && block != NULL)
        result = set_block(o, &y, block, "");
    yaml_close(&y);
    return result;
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
    if (o->brokers == NULL)
        o->brokers = "localhost:9092";
    if (o->topic == NULL)
        o->topic = "scans";
    if (o->partitions == 0)
        o->partitions = 12;
    return 0;
}
