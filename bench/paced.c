/* The stream bench's inner loop: writes events when they are due, reads what comes back.

bench/paced.py opens and ends the connections and says what the figures mean; here is what must be
faster than what it measures. Raw sockets, one thread, one clock.
*/
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16, READY = 1024 };
/* What `carry_out` returns, as bench/paced.py reads it. */
enum { WELL, NOT_TAKEN_WHOLE, CUT, HANGS, NO_MEMORY };

struct order {
    int32_t streams, tokens; /* tokens: of each stream */
    double rate;             /* events a second over all streams; infinite: as fast as they are taken */
    double read_period_s;    /* how often what came back is read; 0: after every burst */
    double patience_s;
    int32_t burst; /* events written before what came back is read */
    int32_t timed; /* note when each event came */
    const char *event, *mark; /* `mark`: in each event once, and nowhere else */
    int64_t event_bytes, mark_bytes;
};

struct seen {
    int64_t events, reads, noted;
    int64_t backlog; /* under way when the last event was written */
    double took_s, cpu_s, late_s;
};

struct reader {
    int64_t got;
    double last;     /* when its last event came, 0 before the first */
    char tail[16];   /* what may be the beginning of a mark */
    int tail_bytes;
};

struct run {
    const struct order *order;
    struct seen *seen;
    struct reader *readers;
    const int *reading;
    int poll;
    double start;
    double *late, *gap; /* of each event, in the order they came */
};

static double now_s(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* Marks in `data`, which begins with what was left of the read before. */
static int64_t marks(const struct order *order, const char *data, const char *end)
{
    int64_t found = 0;
    while ((data = memmem(data, (size_t)(end - data), order->mark, (size_t)order->mark_bytes))) {
        data += order->mark_bytes;
        found++;
    }
    return found;
}

static void note(struct run *run, int stream, int64_t count)
{
    const struct order *order = run->order;
    struct reader *reader = &run->readers[stream];
    double now = now_s(CLOCK_MONOTONIC);
    for (int64_t at = reader->got - count; at < reader->got; at++) {
        double due = run->start + (double)(at * order->streams + stream) / order->rate;
        run->late[run->seen->noted] = now - due;
        run->gap[run->seen->noted] = reader->last > 0 ? now - reader->last : 0;
        run->seen->noted++;
        reader->last = now;
    }
}

static int take(struct run *run, int stream)
{
    static char data[16 + READ_BYTES];
    struct reader *reader = &run->readers[stream];
    memcpy(data, reader->tail, (size_t)reader->tail_bytes);
    ssize_t size = recv(run->reading[stream], data + reader->tail_bytes, READ_BYTES, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return WELL;
    if (size <= 0)
        return CUT;
    const char *end = data + reader->tail_bytes + size;
    int64_t count = marks(run->order, data, end);
    int64_t kept = run->order->mark_bytes - 1;
    if (kept > end - data)
        kept = end - data;
    memcpy(reader->tail, end - kept, (size_t)kept);
    reader->tail_bytes = (int)kept;
    reader->got += count;
    run->seen->events += count;
    run->seen->reads++;
    if (run->order->timed && count)
        note(run, stream, count);
    return WELL;
}

static int receive(struct run *run, int wait_ms)
{
    struct epoll_event ready[READY];
    int count = epoll_wait(run->poll, ready, READY, wait_ms);
    for (int at = 0; at < count; at++) {
        int how = take(run, (int)ready[at].data.u32);
        if (how != WELL)
            return how;
    }
    return WELL;
}

static int all_events(struct run *run, const int *writing)
{
    const struct order *order = run->order;
    int64_t total = (int64_t)order->streams * order->tokens, sent = 0;
    double look = run->start;
    while (sent < total) {
        double now = now_s(CLOCK_MONOTONIC);
        double due = (now - run->start) * order->rate + 1;
        int64_t until = due < (double)total ? (int64_t)due : total;
        if (until > sent + order->burst)
            until = sent + order->burst;
        for (; sent < until; sent++) {
            ssize_t size = send(writing[sent % order->streams], order->event,
                                (size_t)order->event_bytes, MSG_NOSIGNAL);
            if (size < 0 && errno == EAGAIN && isinf(order->rate))
                break;
            if (size != order->event_bytes)
                return NOT_TAKEN_WHOLE;
        }
        if (now >= look) {
            look = now + order->read_period_s;
            int how = receive(run, 0);
            if (how != WELL)
                return how;
        }
    }
    run->seen->late_s = now_s(CLOCK_MONOTONIC) - run->start - (double)(total - 1) / order->rate;
    int how = receive(run, 0);
    run->seen->backlog = total - run->seen->events;
    double end = now_s(CLOCK_MONOTONIC) + order->patience_s;
    while (how == WELL && run->seen->events < total) {
        if (now_s(CLOCK_MONOTONIC) > end)
            return HANGS;
        how = receive(run, 1);
    }
    return how;
}

/* Every event written when it is due, and everything read that comes, until all have come.

`writing`, `reading`: sockets by stream, that do not block. `late`, `gap`: room for every event,
where the order is timed.
*/
int carry_out(const struct order *order, const int *writing, const int *reading,
              struct seen *seen, double *late, double *gap)
{
    struct run run = {.order = order, .seen = seen, .reading = reading, .late = late, .gap = gap};
    run.readers = calloc((size_t)order->streams, sizeof *run.readers);
    run.poll = epoll_create1(EPOLL_CLOEXEC);
    int how = run.readers && run.poll >= 0 ? WELL : NO_MEMORY;
    for (int stream = 0; how == WELL && stream < order->streams; stream++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)stream};
        if (epoll_ctl(run.poll, EPOLL_CTL_ADD, reading[stream], &event) < 0)
            how = NO_MEMORY;
    }
    double used = now_s(CLOCK_PROCESS_CPUTIME_ID);
    run.start = now_s(CLOCK_MONOTONIC);
    if (how == WELL)
        how = all_events(&run, writing);
    seen->took_s = now_s(CLOCK_MONOTONIC) - run.start;
    seen->cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID) - used;
    free(run.readers);
    if (run.poll >= 0)
        close(run.poll);
    return how;
}
