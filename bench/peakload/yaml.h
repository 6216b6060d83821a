/* yaml.h - a YAML file as a tree that knows its lines. */
#ifndef PEAKLOAD_YAML_H
#define PEAKLOAD_YAML_H

#include <yaml.h>

struct yaml {
    const char     *file;
    yaml_document_t document;
    yaml_node_t    *root;       /* a mapping; NULL for an empty file */
};

/* One document, whose root is a mapping.  0; -1 having said FILE:LINE and what.
 * owns: the caller, until yaml_close(). */
int  yaml_open(struct yaml *, const char *file);
void yaml_close(struct yaml *);

/* The value of `key` in a mapping, or NULL. */
yaml_node_t *yaml_get(struct yaml *, const yaml_node_t *mapping, const char *key);

/* The text of a scalar, or NULL when the node is none (or is NULL). */
const char *yaml_text(const yaml_node_t *);

int yaml_line(const yaml_node_t *);

#endif
