# Tide: `make help` lists the targets. Everything that is built goes to build/, except the launcher ./tide.
# V=1 shows the commands, WERROR=1 turns warnings into errors, CC, CFLAGS and LDFLAGS are respected.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
VARIANT  ?= release
CC       ?= cc
AR       ?= ar
Q        := $(if $(V),,@)
MAKEFLAGS += --no-builtin-rules

PACKAGES := build-essential pkg-config liblua5.4-dev libopenblas-dev libpng-dev libjpeg-dev zlib1g-dev libedit-dev
ADVICE   := sh scripts/setup.sh installs it; by hand on Debian: apt install $(PACKAGES)

LUA_PC   := $(firstword $(foreach n,lua5.4 lua-5.4 lua54,$(shell pkg-config --exists $(n) 2>/dev/null && echo $(n))))
LUA_CFLAGS := $(shell pkg-config --cflags $(LUA_PC) 2>/dev/null)
LUA_LIBS   := $(or $(shell pkg-config --libs $(LUA_PC) 2>/dev/null),-llua5.4)
BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)
EDIT_LIBS  := $(shell pkg-config --exists libedit 2>/dev/null && pkg-config --libs libedit)
EDIT_CFLAGS := $(if $(EDIT_LIBS),-DHAVE_LIBEDIT $(shell pkg-config --cflags libedit))

BUILD   := build/$(VARIANT)
ifeq ($(VARIANT),release)
BUILD   := build
OPTIMISE := -O2 -g1
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
else ifeq ($(VARIANT),asan)
OPTIMISE := -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(VARIANT),tsan)
OPTIMISE := -O1 -g -fsanitize=thread
else ifeq ($(VARIANT),debug)
OPTIMISE := -O0 -g
else ifeq ($(VARIANT),coverage)
OPTIMISE := -O1 -g --coverage
else
$(error VARIANT must be release, asan, tsan, debug or coverage)
endif

# The launcher finds its Lua files and core.so by the folder it lies in, so each other variant gets the layout of an installation.
ifeq ($(VARIANT),release)
PROGRAM := tide
MODULE  := build/tide/core.so
else
PROGRAM := $(BUILD)/bin/tide
MODULE  := $(BUILD)/lib/lua/5.4/tide/core.so
LIBRARY := $(BUILD)/share/lua/5.4/tide
endif

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
CFLAGS  ?=
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-math-errno $(OPTIMISE) $(HARDEN) $(WARN) -Icore -Ibindings \
              -DTIDE_VERSION='"$(VERSION)"' $(BLAS_CFLAGS) $(CFLAGS)
ALL_LDFLAGS := $(OPTIMISE) -Wl,-z,relro,-z,now $(LDFLAGS)

# The innermost loops, once per instruction set.
LOOP_CFLAGS := -O3 -fno-trapping-math -ffp-contract=fast $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-Wno-pass-failed)
ISA_generic :=
ISA_avx2    := -mavx2 -mfma
ISA_avx512  := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
ifneq ($(filter x86_64 i%86 amd64,$(shell uname -m)),)
ISAS := generic avx2 avx512
X86_LOOPS := -DHAVE_X86_LOOPS
else
ISAS := generic
endif

LOOP_SRC  := $(addprefix core/kernels/,loops.c product_loops.c winograd_loops.c bf16_loops.c sort_loops.c)
CORE_SRC  := $(filter-out $(LOOP_SRC),$(wildcard core/*/*.c))
BIND_SRC  := $(filter-out bindings/launcher.c,$(wildcard bindings/*.c))
CORE_OBJ  := $(CORE_SRC:%.c=$(BUILD)/%.o) $(foreach isa,$(ISAS),$(LOOP_SRC:%.c=$(BUILD)/%_$(isa).o))
BIND_OBJ  := $(BIND_SRC:%.c=$(BUILD)/%.o)
TEST_BIN  := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/test_*.c))
TEST_FIELDS := $(patsubst tests/cfield/%.c,$(BUILD)/tests/cfield/%.so,$(wildcard tests/cfield/*.c))
CORE_LIBS := -lpng -ljpeg -lz -ldl -lm -lpthread

.PHONY: all test test-c test-lua test-programs test-fields asan tsan coverage fuzz fuzz-readers fuzz-programs fuzz-api bench bench-peers bench-scaling figures lint format install uninstall env clean help FORCE
.SECONDARY:

all: $(MODULE) $(PROGRAM) $(LIBRARY) ## build the engine and the launcher (the default)

$(BUILD)/libtide.a: $(CORE_OBJ)
	$(if $(V),,@echo "  AR   $@")
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# Never linked with liblua: the module finds the lua_* symbols in the program that loads it. nodelete: worker threads run its code.
$(MODULE): $(BIND_OBJ) $(BUILD)/libtide.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,-z,nodelete -o $@ $(BIND_OBJ) \
	      -Wl,--whole-archive $(BUILD)/libtide.a -Wl,--no-whole-archive $(CORE_LIBS) $(EDIT_LIBS)

$(PROGRAM): $(BUILD)/bindings/launcher.o
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) -pie -Wl,-E $(ALL_LDFLAGS) -o $@ $< $(LUA_LIBS) -ldl -lm

$(BUILD)/share/lua/5.4/tide:
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR)/scripts/tide $@

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter bindings/%,$<),$(LUA_CFLAGS) $(EDIT_CFLAGS)) \
	      $(if $(filter core/kernels/dispatch.c,$<),$(X86_LOOPS)) -MMD -MP -c -o $@ $<

define LOOP_RULE
$(BUILD)/%_$(1).o: %.c Makefile $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  CC   $$< ($(1))")
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LOOP_CFLAGS) $$(ISA_$(1)) -DLOOPS_NAME=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call LOOP_RULE,$(isa))))

$(TEST_BIN): $(BUILD)/tests/%: tests/c/%.c $(BUILD)/libtide.a Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/c -MMD -MP -MF $@.d -o $@ $< \
	      -Wl,--whole-archive $(BUILD)/libtide.a -Wl,--no-whole-archive $(ALL_LDFLAGS) $(CORE_LIBS)

$(TEST_FIELDS): $(BUILD)/tests/cfield/%.so: tests/cfield/%.c core/autodiff/tide_field.h Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(ALL_CFLAGS) -shared -o $@ $< $(ALL_LDFLAGS) -lm

# Rewritten when compiler or flags change, so that everything is built anew; the time to look for what the build needs.
FLAGS := $(CC) $(filter-out -Werror,$(ALL_CFLAGS)) $(LUA_CFLAGS) $(EDIT_CFLAGS)
$(BUILD)/flags: FORCE | $(filter clean,$(MAKECMDGOALS))
	@echo "$(subst ",\",$(FLAGS))" | cmp -s - $@ || { \
	  command -v $(firstword $(CC)) >/dev/null || { echo "Tide: there is no C compiler $(firstword $(CC)). $(ADVICE)" >&2; exit 1; }; \
	  for header in lua.h cblas.h png.h jpeglib.h zlib.h; do \
	    echo "#include <$$header>" | $(CC) $(LUA_CFLAGS) $(BLAS_CFLAGS) $(CFLAGS) -E -o /dev/null - 2>/dev/null || lacks="$$lacks $$header"; \
	  done; \
	  [ -z "$$lacks" ] || { echo "Tide: not found:$$lacks. $(ADVICE)" >&2; exit 1; }; \
	  mkdir -p $(@D) && echo "$(subst ",\",$(FLAGS))" > $@; }

-include $(patsubst %.o,%.d,$(CORE_OBJ) $(BIND_OBJ) $(BUILD)/bindings/launcher.o) $(TEST_BIN:=.d)

# tests/run.sh builds what it needs, so that a part that cannot be built counts as a failure and not as the end of everything.
RUN_TESTS = MAKEFLAGS= CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' WERROR='$(WERROR)' sh tests/run.sh

test: ## build and run every test (C, Lua, REPL, README examples, lint); ends with "N passed, N failed"
	@VARIANT=$(VARIANT) $(RUN_TESTS)

test-c: ## the C tests only
	@VARIANT=$(VARIANT) $(RUN_TESTS) c

test-lua: ## the Lua tests only
	@VARIANT=$(VARIANT) $(RUN_TESTS) lua

test-programs: $(TEST_BIN)

test-fields: $(TEST_FIELDS)

asan: ## C and Lua tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@VARIANT=asan $(RUN_TESTS) c lua

# The sanitizers do not see Lua, but what it calls.
fuzz-readers: ## mutated files through every reader under sanitizers, FUZZ times (default 100) as many as the tests take
	@$(MAKE) --no-print-directory VARIANT=asan all test-programs
	TIDE_FUZZ=$(or $(FUZZ),100) build/asan/tests/test_io_bytes mutations
	TIDE_FUZZ=$(or $(FUZZ),100) build/asan/tests/test_io_png mutations
	TIDE_FUZZ=$(or $(FUZZ),100) build/asan/tests/test_io_jpeg mutations
	ASAN_OPTIONS=allocator_may_return_null=1 TIDE_FUZZ=$(or $(FUZZ),100) build/asan/bin/tide tests/lua/run.lua -v -k=mutated tests/lua/test_io.lua tests/lua/test_csv.lua tests/lua/test_picture_data.lua

# PROGRAMS random programs and as many solves, SEED is the first seed.
PROGRAMS ?= 20000
SEED     ?= 1
fuzz-programs: all ## random programs and solves, PROGRAMS (default 20000) of each from SEED on
	TIDE_PROGRAMS=$(PROGRAMS) TIDE_PROGRAMS_SEED=$(SEED) ./tide tests/lua/run.lua -v $(wildcard tests/lua/test_random_*.lua)

fuzz: fuzz-readers fuzz-programs ## everything that takes random input, for long

# Of the Lua tests those where threads share work: Lua's errors are longjmps, which ThreadSanitizer's record of the stack does not follow, so
# tests that raise thousands of them exhaust it.
tsan: ## C tests and the tests of tiles under ThreadSanitizer, four threads
	@VARIANT=tsan TIDE_THREADS=4 $(RUN_TESTS) c
	@$(MAKE) -s VARIANT=tsan all
	@TIDE_THREADS=4 build/tsan/bin/tide tests/lua/run.lua tests/lua/test_tiles.lua tests/lua/test_tiled_solves.lua

# Tests that measure time or memory may fail here.
coverage: all ## lines of C and Lua that the C and Lua tests reach, by gcov and Lua's line hook: a table
	@rm -rf build/coverage/lua && mkdir -p build/coverage/lua && find build/coverage -name '*.gcda' -delete
	-@VARIANT=coverage TIDE_COVERAGE='$(CURDIR)/build/coverage/lua' $(RUN_TESTS) c lua
	@./tide tests/coverage.lua

fuzz-api: ## a million hostile calls of everything that a script can reach, under AddressSanitizer; FUZZ_SEEDS="1 2 3", FUZZ_CALLS=100000
	@$(MAKE) -s VARIANT=asan all
	@for seed in $(or $(FUZZ_SEEDS),1 2 3 4 5 6 7 8 9 10); do \
	  ASAN_OPTIONS=allocator_may_return_null=1 build/asan/bin/tide tests/fuzz/api.lua $$seed $(or $(FUZZ_CALLS),100000) || exit 1; done

lint: all ## rules of the sources that no compiler checks
	@./tide tests/lint/run.lua

bench: all ## how fast the engine is here
	./tide tests/bench/bench.lua

bench-peers: all ## the same beside other programs that are installed
	sh tests/bench/peers.sh

bench-scaling: all ## time against batch, width, steps, threads, image size: runs/bench/scaling/scaling.csv and .png
	./tide tests/bench/scaling.lua --csv runs/bench/scaling/scaling.csv
	./tide plots/bench_scaling.lua runs/bench/scaling

figures: all ## draw every figure whose tables are there anew (plots/GROUP/figures.lua), into runs/
	@status=0; for table in plots/*/figures.lua; do ./tide $$table all || status=1; done; exit $$status

format: ## lay out the C sources by .clang-format
	@command -v clang-format >/dev/null || { echo "clang-format is not installed (apt install clang-format)" >&2; exit 1; }
	clang-format -i $(wildcard core/*/*.[ch] bindings/*.[ch] tests/c/*.[ch] tests/cfield/*.[ch])

# An installation: the paths that both stock lua5.4 and the launcher search.
BIN_DIR := $(DESTDIR)$(PREFIX)/bin
LUA_DIR := $(DESTDIR)$(PREFIX)/share/lua/5.4/tide
SO_DIR  := $(DESTDIR)$(PREFIX)/lib/lua/5.4/tide
INC_DIR := $(DESTDIR)$(PREFIX)/include/tide
DOC_DIR := $(DESTDIR)$(PREFIX)/share/doc/tide
folders = $(sort $(dir $(1)))
lua_files = $(shell cd $(1) && find . -name '*.lua' -not -path './cache/*' | sed 's,^\./,,')

install: ## install under PREFIX (default /usr/local), staged under DESTDIR
ifneq ($(VARIANT),release)
	$(error only the release variant is installed)
endif
	@$(MAKE) --no-print-directory all
	rm -rf "$(LUA_DIR)" "$(SO_DIR)"
	install -d "$(BIN_DIR)" "$(SO_DIR)" "$(LUA_DIR)/data" "$(DOC_DIR)"
	install -m 755 tide "$(BIN_DIR)/tide"
	install -m 644 build/tide/core.so "$(SO_DIR)/core.so"
	install -D -m 644 core/autodiff/tide_field.h "$(INC_DIR)/field.h"
	@./tide scripts/short_names.lua "$(LUA_DIR)"
	@cd scripts/tide && for f in $(call lua_files,scripts/tide); do install -D -m 644 "$$f" "$(abspath $(LUA_DIR))/$$f"; done
	@cd data && for f in $(call lua_files,data); do install -D -m 644 "$$f" "$(abspath $(LUA_DIR))/data/$$f"; done
	install -m 644 plots/style.gp "$(LUA_DIR)/plot/style.gp"
	@cd plots && for f in $(call lua_files,plots); do install -D -m 644 "$$f" "$(abspath $(LUA_DIR))/plots/$$f"; done
	install -m 644 README.md LICENSE "$(DOC_DIR)"

uninstall: ## remove what install put there
	rm -f "$(BIN_DIR)/tide"
	rm -rf "$(LUA_DIR)" "$(SO_DIR)" "$(INC_DIR)" "$(DOC_DIR)"

env: ## lines that let stock lua5.4 use this checkout: eval "$(make -s env)"
	@./tide scripts/short_names.lua build/short_names/tide
	@echo "export LUA_PATH_5_4='$(CURDIR)/scripts/?.lua;$(CURDIR)/scripts/?/init.lua;$(CURDIR)/build/short_names/?.lua;;'"
	@echo "export LUA_CPATH_5_4='$(CURDIR)/build/?.so;;'"

clean: ## remove everything that was built
	rm -rf build tide

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'
	@echo "  VARIANT=debug, asan, tsan or coverage builds build/VARIANT/bin/tide"
