/* Writes three DNA sequences of the Benchmarks Game's fasta: one repeats a text, two are drawn by a
 * generator of random numbers through a table of all of its values. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 60, LINES = 100 /* in one write */ };
enum { MODULUS = 139968, MULTIPLIER = 3877, INCREMENT = 29573, SEED = 42 };

static const char alu[] =
    "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCCAGCACTTTGG"
    "GAGGCCGAGGCGGGCGGATCACCTGAGGTCAGGAGTTCGAGA"
    "CCAGCCTGGCCAACATGGTGAAACCCCGTCTCTACTAAAAAT"
    "ACAAAAATTAGCCGGGCGTGGTGGCGCGCGCCTGTAATCCCA"
    "GCTACTCGGGAGGCTGAGGCAGGAGAATCGCTTGAACCCGGG"
    "AGGCGGAGGTTGCAGTGAGCCGAGATCGCGCCACTGCACTCC"
    "AGCCTGGGCGACAGAGCGAGACTCCGTCTCAAAAA";
enum { ALU = sizeof alu - 1 };

typedef struct {
    char letter;
    double probability;
} letter;

static const letter iub[] = {
    {'a', 0.27}, {'c', 0.12}, {'g', 0.12}, {'t', 0.27}, {'B', 0.02},
    {'D', 0.02}, {'H', 0.02}, {'K', 0.02}, {'M', 0.02}, {'N', 0.02},
    {'R', 0.02}, {'S', 0.02}, {'V', 0.02}, {'W', 0.02}, {'Y', 0.02},
};

static const letter homo_sapiens[] = {
    {'a', 0.3029549426680},
    {'c', 0.1979883004921},
    {'g', 0.1975473066391},
    {'t', 0.3015094502008},
};

static uint32_t last = SEED;
static char lookup[MODULUS];
static char buffer[LINES * (LINE + 1)];
/* Whole lines of the repeated text, until they begin at its first letter again. */
static char repeated[ALU * (LINE + 1)];

static void put(const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, len);
        if (written <= 0) exit(1);
        bytes += written;
        len -= (size_t)written;
    }
}

static void draw(char *line, size_t letters) {
    for (size_t i = 0; i < letters; i++) {
        last = (last * MULTIPLIER + INCREMENT) % MODULUS;
        line[i] = lookup[last];
    }
}

static void keep(char *line, size_t letters) {
    (void)line, (void)letters;
}

/* Writes `count` letters in lines, a whole buffer at a time, after `fill` has made each line. */
static void put_letters(char *buffer, size_t size, size_t count, void fill(char *, size_t)) {
    while (count > 0) {
        size_t len = 0;
        while (len < size && count > 0) {
            size_t letters = count < LINE ? count : LINE;
            fill(buffer + len, letters);
            buffer[len + letters] = '\n';
            len += letters + 1;
            count -= letters;
        }
        put(buffer, len);
    }
}

static void repeat(size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < sizeof repeated; i++)
        repeated[i] = i % (LINE + 1) == LINE ? '\n' : alu[at++ % ALU];
    put_letters(repeated, sizeof repeated, count, keep);
}

static void draw_letters(const letter *letters, size_t len, size_t count) {
    size_t at = 0;
    double sum = letters[0].probability;
    for (int value = 0; value < MODULUS; value++) {
        while (at < len - 1 && (double)value / MODULUS >= sum) sum += letters[++at].probability;
        lookup[value] = letters[at].letter;
    }
    put_letters(buffer, sizeof buffer, count, draw);
}

static void put_header(const char *title) {
    put(title, strlen(title));
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    put_header(">ONE Homo sapiens alu\n");
    repeat(2 * n);
    put_header(">TWO IUB ambiguity codes\n");
    draw_letters(iub, sizeof iub / sizeof *iub, 3 * n);
    put_header(">THREE Homo sapiens frequency\n");
    draw_letters(homo_sapiens, sizeof homo_sapiens / sizeof *homo_sapiens, 5 * n);
    return 0;
}
