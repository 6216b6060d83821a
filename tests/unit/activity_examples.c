/* activity_examples.c - the pages of the rules (stages/activity/README.md) are true.
 *
 * Each page ends with an example, a block of indented lines; this test reads the page and
 * plays it.  A line is
 *
 *     DAY TIME xMINUTES SUBJECT [WORD NUMBER]… [-> TYPE STATE, …]
 *
 * in each of so many minutes from then on the subject has these counts: scans in out on-hand
 * exceptions; a courier has `deliveries N every SECONDS at PLACE…`, places in turn.  What
 * stands behind the arrow is all that is told meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/activity/watch.h"
#include "stages/scan/format.h"

enum { DAY_ONE = 20000 /* days since 1970 */, TOLD_MAX = 512, RECORD_MAX = 8192,
       PAGES_MAX = 1 << 17 };

struct player {
    struct watch *watch;
    const char   *page;              /* of which rule                                         */
    char          told[TOLD_MAX];    /* "site-silent opened, …" since the line began           */
    uint32_t      opened;            /* how often the page's rule was                         */
};

static char pages[PAGES_MAX];

static void hear(void *self, const struct incident *i)
{
    struct player *p = self;
    size_t         used = strlen(p->told);

    (void)snprintf(p->told + used, sizeof p->told - used, "%s%s %s", used > 0 ? ", " : "",
                   i->rule->type, i->state == ALERT_OPENED ? "opened" : "resolved");
    p->opened += i->state == ALERT_OPENED && strcmp(i->rule->type, p->page) == 0;
    assert_null(strchr(i->text, '{'));
    assert_true(i->at_s >= i->opened_s && i->sequence > 0);
}

static struct rule_values defaults(void)
{
    struct rule_values values = {.enabled = {false}};

    for (int id = 0; rule_table[id] != NULL; id++) {
        values.enabled[id] = true;
        for (int i = 0; i < THRESHOLDS_MAX; i++)
            values.thresholds[id][i] = rule_table[id]->thresholds[i].fallback;
    }
    return values;
}

/* ── One line ─────────────────────────────────────────────────────────────── */

static void take(struct player *p, uint32_t minute, const char *rows)
{
    char json[RECORD_MAX], from[TIME_TEXT], until[TIME_TEXT];

    int from_length = (int)time_print((int64_t)minute * MINUTE_MS, from);
    int until_length = (int)time_print((int64_t)(minute + 1) * MINUTE_MS, until);
    int length = snprintf(json, sizeof json,
                          "{\"source\":0,\"sources\":1,\"epoch\":1,\"minute\":\"%.*s\",\"until\":"
                          "\"%.*s\",\"share\":0,\"shares\":1,\"part\":0,\"counts\":[%s],"
                          "\"last\":true}", from_length, from, until_length, until, rows);

    assert_in_range(length, 1, RECORD_MAX - 1);
    if (watch_take(p->watch, json, (size_t)length) != 0)
        fail_msg("%s: %s", rows, error_text());
}

static unsigned number(const char *words, const char *word)
{
    const char *at = strstr(words, word);
    unsigned    n = 0;

    if (at != NULL && sscanf(at + strlen(word), " %u", &n) != 1)
        fail_msg("%s: no number behind %s", words, word);
    return n;
}

static void deliveries_write(char *rows, const char *subject, const char *words, uint32_t minute)
{
    const char *at = strstr(words, " at ");
    char        places[2][8] = {"", ""};
    int         found = at != NULL ? sscanf(at, " at %7s %7s", places[0], places[1]) : 0;
    size_t      used = 0;

    assert_true(found >= 1);
    for (unsigned i = 0; i < number(words, "deliveries"); i++)
        used += (size_t)snprintf(rows + used, RECORD_MAX / 2 - used, "%s[\"%s\",1,%u,\"%s\"]",
                                 i > 0 ? "," : "", subject,
                                 minute * 60 + i * number(words, "every"),
                                 places[found > 1 ? i % 2 : 0]);
}

static void play(struct player *p, char *line)
{
    char     subject[64], rows[RECORD_MAX / 2] = "";
    unsigned day, hour, minute, minutes;
    int      behind = 0;
    char    *arrow = strstr(line, "->");
    const char *wanted = arrow != NULL ? arrow + 2 + strspn(arrow + 2, " ") : "";

    if (arrow != NULL)
        *arrow = '\0';
    if (sscanf(line, " %u %u:%u x%u %63s%n", &day, &hour, &minute, &minutes, subject,
               &behind) != 5)
        fail_msg("%s: no line of an example", line);
    p->told[0] = '\0';
    for (uint32_t i = 0; i < minutes; i++) {
        uint32_t at = ((DAY_ONE + day) * 24 + hour) * 60 + minute + i;
        const char *words = line + behind;

        if (strncmp(subject, "courier:", 8) == 0)
            deliveries_write(rows, subject, words, at);
        else
            (void)snprintf(rows, sizeof rows, "[\"%s\",%u,%u,%u,%u,%u]", subject,
                           number(words, "scans"), number(words, " in"), number(words, "out"),
                           number(words, "on-hand"), number(words, "exceptions"));
        take(p, at, rows);
    }
    if (strcmp(p->told, wanted) != 0)
        fail_msg("%s: told \"%s\", the page says \"%s\"", line, p->told, wanted);
}

/* ── Pages ────────────────────────────────────────────────────────────────── */

static void pages_read(void)
{
    FILE  *file = fopen(PEAKLINE_SOURCE "/stages/activity/README.md", "r");
    size_t length;

    assert_non_null(file);
    length = fread(pages, 1, sizeof pages - 1, file);
    pages[length] = '\0';
    assert_true(length < sizeof pages - 1);
    (void)fclose(file);
}

/* The rule's page, as a copy that may be cut up. */
static char *page_of(const char *type)
{
    char heading[64];

    (void)snprintf(heading, sizeof heading, "\n## %s\n", type);
    const char *at = strstr(pages, heading);

    if (at == NULL)
        fail_msg("there is no page ## %s", type);
    at += strlen(heading);
    const char *end = strstr(at, "\n## ");

    return strndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
}

static void examples(void **state)
{
    struct rule_values values = defaults();

    (void)state;
    pages_read();
    for (int id = 0; rule_table[id] != NULL; id++) {
        struct player p = {.page = rule_table[id]->type};
        char *page = page_of(p.page), *rest = page, *line;

        p.watch = watch_create(&values, hear, &p);
        while ((line = strsep(&rest, "\n")) != NULL)
            if (strncmp(line, "    ", 4) == 0)
                play(&p, line);
        if (p.opened == 0)
            fail_msg("the example of %s opens none", p.page);
        watch_destroy(p.watch);
        free(page);
    }
}

/* The page's table is the struct's: names, defaults, words. */
static void thresholds(void **state)
{
    (void)state;
    pages_read();
    for (int id = 0; rule_table[id] != NULL; id++) {
        char *page = page_of(rule_table[id]->type);

        for (int i = 0; i < THRESHOLDS_MAX && rule_table[id]->thresholds[i].name != NULL; i++) {
            const struct threshold *t = &rule_table[id]->thresholds[i];
            char row[256], text[THRESHOLD_TEXT];

            threshold_print(t, text);
            (void)snprintf(row, sizeof row, "\n| `%s` | %s | %s |", t->name, text, t->help);
            if (strstr(page, row) == NULL)
                fail_msg("the page of %s has no line %s", rule_table[id]->type, row);
        }
        free(page);
    }
}

/* A setting decides; one that the rule cannot follow is named. */
static void settings(void **state)
{
    size_t count;
    const struct config_row *rows = rule_rows(&count);
    struct config *config = config_create(rows, count);
    struct rule_values values;

    (void)state;
    assert_int_equal(config_set(config, "activity.site-silent.for=20min"), 0);
    assert_int_equal(config_set(config, "activity.congested.enabled=false"), 0);
    assert_int_equal(config_finish(config), 0);
    assert_int_equal(rule_values_read(&values, config), 0);
    assert_int_equal(values.thresholds[0][1], 1200);
    assert_int_equal(values.thresholds[1][1], 600);
    assert_true(values.enabled[0] && !values.enabled[2]);
    config_destroy(config);

    config = config_create(rows, count);
    assert_int_equal(config_set(config, "activity.carrier-silent.for=2h"), 0);
    assert_int_equal(config_finish(config), 0);
    assert_int_equal(rule_values_read(&values, config), -1);
    assert_non_null(strstr(error_text(), "activity.carrier-silent.for"));
    assert_non_null(strstr(error_text(), "accepted is 1min to 1h"));
    error_clear();
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(thresholds),
                                       cmocka_unit_test(settings)};

    return cmocka_run_group_tests_name("activity_examples", tests, NULL, NULL);
}
