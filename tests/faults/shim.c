/* Counts what a program does to the files below one folder, and breaks it at the n-th time.

   Preloaded (LD_PRELOAD). Nothing is counted before faults_arm() is called, nor in programs that are
   started by exec after it; forks count together. At the n-th operation the process group is killed, before the operation, or after the
   first half of it where it writes bytes; or, from the n-th on, whatever needs room on the disk
   fails with "No space left on device". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FULL };
static char root[PATH_MAX];
static size_t root_length;
static long *counter; /* shared by all processes of the program */
static long at = -1;
static int mode = COUNT;
static int log_to = -1;

void faults_arm(const char *folder, long n, int how, const char *log) {
  snprintf(root, sizeof root, "%s", folder);
  counter = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *counter = 0;
  at = n;
  mode = how;
  if (log && *log)
    log_to = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  root_length = strlen(root); /* last: from here on it counts */
}

long faults_count(void) { return counter ? *counter : 0; }

static int below(const char *path) {
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int of_descriptor(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

static int of_path(int folder, const char *name, char *path) {
  if (!name) return 0;
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
  } else {
    char where[PATH_MAX];
    if (folder == AT_FDCWD) {
      if (!getcwd(where, sizeof where)) return 0;
    } else {
      of_descriptor(folder, where);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", where, name) >= PATH_MAX) return 0;
  }
  return below(path);
}

/* Whether this operation is the one to break. */
static int turn(const char *what, const char *path) {
  long n = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
  if (log_to >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", n, what, path + root_length);
    syscall(SYS_write, log_to, line, length);
  }
  return mode == KILL ? n == at : mode == FULL && n >= at;
}

static void die(void) {
  kill(0, SIGKILL);
  for (;;) pause();
}

/* Broken before it begins. `room`: whether it needs room on the disk. */
#define BREAK(what, path, room, failure)       \
  if (turn(what, path)) {                      \
    if (mode == KILL) die();                   \
    if (room) { errno = ENOSPC; return failure; } \
  }
#define REAL(type, name, ...)                              \
  static type (*real)(__VA_ARGS__);                        \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name)                                                        \
  int name(const char *file, int flags, ...) {                            \
    REAL(int, #name, const char *, int, ...);                             \
    va_list list; va_start(list, flags);                                  \
    mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list);                                                         \
    char path[PATH_MAX];                                                  \
    if (root_length && flags & (O_WRONLY | O_RDWR | O_CREAT) && of_path(AT_FDCWD, file, path)) \
      BREAK("open", path, flags & O_CREAT, -1)                            \
    return real(file, flags, bits);                                       \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                      \
  int name(int folder, const char *file, int flags, ...) {                \
    REAL(int, #name, int, const char *, int, ...);                        \
    va_list list; va_start(list, flags);                                  \
    mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list);                                                         \
    char path[PATH_MAX];                                                  \
    if (root_length && flags & (O_WRONLY | O_RDWR | O_CREAT) && of_path(folder, file, path)) \
      BREAK("open", path, flags & O_CREAT, -1)                            \
    return real(folder, file, flags, bits);                               \
  }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                       \
  FILE *name(const char *file, const char *how) {                         \
    REAL(FILE *, #name, const char *, const char *);                      \
    char path[PATH_MAX];                                                  \
    if (root_length && strpbrk(how, "wa+") && of_path(AT_FDCWD, file, path)) \
      BREAK("open", path, 1, NULL)                                        \
    return real(file, how);                                               \
  }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  char path[PATH_MAX];
  if (root_length && of_descriptor(fd, path) && turn("write", path)) {
    if (mode == KILL) { real(fd, data, size / 2); die(); }
    errno = ENOSPC;
    return -1;
  }
  return real(fd, data, size);
}

#define PWRITE(name, offset)                                              \
  ssize_t name(int fd, const void *data, size_t size, offset from) {      \
    REAL(ssize_t, #name, int, const void *, size_t, offset);              \
    char path[PATH_MAX];                                                  \
    if (root_length && of_descriptor(fd, path)) BREAK("write", path, 1, -1) \
    return real(fd, data, size, from);                                    \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *data, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  char path[PATH_MAX];
  if (root_length && of_descriptor(fd, path)) BREAK("write", path, 1, -1)
  return real(fd, data, count);
}

/* The C library's own calls below do not come by here, so its streams are broken as such. */
size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
  REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *);
  char path[PATH_MAX];
  if (root_length && of_descriptor(fileno(stream), path) && turn("write", path)) {
    if (mode == KILL) { real(data, 1, size * count / 2, stream); fflush_unlocked(stream); die(); }
    errno = ENOSPC;
    return 0;
  }
  return real(data, size, count, stream);
}

int fflush(FILE *stream) {
  REAL(int, "fflush", FILE *);
  char path[PATH_MAX];
  if (root_length && stream && of_descriptor(fileno(stream), path)) BREAK("flush", path, 1, EOF)
  return real(stream);
}

int fclose(FILE *stream) {
  REAL(int, "fclose", FILE *);
  char path[PATH_MAX];
  if (root_length && stream && of_descriptor(fileno(stream), path) && turn("close", path) &&
      mode == KILL)
    die();
  return real(stream);
}

#define ON_DESCRIPTOR(name, what, room)                                   \
  int name(int fd) {                                                      \
    REAL(int, #name, int);                                                \
    char path[PATH_MAX];                                                  \
    if (root_length && of_descriptor(fd, path)) BREAK(what, path, room, -1) \
    return real(fd);                                                      \
  }
ON_DESCRIPTOR(fsync, "fsync", 0)
ON_DESCRIPTOR(fdatasync, "fsync", 0)

#define TRUNCATE(name, offset)                                            \
  int name(int fd, offset size) {                                         \
    REAL(int, #name, int, offset);                                        \
    char path[PATH_MAX];                                                  \
    if (root_length && of_descriptor(fd, path)) BREAK("truncate", path, 0, -1) \
    return real(fd, size);                                                \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define ON_PATH(name, what, room)                                         \
  int name(const char *file) {                                            \
    REAL(int, #name, const char *);                                       \
    char path[PATH_MAX];                                                  \
    if (root_length && of_path(AT_FDCWD, file, path)) BREAK(what, path, room, -1) \
    return real(file);                                                    \
  }
ON_PATH(unlink, "unlink", 0)
ON_PATH(rmdir, "rmdir", 0)
ON_PATH(remove, "unlink", 0)

int unlinkat(int folder, const char *file, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  char path[PATH_MAX];
  if (root_length && of_path(folder, file, path)) BREAK("unlink", path, 0, -1)
  return real(folder, file, flags);
}

int mkdir(const char *file, mode_t bits) {
  REAL(int, "mkdir", const char *, mode_t);
  char path[PATH_MAX];
  if (root_length && of_path(AT_FDCWD, file, path)) BREAK("mkdir", path, 1, -1)
  return real(file, bits);
}

int mkdirat(int folder, const char *file, mode_t bits) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  char path[PATH_MAX];
  if (root_length && of_path(folder, file, path)) BREAK("mkdir", path, 1, -1)
  return real(folder, file, bits);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  char path[PATH_MAX];
  if (root_length && of_path(AT_FDCWD, to, path)) BREAK("rename", path, 0, -1)
  return real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  REAL(int, "renameat", int, const char *, int, const char *);
  char path[PATH_MAX];
  if (root_length && of_path(to_folder, to, path)) BREAK("rename", path, 0, -1)
  return real(from_folder, from, to_folder, to);
}
