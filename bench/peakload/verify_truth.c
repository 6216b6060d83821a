/* verify_truth.c - reads the truth into a table. */
#include "bench/peakload/verify_truth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/json.h"
#include "bench/peakload/random.h"
#include "bench/peakload/say.h"
#include "bench/peakload/thresholds.h"
#include "bench/peakload/times.h"

enum { SLOTS_FIRST = 1 << 12 };

void truth_table_make(struct truth_table *t)
{
    *t = (struct truth_table) {.slots = SLOTS_FIRST};
    t->entry = must(calloc(t->slots, sizeof *t->entry));
}

void truth_table_free(struct truth_table *t)
{
    free(t->entry);
}

static int index_of(char (*names)[TYPE_TEXT], int *count, const char *name, size_t length)
{
    length = length < TYPE_TEXT ? length : TYPE_TEXT - 1;
    for (int i = 0; i < *count; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return i;
    if (*count == TYPES_MAX)
        return TYPES_MAX - 1;
    memcpy(names[*count], name, length);
    names[*count][length] = '\0';
    return (*count)++;
}

int truth_table_type(struct truth_table *t, const char *name, size_t length)
{
    return index_of(t->type, &t->types, name, length);
}

static size_t slot_of(const struct truth_table *t, const char *subject, int type)
{
    uint64_t hash = (uint64_t)type + 1;

    for (const char *p = subject; *p != '\0'; p++)
        hash = random_mix(hash ^ (uint8_t)*p) + (uint64_t)type;
    for (size_t i = hash & (t->slots - 1);; i = (i + 1) & (t->slots - 1))
        if (t->entry[i].subject[0] == '\0' ||
            (t->entry[i].type == type && strcmp(t->entry[i].subject, subject) == 0))
            return i;
}

static void grow(struct truth_table *t)
{
    struct entry *old = t->entry;
    size_t slots = t->slots;

    t->slots *= 2;
    t->entry = must(calloc(t->slots, sizeof *t->entry));
    for (size_t i = 0; i < slots; i++)
        if (old[i].subject[0] != '\0')
            t->entry[slot_of(t, old[i].subject, old[i].type)] = old[i];
    free(old);
}

struct entry *truth_table_entry(struct truth_table *t, const char *subject, size_t length, int type)
{
    char text[SUBJECT_TEXT];
    struct entry *e;

    if (t->used * 2 > t->slots)
        grow(t);
    length = length < SUBJECT_TEXT ? length : SUBJECT_TEXT - 1;
    memcpy(text, subject, length);
    text[length] = '\0';
    e = &t->entry[slot_of(t, text, type)];
    if (e->subject[0] != '\0' || length == 0)
        return e;
    memcpy(e->subject, text, length + 1);
    e->type = (uint8_t)type;
    t->used++;
    return e;
}

const struct entry *truth_table_find(const struct truth_table *t, const char *subject, int type)
{
    const struct entry *e = &t->entry[slot_of(t, subject, type)];

    return e->subject[0] == '\0' ? NULL : e;
}

/* One line's members. */
struct line {
    struct json_value type, late, confuser, subject, tally;
    struct happening  what;
    int64_t promise_s, arrival_s, began_s;
    bool    may, excused;
};

static struct json_value text_of(struct json_value v)
{
    return v.length < 2 ? v : (struct json_value) {v.text + 1, v.length - 2};
}

static void take_time(struct json_value v, int64_t *at_s)
{
    struct json_value text = text_of(v);
    int64_t ms;

    if (v.text[0] == '"' && time_read(text.text, text.length, 0, &ms) == 0)
        *at_s = ms / 1000;
}

static int take_member(void *self, struct json_value name, struct json_value value)
{
    struct line *l = self;
    const struct { const char *name; struct json_value *text; int64_t *time, *number; bool *flag; }
    members[] = {
        {"type", &l->type, NULL, NULL, NULL}, {"late", &l->late, NULL, NULL, NULL},
        {"confuser", &l->confuser, NULL, NULL, NULL}, {"parcel", &l->subject, NULL, NULL, NULL},
        {"subject", &l->subject, NULL, NULL, NULL}, {"tally", &l->tally, NULL, NULL, NULL},
        {"start", NULL, &l->what.start_s, NULL, NULL}, {"end", NULL, &l->what.end_s, NULL, NULL},
        {"promise", NULL, &l->promise_s, NULL, NULL}, {"arrival", NULL, &l->arrival_s, NULL, NULL},
        {"began", NULL, &l->began_s, NULL, NULL}, {"amount", NULL, NULL, &l->what.amount, NULL},
        {"of", NULL, NULL, &l->what.of, NULL}, {"usual", NULL, NULL, &l->what.usual, NULL},
        {"may", NULL, NULL, NULL, &l->may}, {"border", NULL, NULL, NULL, &l->what.border},
        {"excused", NULL, NULL, NULL, &l->excused},
    };
    long long number;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!json_is(name, members[i].name))
            continue;
        if (members[i].text != NULL)
            *members[i].text = value.text[0] == '"' ? text_of(value) : value;
        else if (members[i].time != NULL)
            take_time(value, members[i].time);
        else if (members[i].flag != NULL)
            *members[i].flag = json_is(value, "true");
        else if (json_integer(value, &number) == 0)
            *members[i].number = number;
    }
    return 0;
}

static void keep_happening(struct truth_table *t, const struct line *l)
{
    int type = truth_table_type(t, l->type.text, l->type.length);
    struct entry *e = truth_table_entry(t, l->subject.text, l->subject.length, type);
    struct measure m = thresholds_measure(t->type[type], &l->what);

    e->may = e->may || l->may;
    if (l->may || (e->happened && e->magnitude >= m.magnitude))
        return;
    e->happened = true;
    e->magnitude = m.magnitude;
    e->after_s = m.after_s;
    e->start_s = l->what.start_s;
    e->end_s = l->what.end_s;
}

static void keep_late(struct truth_table *t, const struct line *l)
{
    int type = truth_table_type(t, TYPE_LATE, sizeof TYPE_LATE - 1);
    struct entry *e = truth_table_entry(t, l->subject.text, l->subject.length, type);

    e->start_s = l->promise_s;
    e->end_s = l->arrival_s;
    e->began_s = l->began_s;
    e->excused = l->excused;
}

static int take_tally(void *self, struct json_value name, struct json_value value)
{
    struct tallied *t = self;
    const struct { const char *name; int64_t *to; } members[] = {
        {"parcels", &t->parcels}, {"scans", &t->scans}, {"repeats", &t->repeats},
        {"near", &t->near}};
    long long number = 0;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_is(name, members[i].name) && json_integer(value, &number) == 0)
            *members[i].to = number;
    return 0;
}

static int keep_line(struct truth_table *t, const char *text, size_t length)
{
    struct line l = {0};

    if (json_each(text, length, take_member, &l) != 0)
        return -1;
    if (l.tally.text != NULL)
        return json_each(l.tally.text, l.tally.length, take_tally, &t->tally);
    if (l.subject.text == NULL || l.subject.length == 0)
        return -1;
    if (l.type.text != NULL) {
        keep_happening(t, &l);
    } else if (l.late.text != NULL) {
        keep_late(t, &l);
    } else if (l.confuser.text != NULL) {
        int type = truth_table_type(t, TYPE_CONFUSER, sizeof TYPE_CONFUSER - 1);

        truth_table_entry(t, l.subject.text, l.subject.length, type)->confuser = 1 +
            (uint32_t)index_of(t->confuser, &t->confusers, l.confuser.text, l.confuser.length);
    } else {
        return -1;
    }
    return 0;
}

int truth_table_read(struct truth_table *t, const char *file)
{
    FILE   *in = fopen(file, "r");
    char   *line = NULL;
    size_t  room = 0;
    ssize_t length;
    int     number = 0, result = 0;

    if (in == NULL)
        return say("%s: %s", file, strerror(errno));
    while (result == 0 && (length = getline(&line, &room, in)) > 0) {
        number++;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            length--;
        if (keep_line(t, line, (size_t)length) != 0)
            result = say("%s:%d: want a line of `peakload generate --truth`", file, number);
    }
    if (result == 0 && t->tally.parcels == 0)
        result = say("%s: has no tally at its end: the run that wrote it did not end", file);
    free(line);
    fclose(in);
    return result;
}
