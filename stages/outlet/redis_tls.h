/* redis_tls.h - TLS to Redis, where the build has it (hiredis_ssl, and OpenSSL beneath).
 *
 * Certificates are always verified, and so is the name in them.
 */
#ifndef STAGES_OUTLET_REDIS_TLS_H
#define STAGES_OUTLET_REDIS_TLS_H

#include <stddef.h>
#include <sys/types.h>

struct config;
struct redisContext;
struct redis_address;
struct redis_tls;
struct ssl_st;

/* Reads the certificates that redis.tls.* name.  NULL with the error trail: a file is not as it
 * should be, or this build has no TLS.  owns: the caller.  thread: any. */
struct redis_tls *redis_tls_open(const struct config *);
void              redis_tls_close(struct redis_tls *);

/* Secures a blocking connection to this address before its first command.  0; -1 with the
 * error trail.  thread: the connection's, and below. */
int redis_tls_secure(struct redis_tls *, struct redisContext *, const struct redis_address *);

/* The same for a socket that never blocks.  owns: the caller, until redis_tls_end; the
 * descriptor stays its own. */
struct ssl_st *redis_tls_begin(struct redis_tls *, int fd, const struct redis_address *);
void           redis_tls_end(struct ssl_st *);

/* 1 = done, 0 = not yet, -1 = refused, with the error trail. */
int redis_tls_shake(struct ssl_st *);

/* Bytes taken or given, 0 = not now, -1 = the connection is gone, with the error trail.  What
 * was not taken is offered again unchanged. */
ssize_t redis_tls_write(struct ssl_st *, const char *bytes, size_t length);
ssize_t redis_tls_read(struct ssl_st *, char *bytes, size_t size);

#endif
