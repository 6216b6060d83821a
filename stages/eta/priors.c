/* priors.c - a file of cells: written line by line, read whole and checked before any is used. */
#include "stages/eta/priors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "stages/eta/model_store.h"

enum { FIELD_MAX = 40, LINE_MAX = FIELD_MAX + 2 * MODEL_CELL_BYTES_MAX + 4 };

static const char head[] = "peakline-priors 1\n";

struct prior {
    char    field[FIELD_MAX];
    size_t  length;
    uint8_t bytes[MODEL_CELL_BYTES_MAX];
};

struct priors {
    struct prior *list;
    uint32_t      count, size;
};

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "FIELD HEX\n"; false: it is not that. */
static bool line_read(const char *line, struct prior *p)
{
    size_t field = strcspn(line, " "), at = field + 1;

    if (field == 0 || field >= sizeof p->field || line[field] != ' ')
        return false;
    memcpy(p->field, line, field);
    p->field[field] = '\0';
    for (p->length = 0; line[at] != '\n' && line[at] != '\0'; at += 2) {
        int high = digit_of(line[at]), low = high < 0 ? -1 : digit_of(line[at + 1]);

        if (low < 0 || p->length == sizeof p->bytes)
            return false;
        p->bytes[p->length++] = (uint8_t)(high << 4 | low);
    }
    return p->length > 0;
}

static struct prior *prior_add(struct priors *all)
{
    if (all->count == all->size) {
        all->size = all->size == 0 ? 1024 : 2 * all->size;
        all->list = realloc(all->list, all->size * sizeof *all->list);
        CHECK(all->list != NULL);
    }
    return &all->list[all->count++];
}

static int lines_read(struct priors *all, const char *file, FILE *in, struct model *check)
{
    char     line[LINE_MAX];
    unsigned number = 1;

    if (fgets(line, sizeof line, in) == NULL || strcmp(line, head) != 0)
        return error_set("%s:1: not a file that `peakline learn` made", file);
    while (fgets(line, sizeof line, in) != NULL) {
        struct prior *p = prior_add(all);

        number++;
        if (!line_read(line, p))
            return error_set("%s:%u: accepted is FIELD and bytes in hex", file, number);
        if (model_restore(check, p->field, strlen(p->field), p->bytes, p->length) != 0)
            return error_add("%s:%u", file, number);
    }
    return ferror(in) ? error_set("%s: cannot be read", file) : 0;
}

struct priors *priors_read(const char *file)
{
    struct priors *all = calloc(1, sizeof *all);
    struct model  *check = model_create(&(struct model_settings) {
        .cells_max = 64, .half_life_s = 86400, .shrink = 1});
    FILE *in = fopen(file, "r");
    int   bad;

    CHECK(all != NULL);
    bad = in == NULL ? error_set("%s: %s", file, strerror(errno))
                     : lines_read(all, file, in, check);
    if (in != NULL)
        (void)fclose(in);
    model_destroy(check);
    if (bad == 0)
        return all;
    priors_destroy(all);
    return NULL;
}

void priors_destroy(struct priors *all)
{
    if (all == NULL)
        return;
    free(all->list);
    free(all);
}

uint32_t priors_count(const struct priors *all)
{
    return all->count;
}

void priors_give(const struct priors *all, struct model *m)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct prior *p = &all->list[i];
        int bad = model_restore(m, p->field, strlen(p->field), p->bytes, p->length);

        CHECK(bad == 0); /* it was read once */
    }
    model_mark_all(m);
}

static void cell_write(void *self, const char *field, size_t field_length, const uint8_t *bytes,
                       size_t length)
{
    FILE *to = self;

    (void)fprintf(to, "%.*s ", (int)field_length, field);
    for (size_t i = 0; i < length; i++)
        (void)fprintf(to, "%02x", bytes[i]);
    (void)fputc('\n', to);
}

int priors_write(struct model *m, uint32_t now_s, FILE *to)
{
    (void)fputs(head, to);
    model_export(m, now_s, cell_write, to);
    return fflush(to) != 0 || ferror(to) ? error_set("cannot be written: %s", strerror(errno)) : 0;
}
