/* A server's wall clock that runs as a file says. Loaded before the C library
 * (LD_PRELOAD), it answers clock_gettime, gettimeofday and time; whatever is
 * not the wall clock passes. Without the file, time is true.
 *
 * It calls the kernel itself rather than the C library's functions: looking
 * those up allocates memory, and the server's allocator asks for the time while
 * it starts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define MILLION 1000000LL

/* The clock shows shown when it is really since, and from there on gains ppm
 * millionths. The writer fills the slot that is not in use, then counts up. */
struct slot { int64_t since, shown, ppm; };
struct file { uint64_t count; struct slot slot[2]; };

static const struct file *shared;

__attribute__((constructor)) static void open_file(void) {
	const char *path = getenv("TESTENV_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof(struct file), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		shared = p;
}

static int64_t shift(int64_t now) {
	struct slot s;
	uint64_t count;
	if (!shared)
		return now;
	do {
		count = __atomic_load_n(&shared->count, __ATOMIC_ACQUIRE);
		s = shared->slot[count & 1];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&shared->count, __ATOMIC_RELAXED) != count);
	int64_t d = now - s.since;
	return s.shown + d + d / MILLION * s.ppm + d % MILLION * s.ppm / MILLION;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
	int r = syscall(SYS_clock_gettime, id, ts);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int64_t t = shift((int64_t)ts->tv_sec * SECOND + ts->tv_nsec);
		ts->tv_sec = t / SECOND;
		ts->tv_nsec = t % SECOND;
	}
	return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
	struct timespec ts;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *t) {
	struct timespec ts;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return (time_t)-1;
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
