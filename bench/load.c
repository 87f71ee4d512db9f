/* Load on an MQTT 3.1.1 broker, open loop: every message has an intended send time that no answer of the broker moves.
 *
 *     load --port 1883 --devices FILE --rate 2000 --seconds 10 > result.json
 *
 * FILE has one device a line: id, secret, then one word for each value it sends:
 *     level:1.50:3.20     a number that walks between the two bounds (two decimals)
 *     running=0:1         0 or 1
 *     !power:100:4500     low for --flip messages, then high for as many: what alarms are made of
 * Client id = user = id, password = secret. The rate is messages a second over all devices, which take turns; a packet
 * (one write) of --messages-per-packet messages, a message of --readings readings (more than one: a JSON array). The
 * time inside a reading ("at") is the intended send time, so that whoever sees its effect can tell the delay from the
 * intention. Latency runs from the intended send time to PUBACK: a late generator or a blocked socket counts against
 * the result. What a connection cannot take (its socket and 64 KB behind it are full, or 2,048 messages are
 * unanswered) is dropped here and counted as not_sent.
 *
 * Loopback only. On SIGTERM or SIGINT it stops sending, waits for outstanding answers, and writes its result.
 * Lines on standard error: "CONNECTED n", "DONE". Exit code 0 when a result was written, 2 for wrong arguments.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_VALUES = 16, RING = 2048, BEHIND = 65536, INPUT = 64, MOST_SECONDS = 7200, OPENING = 64 };
enum state { WAITING, KNOCKING, OPEN, REFUSED, LOST };

struct value {
    char name[48];
    double low, high, now;
    char kind; /* ':' walks, '=' is 0 or 1, '!' flips */
};
struct device {
    int fd;
    enum state state;
    char id[65], secret[128];
    int count;
    struct value values[MOST_VALUES];
    uint64_t sent, acked; /* messages on this connection */
    uint32_t *intended;   /* microseconds after the start, by packet id modulo RING */
    char *behind;         /* bytes the socket did not take yet */
    size_t behind_size;
    uint8_t input[INPUT];
    size_t input_size;
    uint32_t turn;
    double knocked;
};
/* Latencies in steps of 1/32 of their power of two: 3 % wide, from 1 µs to hours. */
struct histogram {
    uint64_t buckets[64 * 32], count;
    uint32_t highest;
};

static struct device *devices;
static int device_count, epoll_fd;
static struct sockaddr_in address;
static volatile sig_atomic_t stopping;
static struct histogram answers, lateness, logins;
static uint64_t intended_count, sent_count, acked_count, not_sent, bytes_sent;
static uint32_t acked_in[MOST_SECONDS], sent_in[MOST_SECONDS];
static int open_count, refused_count, lost_count, knocking_count;
static int flip = 20, readings = 1;
static double origin; /* CLOCK_MONOTONIC of the first intended send time */
static double origin_wall;

static double monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}
static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}
static void stop(int number) {
    (void)number;
    stopping = 1;
}
static void note(struct histogram *into, double seconds) {
    uint64_t us = seconds <= 0 ? 0 : (uint64_t)(seconds * 1e6);
    if (us > into->highest) into->highest = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    int power = us < 32 ? 0 : 63 - __builtin_clzll(us) - 4;
    int place = us < 32 ? (int)us : power * 32 + (int)((us >> (power - 1)) & 31);
    into->buckets[place]++;
    into->count++;
}
static double percentile(const struct histogram *of, double share) {
    uint64_t wanted = (uint64_t)(share * of->count + 0.5), seen = 0;
    if (!of->count) return 0;
    for (int i = 0; i < 64 * 32; i++) {
        seen += of->buckets[i];
        if (seen >= wanted && of->buckets[i]) {
            int power = i / 32;
            double us = power == 0 ? i : (double)((32ull + i % 32) << (power - 1));
            return us / 1000.0;
        }
    }
    return of->highest / 1000.0;
}
static void print_histogram(const char *name, const struct histogram *of) {
    printf("\"%s\": {\"count\": %llu, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}", name,
           (unsigned long long)of->count, percentile(of, .5), percentile(of, .9), percentile(of, .99),
           percentile(of, .999), of->highest / 1000.0);
}

static void fail(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(2);
}

static void read_devices(const char *path, int most) {
    FILE *file = fopen(path, "r");
    char line[4096];
    int room = 0;
    if (!file) fail("the devices' file cannot be read");
    while (device_count < most && fgets(line, sizeof line, file)) {
        char *rest = NULL, *word = strtok_r(line, " \n", &rest);
        if (!word) continue;
        if (device_count == room) {
            room = room ? room * 2 : 1024;
            devices = realloc(devices, (size_t)room * sizeof *devices);
            if (!devices) fail("no memory");
        }
        struct device *device = &devices[device_count++];
        memset(device, 0, sizeof *device);
        device->fd = -1;
        snprintf(device->id, sizeof device->id, "%s", word);
        word = strtok_r(NULL, " \n", &rest);
        if (!word) fail("a device without a secret");
        snprintf(device->secret, sizeof device->secret, "%s", word);
        while ((word = strtok_r(NULL, " \n", &rest)) && device->count < MOST_VALUES) {
            struct value *value = &device->values[device->count++];
            value->kind = ':';
            if (*word == '!') value->kind = *word++;
            char *mark = strpbrk(word, ":=");
            if (!mark) fail("a value is name:low:high or name=0:1");
            if (*mark == '=') value->kind = '=';
            *mark = 0;
            snprintf(value->name, sizeof value->name, "%s", word);
            if (sscanf(mark + 1, "%lf:%lf", &value->low, &value->high) != 2) fail("a value needs low:high");
            value->now = value->low + (value->high - value->low) * ((device_count * 37) % 100) / 100.0;
        }
        if (!device->count) fail("a device without values");
        device->turn = (uint32_t)(device_count * 7); /* flips of different devices fall at different times */
    }
    fclose(file);
    if (!device_count) fail("no devices");
}

/* -- what a device says ----------------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252ull;
static uint32_t chance(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}
/* %.2f of printf costs more than all the rest of a message: two decimals by hand. */
static char *number(char *at, double value) {
    int64_t hundredths = (int64_t)(value * 100 + (value < 0 ? -.5 : .5));
    if (hundredths < 0) *at++ = '-', hundredths = -hundredths;
    char digits[24];
    int n = 0;
    uint64_t whole = (uint64_t)hundredths / 100;
    do digits[n++] = (char)('0' + whole % 10); while (whole /= 10);
    while (n) *at++ = digits[--n];
    *at++ = '.';
    *at++ = (char)('0' + hundredths / 10 % 10);
    *at++ = (char)('0' + hundredths % 10);
    return at;
}
static char *whole(char *at, uint64_t value) {
    char digits[24];
    int n = 0;
    do digits[n++] = (char)('0' + value % 10); while (value /= 10);
    while (n) *at++ = digits[--n];
    return at;
}
static char *text(char *at, const char *words) {
    while (*words) *at++ = *words++;
    return at;
}
static char *reading(char *at, struct device *device, uint64_t milliseconds) {
    at = text(at, "{\"at\":");
    at = whole(at, milliseconds);
    at = text(at, ",\"values\":{");
    for (int i = 0; i < device->count; i++) {
        struct value *value = &device->values[i];
        if (i) *at++ = ',';
        *at++ = '"';
        at = text(at, value->name);
        at = text(at, "\":");
        if (value->kind == '=') {
            *at++ = (char)('0' + ((device->turn >> 6) & 1));
        } else if (value->kind == '!') {
            double base = (device->turn / (uint32_t)flip) % 2 ? value->high : value->low;
            at = number(at, base + (device->turn % 7) * 0.01);
        } else {
            double step = (value->high - value->low) * ((int)(chance() % 201) - 100) / 5000.0;
            value->now += step;
            if (value->now < value->low || value->now > value->high) value->now -= 2 * step;
            at = number(at, value->now);
        }
    }
    at = text(at, "}}");
    device->turn++;
    return at;
}
/* One PUBLISH of QoS 1 into `into`; its length. */
static size_t publish(char *into, struct device *device, uint64_t milliseconds, uint16_t packet) {
    char body[readings * (64 + MOST_VALUES * 80) + 16], *end = body;
    if (readings > 1) *end++ = '[';
    for (int i = 0; i < readings; i++) {
        if (i) *end++ = ',';
        end = reading(end, device, milliseconds + (uint64_t)i);
    }
    if (readings > 1) *end++ = ']';
    size_t payload = (size_t)(end - body);
    char topic[96];
    char *topic_end = text(text(text(topic, "devices/"), device->id), "/telemetry");
    size_t topic_size = (size_t)(topic_end - topic), left = 2 + topic_size + 2 + payload;
    char *at = into;
    *at++ = 0x32; /* PUBLISH, QoS 1 */
    do {
        uint8_t byte = left % 128;
        left /= 128;
        *at++ = (char)(left ? byte | 128 : byte);
    } while (left);
    *at++ = (char)(topic_size >> 8), *at++ = (char)topic_size;
    memcpy(at, topic, topic_size), at += topic_size;
    *at++ = (char)(packet >> 8), *at++ = (char)packet;
    memcpy(at, body, payload), at += payload;
    return (size_t)(at - into);
}

/* -- connections ------------------------------------------------------------------------------------------------- */

static void watch(struct device *device, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = device};
    epoll_ctl(epoll_fd, operation, device->fd, &event);
}
static void leave(struct device *device, enum state state) {
    if (device->state == KNOCKING) knocking_count--;
    if (device->state == OPEN) open_count--;
    if (state == REFUSED) refused_count++;
    if (state == LOST) lost_count++;
    device->state = state;
    if (device->fd >= 0) close(device->fd);
    device->fd = -1;
}
static void knock(struct device *device) {
    device->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (device->fd < 0) fail("no more sockets: raise ulimit -n");
    int one = 1;
    setsockopt(device->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    device->state = KNOCKING;
    device->knocked = monotonic();
    knocking_count++;
    if (connect(device->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        leave(device, REFUSED);
        return;
    }
    watch(device, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}
static void say_connect(struct device *device) {
    char packet[300], *at = packet;
    size_t id = strlen(device->id), secret = strlen(device->secret), left = 10 + 2 + id + 2 + id + 2 + secret;
    *at++ = 0x10;
    do {
        uint8_t byte = left % 128;
        left /= 128;
        *at++ = (char)(left ? byte | 128 : byte);
    } while (left);
    memcpy(at, "\0\4MQTT\4\302\0\0", 10), at += 10; /* user, password, clean session, no keep-alive */
    const char *words[] = {device->id, device->id, device->secret};
    for (int i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        *at++ = (char)(size >> 8), *at++ = (char)size;
        memcpy(at, words[i], size), at += size;
    }
    if (write(device->fd, packet, (size_t)(at - packet)) != at - packet) leave(device, REFUSED);
    else watch(device, EPOLL_CTL_MOD, EPOLLIN);
}
static void take_answer(struct device *device, uint16_t packet, double now) {
    device->acked++;
    acked_count++;
    double due = device->intended[packet % RING] / 1e6;
    note(&answers, now - origin - due);
    int second = (int)(now - origin);
    if (second >= 0 && second < MOST_SECONDS) acked_in[second]++;
}
static void hear(struct device *device) {
    uint8_t buffer[16384];
    memcpy(buffer, device->input, device->input_size);
    ssize_t got = read(device->fd, buffer + device->input_size, sizeof buffer - device->input_size);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        leave(device, device->state == OPEN ? LOST : REFUSED);
        return;
    }
    size_t size = device->input_size + (size_t)got, at = 0;
    double now = monotonic();
    while (size - at >= 2) {
        size_t length = buffer[at + 1]; /* what a broker says to a publisher is short: one length byte */
        if (size - at < 2 + length) break;
        uint8_t kind = buffer[at] >> 4;
        if (kind == 4 && length == 2) {
            take_answer(device, (uint16_t)(buffer[at + 2] << 8 | buffer[at + 3]), now);
        } else if (kind == 2 && length == 2) {
            if (buffer[at + 3]) {
                leave(device, REFUSED);
                return;
            }
            knocking_count--;
            open_count++;
            device->state = OPEN;
            note(&logins, now - device->knocked);
        }
        at += 2 + length;
    }
    device->input_size = size - at;
    if (device->input_size > INPUT) {
        leave(device, LOST);
        return;
    }
    memcpy(device->input, buffer + at, device->input_size);
}
static void push(struct device *device) {
    if (!device->behind_size) return;
    ssize_t done = write(device->fd, device->behind, device->behind_size);
    if (done < 0) {
        if (errno != EAGAIN && errno != EINTR) leave(device, LOST);
        return;
    }
    memmove(device->behind, device->behind + done, device->behind_size - (size_t)done);
    device->behind_size -= (size_t)done;
    if (!device->behind_size) watch(device, EPOLL_CTL_MOD, EPOLLIN);
}
static void send_packet(struct device *device, double due, int messages, char *scratch) {
    intended_count += (uint64_t)messages;
    if (device->state != OPEN || device->sent - device->acked + (uint64_t)messages > RING) {
        not_sent += (uint64_t)messages;
        return;
    }
    size_t size = 0;
    uint64_t milliseconds = (uint64_t)((origin_wall + due) * 1000);
    uint64_t before = device->sent;
    for (int i = 0; i < messages; i++) {
        uint16_t packet = (uint16_t)(device->sent % 63488 + 1); /* 31 rings: an id and its place go round together */
        device->intended[packet % RING] = (uint32_t)(due * 1e6);
        size += publish(scratch + size, device, milliseconds + (uint64_t)(i * readings), packet);
        device->sent++;
    }
    if (device->behind_size + size > BEHIND) {
        device->sent = before;
        not_sent += (uint64_t)messages;
        return;
    }
    size_t done = 0;
    if (!device->behind_size) {
        ssize_t wrote = write(device->fd, scratch, size);
        if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
            leave(device, LOST);
            device->sent = before;
            not_sent += (uint64_t)messages;
            return;
        }
        if (wrote > 0) done = (size_t)wrote;
    }
    if (done < size) {
        if (!device->behind && !(device->behind = malloc(BEHIND))) fail("no memory");
        memcpy(device->behind + device->behind_size, scratch + done, size - done);
        if (!device->behind_size) watch(device, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        device->behind_size += size - done;
    }
    double late = monotonic() - origin - due;
    note(&lateness, late);
    sent_count += (uint64_t)messages;
    bytes_sent += size;
    int second = (int)due;
    if (second < MOST_SECONDS) sent_in[second] += (uint32_t)messages;
}
static void look(int milliseconds) {
    struct epoll_event events[1024];
    int count = epoll_wait(epoll_fd, events, 1024, milliseconds);
    for (int i = 0; i < count; i++) {
        struct device *device = events[i].data.ptr;
        if (device->fd < 0) continue;
        if (events[i].events & EPOLLOUT) {
            if (device->state == KNOCKING) say_connect(device);
            else push(device);
        }
        if (device->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(device);
    }
}

int main(int count, char **words) {
    const char *host = "127.0.0.1", *file = NULL;
    int port = 0, connections = 1 << 20, per_packet = 1;
    double rate = 0, seconds = 0, ramp = 500, drain = 10;
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *given = words[i + 1];
        if (!strcmp(name, "--host")) host = given;
        else if (!strcmp(name, "--port")) port = atoi(given);
        else if (!strcmp(name, "--devices")) file = given;
        else if (!strcmp(name, "--connections")) connections = atoi(given);
        else if (!strcmp(name, "--rate")) rate = atof(given);
        else if (!strcmp(name, "--seconds")) seconds = atof(given);
        else if (!strcmp(name, "--ramp")) ramp = atof(given);
        else if (!strcmp(name, "--drain")) drain = atof(given);
        else if (!strcmp(name, "--flip")) flip = atoi(given);
        else if (!strcmp(name, "--readings")) readings = atoi(given);
        else if (!strcmp(name, "--messages-per-packet")) per_packet = atoi(given);
        else fail("unknown argument; the words at the top of load.c say which there are");
    }
    if (count % 2 == 0 || !port || !file || rate <= 0 || seconds <= 0 || flip < 1 || readings < 1 || readings > 200 ||
        per_packet < 1 || per_packet > 200 || ramp <= 0 || seconds > MOST_SECONDS - 60)
        fail("needs --port, --devices, --rate, --seconds; see the words at the top of load.c");
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || ntohl(address.sin_addr.s_addr) >> 24 != 127)
        fail("loopback addresses only");

    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    read_devices(file, connections);
    char *scratch = malloc((size_t)per_packet * ((size_t)readings * (64 + MOST_VALUES * 80) + 256));
    uint32_t *rings = calloc((size_t)device_count * RING, sizeof *rings);
    if (!scratch || !rings) fail("no memory");
    for (int i = 0; i < device_count; i++) devices[i].intended = rings + (size_t)i * RING;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    double began = monotonic();
    int knocked = 0;
    while (!stopping && (knocked < device_count || knocking_count)) {
        while (knocked < device_count && knocking_count < OPENING && knocked < (monotonic() - began) * ramp + 1)
            knock(&devices[knocked++]);
        look(1);
        if (knocked == device_count && monotonic() - began > device_count / ramp + 60) break; /* the rest never answers */
    }
    double ramp_took = monotonic() - began;
    fprintf(stderr, "CONNECTED %d\n", open_count);
    if (!open_count) stopping = 1;

    origin = monotonic() + 0.05;
    origin_wall = wall() + 0.05;
    uint64_t packet = 0, packets = (uint64_t)(rate * seconds / per_packet);
    double every = per_packet / rate;
    while (!stopping && packet < packets) {
        double now = monotonic() - origin;
        for (int burst = 0; packet < packets && packet * every <= now && burst < 256; burst++, packet++)
            send_packet(&devices[packet % (uint64_t)device_count], packet * every, per_packet, scratch);
        now = monotonic() - origin;
        look(packet < packets && packet * every <= now ? 0 : 1);
    }
    double sending_took = monotonic() - origin;
    double until = monotonic() + drain;
    int outstanding_lost = 0;
    while (acked_count < sent_count && monotonic() < until && open_count) look(5);
    double took = monotonic() - origin;
    for (int i = 0; i < device_count; i++) {
        outstanding_lost += (int)(devices[i].sent - devices[i].acked);
        if (devices[i].state == OPEN && write(devices[i].fd, "\340\0", 2) != 2) continue; /* DISCONNECT, as a courtesy */
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_utime.tv_usec / 1e6 + used.ru_stime.tv_sec + used.ru_stime.tv_usec / 1e6;
    printf("{\"connections\": %d, \"open_at_end\": %d, \"refused\": %d, \"lost\": %d, \"ramp_seconds\": %.2f,\n", device_count,
           open_count, refused_count, lost_count, ramp_took);
    printf(" \"points_per_message\": %d, \"readings_per_message\": %d, \"messages_per_packet\": %d, \"flip\": %d,\n",
           devices[0].count * readings, readings, per_packet, flip);
    printf(" \"intended_rate\": %.1f, \"intended\": %llu, \"sent\": %llu, \"acked\": %llu, \"not_sent\": %llu,\n", rate,
           (unsigned long long)intended_count, (unsigned long long)sent_count, (unsigned long long)acked_count,
           (unsigned long long)not_sent);
    printf(" \"unanswered\": %d, \"bytes\": %llu, \"began_ms\": %llu, \"sending_seconds\": %.2f, \"seconds\": %.2f,\n",
           outstanding_lost, (unsigned long long)bytes_sent, (unsigned long long)(origin_wall * 1000), sending_took, took);
    printf(" \"stopped_by_signal\": %s, \"cpu_seconds\": %.2f,\n \"milliseconds\": {", stopping ? "true" : "false", cpu);
    print_histogram("puback", &answers), printf(",\n  ");
    print_histogram("lateness", &lateness), printf(",\n  ");
    print_histogram("login", &logins), printf("},\n \"by_second\": [");
    for (int i = 0; i <= (int)took && i < MOST_SECONDS; i++)
        printf("%s[%u, %u]", i ? ", " : "", sent_in[i], acked_in[i]);
    printf("]}\n");
    fprintf(stderr, "DONE\n");
    return 0;
}
