/* redis_tls.c - TLS to Redis: OpenSSL, and hiredis_ssl for who asks and waits. */
#include "stages/outlet/redis_tls.h"

#include "pipeline/config.h"
#include "pipeline/error.h"

#ifdef PEAKLINE_REDIS_TLS

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "pipeline/check.h"
#include "stages/outlet/redis_address.h"

struct redis_tls {
    SSL_CTX    *context;
    const char *name;   /* to be verified; "" = the address's host                       */
};

/* OpenSSL's reason, or the system's; always -1. */
static int fail(void)
{
    char          text[160] = "";
    unsigned long code = ERR_get_error();
    int           error = errno;

    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    if (code == 0)
        return error_set("TLS: %s", error != 0 ? strerror(error) : "closed by the server");
    const char *reason = strrchr(text, ':');

    return error_set("TLS: %s", reason != NULL ? reason + 1 : text);
}

static int use_authority(SSL_CTX *context, const char *file)
{
    int good = file[0] != '\0' ? SSL_CTX_load_verify_locations(context, file, NULL)
                               : SSL_CTX_set_default_verify_paths(context);

    return good == 1 ? 0 : fail();
}

static int use_certificate(SSL_CTX *context, const char *file)
{
    return file[0] == '\0' || SSL_CTX_use_certificate_chain_file(context, file) == 1 ? 0 : fail();
}

static int use_key(SSL_CTX *context, const char *file)
{
    return file[0] == '\0' || SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1
               ? 0 : fail();
}

static int use_files(SSL_CTX *context, const struct config *config)
{
    static const struct {
        const char *path;
        int       (*use)(SSL_CTX *, const char *);
    } files[] = {{"redis.tls.ca", use_authority}, {"redis.tls.certificate", use_certificate},
                 {"redis.tls.key", use_key}};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *file = config_text(config, files[i].path);

        if (files[i].use(context, file) != 0) {
            (void)error_add("found \"%s\"", file);
            return config_blame(config, files[i].path);
        }
    }
    return 0;
}

struct redis_tls *redis_tls_open(const struct config *config)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);

    CHECK(tls != NULL);
    tls->name = config_text(config, "redis.tls.name");
    tls->context = SSL_CTX_new(TLS_client_method());
    CHECK(tls->context != NULL);
    CHECK(SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(tls->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (use_files(tls->context, config) == 0)
        return tls;
    redis_tls_close(tls);
    return NULL;
}

void redis_tls_close(struct redis_tls *tls)
{
    SSL_CTX_free(tls->context);
    free(tls);
}

/* A session that takes no certificate but one for this name, or this address. */
static SSL *session(struct redis_tls *tls, const struct redis_address *at)
{
    SSL        *ssl = SSL_new(tls->context);
    const char *name = tls->name[0] != '\0' ? tls->name : at->host;

    CHECK(ssl != NULL);
    X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

    if (name[0] == '\0')
        return ssl; /* a Unix socket and no name: who signed it is what counts */
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1)
        return ssl;
    CHECK(X509_VERIFY_PARAM_set1_host(expected, name, 0) == 1);
    (void)SSL_set_tlsext_host_name(ssl, name);
    return ssl;
}

int redis_tls_secure(struct redis_tls *tls, struct redisContext *context,
                     const struct redis_address *at)
{
    SSL *ssl = session(tls, at);

    ERR_clear_error();
    if (redisInitiateSSL(context, ssl) == REDIS_OK)
        return 0;
    SSL_free(ssl); /* the connection has taken it only where that went well */
    return error_set("TLS: %s", context->errstr);
}

struct ssl_st *redis_tls_begin(struct redis_tls *tls, int fd, const struct redis_address *at)
{
    SSL *ssl = session(tls, at);

    CHECK(SSL_set_fd(ssl, fd) == 1);
    SSL_set_connect_state(ssl);
    return ssl;
}

void redis_tls_end(struct ssl_st *ssl)
{
    SSL_free(ssl);
}

/* 0 = the socket was empty or full; -1 = gone. */
static int judge(const SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : fail();
}

int redis_tls_shake(struct ssl_st *ssl)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(ssl);

    return result == 1 ? 1 : judge(ssl, result);
}

ssize_t redis_tls_write(struct ssl_st *ssl, const char *bytes, size_t length)
{
    size_t taken = 0;

    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(ssl, bytes, length, &taken);

    return result == 1 ? (ssize_t)taken : judge(ssl, result);
}

ssize_t redis_tls_read(struct ssl_st *ssl, char *bytes, size_t size)
{
    size_t got = 0;

    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(ssl, bytes, size, &got);

    return result == 1 ? (ssize_t)got : judge(ssl, result);
}

#else /* a build without TLS: asked for, it is refused, and so never used */

#include "pipeline/check.h"

struct redis_tls *redis_tls_open(const struct config *config)
{
    (void)error_set("found true, accepted is false: this build has no TLS for Redis, since "
                    "hiredis came without hiredis_ssl (Debian 13 has it)");
    (void)config_blame(config, "redis.tls.enabled");
    return NULL;
}

void redis_tls_close(struct redis_tls *tls)
{
    CHECK(tls == NULL);
}

int redis_tls_secure(struct redis_tls *tls, struct redisContext *context,
                     const struct redis_address *at)
{
    (void)context;
    (void)at;
    CHECK(tls == NULL);
    return 0;
}

struct ssl_st *redis_tls_begin(struct redis_tls *tls, int fd, const struct redis_address *at)
{
    (void)fd;
    (void)at;
    CHECK(tls == NULL);
    return NULL;
}

void redis_tls_end(struct ssl_st *ssl)
{
    CHECK(ssl == NULL);
}

int redis_tls_shake(struct ssl_st *ssl)
{
    CHECK(ssl == NULL);
    return 1;
}

ssize_t redis_tls_write(struct ssl_st *ssl, const char *bytes, size_t length)
{
    (void)bytes;
    CHECK(ssl == NULL && length == 0);
    return 0;
}

ssize_t redis_tls_read(struct ssl_st *ssl, char *bytes, size_t size)
{
    (void)bytes;
    CHECK(ssl == NULL && size == 0);
    return 0;
}

#endif
