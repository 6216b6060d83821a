/* request.c - what a request to Redis holds on to. */
#include "stages/outlet/request.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

void request_clear(struct request *request)
{
    for (uint32_t i = 0; i < request->replies_count; i++)
        freeReplyObject(request->replies[i]);
    free(request->replies);
    request->replies = NULL;
    request->replies_count = 0;
}
