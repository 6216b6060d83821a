/* detect_examples.c - the pages of the detectors (stages/detect/README.md) are true.
 *
 * Each page ends with an example, a block of indented lines; this test reads the page and
 * plays it.  A line is
 *
 *     TIME [CODE [FACILITY] [WORD VALUE]…] [-> TYPE STATE [SEVERITY], …]
 *
 * TIME is a day of the week and a time, UTC; "Mon+1" is the Monday after.  Without a code
 * the clock moves there.  What stands behind the arrow is all that is told by then.  The
 * words: next dest origin carrier service reason, promise p50 p90 received TIME,
 * weighs declared GRAMS, position address LAT,LON, and retracts alone.
 */
#include "tests/unit/detect_sequences.h"

#define REFERENCE PEAKLINE_SOURCE "/deploy/reference/"

enum { PAGE_MAX = 1 << 18, LINE_MAX_ = 512, CHANGES_MAX = 8 };

struct player {
    struct world world;
    const char  *at;           /* rest of the line                                         */
    const char  *line;         /* for messages                                             */
    char         texts[16][32]; /* words of this line that outlive their reading             */
    uint32_t     used;
    const char  *page;
    uint32_t     opened;       /* how often the page's own type was opened                  */
};

static struct player player;

/* The next word of the line, "" = none. */
static const char *word(struct player *p)
{
    char  *to = p->texts[p->used++ % 16];
    size_t length;

    p->at += strspn(p->at, " ");
    length = strcspn(p->at, " ,\n");
    if (length >= sizeof p->texts[0])
        fail_msg("%s: \"%.*s\" is too long a word", p->line, (int)length, p->at);
    memcpy(to, p->at, length);
    to[length] = '\0';
    p->at += length;
    return to;
}

static uint32_t moment(struct player *p)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const char *day = word(p), *time = word(p);
    unsigned    weeks = 0, hour = 0, minute = 0;

    if (day[0] == '\0' || (day[3] == '+' && sscanf(day + 4, "%u", &weeks) != 1)
        || sscanf(time, "%u:%u", &hour, &minute) != 2)
        fail_msg("%s: no time: %s %s", p->line, day, time);
    for (unsigned i = 0; i < 7; i++)
        if (strncmp(day, days[i], 3) == 0)
            return (uint32_t)(T0 + (weeks * 7 + i) * DAY + hour * HOUR + minute * 60);
    fail_msg("%s: no day: %s", p->line, day);
    return 0;
}

static struct spot spot(struct player *p)
{
    struct spot s = {0, 0};
    int         length = 0;

    if (sscanf(p->at, " %f,%f%n", &s.lat, &s.lon, &length) != 2)
        fail_msg("%s: no position", p->line);
    p->at += length;
    return s;
}

static int32_t grams(struct player *p)
{
    return (int32_t)strtol(word(p), NULL, 10);
}

/* A word of a scan and its value. */
static void read_word(struct player *p, struct step *step)
{
    const struct { const char *name; const char **text; } texts[] = {
        {"next", &step->next}, {"dest", &step->dest}, {"origin", &step->origin},
        {"carrier", &step->carrier}, {"service", &step->service}, {"reason", &step->reason}};
    const char *name = word(p);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = word(p);
            return;
        }
    if (strcmp(name, "promise") == 0)
        step->promise_s = moment(p);
    else if (strcmp(name, "received") == 0)
        step->received_s = moment(p);
    else if (strcmp(name, "p50") == 0)
        p->world.forced.p50_s = moment(p);
    else if (strcmp(name, "p90") == 0)
        p->world.forced.p90_s = moment(p);
    else if (strcmp(name, "weighs") == 0)
        step->weight_g = grams(p);
    else if (strcmp(name, "declared") == 0)
        step->declared_g = grams(p);
    else if (strcmp(name, "position") == 0)
        step->position = spot(p);
    else if (strcmp(name, "address") == 0)
        step->address = spot(p);
    else if (strcmp(name, "retracts") == 0)
        step->retracts = true;
    else
        fail_msg("%s: no such word: %s", p->line, name);
}

static bool at_end(struct player *p)
{
    p->at += strspn(p->at, " ");
    return *p->at == '\0' || strncmp(p->at, "->", 2) == 0;
}

static void play_scan(struct player *p, uint32_t at_s)
{
    const char *name = word(p);
    struct step step = {.code = code_find(name, strlen(name)), .at_s = at_s};

    if (step.code == SCAN_NONE)
        fail_msg("%s: no such code: %s", p->line, name);
    p->world.forced.p50_s = p->world.forced.p90_s = 0;
    p->at += strspn(p->at, " ");
    if (*p->at >= 'A' && *p->at <= 'Z')
        step.here = word(p);
    while (!at_end(p))
        read_word(p, &step);
    p->world.forced.known = p->world.forced.p50_s != 0;
    if (step.received_s == 0)
        step.received_s = at_s;
    world_scan(&p->world, step);
}

/* Was this told?  The change is taken out. */
static bool take_told(struct world *w, const char *type, const char *state, const char *severity)
{
    static const char *const states[] = {"", "opened", "updated", "resolved"};
    static const char *const severities[] = {"", "info", "warning", "critical"};

    for (uint32_t i = w->read; i < w->told; i++) {
        struct alert *a = &w->tell[i % TOLD_MAX];

        if (strcmp(detector_table[a->type]->type, type) != 0
            || strcmp(states[a->state], state) != 0
            || (severity[0] != '\0' && strcmp(severities[a->severity], severity) != 0))
            continue;
        *a = w->tell[w->read++ % TOLD_MAX];
        return true;
    }
    return false;
}

static void expect_told(struct player *p)
{
    p->at += strspn(p->at, " ");
    if (*p->at != '\0')
        p->at += 2;
    while (*p->at != '\0') {
        const char *type = word(p), *state = word(p), *severity = word(p);

        if (!take_told(&p->world, type, state, severity))
            fail_msg("%s: was not told: %s %s %s", p->line, type, state, severity);
        p->opened += strcmp(type, p->page) == 0 && strcmp(state, "opened") == 0;
        p->at += strspn(p->at, " ,");
    }
    if (p->world.read != p->world.told)
        fail_msg("%s: told too: %s, state %d", p->line,
                 detector_table[p->world.tell[p->world.read % TOLD_MAX].type]->type,
                 p->world.tell[p->world.read % TOLD_MAX].state);
}

static void play_line(struct player *p, const char *line)
{
    p->line = p->at = line;
    p->used = 0;
    uint32_t at_s = moment(p);

    if (at_end(p))
        world_clock(&p->world, at_s);
    else
        play_scan(p, at_s);
    expect_told(p);
}

static void pages_read(char *text)
{
    FILE *f = fopen(PEAKLINE_SOURCE "/stages/detect/README.md", "r");

    assert_non_null(f);
    size_t length = fread(text, 1, PAGE_MAX - 1, f);

    assert_in_range(length, 1000, PAGE_MAX - 2);
    text[length] = '\0';
    assert_int_equal(fclose(f), 0);
}

/* Plays the indented lines of one page, up to the next heading. */
static void play_page(struct player *p, const char *page)
{
    const char *end = strstr(page, "\n## ");
    size_t      length = end != NULL ? (size_t)(end - page) : strlen(page);

    for (const char *at = page; at < page + length; at += strcspn(at, "\n") + 1) {
        char   line[LINE_MAX_];
        size_t wide = strcspn(at, "\n");

        if (strncmp(at, "    ", 4) != 0)
            continue;
        assert_true(wide < sizeof line);
        memcpy(line, at + 4, wide - 4);
        line[wide - 4] = '\0';
        play_line(p, line);
    }
}

static void every_page_is_true(void **state)
{
    static char text[PAGE_MAX];
    static const char *const files[REFERENCE_PARTS] = {
        REFERENCE "facilities.csv", REFERENCE "routes.csv", REFERENCE "departures.csv",
        REFERENCE "promises.csv", REFERENCE "calendars.csv"};

    (void)state;
    pages_read(text);
    for (uint8_t id = 0; id < DETECTORS; id++) {
        char heading[64];

        (void)snprintf(heading, sizeof heading, "\n## %s\n", detector_table[id]->type);
        const char *page = strstr(text, heading);

        if (page == NULL)
            fail_msg("no page \"%s\"", detector_table[id]->type);
        memset(&player, 0, sizeof player);
        world_open(&player.world, NULL, NULL);
        reference_destroy(player.world.reference);
        player.world.reference = reference_read(files);
        assert_non_null(player.world.reference);
        player.page = detector_table[id]->type;
        play_page(&player, page + 4);
        if (player.opened == 0)
            fail_msg("the example of %s opens none", player.page);
        world_close(&player.world);
    }
}

/* Each threshold of each detector stands on its page, with its default. */
static void every_threshold_is_on_its_page(void **state)
{
    static char text[PAGE_MAX];

    (void)state;
    pages_read(text);
    for (uint8_t id = 0; id < DETECTORS; id++) {
        char        row[128];
        const char *page;

        (void)snprintf(row, sizeof row, "\n## %s\n", detector_table[id]->type);
        page = strstr(text, row);
        assert_non_null(page);
        for (int i = 0; i < THRESHOLDS_MAX && detector_table[id]->thresholds[i].name; i++) {
            const struct threshold *t = &detector_table[id]->thresholds[i];
            char                    value[THRESHOLD_TEXT];

            threshold_print(t, value);
            (void)snprintf(row, sizeof row, "| `%s` | %s |", t->name, value);
            const char *found = strstr(page, row), *next = strstr(page + 4, "\n## ");

            if (found == NULL || (next != NULL && found > next))
                fail_msg("the page of %s has no row \"%s\"", detector_table[id]->type, row);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_true),
        cmocka_unit_test(every_threshold_is_on_its_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
