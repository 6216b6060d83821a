/* edit.c - copies an object, asking at each member. */
#include "bench/peakload/edit.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"

void bytes_put(struct bytes *b, const void *from, size_t length)
{
    if (b->length + length > b->room) {
        b->room = (b->length + length) * 2 + 256;
        b->at = must(realloc(b->at, b->room));
    }
    if (length > 0)
        memcpy(b->at + b->length, from, length);
    b->length += length;
}

void bytes_free(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes) {0};
}

struct editing {
    struct bytes *out;
    const char *copied;          /* up to here */
    bool (*replace)(void *self, struct json_value name, struct json_value value,
                    struct bytes *out);
    void *self;
};

static int edit_member(void *self, struct json_value name, struct json_value value)
{
    struct editing *e = self;
    size_t before = e->out->length;

    bytes_put(e->out, e->copied, (size_t)(value.text - e->copied));
    if (e->replace(e->self, name, value, e->out))
        e->copied = value.text + value.length;
    else
        e->out->length = before;
    return 0;
}

int edit_object(struct bytes *out, const char *json, size_t length,
                bool (*replace)(void *self, struct json_value name, struct json_value value,
                                struct bytes *out), void *self)
{
    struct editing e = {out, json, replace, self};
    size_t blank = 0;

    out->length = 0;
    while (blank < length && strchr(" \t\r\n", json[blank]) != NULL && json[blank] != '\0')
        blank++;
    if (blank == length || json[blank] != '{' ||
        json_each(json, length, edit_member, &e) != 0)
        return -1;
    bytes_put(out, e.copied, (size_t)(json + length - e.copied));
    return 0;
}

struct finding {
    const char *name;
    struct json_value *text;
    bool found;
};

static int look_at_member(void *self, struct json_value name, struct json_value value)
{
    struct finding *f = self;

    if (!json_is(name, f->name) || value.length < 2 || value.text[0] != '"')
        return 0;
    *f->text = (struct json_value) {value.text + 1, value.length - 2};
    f->found = true;
    return 0;
}

bool edit_find(const char *json, size_t length, const char *name, struct json_value *text)
{
    struct finding f = {name, text, false};

    return json != NULL && json_each(json, length, look_at_member, &f) == 0 && f.found;
}
