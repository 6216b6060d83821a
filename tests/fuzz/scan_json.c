/* scan_json - any bytes at all to the JSON decoder, beside jansson: what one takes the other
 * takes, with equal values.  The key is the value's own parcel number where there is one, so
 * that it does not keep the fuzzer from the rest.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scan_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t now_ms = INT64_C(1794355200000); /* 2026-11-11 */
    char         *exact = malloc(size > 0 ? size : 1); /* so that one byte too far is seen */

    if (exact == NULL)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    (void)oracle_check(exact, size, NULL, 0, now_ms);
    (void)oracle_check(exact, size, "YT7512345678901", 15, now_ms);
    free(exact);
    return 0;
}
