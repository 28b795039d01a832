#!/bin/bash
# openssl: keys, certificates, signatures, ciphers, and a TLS connection between two of it.
. "$(dirname "$0")/../lib.sh"
need openssl

words 100000 >"$work/text"

secrets()
{
    openssl dgst -sha256 "$work/text"
    openssl enc -aes-256-cbc -pbkdf2 -S 0011223344556677 -k word -in "$work/text" -out secret
    openssl enc -d -aes-256-cbc -pbkdf2 -S 0011223344556677 -k word -in secret | cmp - "$work/text" && echo enciphered
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 -subj /CN=test 2>/dev/null
    openssl x509 -in certificate -noout -subject
    openssl verify -CAfile certificate certificate
    openssl dgst -sha512 -sign key -out signature "$work/text"
    openssl x509 -in certificate -pubkey -noout >public
    openssl dgst -sha512 -verify public -signature signature "$work/text"
    openssl ecparam -name prime256v1 -genkey -noout | openssl ec -text -noout 2>/dev/null | grep -c NIST
    openssl prime -generate -bits 512 | wc -l
    openssl asn1parse -in certificate | awk -F: '{print $4}' | sort | uniq -c | tail -n 3
}

compare secrets
served openssl
