/* OpenSSH asks libc to hash passwords, and Debian's musl cannot. No box has a password: every one is wrong. */

#include <stddef.h>

char *crypt(const char *key, const char *setting) {
    (void)key;
    (void)setting;
    return NULL;
}
