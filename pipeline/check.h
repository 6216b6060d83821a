/* check.h - assertions that stay on in production.
 *
 * CHECK is for what only a programmer's mistake can break; data that arrives
 * from outside is never CHECKed, it is judged (verdicts, the reject edge).
 * A failed CHECK prints where and what, and aborts: a process that no longer
 * knows its own state must not write any.
 */
#ifndef PIPELINE_CHECK_H
#define PIPELINE_CHECK_H

/* Prints "file:line: function: CHECK failed: what" to stderr and aborts.
 * thread: any. */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *what);

#define CHECK(condition)                                                      \
    (__builtin_expect(!!(condition), 1)                                       \
         ? (void)0                                                            \
         : check_failed(__FILE__, __LINE__, __func__, #condition))

/* A struct that carries `uint32_t magic` proves what it is before it is used. */
#define CHECK_MAGIC(object, value) CHECK((object) != NULL && (object)->magic == (value))

#endif
