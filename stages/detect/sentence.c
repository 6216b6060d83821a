/* sentence.c - an alert in one English sentence that a person at a hub can act on. */
#include <stdint.h>
#include <string.h>

#include "pipeline/check.h"
#include "stages/detect/detect.h"

enum { PIECE_MAX = 64, DIGITS_MAX = 20 };

_Static_assert((int)PIECE_MAX > (int)PARCEL_MAX && PIECE_MAX > 2 * (DIGITS_MAX + 6), "each fits");

/* Where it ends; nothing follows it yet.  No printf: an alert in ten scans would feel it. */
static char *put_number(char *at, int64_t number)
{
    char     digits[DIGITS_MAX], *first = digits + DIGITS_MAX;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do
        *--first = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0)
        *at++ = '-';
    return mempcpy(at, first, (size_t)(digits + DIGITS_MAX - first));
}

/* "26 min" */
static char *put_amount(char *at, int64_t number, const char *unit)
{
    at = put_number(at, number);
    *at++ = ' ';
    return stpcpy(at, unit);
}

/* In the two largest units that say something: "3 d 4 h", "26 min". */
static const char *duration_text(int64_t seconds, char text[PIECE_MAX])
{
    static const struct { int64_t size; const char *name; } units[] = {
        {86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int i = 0;

    while (i < 3 && seconds < units[i].size)
        i++;
    int64_t rest = seconds % units[i].size;
    int64_t finer = i < 3 ? rest / units[i + 1].size : 0;
    char   *end = put_amount(text, seconds / units[i].size, units[i].name);

    if (finer > 0) {
        *end++ = ' ';
        (void)put_amount(end, finer, units[i + 1].name);
    }
    return text;
}

static const char *quantity_text(const struct alert *a, int32_t quantity, char text[PIECE_MAX])
{
    if (strcmp(detector_table[a->type]->unit, "s") == 0)
        return duration_text(quantity > 0 ? quantity : 0, text);
    *put_number(text, quantity) = '\0';
    return text;
}

static const char *place_text(const struct names *names, name_id place)
{
    const char *text = names_text(names, NAME_PLACE, place);

    return text[0] != '\0' ? text : "an unnamed place";
}

/* What stands for {name}; NULL: no such place in a sentence. */
static const char *piece_of(const char *name, size_t length, const struct alert *a,
                            const struct parcel *p, const struct names *names,
                            char text[PIECE_MAX])
{
#define IS(word) (length == sizeof word - 1 && memcmp(name, word, sizeof word - 1) == 0)
    if (IS("at"))
        return place_text(names, a->at);
    if (IS("expected"))
        return place_text(names, a->expected);
    if (IS("note"))
        return a->note != NAME_NONE ? names_text(names, NAME_PLACE, a->note) : "no reason given";
    if (IS("value"))
        return quantity_text(a, a->value, text);
    if (IS("threshold"))
        return quantity_text(a, a->threshold, text);
    if (IS("age"))
        return duration_text(a->at_s > p->state_s ? a->at_s - p->state_s : 0, text);
    if (IS("parcel")) {
        memcpy(text, p->number, p->number_length);
        text[p->number_length] = '\0';
        return text;
    }
#undef IS
    return NULL;
}

size_t alert_sentence(const struct alert *a, const struct parcel *p, const struct names *names,
                      char *text, size_t size)
{
    const char *from = detector_table[a->type]->sentences[a->sentence];
    char        piece[PIECE_MAX];
    size_t      used = 0;

    CHECK(from != NULL && size > 0);
    while (*from != '\0') {
        const char *what = from;
        size_t      length = (size_t)(strchrnul(from, '{') - from);

        if (length == 0) {
            size_t name = (size_t)(strchrnul(from, '}') - from) - 1;

            what = piece_of(from + 1, name, a, p, names, piece);
            CHECK(what != NULL); /* a misspelt place in a detector's sentence */
            length = strlen(what);
            from += name + 2;
        } else {
            from += length;
        }
        if (length > size - 1 - used)
            length = size - 1 - used;
        memcpy(text + used, what, length);
        used += length;
    }
    text[used] = '\0';
    return used;
}
