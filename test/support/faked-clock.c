/*
 * Preloaded into a redis-server: its wall clock runs as many seconds ahead of the machine's as the file named by
 * CLOCK_AHEAD_FILE says at that moment. The monotonic clock stays what it is. Only system calls, no library calls:
 * jemalloc asks for the time while it starts, when nothing that allocates may run yet, which is where libfaketime
 * recurses for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long secondsAhead(void) {
  char text[32] = {0};
  long file = syscall(SYS_openat, AT_FDCWD, getenv("CLOCK_AHEAD_FILE"), O_RDONLY);
  if (file < 0) return 0;
  syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += secondsAhead();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  int failed = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}
