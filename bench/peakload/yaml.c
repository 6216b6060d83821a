/* yaml.c - reads a YAML document with libyaml. */
#include "bench/peakload/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/peakload/say.h"

static int load(struct yaml *y, FILE *in)
{
    yaml_parser_t parser;
    int loaded;

    if (!yaml_parser_initialize(&parser))
        return say("out of memory");
    yaml_parser_set_input_file(&parser, in);
    loaded = yaml_parser_load(&parser, &y->document);
    if (!loaded)
        say("%s:%zu: %s", y->file, parser.problem_mark.line + 1,
            parser.problem ? parser.problem : "no YAML");
    yaml_parser_delete(&parser);
    return loaded ? 0 : -1;
}

int yaml_open(struct yaml *y, const char *file)
{
    FILE *in = fopen(file, "r");
    int result;

    y->file = file;
    if (in == NULL)
        return say("%s: %s", file, strerror(errno));
    result = load(y, in);
    fclose(in);
    if (result != 0)
        return -1;
    y->root = yaml_document_get_root_node(&y->document);
    if (y->root != NULL && y->root->type != YAML_MAPPING_NODE) {
        say("%s:%d: want a mapping (name: value)", file, yaml_line(y->root));
        yaml_close(y);
        return -1;
    }
    return 0;
}

void yaml_close(struct yaml *y)
{
    yaml_document_delete(&y->document);
}

yaml_node_t *yaml_get(struct yaml *y, const yaml_node_t *mapping, const char *key)
{
    if (mapping == NULL || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const char *name = yaml_text(yaml_document_get_node(&y->document, pair->key));

        if (name != NULL && strcmp(name, key) == 0)
            return yaml_document_get_node(&y->document, pair->value);
    }
    return NULL;
}

const char *yaml_text(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
                                                          : NULL;
}

int yaml_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}
