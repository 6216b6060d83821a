/* Lines: whole, valid JSON whatever is said, text on request, levels. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "pipeline/clock.h"
#include "pipeline/log.h"

static int saved_stderr, ends[2];

static void catch(void)
{
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
}

/* What was written since catch(). */
static size_t release(char *text, size_t size)
{
    size_t length = 0;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    for (ssize_t got = 1; got > 0 && length < size - 1; length += (size_t)(got > 0 ? got : 0))
        got = read(ends[0], text + length, size - 1 - length);
    text[length] = '\0';
    close(ends[0]);
    return length;
}

static uint64_t no_ns(void *self)
{
    (void)self;
    return 0;
}

static int64_t wall(void *self)
{
    return *(int64_t *)self;
}

static void json_lines(void **state)
{
    char                text[8192];
    int64_t             now_ms = 1700000000123;
    struct clock_source source = {no_ns, wall, no_ns, &now_ms};

    (void)state;
    clock_use(&source);
    log_open(LOG_LEVEL_INFO, LOG_FORM_AUTO); /* a pipe is no terminal */
    catch();
    log_warning("store_redis", "lost \"%s\"\n\\ \x01 \xFF Zürich %d", "r1:6379", 7);
    release(text, sizeof text);
    clock_use(NULL);

    json_error_t error;
    json_t      *line = json_loads(text, 0, &error);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "ts")),
                        "2023-11-14T22:13:20.123Z");
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(line, "room")), "store_redis");
    assert_string_equal(json_string_value(json_object_get(line, "message")),
                        "lost \"r1:6379\"\n\\ \x01 \xEF\xBF\xBD Zürich 7");
    json_decref(line);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void text_lines(void **state)
{
    char text[8192];

    (void)state;
    log_open(LOG_LEVEL_WARNING, LOG_FORM_TEXT);
    catch();
    log_info("graph", "not printed");
    log_error("graph", "two\nlines are one");
    release(text, sizeof text);
    assert_non_null(strstr(text, "Z error   graph: two\\nlines are one\n"));
    assert_null(strstr(text, "not printed"));
}

static void long_is_cut_and_still_json(void **state)
{
    char  text[8192];
    char *long_text = malloc(10001);

    (void)state;
    assert_non_null(long_text);
    memset(long_text, '"', 10000);
    long_text[10000] = '\0';
    log_open(LOG_LEVEL_INFO, LOG_FORM_JSON);
    catch();
    log_info("room", "%s", long_text);
    release(text, sizeof text);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    json_decref(line);
    free(long_text);
}

static void *talk(void *self)
{
    for (int i = 0; i < 100; i++)
        log_info(self, "line %d of a thread, and some more words", i);
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    static char text[65536];
    pthread_t   threads[3];
    char        rooms[3][2] = {"a", "b", "c"};
    int         lines = 0;

    (void)state;
    log_open(LOG_LEVEL_INFO, LOG_FORM_JSON);
    catch();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, rooms[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    release(text, sizeof text);
    for (char *line = text; *line != '\0'; lines++) {
        char *end = strchr(line, '\n');

        assert_non_null(end);
        *end = '\0';
        json_t *json = json_loads(line, 0, NULL);
        assert_non_null(json);
        json_decref(json);
        line = end + 1;
    }
    assert_int_equal(lines, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines),
        cmocka_unit_test(text_lines),
        cmocka_unit_test(long_is_cut_and_still_json),
        cmocka_unit_test(threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
