/* Any bytes as a record: refused, or exactly what packing the parcel would have written (but
 * for the format: what is read in the previous one is written in this). */
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/parcel/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parcel p;
    uint8_t       again[RECORD_BYTES_MAX];
    char          number[PARCEL_MAX];

    memset(&p, 0xA5, sizeof p);
    if (record_unpack(data, size, &p) != 0)
        return 0;
    CHECK(record_size(&p) == size);
    CHECK(record_pack(&p, again) == size);
    CHECK(again[0] == RECORD_FORMAT && memcmp(again + 1, data + 1, size - 1) == 0);
    CHECK(record_number(data, number) == p.number_length);
    CHECK(memcmp(number, p.number, p.number_length) == 0);
    CHECK(record_is(data, p.number, p.number_length));

    uint32_t first_s = p.deadlines_count > 0 ? UINT32_MAX : 0;

    for (int i = 0; i < p.deadlines_count; i++)
        first_s = p.deadlines[i].at_s < first_s ? p.deadlines[i].at_s : first_s;
    CHECK(record_deadline_first(data) == first_s);
    return 0;
}
