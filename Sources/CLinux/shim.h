#pragma once
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <linux/memfd.h>

/* glibc's <sys/mman.h> declares it only under _GNU_SOURCE, which is too late to define here. */
int memfd_create(const char *name, unsigned int flags);
