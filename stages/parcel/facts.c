/* facts.c - what few parcels have, in bytes. */
#include "stages/parcel/facts.h"

#include <string.h>

#include "pipeline/check.h"

/* One that has a fixed size: where it stands in a parcel. */
static const struct { uint8_t fact; uint8_t size; uint16_t at; } fixed[] = {
    {FACT_WEIGHT, sizeof(int32_t), offsetof(struct parcel, weight_g)},
    {FACT_DECLARED, sizeof(int32_t), offsetof(struct parcel, declared_g)},
    {FACT_TARGET, sizeof(struct spot), offsetof(struct parcel, target)},
    {FACT_SPOT, sizeof(struct spot), offsetof(struct parcel, spot)},
};
enum { FIXED = sizeof fixed / sizeof fixed[0] };

size_t facts_size(const struct parcel *p)
{
    size_t size = p->facts != 0;

    for (int i = 0; p->facts != 0 && i < FIXED; i++)
        size += p->facts & fixed[i].fact ? fixed[i].size : 0;
    if (p->facts & FACT_DOCUMENTS)
        size += 1 + p->documents_count * sizeof p->documents[0];
    if (p->facts & FACT_COURIER)
        size += 1 + (size_t)p->courier_length;
    return size;
}

static uint8_t *put(uint8_t *at, const void *from, size_t length)
{
    memcpy(at, from, length);
    return at + length;
}

uint8_t *facts_pack(uint8_t *at, const struct parcel *p)
{
    CHECK(p->facts != 0 && p->facts <= FACTS_ALL);
    CHECK(p->documents_count <= DOCUMENTS_MAX && p->courier_length <= COURIER_MAX);
    CHECK(!(p->facts & FACT_DOCUMENTS) == (p->documents_count == 0));
    CHECK(!(p->facts & FACT_COURIER) == (p->courier_length == 0));
    *at++ = p->facts;
    for (int i = 0; i < FIXED; i++)
        if (p->facts & fixed[i].fact)
            at = put(at, (const uint8_t *)p + fixed[i].at, fixed[i].size);
    if (p->facts & FACT_DOCUMENTS) {
        *at++ = p->documents_count;
        at = put(at, p->documents, p->documents_count * sizeof p->documents[0]);
    }
    if (p->facts & FACT_COURIER) {
        *at++ = p->courier_length;
        at = put(at, p->courier, p->courier_length);
    }
    return at;
}

struct bytes {
    const uint8_t *at;
    size_t         left;
};

static bool take(struct bytes *b, void *to, size_t length)
{
    if (length > b->left)
        return false;
    memcpy(to, b->at, length);
    b->at += length;
    b->left -= length;
    return true;
}

/* A list that begins with its count, 1 to most. */
static bool take_list(struct bytes *b, void *list, uint8_t *count, uint8_t most, size_t size)
{
    return take(b, count, 1) && *count > 0 && *count <= most && take(b, list, *count * size);
}

static bool take_documents(struct bytes *b, struct parcel *p)
{
    bool good = take_list(b, p->documents, &p->documents_count, DOCUMENTS_MAX,
                          sizeof p->documents[0]);

    for (int i = 0; good && i < p->documents_count; i++)
        good = p->documents[i] <= NAMES_MAX;
    return good;
}

size_t facts_unpack(const uint8_t *bytes, size_t length, struct parcel *p)
{
    struct bytes b = {bytes, length};

    if (!take(&b, &p->facts, 1) || p->facts == 0 || p->facts > FACTS_ALL)
        return 0;
    for (int i = 0; i < FIXED; i++)
        if (p->facts & fixed[i].fact && !take(&b, (uint8_t *)p + fixed[i].at, fixed[i].size))
            return 0;
    if (p->facts & FACT_DOCUMENTS && !take_documents(&b, p))
        return 0;
    if (p->facts & FACT_COURIER
        && !take_list(&b, p->courier, &p->courier_length, COURIER_MAX, 1))
        return 0;
    return length - b.left;
}
