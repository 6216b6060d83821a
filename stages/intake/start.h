/* start.h - where a first start begins: the setting kafka.start, read once. */
#ifndef STAGES_INTAKE_START_H
#define STAGES_INTAKE_START_H

#include <stdint.h>

struct config;

enum start_kind { START_EARLIEST, START_LATEST, START_TIME };

struct start {
    enum start_kind kind;
    int64_t         unix_ms;   /* START_TIME */
};

/* 0, or -1 with the error trail: neither earliest, latest nor an RFC 3339 time. */
int start_read(const struct config *, struct start *);

#endif
