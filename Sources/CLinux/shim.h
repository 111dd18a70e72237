#pragma once
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
/* unistd.h declares it for _GNU_SOURCE alone, which Swift's importer does not define. */
extern int pipe2(int ends[2], int flags);
