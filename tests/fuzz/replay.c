/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: runs a fuzz target without a fuzzing engine.
 *
 *   fuzz_x [-n MUTATIONS] [-S SEED] PATH...
 *
 * Gives the target every file in the paths (files, or folders of files), then MUTATIONS inputs that are
 * made from them by the seed. An input that kills the target is left in crash-<seed>-<number>.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (1u << 20)
#define INPUTS_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Present in sanitizer builds: runs before a report ends the process. */
void __sanitizer_set_death_callback(void (*on_death)(void)) __attribute__((weak));

struct input {
	uint8_t *at;
	size_t bytes;
};

struct corpus {
	struct input inputs[INPUTS_MAX];
	size_t count;
};

/* What the target is given now; read by the signal handler. */
static struct {
	const uint8_t *at;
	size_t bytes;
	unsigned long seed, number;
} now;

static void keep_input(void)
{
	char name[64];
	int fd, n = snprintf(name, sizeof(name), "crash-%lu-%lu", now.seed, now.number);

	if (n < 0 || now.at == NULL)
		return;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return;
	if (write(fd, now.at, now.bytes) == (ssize_t)now.bytes)
		dprintf(STDOUT_FILENO, "# input of %zu bytes kept in %s\n", now.bytes, name);
	close(fd);
	now.at = NULL;
}

static void on_signal(int number)
{
	keep_input();
	signal(number, SIG_DFL);
	raise(number);
}

/* Runs the target on a copy of exactly this size, so that a checker sees reads beyond it. */
static void run_input(const uint8_t *at, size_t bytes)
{
	uint8_t *copy = malloc(bytes + (bytes == 0));

	if (copy == NULL)
		abort();
	memcpy(copy, at, bytes);
	now.at = copy;
	now.bytes = bytes;
	now.number++;
	(void)LLVMFuzzerTestOneInput(copy, bytes);
	now.at = NULL;
	free(copy);
}

static int corpus_read_file(struct corpus *c, const char *path, size_t bytes)
{
	struct input *in = &c->inputs[c->count];
	FILE *f;

	if (c->count == INPUTS_MAX || bytes > INPUT_BYTES_MAX) {
		fprintf(stderr, "%s: more than %u inputs or %u bytes\n", path, INPUTS_MAX,
			INPUT_BYTES_MAX);
		return -1;
	}
	f = fopen(path, "rb");
	in->at = malloc(bytes + 1);
	if (f == NULL || in->at == NULL) {
		perror(path);
		exit(2);
	}
	in->bytes = fread(in->at, 1, bytes, f);
	fclose(f);
	c->count++;
	return 0;
}

static int corpus_read(struct corpus *c, const char *path)
{
	struct dirent **names;
	struct stat st;
	int i, count, r = 0;

	if (stat(path, &st) != 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return corpus_read_file(c, path, (size_t)st.st_size);
	/* sorted: the same seed then makes the same inputs on every machine */
	count = scandir(path, &names, NULL, alphasort);
	for (i = 0; i < count; i++) {
		char file[4096];

		if (r == 0 && names[i]->d_name[0] != '.') {
			snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
			r = corpus_read(c, file);
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return count < 0 ? -1 : r;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t n)
{
	return n == 0 ? 0 : (size_t)(next_random(state) % n);
}

/* One change of at[0..bytes): returns the new size, INPUT_BYTES_MAX at most. */
static size_t mutate_once(const struct corpus *c, uint8_t *at, size_t bytes, uint64_t *state)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, ' ', '"', '\n' };
	size_t from = below(state, bytes), n = 1 + below(state, 32);

	switch (below(state, 7)) {
	case 0:
		if (bytes > 0)
			at[from] ^= (uint8_t)(1u << below(state, 8));
		return bytes;
	case 1:
		if (bytes > 0)
			at[from] = edges[below(state, sizeof(edges))];
		return bytes;
	case 2: /* cut the end */
		return from;
	case 3: /* take bytes out */
		if (n > bytes - from)
			n = bytes - from;
		memmove(at + from, at + from + n, bytes - from - n);
		return bytes - n;
	case 4: /* double bytes */
		if (n > bytes - from)
			n = bytes - from;
		if (bytes + n > INPUT_BYTES_MAX)
			return bytes;
		memmove(at + from + n, at + from, bytes - from);
		return bytes + n;
	case 5: /* random bytes put in */
		if (bytes + n > INPUT_BYTES_MAX)
			return bytes;
		memmove(at + from + n, at + from, bytes - from);
		for (size_t i = 0; i < n; i++)
			at[from + i] = (uint8_t)next_random(state);
		return bytes + n;
	default: { /* the end of another input after the start of this one */
		const struct input *other = &c->inputs[below(state, c->count)];
		size_t cut = below(state, other->bytes), more = other->bytes - cut;

		if (from + more > INPUT_BYTES_MAX)
			return bytes;
		memcpy(at + from, other->at + cut, more);
		return from + more;
	}
	}
}

static void run_mutations(const struct corpus *c, unsigned long count, uint64_t seed)
{
	uint8_t *at = malloc(INPUT_BYTES_MAX);
	uint64_t state = seed;

	if (at == NULL)
		abort();
	for (unsigned long i = 0; i < count; i++) {
		const struct input *in = &c->inputs[below(&state, c->count)];
		size_t bytes = in->bytes, changes = 1 + below(&state, 8);

		memcpy(at, in->at, bytes);
		while (changes-- > 0)
			bytes = mutate_once(c, at, bytes, &state);
		run_input(at, bytes);
	}
	free(at);
}

int main(int argc, char **argv)
{
	static struct corpus corpus;
	static const int deadly[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	unsigned long mutations = 0;
	int option, r = 0;
	const char *name = strrchr(argv[0], '/');

	setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines, between those of others */
	now.seed = 1;
	while ((option = getopt(argc, argv, "n:S:")) != -1) {
		if (option == '?')
			return 2;
		*(option == 'n' ? &mutations : &now.seed) = strtoul(optarg, NULL, 10);
	}
	for (int i = optind; i < argc && r == 0; i++)
		r = corpus_read(&corpus, argv[i]);
	if (r != 0)
		return 2;
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], on_signal);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_input);
	for (size_t i = 0; i < corpus.count; i++)
		run_input(corpus.inputs[i].at, corpus.inputs[i].bytes);
	if (corpus.count == 0) /* without a corpus, grow from nothing */
		corpus.inputs[corpus.count++] = (struct input){ (uint8_t *)calloc(1, 1), 0 };
	run_mutations(&corpus, mutations, now.seed);
	printf("ok %s: %lu inputs, seed %lu\n", name == NULL ? argv[0] : name + 1, now.number,
		now.seed);
	for (size_t i = 0; i < corpus.count; i++)
		free(corpus.inputs[i].at);
	return 0;
}
