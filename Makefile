# Tide: `make help` lists the targets. Everything that is built goes to build/, except the launcher ./tide.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
VARIANT  ?= release
CC       ?= cc
AR       ?= ar

LUA_PC   := $(firstword $(foreach n,lua5.4 lua-5.4 lua54,$(shell pkg-config --exists $(n) 2>/dev/null && echo $(n))))
ifeq ($(LUA_PC),)
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
$(error Lua 5.4 development files were not found; on Debian: apt install build-essential pkg-config liblua5.4-dev libopenblas-dev libpng-dev zlib1g-dev libedit-dev)
endif
endif
LUA_CFLAGS := $(shell pkg-config --cflags $(LUA_PC) 2>/dev/null)
LUA_LIBS   := $(shell pkg-config --libs $(LUA_PC) 2>/dev/null)
LUA        ?= $(firstword $(shell command -v lua5.4 lua 2>/dev/null))
BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)
EDIT_LIBS  := $(shell pkg-config --exists libedit 2>/dev/null && pkg-config --libs libedit)
EDIT_CFLAGS := $(if $(EDIT_LIBS),-DHAVE_LIBEDIT $(shell pkg-config --cflags libedit))

ifeq ($(VARIANT),release)
BUILD   := build
OPTIMISE := -O2 -g1
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
else ifeq ($(VARIANT),asan)
BUILD   := build/asan
OPTIMISE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(VARIANT),tsan)
BUILD   := build/tsan
OPTIMISE := -O1 -g -fsanitize=thread
else ifeq ($(VARIANT),debug)
BUILD   := build/debug
OPTIMISE := -O0 -g
else
$(error VARIANT must be release, asan, tsan or debug)
endif

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
CFLAGS  ?=
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-math-errno $(OPTIMISE) $(HARDEN) $(WARN) -Icore -Ibindings \
              -DTIDE_VERSION='"$(VERSION)"' $(BLAS_CFLAGS) $(CFLAGS)
LDFLAGS += -Wl,-z,relro,-z,now

# The innermost loops, once per instruction set.
LOOP_CFLAGS := -O3 -fno-trapping-math $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-Wno-pass-failed)
ISA_generic :=
ISA_avx2    := -mavx2 -mfma
ISA_avx512  := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
ifneq ($(filter x86_64 i%86 amd64,$(shell uname -m)),)
ISAS := generic avx2 avx512
X86_LOOPS := -DHAVE_X86_LOOPS
else
ISAS := generic
endif

CORE_SRC  := $(filter-out core/kernels/loops.c,$(wildcard core/*/*.c))
BIND_SRC  := $(filter-out bindings/launcher.c,$(wildcard bindings/*.c))
CORE_OBJ  := $(CORE_SRC:%.c=$(BUILD)/%.o) $(ISAS:%=$(BUILD)/core/kernels/loops_%.o)
BIND_OBJ  := $(BIND_SRC:%.c=$(BUILD)/%.o)
TEST_SRC  := $(wildcard tests/c/test_*.c)
TEST_BIN  := $(TEST_SRC:tests/c/%.c=$(BUILD)/tests/%)
CORE_LIBS := -lpng -lz -ldl -lm -lpthread

.PHONY: all test test-c test-lua bench bench-peers figures lint asan install clean help env format
.SECONDARY:

all: $(BUILD)/tide/core.so tide ## build the engine and the launcher (the default)

$(BUILD)/libtide.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# Never linked with liblua: the module finds the lua_* symbols in the program that loads it. nodelete: worker threads run its code.
$(BUILD)/tide/core.so: $(BIND_OBJ) $(BUILD)/libtide.a
	@mkdir -p $(@D)
	$(CC) -shared $(OPTIMISE) $(LDFLAGS) -Wl,-z,nodelete -o $@ $(BIND_OBJ) -Wl,--whole-archive $(BUILD)/libtide.a -Wl,--no-whole-archive \
	      $(CORE_LIBS) $(EDIT_LIBS)

tide: $(BUILD)/bindings/launcher.o
	$(CC) $(if $(filter asan,$(VARIANT)),$(OPTIMISE)) -pie -Wl,-E $(LDFLAGS) -o $@ $< $(LUA_LIBS) -ldl -lm

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(if $(filter bindings/%,$<),$(LUA_CFLAGS) $(EDIT_CFLAGS)) \
	      $(if $(filter core/kernels/dispatch.c,$<),$(X86_LOOPS)) -MMD -MP -c -o $@ $<

$(BUILD)/core/kernels/loops_%.o: core/kernels/loops.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LOOP_CFLAGS) $(ISA_$*) -DLOOPS_NAME=$* -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: tests/c/%.c $(BUILD)/libtide.a Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/c -MMD -MP -o $@ $< -Wl,--whole-archive $(BUILD)/libtide.a -Wl,--no-whole-archive $(LDFLAGS) $(CORE_LIBS)

-include $(shell find build -name '*.d' 2>/dev/null)

test: all test-c test-lua ## build and run every test (C, Lua, REPL, README examples, lint); ends with "N passed, N failed"

clean: ## remove everything that was built
	rm -rf build tide

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'
