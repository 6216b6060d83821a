/* routes.c - the file of routes: from origin to destination by a service, over these nodes. */
#include <string.h>

#include "pipeline/error.h"
#include "stages/reference/parts.h"

enum { ORIGIN, DESTINATION, SERVICE, NODES, CUSTOMS, DOCUMENTS };

struct route_row {
    char         key[KEY_SIZE];
    struct route route;
};

static int read_route(struct reading *in, void *self)
{
    struct reference *r = self;
    struct route_row  row = {.key = ""};
    struct route     *route = &row.route;

    if (key_read(in, 1u << ORIGIN | 1u << DESTINATION, row.key) != 0
        || reading_words(in, NODES, route->nodes[0], CODE_SIZE, ROUTE_NODES_MAX,
                         &route->nodes_count) != 0
        || reading_bool(in, CUSTOMS, &route->customs) != 0
        || reading_words(in, DOCUMENTS, route->documents[0], CODE_SIZE, ROUTE_DOCUMENTS_MAX,
                         &route->documents_count) != 0)
        return -1;
    route->customs |= route->documents_count > 0;
    if (rows_add(&r->routes, &row) == NULL)
        return error_set("origin: this origin, destination and service are there twice");
    return 0;
}

const struct form routes_form = {
    .columns  = {"origin", "destination", "service", "nodes", "customs", "documents"},
    .must     = 1u << ORIGIN | 1u << DESTINATION,
    .row_size = sizeof(struct route_row),
    .row      = read_route,
};

const struct route *reference_route(const struct reference *r, const char *origin,
                                    const char *destination, const char *service)
{
    char key[KEY_SIZE];

    if (r->routes.count == 0)
        return NULL;
    key_make(key, origin, destination, service);
    struct route_row *row = rows_find(&r->routes, key);

    if (row == NULL && service[0] != '\0') {
        key_make(key, origin, destination, "");
        row = rows_find(&r->routes, key);
    }
    return row != NULL ? &row->route : NULL;
}

bool route_has(const struct route *route, const char *code)
{
    for (int i = 0; i < route->nodes_count; i++)
        if (strcmp(route->nodes[i], code) == 0)
            return true;
    return false;
}
