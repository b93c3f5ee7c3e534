/* Rules of the op that is supplied from above. */
#include "autodiff/op_rules.h"

enum status infer_custom(struct call *c)
{
    struct custom *custom = (struct custom *)c->attrs->object;
    return custom->infer(custom, c);
}

enum status prepare_custom(struct call *c)
{
    struct custom *custom = (struct custom *)c->attrs->object;
    return custom->prepare(custom, c);
}

void vjp_custom(struct vjp *v)
{
    struct custom *custom = (struct custom *)v->attrs->object;
    custom->vjp(custom, v);
}
