/* ports.c - the real clients. */
#include "stages/ports.h"

struct ports ports = {
    .consumer_open = consumer_open_kafka,
    .producer_open = producer_open_kafka,
    .message_header = consumer_header_kafka,
    .redis_open = redis_io_open_hiredis,
};
