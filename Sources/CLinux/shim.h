#pragma once
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
/* Declared for _GNU_SOURCE alone, which Swift's importer does not define. */
extern int pipe2(int ends[2], int flags);
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

/* Declared for _XOPEN_SOURCE alone. */
#include <wchar.h>
extern int wcwidth(wchar_t c);
