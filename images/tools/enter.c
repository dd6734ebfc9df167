/*
 * The login shell of a box's user: it gives the session what sshd drops, the environment of the image and of the pod,
 * and becomes the real shell.
 *
 * sshd starts it as `enter -c COMMAND`, or as `-enter` for a login. The environment lies in a file of NAME=VALUE, each
 * ended by NUL, as /proc/PID/environ has them. A file that is lacking or spoilt is told, and the shell starts all the
 * same: a person who gets in can look after the rest.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ENVIRONMENT_FILE
#define ENVIRONMENT_FILE "/run/gpudev-boot/environment"
#endif
#ifndef TOOLS
#define TOOLS "/opt/gpudev/bin"
#endif

struct shell {
    const char *path;
    const char *name;  /* argv[0] */
    const char *shown; /* $SHELL: a path that is a shell without a further word */
};

static const struct shell shells[] = {
    {"/bin/bash", "bash", "/bin/bash"},
    {"/usr/bin/bash", "bash", "/usr/bin/bash"},
    {"/bin/sh", "sh", "/bin/sh"},
    {"/bin/busybox", "sh", TOOLS "/sh"},
    {TOOLS "/busybox", "sh", TOOLS "/sh"},
};

/* What sshd sets for the session itself, and what a shell keeps for itself alone. */
static const char *const kept[] = {"HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "MAIL", "PWD", "OLDPWD", "SHLVL", "_"};

static void tell(const char *what, const char *why) {
    fprintf(stderr, "gpudev: %s: %s\n", what, why);
}

static void *need(void *memory) {
    if (memory == NULL) {
        tell("no shell", strerror(ENOMEM));
        exit(127);
    }
    return memory;
}

/* Reads all of an open file, and puts a NUL behind it; NULL with errno where that fails. */
static char *all_of(int file, size_t *length) {
    size_t room = 65536;
    char *text = need(malloc(room));
    ssize_t got;

    *length = 0;
    while ((got = read(file, text + *length, room - *length - 1)) != 0) {
        if (got < 0) {
            if (errno == EINTR)
                continue;
            free(text);
            return NULL;
        }
        *length += (size_t)got;
        if (room - *length < 2)
            text = need(realloc(text, room *= 2));
    }
    text[*length] = '\0';
    return text;
}

/* Returns the file's text; an empty one, told, where it cannot be read. */
static char *environment(size_t *length) {
    int file = open(ENVIRONMENT_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = file < 0 ? NULL : all_of(file, length);

    if (text == NULL) {
        tell(ENVIRONMENT_FILE, strerror(errno));
        *length = 0;
        text = need(calloc(1, 1));
    }
    if (file >= 0)
        close(file);
    return text;
}

static int is_kept(const char *entry, size_t name) {
    if (strncmp(entry, "SSH_", 4) == 0)
        return 1;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strlen(kept[i]) == name && strncmp(entry, kept[i], name) == 0)
            return 1;
    return 0;
}

/* Sets what the file has and the session has not; PATH is the image's, since sshd's is anybody's. */
static void take(char *text, size_t length) {
    int spoilt = 0;

    for (char *entry = text; entry < text + length; entry += strlen(entry) + 1) {
        char *equals = strchr(entry, '=');
        int ended = entry + strlen(entry) < text + length;

        if (equals == NULL || equals == entry || !ended) {
            spoilt = 1;
            continue;
        }
        if (is_kept(entry, (size_t)(equals - entry)))
            continue;
        *equals = '\0';
        if (setenv(entry, equals + 1, strcmp(entry, "PATH") == 0 && equals[1] != '\0') != 0)
            need(NULL);
        *equals = '=';
    }
    if (spoilt)
        tell(ENVIRONMENT_FILE, "not all of it is NAME=VALUE ended by NUL; the rest is used");
}

/* Puts the tools behind everything that the image has, so that scp, rsync and the like are found, and hide nothing. */
static void append_tools(void) {
    const char *path = getenv("PATH");
    char *longer;

    if (path == NULL || *path == '\0') {
        longer = need(strdup("/usr/local/bin:/usr/bin:/bin:" TOOLS));
    } else {
        size_t before = strlen(path), own = strlen(TOOLS);
        if (before >= own && strcmp(path + before - own, TOOLS) == 0)
            return;
        if (asprintf(&longer, "%s:%s", path, TOOLS) < 0)
            need(NULL);
    }
    if (setenv("PATH", longer, 1) != 0)
        need(NULL);
    free(longer);
}

/* Becomes the shell; returns only where that fails, with errno. */
static void become(const struct shell *shell, int login, char **words) {
    char *name;
    int error;

    if (asprintf(&name, "%s%s", login ? "-" : "", shell->name) < 0 || setenv("SHELL", shell->shown, 1) != 0)
        need(NULL);
    words[0] = name;
    execv(shell->path, words);
    error = errno;
    free(name);
    errno = error;
}

/* Tries the shell that the person named; returns errno. */
static int become_named(int login, char **words) {
    const char *named = getenv("GPUDEV_SHELL");
    struct shell asked = {named, NULL, named};
    int error;

    if (named == NULL || *named == '\0')
        return ENOENT;
    if (*named != '/') {
        tell(named, "GPUDEV_SHELL is the whole path of a shell");
        return ENOENT;
    }
    asked.name = strrchr(named, '/') + 1;
    become(&asked, login, words);
    error = errno;
    tell(named, strerror(error));
    return error;
}

/* Tries the named shell, then those that images have, then ours; returns errno, E2BIG at once. */
static int become_any(int login, char **words) {
    int error = become_named(login, words);

    for (size_t i = 0; i < sizeof shells / sizeof *shells && error != E2BIG; i++) {
        become(&shells[i], login, words);
        error = errno;
        if (error != ENOENT)
            tell(shells[i].path, strerror(error));
    }
    return error;
}

/* Copies what sshd gave, to go back to. */
static char **as_given(void) {
    size_t count = 0;
    char **copy;

    while (environ[count] != NULL)
        count++;
    copy = need(calloc(count + 1, sizeof *copy));
    memcpy(copy, environ, count * sizeof *copy);
    return copy;
}

int main(int count, char **words) {
    char *only_name[] = {NULL, NULL};
    int login = count > 0 && words[0][0] == '-';
    char **given = as_given();
    size_t length;
    char *text = environment(&length);

    if (count < 1)
        words = only_name;
    take(text, length);
    append_tools();
    if (become_any(login, words) == E2BIG) {
        tell(ENVIRONMENT_FILE, "too big to start a shell with: left out");
        environ = given;
        append_tools();
        become_any(login, words);
    }
    tell("no shell", "neither the image nor " TOOLS " has one that starts");
    return 127;
}
