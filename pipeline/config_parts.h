/* config_parts.h - what the config_*.c files share; nobody else includes it.
 *
 * config.c keeps values, config_value.c reads one, config_path.c matches paths,
 * config_read.c reads YAML, config_print.c writes it.
 */
#ifndef PIPELINE_CONFIG_PARTS_H
#define PIPELINE_CONFIG_PARTS_H

#include "pipeline/config.h"

/* Limits on what a file may hold, so that reading one takes bounded time and memory. */
enum {
    CONFIG_MAGIC = 0x0C0F1601,
    CONFIG_PATH_SIZE = 256,
    CONFIG_TEXT_SIZE = 4096,
    CONFIG_ENTRIES_MAX = 4096,
    CONFIG_DEPTH_MAX = 16
};

struct config_value {
    char   *text;    /* as written, variables replaced                       */
    int64_t integer; /* INTEGER; DURATION in ms; BYTES; BOOL 0 or 1          */
    double  real;    /* REAL; of the others the same number                  */
};

/* One path that was given. */
struct config_entry {
    char                    *path;
    const struct config_row *row;
    struct config_value      value;
    size_t                   line;    /* of the file; 0 = command line: the file does not
                                         replace it */
};

struct config {
    uint32_t                 magic;
    const struct config_row *rows;
    size_t                   rows_count;
    struct config_value     *defaults; /* one a row; text NULL = none */
    struct config_entry     *entries;  /* in order of being given     */
    size_t                   entries_count;
    const char              *file;     /* the last one read; for messages */
    char                    *file_copy;
    bool                     finished;
};

/* config.c.  Keeps one given value; -1 with "PATH: found …, accepted …".  `line` 0 = of the
 * command line.  A prefix of a declared path is a section; say_unknown names the nearest
 * one, or the nearest setting.  Always -1. */
int  config_put(struct config *, const char *path, const char *text, size_t line);
int  config_say_unknown(const struct config *, const char *path, bool section);
bool config_is_secret(const struct config_row *, const char *path);
bool config_is_section(const struct config *, const char *path);
const struct config_row *config_row(const struct config *, const char *path); /* or NULL */
const struct config_entry *config_entry(const struct config *, const char *path); /* or NULL */

/* config_value.c.  Reads text as the row says; -1 with "found …, accepted …".  On 0 the
 * caller owns value->text. */
int  config_parse(const struct config_row *, const char *text, struct config_value *);
void config_accepted(const struct config_row *, char *text, size_t size);
/* The value in one fixed form, whatever form it was written in, for the hash. */
void config_canonical(const struct config_row *, const struct config_value *, char *text,
                      size_t size);

/* config_path.c.  How closely a row's path matches one: 0 = not, more = closer. */
int    config_match(const char *pattern, const char *path);
bool   config_leads_to(const char *pattern, const char *path); /* path is a section of it */
bool   config_has_star(const char *pattern);
bool   config_ends_in_star(const char *pattern);
/* The pattern with its stars replaced by the parts of path that stand there. */
void   config_instance(const char *pattern, const char *path, char *text, size_t size);
/* Is path below prefix?  The rest of it, or NULL. */
const char *config_below(const char *path, const char *prefix);

#endif
