# SPDX-License-Identifier: Apache-2.0
# SPU Mesh. `make help` lists the targets; `make V=1` shows the commands.
VERSION := 0.1.0

# dev (default), release, asan (ASan and UBSan), ubsan, tsan, fuzz (libFuzzer, clang only)
VARIANT ?= dev
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
# make sim: SEEDS runs from SEED on. make fuzz: RUNS mutated inputs per target besides the corpus.
SEEDS   ?= 200
SEED    ?= 1
RUNS    ?= 20000
# make fuzz-live: for how many seconds
SECONDS ?= 60

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(patsubst $(B)/%,%,$@)')

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG := $(findstring clang,$(CC))
B := build/$(VARIANT)$(if $(CLANG),-clang)
G := build/gen

# Tools and libraries. A missing one stops with the name of its Debian package.
MODULES := libnats:libnats-dev libprotobuf-c:libprotobuf-c-dev libsodium:libsodium-dev sqlite3:libsqlite3-dev \
	libzstd:libzstd-dev libxxhash:libxxhash-dev libcurl:libcurl4-openssl-dev jansson:libjansson-dev libpng:libpng-dev \
	libjpeg:libjpeg-dev libpcre2-8:libpcre2-dev OpenCL:ocl-icd-opencl-dev cmocka:libcmocka-dev
names = $(foreach m,$(1),$(firstword $(subst :, ,$(m))))
need  = $(if $(shell command -v $(1)),,$(error $(1) is missing: apt-get install $(2), or run scripts/setup))
needs = $(if $(shell pkg-config --exists $(call names,$(1)) || echo missing),$(foreach m,$(1),\
	$(if $(shell pkg-config --exists $(call names,$(m)) || echo missing),$(error \
	$(call names,$(m)) is missing: apt-get install $(lastword $(subst :, ,$(m))), or run scripts/setup))))
NO_BUILD := clean uninstall help format docs
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
$(call need,$(CC),$(or $(CLANG),gcc))
$(call need,ar,binutils)
$(call need,pkg-config,pkg-config)
$(call need,protoc-c,protobuf-c-compiler)
$(call needs,$(MODULES))
endif
cflags_of = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(1) 2>/dev/null))
libs_of = $(shell pkg-config --libs $(1) 2>/dev/null)
CORE_MODULES := $(filter-out OpenCL cmocka,$(call names,$(MODULES)))

comma := ,

# Flags.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
	-Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 $(if $(CLANG),-Wno-string-concatenation)
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
OPT_dev     := -O2 -Werror $(HARDEN)
OPT_release := -O2 $(HARDEN)
OPT_asan    := -O1 -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_ubsan   := -O1 -Werror -fsanitize=undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -Werror -fsanitize=thread -fno-omit-frame-pointer
OPT_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT := $(or $(OPT_$(VARIANT)),$(error VARIANT=$(VARIANT) is not one of dev release asan ubsan tsan fuzz))
SANITIZE := $(filter -fsanitize=%,$(OPT))

# CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are the user's and come last.
PREPROCESS := -D_GNU_SOURCE -Iservices/common -I. -I$(G) $(call cflags_of,$(CORE_MODULES)) $(CPPFLAGS)
COMPILE    := -std=c11 -g $(OPT) -fPIE -fno-common -pthread $(CFLAGS)
LINK       := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)
LIBS       := $(call libs_of,$(CORE_MODULES)) -pthread -lm $(LDLIBS)
TEST_LIBS := $(call libs_of,cmocka OpenCL)

# Generated code: protobuf-c, version.h, OpenCL kernels as C arrays, the table of the CPU node's kinds.
PROTO   := $(wildcard proto/spu/v1/*.proto)
PB_C    := $(PROTO:proto/%.proto=$(G)/%.pb-c.c)
KERNELS := $(wildcard gpu-node/kernels/*.cl)
GEN_H   := $(PB_C:.c=.h) $(G)/version.h $(G)/cpu-kinds.def $(KERNELS:gpu-node/%=$(G)/%.h)

# The library: the layers base, policy, wire, run, node.
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
COMMON := $(wildcard services/common/*/*.c)
LIBSPU := $(B)/libspu.a
$(LIBSPU): $(call obj,$(COMMON) $(PB_C))

# Programs: all but main.c goes into an archive, so that tests can link a program's insides.
PROGRAMS :=
ARCHIVES :=
SOURCES  := $(COMMON)
define program # name, folder, pkg-config modules besides CORE_MODULES
ifneq ($(wildcard $(2)/*.c),)
SOURCES  += $(wildcard $(2)/*.c)
ARCHIVES += $(B)/$(1).a
$(B)/$(1).a: $(call obj,$(filter-out $(2)/main.c,$(wildcard $(2)/*.c)))
$(call obj,$(wildcard $(2)/*.c)): PREPROCESS += $(if $(3),$(call cflags_of,$(3)))
ifneq ($(wildcard $(2)/main.c),)
PROGRAMS += $(B)/bin/$(1)
$(B)/bin/$(1): LIBS += $(if $(3),$(call libs_of,$(3)))
$(B)/bin/$(1): $(B)/obj/$(2)/main.o $(B)/$(1).a $(LIBSPU)
endif
endif
endef
$(eval $(call program,spu-router,router))
$(eval $(call program,spu-cpu-node,cpu-node))
$(eval $(call program,spu-gpu-node,gpu-node))
$(eval $(call program,spu-gpu-device,gpu-node/device,OpenCL))
$(eval $(call program,spu-delegate,services/delegate))
$(eval $(call program,spu-inbox,services/inbox))
$(eval $(call program,spu-store,services/store))
$(eval $(call program,spu,services/cli))

# Tests: tests/unit/test_X.c, tests/fuzz/fuzz_X.c, tests/bench/bench_X.c and tests/e2e/X.c are a program each,
# tests/sim/*.c together are one, so are tests/torture/*.c.
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCH_PARTS := $(filter-out $(BENCH_SRC),$(wildcard tests/bench/*.c))
SIM_SRC   := $(wildcard tests/sim/*.c)
E2E_SRC   := $(wildcard tests/e2e/*.c)
TORTURE_SRC := $(wildcard tests/torture/*.c)
SUPPORT   := $(wildcard tests/support/*.c)
SOURCES   += $(UNIT_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(BENCH_PARTS) $(SIM_SRC) $(E2E_SRC) $(TORTURE_SRC) $(SUPPORT) tests/fuzz/replay.c
UNIT  := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
FUZZ  := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
BENCH := $(BENCH_SRC:tests/bench/%.c=$(B)/%)
SIM   := $(if $(SIM_SRC),$(B)/sim)
E2E   := $(E2E_SRC:tests/e2e/%.c=$(B)/%)
TORTURE := $(B)/torture
INSIDES := $(ARCHIVES) $(LIBSPU)
$(UNIT): $(B)/unit/%: $(B)/obj/tests/unit/%.o $(call obj,$(SUPPORT)) $(INSIDES)
$(FUZZ): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(if $(filter fuzz,$(VARIANT)),,$(call obj,tests/fuzz/replay.c)) $(INSIDES)
$(BENCH): $(B)/%: $(B)/obj/tests/bench/%.o $(call obj,$(BENCH_PARTS) $(SUPPORT)) $(INSIDES)
$(SIM): $(call obj,$(SIM_SRC) tests/support/journal_mem.c) $(INSIDES)
$(E2E): $(B)/%: $(B)/obj/tests/e2e/%.o $(LIBSPU)
$(TORTURE): $(call obj,$(TORTURE_SRC) tests/support/proc.c) $(LIBSPU)
$(UNIT) $(FUZZ) $(BENCH) $(SIM): LIBS += $(TEST_LIBS)
$(BENCH): LIBS += -lz
# the calls of the journal's own that tests/support/fault_sys.c makes fail
$(B)/unit/test_journal_faults: LINK += $(addprefix -Wl$(comma)--wrap=,open close stat fstat pread link unlink)
ifeq ($(VARIANT),fuzz)
$(FUZZ): LINK += -fsanitize=fuzzer
endif

.PHONY: all tests check checks unit sim e2e torture fuzz fuzz-live bench asan ubsan tsan format lint install uninstall clean help docs FORCE
all: $(LIBSPU) $(ARCHIVES) $(PROGRAMS) ## build the library and every program
tests: all $(UNIT) $(FUZZ) $(SIM) $(BENCH) $(E2E) $(TORTURE) ## build every test and benchmark too

LEFT_OUT_tsan := gpu_kernels gpu_job # it sees nothing of what PoCL compiles, and PoCL 6 gets local memory wrong
RUN_TESTS = SPU_BIN=$(abspath $(B)/bin) scripts/run-tests -o $(B)/failed -j $(JOBS)
check: checks unit sim fuzz e2e ## what must hold before a change lands
checks: all ## layers, purity, clean-ups, fuzz corpora, sizes, documents
	$(Q)scripts/check-layers
	$(Q)scripts/check-pure $(B)
	$(Q)scripts/check-cleanup
	$(Q)scripts/check-fuzz
	$(Q)scripts/check-size
	$(Q)scripts/check-docs $(B)
CHOSEN_UNIT = $(if $(TEST),$(TEST:%=$(B)/unit/test_%),$(filter-out $(LEFT_OUT_$(VARIANT):%=$(B)/unit/test_%),$(UNIT)))
unit: all $(CHOSEN_UNIT) ## unit tests, in parallel (TEST="a b" builds and runs test_a and test_b only)
	$(Q)$(RUN_TESTS) -n unit -t 300 $(CHOSEN_UNIT)
sim: $(SIM) ## the mesh in one process: SEEDS=200 runs from SEED=1
	$(Q)$(RUN_TESTS) -n sim -t 3600 $(SIM:%="% --seeds $(SEEDS) --seed $(SEED)")
fuzz: $(FUZZ) ## replay the fuzz corpus and RUNS=20000 mutations of it
	$(Q)$(RUN_TESTS) -n fuzz -t 600 $(foreach f,$(FUZZ),"$(f) -n $(RUNS) -S $(SEED) \
		$(wildcard tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(f))))")
e2e: all $(E2E) $(TORTURE) ## real processes against a real nats-server (TEST="a b" runs these only)
	$(Q)$(RUN_TESTS) -n e2e -t 300 -j 2 $(if $(TEST),$(TEST:%=tests/e2e/%.test),$(wildcard tests/e2e/*.test))
torture: all $(TORTURE) ## real processes killed and stopped under load: SECONDS=60 from SEED=1
	$(Q)$(RUN_TESTS) -n torture -t $$(($(or $(SECONDS),60) + 200)) "$(TORTURE) --seconds $(or $(SECONDS),60) --seed $(SEED)"
fuzz-live: ## search with libFuzzer: TARGET=x SECONDS=60 (clang)
	$(if $(TARGET),,$(error TARGET=x names tests/fuzz/fuzz_x.c))
	$(Q)$(MAKE) --no-print-directory CC=clang VARIANT=fuzz build/fuzz-clang/fuzz/fuzz_$(TARGET)
	$(Q)mkdir -p build/fuzz-clang/found/$(TARGET) tests/fuzz/corpus/$(TARGET)
	build/fuzz-clang/fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -artifact_prefix=build/fuzz-clang/$(TARGET)- \
		build/fuzz-clang/found/$(TARGET) tests/fuzz/corpus/$(TARGET)
bench: all $(BENCH) ## run the benchmarks in build/<variant>/bench_*
	$(Q)for b in $(BENCH); do $$b || exit 1; done
asan ubsan: ## unit, sim and fuzz under address and undefined-behaviour checks, or under the latter
	$(Q)$(MAKE) --no-print-directory VARIANT=$@ unit sim fuzz
tsan: ## unit tests under the thread checker
	$(Q)$(MAKE) --no-print-directory VARIANT=$@ unit

FORMATTED = $(wildcard $(addsuffix /*.[ch],services/common/* router cpu-node gpu-node gpu-node/* services/* tests/*))
format: ## lay out the C code
	$(call need,clang-format,clang-format)clang-format -i $(FORMATTED)
lint: checks ## checks, layout, and cppcheck and clang-tidy where they are installed
	$(call need,clang-format,clang-format)$(Q)clang-format --dry-run -Werror $(FORMATTED)
	$(Q)if command -v cppcheck >/dev/null; then cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
		--enable=warning,portability --suppress=missingInclude --suppress=nullPointerOutOfMemory --suppress=internalAstError --suppress=autoVariables \
		-D_GNU_SOURCE -DPROTOBUF_C_VERSION_NUMBER=9999999 -DPROTOBUF_C_MIN_COMPILER_VERSION=0 \
		-DPROTOBUF_C__BEGIN_DECLS= -DPROTOBUF_C__END_DECLS= -Iservices/common -I. -I$(G) -j $(JOBS) $(filter-out tests/%,$(SOURCES)); fi
	$(Q)if command -v clang-tidy >/dev/null; then printf '%s\n' $(filter-out tests/%,$(SOURCES)) | xargs -n 8 -P $(JOBS) \
		sh -c 'exec clang-tidy --quiet "$$@" -- $(PREPROCESS) -std=c11 2>/dev/null' clang-tidy; fi
docs: ## renew the tables in proto/README.md from proto/*.def
	$(Q)mkdir -p build/docs && scripts/gen-tables build/docs $(wildcard proto/README.md)

install: ## into DESTDIR/PREFIX (release variant: make install VARIANT=release)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	$(if $(PROGRAMS),install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin)
ifneq ($(filter %/bin/spu,$(PROGRAMS)),)
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/bin/spu completion bash >$(B)/spu.bash
	install -m 644 $(B)/spu.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/spu
endif
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in scripts/systemd/*.service; do sed 's|@BIN@|$(PREFIX)/bin|' $$unit \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done
uninstall: ## what install has put there
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(PROGRAMS))) \
		$(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/system/,$(notdir $(wildcard scripts/systemd/*.service))) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/spu
clean: ## remove build/
	$(Q)rm -rf build
help: ## this list
	$(Q)sed -n 's/^\([a-z0-9][a-z0-9 -]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

# How each sort of file is made.
$(B)/obj/%.o: %.c Makefile | $(GEN_H)
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(PREPROCESS) $(COMPILE) $(WARN) -MMD -MP -c -o $@ $<
$(B)/obj/$(G)/%.o: $(G)/%.c Makefile | $(GEN_H)
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(PREPROCESS) $(COMPILE) -w -MMD -MP -c -o $@ $<
# The list of sources makes an archive anew when a file was added or removed.
$(LIBSPU) $(ARCHIVES): $(B)/sources
	$(call say,AR)
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $(filter %.o,$^)
$(PROGRAMS) $(UNIT) $(FUZZ) $(BENCH) $(SIM) $(E2E) $(TORTURE):
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(LINK) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
$(G)/%.pb-c.c $(G)/%.pb-c.h: proto/%.proto $(PROTO)
	$(if $(V),,@printf '  %-6s %s\n' PROTO $<)
	$(Q)mkdir -p $(G) && said=$$(protoc-c --proto_path=proto --c_out=$(G) $< 2>&1) || { echo "$$said" >&2; exit 1; }
$(G)/kernels/%.cl.h: gpu-node/kernels/%.cl scripts/embed-cl
	$(if $(V),,@printf '  %-6s %s\n' EMBED $<)
	$(Q)mkdir -p $(@D) && scripts/embed-cl $< >$@
# These are rewritten only when their text changes.
keep = mkdir -p $(@D); printf $(1) >$@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
DESCRIBE = $(shell git describe --always --dirty --exclude='*' 2>/dev/null | sed 's/^/+g/')
$(G)/version.h: FORCE
	@$(call keep,'#pragma once\n#define SPU_VERSION "$(VERSION)"\n#define SPU_BUILD "$(VERSION)$(DESCRIBE)"\n')
$(G)/cpu-kinds.def: FORCE
	@$(call keep,'%s\n' "$$(sed -n '/^CPU_KIND."/p' cpu-node/kinds_*.c)")
$(B)/sources: FORCE
	@$(call keep,'%s\n' $(sort $(SOURCES) $(PROTO)))
FORCE:

-include $(patsubst %.c,$(B)/obj/%.d,$(SOURCES) $(PB_C))
