/*
 * tls_pki.h - certificates for tests: two authorities, and certificates that they signed.
 *
 * Files are written into the working folder; keys are of P-256, valid for a day.
 */
#ifndef TESTS_TLS_PKI_H
#define TESTS_TLS_PKI_H

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct tls_identity {
    EVP_PKEY *key;
    X509 *cert;
};

static inline void pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert(extension != NULL);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/* `names`: subjectAltName, "DNS:localhost,IP:127.0.0.1"; NULL makes an authority.
 * `issuer` NULL: signs itself. */
static inline struct tls_identity pki_make(const char *common_name, const char *names,
                                           const struct tls_identity *issuer)
{
    static long serial = 1;
    struct tls_identity made = {EVP_EC_gen("P-256"), X509_new()};
    X509_NAME *name = X509_get_subject_name(made.cert);

    assert(made.key != NULL && made.cert != NULL);
    X509_set_version(made.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.cert), 24L * 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1,
                               0);
    X509_set_issuer_name(made.cert, issuer != NULL ? X509_get_subject_name(issuer->cert) : name);
    X509_set_pubkey(made.cert, made.key);
    if (names == NULL)
        pki_extend(made.cert, made.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        pki_extend(made.cert, issuer->cert, NID_subject_alt_name, names);
    if (X509_sign(made.cert, issuer != NULL ? issuer->key : made.key, EVP_sha256()) == 0)
        abort();
    return made;
}

static inline void pki_free(struct tls_identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->cert);
}

/* Either file may be NULL. `password` NULL: the key is not encrypted. */
static inline void pki_write(const struct tls_identity *identity, const char *cert_file,
                             const char *key_file, const char *password)
{
    if (cert_file != NULL) {
        FILE *to = fopen(cert_file, "w");
        assert(to != NULL);
        PEM_write_X509(to, identity->cert);
        fclose(to);
    }
    if (key_file != NULL) {
        FILE *to = fopen(key_file, "w");
        assert(to != NULL);
        PEM_write_PrivateKey(to, identity->key, password != NULL ? EVP_aes_256_cbc() : NULL, NULL,
                             0, NULL, (void *)password);
        fclose(to);
    }
}

#endif
