/* modules.h -- the parts of the module tide.core: each adds its functions to the table at the top of the
 * stack. */
#ifndef BINDINGS_MODULES_H
#define BINDINGS_MODULES_H

#include <lua.h>

void open_tensor(lua_State *L);
void open_creation(lua_State *L);
void open_ops(lua_State *L);
void open_autodiff(lua_State *L);
void open_compiled(lua_State *L);
void open_ode(lua_State *L);
void open_ode_method(lua_State *L);
void open_ode_options(lua_State *L);
void open_ode_callback(lua_State *L);
void open_ode_keep(lua_State *L);
void open_ode_path(lua_State *L);
void open_ode_stepper(lua_State *L);
void open_cfield(lua_State *L);
void open_explain(lua_State *L);
void open_load(lua_State *L);
void open_save(lua_State *L);
void open_files(lua_State *L);
void open_optim(lua_State *L);
void open_system(lua_State *L);
void open_tree(lua_State *L);
void open_truth(lua_State *L);
void open_signals(lua_State *L);
void open_keyboard(lua_State *L);
void open_lineedit(lua_State *L);
void open_process(lua_State *L);
void open_terminal(lua_State *L);

#endif
