/* rdkafka_help.c - librdkafka's table of properties, read for one of them.
 *
 *   Property   | C/P | Range                 | Default | Importance | Description
 *   acks       |  P  | -1 .. 1000            |      -1 | high       | …
 */
#include "stages/outlet/rdkafka_help.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "pipeline/check.h"
#include "pipeline/error.h"
#include "pipeline/text.h"

enum { CELL_SIZE = 160, RANGE_COLUMN = 2 };

/* A cell of a row without the blanks around it; "" = there is none. */
static const char *cell(const char *row, int column, char text[CELL_SIZE])
{
    size_t line = strcspn(row, "\n");
    const char *end = row + line;

    text[0] = '\0';
    for (; column > 0; column--) {
        row = memchr(row, '|', (size_t)(end - row));
        if (row == NULL)
            return text;
        row++;
    }
    row += strspn(row, " ");
    size_t length = strcspn(row, "|\n");

    while (length > 0 && row[length - 1] == ' ')
        length--;
    length = length < CELL_SIZE ? length : CELL_SIZE - 1;
    memcpy(text, row, length);
    text[length] = '\0';
    return text;
}

/* The row of this property, or of the one whose name is nearest to it. */
static const char *nearest_row(const char *table, const char *property, char name[CELL_SIZE])
{
    const char *nearest = NULL, *row = table;
    size_t      distance = SIZE_MAX;
    char        text[CELL_SIZE];

    for (; row != NULL && *row != '\0'; row = strchr(row, '\n'), row += row != NULL) {
        if (strchr(cell(row, 1, text), 'C') == NULL && strchr(text, 'P') == NULL
            && strchr(text, '*') == NULL)
            continue;
        size_t edits = text_distance(cell(row, 0, text), property);

        if (strcmp(text, "Property") == 0 || edits >= distance)
            continue;
        distance = edits;
        nearest = row;
        memcpy(name, text, CELL_SIZE);
    }
    return nearest;
}

int rdkafka_help(const char *property)
{
    char   reason[512], name[CELL_SIZE] = "", range[CELL_SIZE] = "", *table = NULL;
    size_t size = 0;
    FILE  *memory = open_memstream(&table, &size);

    CHECK(memory != NULL);
    (void)snprintf(reason, sizeof reason, "%s", error_text());
    rd_kafka_conf_properties_show(memory);
    CHECK(fclose(memory) == 0 && table != NULL);
    const char *row = strlen(property) < CELL_SIZE ? nearest_row(table, property, name) : NULL;

    if (row != NULL && strcmp(name, property) != 0)
        (void)error_set("%s, nearest is %s", reason, name);
    else if (row != NULL && *cell(row, RANGE_COLUMN, range) != '\0')
        (void)error_set("%s, accepted is %s", reason, range);
    free(table);
    return -1;
}
