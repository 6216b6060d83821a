/* config.h - settings: declared in a table, read from YAML, checked, printed.
 *
 * The product declares every setting once (path, kind, default, bounds, help).
 * Anything in the file that no row declares is an error that names file, line
 * and path, and the nearest declared path.  Values are looked up at init only.
 * A row whose path ends in ".*" accepts any key below it as a string
 * (`rdkafka.*`, handed to librdkafka as it is).  "*" as a middle part matches one
 * name (`services.*.detectors.*.enabled`).
 */
#ifndef PIPELINE_CONFIG_H
#define PIPELINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_kind {
    CONFIG_TEXT,     /* string; the only kind in which ${NAME} and ${file:PATH} are
                        replaced, and only where the row says `environment` */
    CONFIG_CHOICE,   /* one of `choices`, "a|b|c"                                   */
    CONFIG_BOOL,     /* true | false                                                */
    CONFIG_INTEGER,
    CONFIG_REAL,
    CONFIG_DURATION, /* "250ms" "1s" "30min" "12h" "10d"; value in ms               */
    CONFIG_BYTES     /* "64KiB" "512MiB" "2GiB"; value in bytes                     */
};

struct config_row {
    const char      *path;          /* "checkpoint.interval"                        */
    enum config_kind kind;
    const char      *fallback;      /* default, in file syntax; NULL = must be given */
    double           least, most;   /* in the value's unit; both 0 = unbounded      */
    const char      *choices;       /* CONFIG_CHOICE                                */
    const char      *help;          /* one sentence, for `peakline check`           */
    bool             environment;   /* ${NAME} and ${file:PATH} are replaced        */
    bool             secret;        /* printed as ***, refused as it is by config_set */
};

struct config;

/* owns: the caller keeps `rows` alive; config_destroy frees the rest. */
struct config *config_create(const struct config_row *rows, size_t rows_count);
void           config_destroy(struct config *);

/* Reads a YAML file.  0, or -1 with "FILE:LINE: PATH: what was found, what is accepted".  A
 * list of texts becomes one text with commas; a key with dots is a path written short;
 * aliases and keys given twice are errors.  thread (here and below): one, or any that only
 * looks up after config_finish. */
int config_read(struct config *, const char *file);

/* One "path=value" from the command line; it wins over the file.  Every user of a machine
 * reads its command lines: a secret is accepted as ${NAME} or ${file:PATH} alone. */
int config_set(struct config *, const char *assignment);

/* After reading: applies defaults, checks them and that nothing is missing.  A fallback ""
 * is an optional value that was not given: "" or 0.  A row with a star inside and no
 * fallback has to be given for each name that is used below the same star. */
int config_finish(struct config *);

/* Typed look-ups by declared (or wildcard-matched) path; CHECK on an undeclared one. */
const char *config_text    (const struct config *, const char *path);
bool        config_bool    (const struct config *, const char *path);
int64_t     config_integer (const struct config *, const char *path);
double      config_real    (const struct config *, const char *path);
int64_t     config_ms      (const struct config *, const char *path);
int64_t     config_bytes   (const struct config *, const char *path);

/* Was it written in the file or on the command line (not a default)? */
bool config_given(const struct config *, const char *path);

/* Adds where the setting was given to the error trail, for what only the product can judge:
 * error_set("found …, accepted …") becomes "FILE:LINE: PATH: found …".  Always -1. */
int config_blame(const struct config *, const char *path);

/* Calls `each` for every given path below `prefix` ("rdkafka", "services"), in file
 * order, with the rest of the path and the value as text. */
void config_each(const struct config *, const char *prefix,
                 void (*each)(void *self, const char *rest, const char *value), void *self);

/* The effective configuration as YAML with help as comments; secrets as ***. */
void config_print(const struct config *, FILE *);

/* Hash of every effective value but those below the given prefixes (NULL-ended);
 * equal configurations hash equal on every machine. */
uint64_t config_hash(const struct config *, const char *const *except);

#endif
