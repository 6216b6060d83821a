/* log.h - one line for each change of state, none per scan.
 *
 * Text on a terminal, one JSON object a line otherwise (or as the
 * configuration says).  Lines go to stderr, whole, from any thread.
 */
#ifndef PIPELINE_LOG_H
#define PIPELINE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR,
                 LOG_LEVEL_NONE /* log_open only: nothing is printed */ };
enum log_form { LOG_FORM_AUTO, LOG_FORM_TEXT, LOG_FORM_JSON };

/* Sets the lowest level that is printed and the form; without it INFO and AUTO.
 * thread: before threads start. */
void log_open(enum log_level least, enum log_form form);

/* `room` names who speaks ("store_redis", "graph"); the message is a sentence a
 * person on call can act on.  thread: any. */
void log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(room, ...)   log_write(LOG_LEVEL_DEBUG, room, __VA_ARGS__)
#define log_info(room, ...)    log_write(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_warning(room, ...) log_write(LOG_LEVEL_WARNING, room, __VA_ARGS__)
#define log_error(room, ...)   log_write(LOG_LEVEL_ERROR, room, __VA_ARGS__)

#endif
