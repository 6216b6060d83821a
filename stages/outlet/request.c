/* request.c - what a request to Redis holds on to. */
#include "stages/outlet/request.h"

#include "stages/outlet/reply_heap.h"

void request_clear(struct request *request)
{
    reply_heap_free(&request->heap);
    request->replies = NULL;
    request->replies_count = 0;
}
