/* config_read.c - YAML events to paths and values.
 *
 * Mappings become paths, a list of scalars becomes one text with commas.  Aliases
 * are refused: a few lines of them can stand for gigabytes.  A key with dots in it is
 * a path written short.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "pipeline/check.h"
#include "pipeline/config_parts.h"
#include "pipeline/error.h"

/* A key that was met, for finding it twice. */
struct met {
    char  *path;
    size_t line;
};

struct reader {
    struct config *config;
    yaml_parser_t  parser;
    size_t         line; /* of the event at hand */
    size_t         key_line; /* of the key entered last */
    int            depth;
    char           path[CONFIG_PATH_SIZE];
    char           text[CONFIG_TEXT_SIZE];
    struct met     met[CONFIG_ENTRIES_MAX];
    size_t         met_count;
};

static int read_node(struct reader *, const yaml_event_t *);

static int fail(const struct reader *reader)
{
    CHECK(reader != NULL);
    CHECK(reader->config != NULL);
    if (reader->path[0] != '\0')
        (void)error_add("%s", reader->path);
    return error_add("%s:%zu", reader->config->file, reader->line);
}

/* The caller deletes the event. */
static int next(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;

    CHECK(reader != NULL);
    CHECK(event != NULL);
    if (yaml_parser_parse(&reader->parser, event) == 0) {
        reader->line = parser->problem_mark.line + 1;
        return error_set("%s:%zu: not YAML: %s", reader->config->file, reader->line,
                         parser->problem != NULL ? parser->problem : "out of memory");
    }
    reader->line = event->start_mark.line + 1;
    return 0;
}

static bool has_nul(const yaml_event_t *scalar)
{
    CHECK(scalar->type == YAML_SCALAR_EVENT);
    CHECK(scalar->data.scalar.value != NULL);
    return memchr(scalar->data.scalar.value, '\0', scalar->data.scalar.length) != NULL;
}

/* Appends the key to the path and notes that it was met; the length before, or -1. */
static int enter(struct reader *reader, const yaml_event_t *key)
{
    size_t before = strlen(reader->path);

    CHECK(key != NULL);
    CHECK(before < sizeof reader->path);
    if (key->type != YAML_SCALAR_EVENT || key->data.scalar.length == 0 || has_nul(key)) {
        (void)error_set("found a key that is no text, or empty");
        return fail(reader);
    }
    int length = snprintf(reader->path + before, sizeof reader->path - before, "%s%s",
                          before > 0 ? "." : "", (const char *)key->data.scalar.value);
    if (length < 0 || before + (size_t)length >= sizeof reader->path) {
        reader->path[before] = '\0';
        (void)error_set("found a path longer than %d characters", CONFIG_PATH_SIZE - 1);
        return fail(reader);
    }
    for (size_t i = 0; i < reader->met_count; i++) {
        if (strcmp(reader->met[i].path, reader->path) == 0) {
            (void)error_set("found a second time, it is in line %zu already",
                            reader->met[i].line);
            return fail(reader);
        }
    }
    if (reader->met_count == CONFIG_ENTRIES_MAX) {
        (void)error_set("found more than %d keys", CONFIG_ENTRIES_MAX);
        return fail(reader);
    }
    reader->met[reader->met_count] = (struct met) {strdup(reader->path), reader->line};
    CHECK(reader->met[reader->met_count].path != NULL);
    reader->met_count++;
    reader->key_line = reader->line;
    return (int)before;
}

static int read_mapping(struct reader *reader)
{
    yaml_event_t event;

    CHECK(reader != NULL);
    CHECK(reader->depth >= 0);
    for (;;) {
        if (next(reader, &event) != 0)
            return -1;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        int  before = end ? 0 : enter(reader, &event);

        yaml_event_delete(&event);
        if (end)
            break;
        if (before < 0 || next(reader, &event) != 0)
            return -1;
        int result = read_node(reader, &event);
        yaml_event_delete(&event);
        if (result != 0)
            return -1;
        reader->path[before] = '\0';
    }
    return 0;
}

/* Appends one item to reader->text. */
static int append_item(struct reader *reader, const yaml_event_t *item, size_t *used)
{
    CHECK(item != NULL);
    CHECK(used != NULL && *used < sizeof reader->text);
    if (item->type != YAML_SCALAR_EVENT || has_nul(item)
        || memchr(item->data.scalar.value, ',', item->data.scalar.length) != NULL) {
        (void)error_set("found a list of more than plain texts without commas");
        return fail(reader);
    }
    int length = snprintf(reader->text + *used, sizeof reader->text - *used, "%s%s",
                          *used > 0 ? "," : "", (const char *)item->data.scalar.value);
    if (length < 0 || (size_t)length >= sizeof reader->text - *used) {
        (void)error_set("found a list longer than %d characters", CONFIG_TEXT_SIZE - 1);
        return fail(reader);
    }
    *used += (size_t)length;
    return 0;
}

static int put(struct reader *reader)
{
    CHECK(reader != NULL);
    CHECK(memchr(reader->text, '\0', sizeof reader->text) != NULL);
    if (config_put(reader->config, reader->path, reader->text, reader->line) != 0)
        return error_add("%s:%zu", reader->config->file, reader->line);
    return 0;
}

static int read_list(struct reader *reader)
{
    yaml_event_t             event;
    size_t                   used = 0;
    const struct config_row *row = config_row(reader->config, reader->path);

    CHECK(reader->depth >= 0);
    if (row != NULL && row->kind != CONFIG_TEXT) {
        char accepted[512];

        config_accepted(row, accepted, sizeof accepted);
        (void)error_set("found a list, accepted is %s", accepted);
        return fail(reader);
    }
    reader->text[0] = '\0';
    for (;;) {
        if (next(reader, &event) != 0)
            return -1;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        int  result = end ? 0 : append_item(reader, &event, &used);

        yaml_event_delete(&event);
        if (result != 0)
            return -1;
        if (end)
            return put(reader);
    }
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
    CHECK(event->type == YAML_SCALAR_EVENT);
    CHECK(reader != NULL);
    if (has_nul(event) || event->data.scalar.length >= sizeof reader->text) {
        (void)error_set("found a value with a NUL in it, or longer than %d characters",
                        CONFIG_TEXT_SIZE - 1);
        return fail(reader);
    }
    if (event->data.scalar.length == 0 && config_row(reader->config, reader->path) == NULL
        && config_is_section(reader->config, reader->path))
        return 0; /* "kafka:" and nothing below: an empty section */
    memcpy(reader->text, event->data.scalar.value, event->data.scalar.length);
    reader->text[event->data.scalar.length] = '\0';
    return put(reader);
}

/* Settings stand below what they stand below: said of the key, not of what follows it. */
static int check_section(struct reader *reader)
{
    const struct config_row *row = config_row(reader->config, reader->path);
    char                     accepted[512];

    CHECK(reader->key_line <= reader->line);
    CHECK(strlen(reader->path) < sizeof reader->path);
    if (reader->path[0] == '\0' || config_is_section(reader->config, reader->path))
        return 0;
    reader->line = reader->key_line;
    if (row == NULL) {
        (void)config_say_unknown(reader->config, reader->path, true);
        return error_add("%s:%zu", reader->config->file, reader->line);
    }
    config_accepted(row, accepted, sizeof accepted);
    (void)error_set("found settings below it, accepted is %s", accepted);
    return fail(reader);
}

static int read_node(struct reader *reader, const yaml_event_t *event)
{
    int result = -1;

    CHECK(reader != NULL);
    CHECK(event != NULL);
    if (reader->depth == CONFIG_DEPTH_MAX) {
        (void)error_set("found more than %d levels", CONFIG_DEPTH_MAX);
        return fail(reader);
    }
    reader->depth++;
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        result = check_section(reader) == 0 ? read_mapping(reader) : -1;
        break;
    case YAML_SEQUENCE_START_EVENT:
        result = read_list(reader);
        break;
    case YAML_SCALAR_EVENT:
        result = read_scalar(reader, event);
        break;
    default:
        (void)error_set("found an alias (*name), which is not supported");
        (void)fail(reader);
        break;
    }
    reader->depth--;
    return result;
}

/* The stream holds one document, or none; its root is a mapping, or empty. */
static int read_stream(struct reader *reader)
{
    yaml_event_t event;
    int          documents = 0;

    CHECK(reader != NULL);
    CHECK(reader->path[0] == '\0');
    for (;;) {
        if (next(reader, &event) != 0)
            return -1;
        bool end = event.type == YAML_STREAM_END_EVENT;
        int  result = 0;

        documents += event.type == YAML_DOCUMENT_START_EVENT;
        if (documents > 1) {
            (void)error_set("found a second document");
            result = fail(reader);
        } else if (event.type == YAML_MAPPING_START_EVENT) {
            result = read_node(reader, &event);
        } else if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT
                   || (event.type == YAML_SCALAR_EVENT && event.data.scalar.length > 0)) {
            (void)error_set("found no mapping, accepted is \"key: value\"");
            result = fail(reader);
        }
        yaml_event_delete(&event);
        if (result != 0 || end)
            return result;
    }
}

int config_read(struct config *config, const char *file)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(file != NULL && !config->finished);
    FILE *stream = fopen(file, "re");

    if (stream == NULL)
        return error_set("%s: %s", file, strerror(errno));
    free(config->file_copy);
    config->file_copy = strdup(file);
    struct reader *reader = calloc(1, sizeof *reader);
    CHECK(reader != NULL && config->file_copy != NULL);
    config->file = config->file_copy;
    reader->config = config;
    CHECK(yaml_parser_initialize(&reader->parser) == 1);
    yaml_parser_set_input_file(&reader->parser, stream);
    int result = read_stream(reader);

    yaml_parser_delete(&reader->parser);
    CHECK(fclose(stream) == 0);
    for (size_t i = 0; i < reader->met_count; i++)
        free(reader->met[i].path);
    free(reader);
    return result;
}
