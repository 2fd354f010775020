// Preloaded into packsign. Counts the calls that change files below one folder, over all threads, and does something to
// one of them: kills the process before it or in the middle of it, makes it fail, or sends a signal. Far faster than
// strace, which stops the process at every call; inject.test.ts compares the two.
//
//   FAULT_FOLDER  the folder
//   FAULT_LOG     a file that gets one line for each call: its number, its name, its path
//   FAULT_COPIES  a folder that gets a copy of the folder before each call, N, and in the middle of each write, N.half:
//                 what would be left if the process were killed there
//   FAULT_AT      the number of the call to act on, from 1
//   FAULT_ACTION  kill, half, fail or signal
//   FAULT_VALUE   the errno, or the number of the signal
//
// The library wraps those functions of the C library that Node and libuv use on Linux.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { GO_ON, FAIL, HALF };

static const char *folder;
static const char *copies;
static const char *action = "";
static long at;
static int value;
static int log_fd = -1;
static atomic_long calls;
// While copies are made, one call after the other: no copy shows half of another thread's call.
static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

__attribute__((constructor)) static void begin(void) {
  folder = getenv("FAULT_FOLDER");
  copies = getenv("FAULT_COPIES");
  const char *log = getenv("FAULT_LOG");
  if (log != NULL) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (getenv("FAULT_ACTION") != NULL) action = getenv("FAULT_ACTION");
  if (getenv("FAULT_AT") != NULL) at = atol(getenv("FAULT_AT"));
  if (getenv("FAULT_VALUE") != NULL) value = atoi(getenv("FAULT_VALUE"));
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void copy_to(const char *format, long number) {
  char name[64], path[2 * PATH_MAX];
  snprintf(name, sizeof name, format, number);
  snprintf(path, sizeof path, "%s/%s", copies, name);
  char *const command[] = {"cp", "-a", (char *)folder, path, NULL};
  char *const nothing[] = {NULL};
  pid_t child;
  int status = 0;
  if (posix_spawn(&child, "/bin/cp", NULL, NULL, command, nothing) != 0) abort();
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) abort();
}

static int is_inside(const char *path) {
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

// Runs before each call, and decides what happens to it.
static enum verdict meet(const char *name, const char *path) {
  if (folder == NULL || path == NULL || !is_inside(path)) return GO_ON;
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (log_fd >= 0) {
    char line[2 * PATH_MAX];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
    syscall(SYS_write, log_fd, line, (size_t)length);
  }
  if (copies != NULL) {
    int before = errno;
    copy_to("%ld", number);
    errno = before;
    return strcmp(name, "write") == 0 ? HALF : GO_ON;
  }
  if (number != at) return GO_ON;
  if (strcmp(action, "kill") == 0) die();
  if (strcmp(action, "signal") == 0) kill(getpid(), value);
  if (strcmp(action, "half") == 0) return HALF;
  if (strcmp(action, "fail") != 0) return GO_ON;
  errno = value;
  return FAIL;
}

// packsign uses absolute paths; this completes the others.
static enum verdict meet_at(const char *name, int directory, const char *path) {
  char base[PATH_MAX] = "", whole[2 * PATH_MAX], link[64];
  if (folder == NULL || path == NULL || path[0] == '/') return meet(name, path);
  if (directory == AT_FDCWD) {
    if (getcwd(base, sizeof base) == NULL) return GO_ON;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    if (readlink(link, base, sizeof base - 1) < 0) return GO_ON;
  }
  snprintf(whole, sizeof whole, "%s/%s", base, path);
  return meet(name, whole);
}

static enum verdict meet_fd(const char *name, int fd) {
  char path[PATH_MAX] = "", link[64];
  int before = errno;
  if (folder == NULL) return GO_ON;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0) path[0] = '\0';
  errno = before;
  return meet(name, path);
}

// The next function of this name, which is that of the C library.
#define REAL(name) \
  static __typeof__(name) *real; \
  if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void take_turn(void) {
  if (copies != NULL) pthread_mutex_lock(&turn);
}

static void end_turn(void) {
  if (copies != NULL) pthread_mutex_unlock(&turn);
}

static void reach_half(void) {
  if (copies == NULL) die();
  copy_to("%ld.half", atomic_load(&calls));
}

// The middle of a call that cannot be halved is the moment after it.
#define CARRY_OUT(meeting, failed, call) \
  take_turn(); \
  enum verdict met = (meeting); \
  __typeof__(call) result = met == FAIL ? failed : (call); \
  if (met == HALF) reach_half(); \
  end_turn(); \
  return result

// Of `all` bytes or parts, `call` is told how many to write from `done` on.
#define CARRY_OUT_WRITE(all, call) \
  take_turn(); \
  enum verdict met = meet_fd("write", fd); \
  size_t done = 0, more = met == HALF ? (size_t)(all) / 2 : (size_t)(all); \
  ssize_t result = met == FAIL ? -1 : (call); \
  if (met == HALF) { \
    reach_half(); \
    ssize_t first = result; \
    done = more; \
    more = (size_t)(all) - done; \
    result = first < 0 ? first : (call); \
    if (result >= 0) result += first; \
  } \
  end_turn(); \
  return result

// How many bytes the first parts have.
static off64_t after(const struct iovec *parts, size_t count) {
  off64_t bytes = 0;
  for (size_t part = 0; part < count; part++) bytes += (off64_t)parts[part].iov_len;
  return bytes;
}

static int changes(int flags) {
  return (flags & (O_CREAT | O_TRUNC)) != 0;
}

#define OPEN(name, parameters, directory, ...) \
  int name parameters { \
    REAL(name); \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0; \
    va_end(more); \
    CARRY_OUT(changes(flags) ? meet_at("open", directory, path) : GO_ON, -1, real(__VA_ARGS__, mode)); \
  }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD, path, flags)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, path, flags)
OPEN(openat, (int directory, const char *path, int flags, ...), directory, directory, path, flags)
OPEN(openat64, (int directory, const char *path, int flags, ...), directory, directory, path, flags)

#define WRITE(name, parameters, all, ...) \
  ssize_t name parameters { \
    REAL(name); \
    CARRY_OUT_WRITE(all, real(fd, __VA_ARGS__)); \
  }
#define FROM_HERE (const char *)bytes + done, more
WRITE(write, (int fd, const void *bytes, size_t size), size, FROM_HERE)
WRITE(pwrite, (int fd, const void *bytes, size_t size, off_t offset), size, FROM_HERE, offset + (off_t)done)
WRITE(pwrite64, (int fd, const void *bytes, size_t size, off64_t offset), size, FROM_HERE, offset + (off64_t)done)
WRITE(writev, (int fd, const struct iovec *parts, int count), count, parts + done, (int)more)
WRITE(pwritev, (int fd, const struct iovec *parts, int count, off_t offset), count, parts + done, (int)more,
      offset + after(parts, done))
WRITE(pwritev64, (int fd, const struct iovec *parts, int count, off64_t offset), count, parts + done, (int)more,
      offset + after(parts, done))

#define OF_FD(name, type, ...) \
  int name type { \
    REAL(name); \
    CARRY_OUT(meet_fd(#name, fd), -1, real(__VA_ARGS__)); \
  }
OF_FD(fsync, (int fd), fd)
OF_FD(fdatasync, (int fd), fd)
OF_FD(ftruncate, (int fd, off_t size), fd, size)
OF_FD(ftruncate64, (int fd, off64_t size), fd, size)
OF_FD(fchmod, (int fd, mode_t mode), fd, mode)
OF_FD(fchown, (int fd, uid_t user, gid_t group), fd, user, group)
OF_FD(futimens, (int fd, const struct timespec times[2]), fd, times)

// Renamed and linked files count under their new path.
#define OF_PATH(name, type, directory, path, ...) \
  int name type { \
    REAL(name); \
    CARRY_OUT(meet_at(#name, directory, path), -1, real(__VA_ARGS__)); \
  }
OF_PATH(rename, (const char *from, const char *to), AT_FDCWD, to, from, to)
OF_PATH(renameat, (int a, const char *from, int b, const char *to), b, to, a, from, b, to)
OF_PATH(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), b, to, a, from, b, to, flags)
OF_PATH(link, (const char *from, const char *to), AT_FDCWD, to, from, to)
OF_PATH(linkat, (int a, const char *from, int b, const char *to, int flags), b, to, a, from, b, to, flags)
OF_PATH(symlink, (const char *target, const char *path), AT_FDCWD, path, target, path)
OF_PATH(unlink, (const char *path), AT_FDCWD, path, path)
OF_PATH(unlinkat, (int directory, const char *path, int flags), directory, path, directory, path, flags)
OF_PATH(remove, (const char *path), AT_FDCWD, path, path)
OF_PATH(rmdir, (const char *path), AT_FDCWD, path, path)
OF_PATH(mkdir, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
OF_PATH(mkdirat, (int directory, const char *path, mode_t mode), directory, path, directory, path, mode)
OF_PATH(truncate, (const char *path, off_t size), AT_FDCWD, path, path, size)
OF_PATH(chmod, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
OF_PATH(chown, (const char *path, uid_t user, gid_t group), AT_FDCWD, path, path, user, group)
OF_PATH(utimensat, (int directory, const char *path, const struct timespec times[2], int flags), directory, path,
        directory, path, times, flags)

char *mkdtemp(char *pattern) {
  REAL(mkdtemp);
  CARRY_OUT(meet_at("mkdir", AT_FDCWD, pattern), NULL, real(pattern));
}
