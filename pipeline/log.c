/* log.c - makes one line, gives it to the kernel in one write(2).
 *
 * Two threads' lines cannot mix, and a line is never half written when the
 * process dies just after.  Times are UTC, so that lines of several machines
 * can be put side by side.
 */
#include "pipeline/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/check.h"
#include "pipeline/clock.h"
#include "pipeline/text.h"

enum { MESSAGE_SIZE = 2048, LINE_SIZE = 4096 };

struct line {
    char   text[LINE_SIZE];
    size_t length;
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static enum log_level level_least = LOG_LEVEL_INFO;
static enum log_form  form_wanted = LOG_FORM_AUTO;

void log_open(enum log_level least, enum log_form form)
{
    CHECK(least <= LOG_LEVEL_NONE);
    CHECK(form <= LOG_FORM_JSON);
    level_least = least;
    form_wanted = form;
}

__attribute__((format(printf, 2, 3)))
static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    size_t  left = sizeof line->text - line->length;

    CHECK(line->length < sizeof line->text);
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->length, left, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    line->length += (size_t)length < left ? (size_t)length : left - 1;
}

/* One character; an unprintable one as JSON writes it, which a person can read too. */
static void put_character(struct line *line, int32_t code, const char *bytes, int bytes_count,
                          bool json)
{
    CHECK(bytes != NULL);
    CHECK(bytes_count >= 1 && bytes_count <= 4);
    if (code == TEXT_INVALID)
        put(line, "\xEF\xBF\xBD"); /* U+FFFD, the replacement character */
    else if (code == '\n' || code == '\t')
        put(line, code == '\n' ? "\\n" : "\\t");
    else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
        put(line, "\\u%04x", (unsigned)code);
    else if (json && (code == '"' || code == '\\'))
        put(line, "\\%c", (char)code);
    else
        put(line, "%.*s", bytes_count, bytes);
}

/* Leaves 16 bytes for what closes the line. */
static void put_text(struct line *line, const char *text, bool json)
{
    CHECK(line != NULL);
    CHECK(text != NULL);
    while (*text != '\0' && line->length < LINE_SIZE - 16) {
        const char *at = text;
        int32_t     code = text_next(&at);

        put_character(line, code, text, (int)(at - text), json);
        text = at;
    }
}

static void put_time(struct line *line, int64_t wall_ms)
{
    time_t    seconds = (time_t)(wall_ms / 1000);
    struct tm utc;

    CHECK(line != NULL);
    if (wall_ms < 0 || gmtime_r(&seconds, &utc) == NULL) {
        put(line, "%lld", (long long)wall_ms);
        return;
    }
    CHECK(utc.tm_mon >= 0 && utc.tm_mon < 12);
    put(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
        utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(wall_ms % 1000));
}

static void make_line(struct line *line, enum log_level level, const char *room,
                      const char *message, bool json)
{
    CHECK(level <= LOG_LEVEL_ERROR);
    CHECK(message != NULL);
    put(line, json ? "{\"ts\":\"" : "");
    put_time(line, clock_wall_ms());
    put(line, json ? "\",\"level\":\"%s\",\"room\":\"" : " %-7s ", level_names[level]);
    put_text(line, room, json);
    put(line, json ? "\",\"message\":\"" : ": ");
    put_text(line, message, json);
    put(line, json ? "\"}\n" : "\n");
}

void log_write(enum log_level level, const char *room, const char *format, ...)
{
    char        message[MESSAGE_SIZE];
    struct line line = {.length = 0};
    va_list     arguments;

    CHECK(room != NULL);
    CHECK(format != NULL);
    if (level < level_least)
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    bool json = form_wanted == LOG_FORM_JSON
                || (form_wanted == LOG_FORM_AUTO && isatty(STDERR_FILENO) == 0);
    make_line(&line, level, room, message, json);
    CHECK(line.length > 0 && line.text[line.length - 1] == '\n');
    ssize_t written = write(STDERR_FILENO, line.text, line.length);
    (void)written; /* a log that nobody can read is no reason to stop */
}
