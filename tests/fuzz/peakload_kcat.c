/* Any bytes as a line of a recording: refused with a word of why, or a message that, written
 * down, is read as the same message. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peakload/kcat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const void *a, size_t a_length, const void *b, size_t b_length)
{
    return (a == NULL) == (b == NULL) && a_length == b_length &&
           (a == NULL || memcmp(a, b, a_length) == 0);
}

static void compare(const struct message *one, const struct message *other)
{
    assert(same(one->key, one->key_length, other->key, other->key_length));
    assert(same(one->value, one->length, other->value, other->length));
    assert(one->headers == other->headers && one->partition == other->partition);
    assert(one->kafka_ms == other->kafka_ms);
    for (int i = 0; i < one->headers; i++) {
        assert(same(one->header[i].name, one->header[i].name_length, other->header[i].name,
                   other->header[i].name_length));
        assert(same(one->header[i].value, one->header[i].length, other->header[i].value,
                   other->header[i].length));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kcat first = {.text = NULL}, again = {.text = NULL};
    char       *exact = malloc(size > 0 ? size : 1), *line = NULL; /* one byte too far is seen */
    size_t      length = 0;

    assert(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    if (kcat_read(&first, exact, size) != 0) {
        assert(first.fault != NULL && first.fault[0] != '\0');
    } else {
        FILE *stream = open_memstream(&line, &length);

        assert(stream != NULL);
        assert(kcat_write(stream, "scans", first.message.partition, 7, &first.message) == 0);
        fclose(stream);
        while (length > 0 && line[length - 1] == '\n')
            length--;
        assert(kcat_read(&again, line, length) == 0);
        compare(&first.message, &again.message);
        free(line);
    }
    kcat_free(&first);
    kcat_free(&again);
    free(exact);
    return 0;
}
