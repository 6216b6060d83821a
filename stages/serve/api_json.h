/* api_json.h - members of JSON objects, written into a buffer; only api*.c include it.
 *
 * Objects are opened and closed by hand; each member puts a comma before itself unless it
 * stands first.
 */
#ifndef STAGES_SERVE_API_JSON_H
#define STAGES_SERVE_API_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/outlet/buffer.h"

#define json_raw(buffer, text) buffer_add((buffer), "" text, sizeof(text) - 1)

void json_comma(struct buffer *);                                  /* unless after { or [  */
void json_name(struct buffer *, const char *name);                 /* ,"name":             */
void json_string(struct buffer *, const char *text);               /* any bytes: no UTF-8 = ? */
void json_text(struct buffer *, const char *name, const char *text); /* left out when ""     */
void json_number(struct buffer *, const char *name, int64_t number);
void json_bool(struct buffer *, const char *name, bool yes);
void json_time(struct buffer *, const char *name, int64_t unix_ms); /* left out when ≤ 0      */

#endif
