/* kcat.c - reads and writes kcat's JSON envelope. */
#include "bench/peakload/kcat.h"

#include <stdlib.h>
#include <string.h>

#include "bench/peakload/base64.h"
#include "bench/peakload/json.h"
#include "bench/peakload/say.h"

static void put_base64(FILE *out, const void *bytes, size_t length)
{
    char *text = must(malloc(BASE64_ROOM(length)));

    base64_write(text, bytes, length);
    fprintf(out, "\"%s\"", text);
    free(text);
}

/* A member: NAME, or NAME_base64 where the bytes are no text. */
static void put_member(FILE *out, const char *name, const void *bytes, size_t length)
{
    bool text = bytes == NULL || json_is_utf8(bytes, length);

    fprintf(out, ",\"%s%s\":", name, text ? "" : "_base64");
    if (bytes == NULL)
        fputs("null", out);
    else if (text)
        json_put_text(out, bytes, length);
    else
        put_base64(out, bytes, length);
}

static void put_header_value(FILE *out, const struct header *h)
{
    if (h->value == NULL) {
        fputs("null", out);
    } else if (json_is_utf8(h->value, h->length)) {
        json_put_text(out, h->value, h->length);
    } else {
        fputs("{\"base64\":", out);
        put_base64(out, h->value, h->length);
        fputc('}', out);
    }
}

int kcat_write(FILE *out, const char *topic, int32_t partition, int64_t offset,
               const struct message *m)
{
    fprintf(out, "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"tstype\":\"create\","
            "\"ts\":%lld,\"broker\":0", topic, partition, (long long)offset,
            (long long)m->kafka_ms);
    for (int i = 0; i < m->headers; i++) {
        fputs(i == 0 ? ",\"headers\":[" : ",", out);
        json_put_text(out, m->header[i].name, m->header[i].name_length);
        fputc(',', out);
        put_header_value(out, &m->header[i]);
    }
    if (m->headers > 0)
        fputc(']', out);
    put_member(out, "key", m->key, m->key_length);
    put_member(out, "payload", m->value, m->length);
    fputs("}\n", out);
    return ferror(out) ? -1 : 0;
}

/* The bytes of a JSON text; those of another value (kcat's -s avro writes objects) as they
 * stand.  NULL with *length 0 for null; k->fault for a broken text. */
static const char *take_bytes(struct kcat *k, struct json_value v, size_t *length)
{
    char *at = k->text + k->used;

    *length = 0;
    if (json_is(v, "null"))
        return NULL;
    if (v.text[0] != '"') {
        memcpy(at, v.text, v.length);
        *length = v.length;
    } else if (json_unescape(v, at, length) != 0) {
        k->fault = "a text with a bad escape";
    }
    k->used += *length + 1;      /* an empty text differs from null by its address */
    return at;
}

/* Bytes that were written as base64. */
static const char *take_base64(struct kcat *k, struct json_value v, size_t *length)
{
    char *at = k->text + k->used;

    *length = 0;
    if (v.length < 2 || v.text[0] != '"' ||
        base64_read(at, length, v.text + 1, v.length - 2) != 0)
        k->fault = "not base64";
    k->used += *length + 1;
    return at;
}

struct boxed {
    struct kcat *k;
    const char *bytes;           /* NULL = no base64 inside */
    size_t length;
};

static int take_boxed(void *self, struct json_value name, struct json_value value)
{
    struct boxed *b = self;

    if (json_is(name, "base64"))
        b->bytes = take_base64(b->k, value, &b->length);
    return 0;
}

/* A header's value: a text, or {"base64":"…"}. */
static const char *take_header_value(struct kcat *k, struct json_value v, size_t *length)
{
    struct boxed b = {k, NULL, 0};

    if (v.text[0] != '{' || json_each(v.text, v.length, take_boxed, &b) != 0 || b.bytes == NULL)
        return take_bytes(k, v, length);
    *length = b.length;
    return b.bytes;
}

/* Headers are a flat list: name, value, name, value. */
static int take_header(void *self, struct json_value name, struct json_value value)
{
    struct kcat *k = self;
    size_t length;
    const char *bytes = k->header_name == NULL ? take_bytes(k, value, &length)
                                               : take_header_value(k, value, &length);

    (void)name;
    if (k->header_name == NULL) {
        k->header_name = bytes;
        k->header_name_length = length;
        return bytes == NULL ? -1 : 0;
    }
    if (k->message.headers == HEADERS_MAX) {
        k->fault = "too many headers";
        return -1;
    }
    k->header[k->message.headers++] =
        (struct header) {k->header_name, bytes, k->header_name_length, length};
    k->header_name = NULL;
    return 0;
}

static int take_number(struct kcat *k, struct json_value v, int64_t *target, const char *fault)
{
    long long number;

    if (json_is(v, "null"))
        return 0;
    if (json_integer(v, &number) != 0 || number > INT64_C(1) << 60) {
        k->fault = fault;
        return -1;
    }
    *target = number;
    return 0;
}

static int take_member(void *self, struct json_value name, struct json_value value)
{
    struct kcat *k = self;
    int64_t partition = -1;

    if (json_is(name, "key")) {
        k->message.key = take_bytes(k, value, &k->message.key_length);
    } else if (json_is(name, "payload")) {
        k->message.value = take_bytes(k, value, &k->message.length);
    } else if (json_is(name, "key_base64")) {
        k->message.key = take_base64(k, value, &k->message.key_length);
    } else if (json_is(name, "payload_base64")) {
        k->message.value = take_base64(k, value, &k->message.length);
    } else if (json_is(name, "ts")) {
        return take_number(k, value, &k->message.kafka_ms, "ts is no number");
    } else if (json_is(name, "partition")) {
        if (take_number(k, value, &partition, "partition is no number") != 0)
            return -1;
        k->message.partition = partition < 0 || partition > INT32_MAX ? -1 : (int32_t)partition;
    } else if (json_is(name, "headers") && !json_is(value, "null")) {
        if (json_each(value.text, value.length, take_header, k) != 0 || k->header_name != NULL) {
            k->fault = k->fault ? k->fault : "headers: want [name, value, …]";
            return -1;
        }
    }
    return k->fault == NULL ? 0 : -1;
}

int kcat_read(struct kcat *k, const char *line, size_t length)
{
    /* Each piece is at most as long as its JSON, and one byte apart from the next. */
    if (k->room < length * 2 + 64) {
        k->room = length * 2 + 64;
        k->text = must(realloc(k->text, k->room));
    }
    k->used = 0;
    k->fault = NULL;
    k->header_name = NULL;
    k->message = (struct message) {.kafka_ms = -1, .partition = -1, .header = k->header};
    if (json_each(line, length, take_member, k) != 0) {
        k->fault = k->fault ? k->fault : "not a JSON object as kcat -J writes it";
        return -1;
    }
    return 0;
}

void kcat_free(struct kcat *k)
{
    free(k->text);
}
