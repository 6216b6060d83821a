/* config_print.c - the effective configuration as YAML that reads back equal.
 *
 * In the order of the declared rows, each with its help; a section is opened where
 * its first row stands and holds all of its rows, since a key may stand only once.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/check.h"
#include "pipeline/config_parts.h"
#include "pipeline/text.h"

struct item {
    const char              *path;
    const struct config_row *row;
    const char              *text;
    bool                     printed;
};

struct items {
    struct item *all;
    size_t       count;
};

/* One character inside double quotes (YAML 1.1, 5.5 and 5.7). */
static void print_character(FILE *file, int32_t code)
{
    CHECK(file != NULL);
    CHECK(code > 0); /* values were checked to be UTF-8 */
    if (code == '"' || code == '\\')
        fprintf(file, "\\%c", (char)code);
    else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
        fprintf(file, "\\x%02X", (unsigned)code);
    else if (code == 0x2028 || code == 0x2029 || code == 0xFEFF || code == 0xFFFE
             || code == 0xFFFF)
        fprintf(file, "\\u%04X", (unsigned)code);
    else if (code < 0x80)
        fputc((int)code, file);
    else if (code < 0x800)
        fprintf(file, "%c%c", (int)(0xC0 | code >> 6), (int)(0x80 | (code & 0x3F)));
    else if (code < 0x10000)
        fprintf(file, "%c%c%c", (int)(0xE0 | code >> 12), (int)(0x80 | (code >> 6 & 0x3F)),
                (int)(0x80 | (code & 0x3F)));
    else
        fprintf(file, "\\U%08X", (unsigned)code);
}

static void print_quoted(FILE *file, const char *text)
{
    CHECK(file != NULL);
    CHECK(text != NULL);
    fputc('"', file);
    for (int32_t code = text_next(&text); code != 0; code = text_next(&text))
        print_character(file, code);
    fputc('"', file);
}

static void print_key(FILE *file, int depth, const char *key, size_t length)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-.";
    char text[CONFIG_PATH_SIZE];

    CHECK(length > 0 && length < sizeof text);
    CHECK(depth >= 0);
    memcpy(text, key, length);
    text[length] = '\0';
    fprintf(file, "%*s", depth * 2, "");
    if (strspn(text, plain) == length && text[0] != '-' && text[0] != '.')
        fprintf(file, "%s:", text);
    else {
        print_quoted(file, text);
        fputc(':', file);
    }
}

static void print_item(FILE *file, int depth, struct item *item, const char *key)
{
    const struct config_row *row = item->row;

    CHECK(row != NULL);
    CHECK(!item->printed);
    item->printed = true;
    if (row->help != NULL)
        fprintf(file, "%*s# %s\n", depth * 2, "", row->help);
    print_key(file, depth, key, strlen(key));
    fputc(' ', file);
    if (config_is_secret(row, item->path) && item->text[0] != '\0')
        fputs("\"***\"", file);
    else if (row->kind == CONFIG_TEXT || item->text[0] == '\0')
        print_quoted(file, item->text);
    else
        fputs(item->text, file);
    fputc('\n', file);
}

/* What of its path is left to be key and sections: below the last star it is one key. */
static bool is_last(const struct item *item, const char *rest)
{
    CHECK(rest != NULL);
    size_t stars = config_ends_in_star(item->row->path) ? strlen(item->row->path) - 1 : SIZE_MAX;
    return strchr(rest, '.') == NULL
           || (stars != SIZE_MAX && (size_t)(rest - item->path) >= stars);
}

/* All items whose path begins with the `length` bytes of prefix. */
static void print_section(FILE *file, const struct items *items, const char *prefix,
                          size_t length, int depth)
{
    CHECK(items != NULL);
    CHECK(depth <= CONFIG_PATH_SIZE);
    for (size_t i = 0; i < items->count; i++) {
        struct item *item = &items->all[i];

        if (item->printed || strncmp(item->path, prefix, length) != 0)
            continue;
        const char *rest = item->path + length;

        if (is_last(item, rest)) {
            print_item(file, depth, item, rest);
            continue;
        }
        size_t key = strcspn(rest, ".");
        print_key(file, depth, rest, key);
        fputc('\n', file);
        print_section(file, items, item->path, length + key + 1, depth + 1);
    }
}

static void add_item(struct items *items, const char *path, const struct config_row *row,
                     const char *text)
{
    CHECK(path != NULL);
    CHECK(text != NULL);
    items->all[items->count++] = (struct item) {.path = path, .row = row, .text = text};
}

void config_print(const struct config *config, FILE *file)
{
    CHECK_MAGIC(config, CONFIG_MAGIC);
    CHECK(config->finished && file != NULL);
    struct items items = {
        .all = calloc(config->rows_count + config->entries_count, sizeof(struct item)),
    };

    CHECK(items.all != NULL);
    for (size_t i = 0; i < config->rows_count; i++) {
        const struct config_row *row = &config->rows[i];

        if (!config_has_star(row->path) && config->defaults[i].text != NULL)
            add_item(&items, row->path, row, config->defaults[i].text);
        for (size_t k = 0; k < config->entries_count; k++)
            if (config->entries[k].row == row)
                add_item(&items, config->entries[k].path, row, config->entries[k].value.text);
    }
    print_section(file, &items, "", 0, 0);
    free(items.all);
}
