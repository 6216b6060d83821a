/* pseudonym.c - SipHash (J.-P. Aumasson, D. J. Bernstein) and the three fields. */
#include "bench/peakload/pseudonym.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/say.h"

static uint64_t rotated(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotated(v[1], 13) ^ v[0];
        v[3] = rotated(v[3], 16) ^ v[2];
        v[0] = rotated(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotated(v[1], 17) ^ v[2];
        v[3] = rotated(v[3], 21) ^ v[0];
        v[2] = rotated(v[2], 32);
    }
}

static uint64_t little(const uint8_t *p, size_t length)
{
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static void put_half(const uint64_t v[4], uint8_t *out)
{
    uint64_t half = v[0] ^ v[1] ^ v[2] ^ v[3];

    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(half >> (8 * i));
}

void siphash128(const uint8_t key[PSEUDONYM_KEY], const void *bytes, size_t length,
                uint8_t out[16])
{
    uint64_t k0 = little(key, 8), k1 = little(key + 8, 8);
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    const uint8_t *p = bytes;
    size_t left = length;

    for (; left >= 8; p += 8, left -= 8) {
        v[3] ^= little(p, 8);
        rounds(v, 2);
        v[0] ^= little(p, 8);
    }
    k0 = little(p, left) | (uint64_t)length << 56;
    v[3] ^= k0;
    rounds(v, 2);
    v[0] ^= k0;
    v[2] ^= 0xee;
    rounds(v, 4);
    put_half(v, out);
    v[1] ^= 0xdd;
    rounds(v, 4);
    put_half(v, out + 8);
}

int pseudonym_read_key(struct pseudonym *p, const char *file)
{
    FILE *in = fopen(file, "r");
    char  text[2 * PSEUDONYM_KEY + 2] = "", digits[3] = "", *end;
    bool  good = in != NULL && fgets(text, sizeof text, in) != NULL;

    if (in == NULL)
        return say("%s: %s", file, strerror(errno));
    fclose(in);
    text[strcspn(text, "\r\n")] = '\0';
    good = good && strlen(text) == 2 * PSEUDONYM_KEY &&
           strspn(text, "0123456789abcdefABCDEF") == 2 * PSEUDONYM_KEY;
    for (int i = 0; good && i < PSEUDONYM_KEY; i++) {
        memcpy(digits, text + 2 * i, 2);
        p->key[i] = (uint8_t)strtoul(digits, &end, 16);
    }
    return good ? 0 : say("%s: want a key of 32 hexadecimal digits", file);
}

void pseudonym_make(const struct pseudonym *p, const void *bytes, size_t length, char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t hash[16];

    siphash128(p->key, bytes, length, hash);
    for (int i = 0; i < PSEUDONYM_TEXT; i++) {
        int bit = i * 5;
        int pair = hash[bit / 8] << 8 | hash[bit / 8 + 1];

        text[i] = alphabet[pair >> (11 - bit % 8) & 31];
    }
}

struct editing {
    const struct pseudonym *p;
    bool refused;
};

static bool replace(void *self, struct json_value name, struct json_value value,
                    struct bytes *out)
{
    struct editing *e = self;
    char   text[PSEUDONYM_TEXT], *plain;
    size_t length;

    /* A name with an escape could be one of the three in disguise. */
    e->refused |= memchr(name.text, '\\', name.length) != NULL;
    if (!json_is(name, "parcel") && !json_is(name, "courier") && !json_is(name, "carrier_number"))
        return false;
    plain = must(malloc(value.length + 1));
    if (json_unescape(value, plain, &length) != 0) {
        e->refused |= !json_is(value, "null");
    } else {
        pseudonym_make(e->p, plain, length, text);
        bytes_put(out, "\"", 1);
        bytes_put(out, text, sizeof text);
        bytes_put(out, "\"", 1);
    }
    free(plain);
    return !e->refused && !json_is(value, "null");
}

int pseudonym_edit(struct pseudonym *p, const char *json, size_t length)
{
    struct editing e = {p, false};

    return edit_object(&p->value, json, length, replace, &e) == 0 && !e.refused ? 0 : -1;
}
