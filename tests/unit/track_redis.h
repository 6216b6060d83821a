/* track_redis.h - a small Redis for the tests of track: keys, fields, values, and what it is
 * asked of them, as RESP. */
#ifndef TESTS_UNIT_TRACK_REDIS_H
#define TESTS_UNIT_TRACK_REDIS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/outlet/buffer.h"
#include "stages/outlet/redis_replies.h"
#include "stages/outlet/request.h"

#ifndef BENCH_ENTRIES
#define BENCH_ENTRIES 4096
#endif

enum { ENTRIES = BENCH_ENTRIES, VALUE_MAX = 1500, ARGUMENTS_MAX = 4096 };

/* What Redis holds; `used` 0 = a place that became free. */
static struct entry {
    bool    used;
    char    key[64], field[64];
    uint8_t value[VALUE_MAX];
    size_t  length;
} entries[ENTRIES];

static struct entry *entry_find(const char *key, const char *field)
{
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (entries[i].used && strcmp(entries[i].key, key) == 0 &&
            strcmp(entries[i].field, field) == 0)
            return &entries[i];
    return NULL;
}

static void entry_set(const char *key, const char *field, const char *value, size_t length)
{
    struct entry *entry = entry_find(key, field);

    for (uint32_t i = 0; entry == NULL && i < ENTRIES; i++)
        entry = entries[i].used ? NULL : &entries[i];
    assert_non_null(entry);
    assert_true(length <= VALUE_MAX);
    entry->used = true;
    (void)snprintf(entry->key, sizeof entry->key, "%s", key);
    (void)snprintf(entry->field, sizeof entry->field, "%s", field);
    memcpy(entry->value, value, length);
    entry->length = length;
}

static void entries_unlink(const char *key)
{
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (entries[i].used && strcmp(entries[i].key, key) == 0)
            entries[i].used = false;
}

struct command {
    uint32_t    count;
    const char *at[ARGUMENTS_MAX];
    size_t      length[ARGUMENTS_MAX];
    char        key[64];
};

static size_t resp_number_read(const char **at, char kind)
{
    char *end;

    assert_int_equal(**at, kind);
    size_t number = strtoul(*at + 1, &end, 10);

    assert_memory_equal(end, "\r\n", 2);
    *at = end + 2;
    return number;
}

/* The command at *at, which moves behind it; false at the end. */
static bool command_read(const char **at, const char *end, struct command *command)
{
    if (*at == end)
        return false;
    command->count = (uint32_t)resp_number_read(at, '*');
    assert_in_range(command->count, 2, ARGUMENTS_MAX - 1);
    for (uint32_t i = 0; i < command->count; i++) {
        command->length[i] = resp_number_read(at, '$');
        command->at[i] = *at;
        *at += command->length[i] + 2;
        assert_true(*at <= end);
    }
    (void)snprintf(command->key, sizeof command->key, "%.*s", (int)command->length[1],
                   command->at[1]);
    return true;
}

static bool command_is(const struct command *command, const char *verb)
{
    return command->length[0] == strlen(verb) &&
           memcmp(command->at[0], verb, command->length[0]) == 0;
}

/* REQUEST_FORGET, the one script there is. */
static void entry_forget(const struct command *command)
{
    char key[64], field[64];

    assert_int_equal(command->count, 6);
    assert_memory_equal(command->at[1], REQUEST_FORGET, sizeof REQUEST_FORGET - 1);
    (void)snprintf(key, sizeof key, "%.*s", (int)command->length[3], command->at[3]);
    (void)snprintf(field, sizeof field, "%.*s", (int)command->length[4], command->at[4]);
    struct entry *entry = entry_find(key, field);

    if (entry != NULL && entry->length == command->length[5] &&
        memcmp(entry->value, command->at[5], entry->length) == 0)
        entry->used = false;
}

static void command_run(const struct command *command)
{
    char field[64];

    if (command_is(command, "UNLINK")) {
        entries_unlink(command->key);
        return;
    }
    if (command_is(command, "EVAL")) {
        entry_forget(command);
        return;
    }
    bool set = command_is(command, "HSET");

    assert_true(set || command_is(command, "HDEL"));
    for (uint32_t i = 2; i < command->count; i += set ? 2 : 1) {
        (void)snprintf(field, sizeof field, "%.*s", (int)command->length[i], command->at[i]);
        if (set)
            entry_set(command->key, field, command->at[i + 1], command->length[i + 1]);
        else if (entry_find(command->key, field) != NULL)
            entry_find(command->key, field)->used = false;
    }
}

static void command_answer(const struct command *command, struct redis_replies *replies)
{
    struct buffer reply = {0};
    uint32_t fields = 0;

    bool get = command_is(command, "GET");   /* a text is kept as the field "" of its key */
    const struct entry *text = get ? entry_find(command->key, "") : NULL;

    assert_true(get || command_is(command, "HGETALL"));
    for (uint32_t i = 0; i < ENTRIES && !get; i++)
        fields += entries[i].used && strcmp(entries[i].key, command->key) == 0;
    if (text != NULL)
        resp_argument(&reply, text->value, text->length);
    else if (get)
        buffer_add(&reply, "$-1\r\n", 5);
    else
        resp_command(&reply, 2 * fields);
    for (uint32_t i = 0; i < ENTRIES && !get; i++)
        if (entries[i].used && strcmp(entries[i].key, command->key) == 0) {
            resp_text(&reply, entries[i].field);
            resp_argument(&reply, entries[i].value, entries[i].length);
        }
    assert_int_equal(redis_replies_feed(replies, reply.bytes, reply.used), 1);
    buffer_free(&reply);
}

#endif
