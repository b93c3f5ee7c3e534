#include "solver/method.h"

#include <string.h>

#include "solver/family.h"

/* Sources: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I (HNW): tables II.1.2 (rk4,
 * 3/8), II.4.4 (Fehlberg 1(2)), II.5.2 (Dormand, Prince 5(4)), II.6 (its interpolant); Bogacki, Shampine 1989
 * (bosh3); Shampine 1986 (weights used by torchdiffeq); Tsitouras 2011; Prince, Dormand 1981 (8(7)13M);
 * Alexander 1977 (sdirk2). */
static const struct tableau tableaus[] = {
    {.name = "euler", .order = 1, .stages = 1, .interpolation = INTERPOLATE_QUADRATIC, .b = {1}},
    {.name = "midpoint",
     .order = 2,
     .stages = 2,
     .interpolation = INTERPOLATE_QUADRATIC,
     .c = {0, 0.5},
     .a = {{0}, {0.5}},
     .b = {0, 1}},
    {.name = "heun",
     .order = 2,
     .stages = 2,
     .interpolation = INTERPOLATE_QUADRATIC,
     .c = {0, 1},
     .a = {{0}, {1}},
     .b = {0.5, 0.5}},
    {.name = "rk4",
     .order = 4,
     .stages = 4,
     .interpolation = INTERPOLATE_HERMITE,
     .c = {0, 0.5, 0.5, 1},
     .a = {{0}, {0.5}, {0, 0.5}, {0, 0, 1}},
     .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}},
    {.name = "rk4_38",
     .order = 4,
     .stages = 4,
     .interpolation = INTERPOLATE_HERMITE,
     .c = {0, 1.0 / 3, 2.0 / 3, 1},
     .a = {{0}, {1.0 / 3}, {-1.0 / 3, 1}, {1, -1, 1}},
     .b = {0.125, 0.375, 0.375, 0.125}},
    {.name = "heun_euler",
     .order = 2,
     .error_order = 1,
     .stages = 2,
     .interpolation = INTERPOLATE_QUADRATIC,
     .c = {0, 1},
     .a = {{0}, {1}},
     .b = {0.5, 0.5},
     .e = {-0.5, 0.5}},
    {.name = "fehlberg21",
     .order = 2,
     .error_order = 1,
     .stages = 3,
     .interpolation = INTERPOLATE_QUADRATIC,
     .c = {0, 0.5, 1},
     .a = {{0}, {0.5}, {1.0 / 256, 255.0 / 256}},
     .b = {1.0 / 512, 255.0 / 256, 1.0 / 512},
     .e = {-1.0 / 512, 0, 1.0 / 512}},
    {.name = "bosh3",
     .order = 3,
     .error_order = 2,
     .stages = 4,
     .interpolation = INTERPOLATE_HERMITE,
     .c = {0, 0.5, 0.75, 1},
     .a = {{0}, {0.5}, {0, 0.75}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
     .b = {2.0 / 9, 1.0 / 3, 4.0 / 9},
     .e = {2.0 / 9 - 7.0 / 24, 1.0 / 3 - 1.0 / 4, 4.0 / 9 - 1.0 / 3, -1.0 / 8}},
#define DOPRI5_BODY                                                                                          \
    .order = 5, .error_order = 4, .stages = 7, .interpolation = INTERPOLATE_HERMITE,                         \
    .c = {0, 0.2, 0.3, 0.8, 8.0 / 9, 1, 1},                                                                  \
    .a = {{0},                                                                                               \
          {0.2},                                                                                             \
          {3.0 / 40, 9.0 / 40},                                                                              \
          {44.0 / 45, -56.0 / 15, 32.0 / 9},                                                                 \
          {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},                                   \
          {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},                         \
          {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},                            \
    .b = {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},                              \
    .d = {-12715105075.0 / 11282082432.0,  0,                                                                \
          87487479700.0 / 32700410799.0,   -10690763975.0 / 1880347072.0,                                    \
          701980252875.0 / 199316789632.0, -1453857185.0 / 822651844.0,                                      \
          69997945.0 / 29380423.0}
    {.name = "dopri5",
     DOPRI5_BODY,
     .e = {71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40}},
    {.name = "dopri5_shampine",
     DOPRI5_BODY,
     .e = {35.0 / 384 - 1951.0 / 21600, 0, 500.0 / 1113 - 22642.0 / 50085, 125.0 / 192 - 451.0 / 720,
           -2187.0 / 6784 + 12231.0 / 42400, 11.0 / 84 - 649.0 / 6300, -1.0 / 60}},
    {.name = "tsit5",
     .order = 5,
     .error_order = 4,
     .stages = 7,
     .interpolation = INTERPOLATE_HERMITE,
     /* a[4][2] is one ulp below the published 7.49553934288983621: so the row sums to c, and the order
      * conditions hold ten times better. */
     .c = {0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
     .a = {{0},
           {0.161},
           {-0.008480655492356989, 0.335480655492357},
           {2.8971530571054935, -6.359448489975075, 4.3622954328695815},
           {5.325864828439257, -11.748883564062828, 7.495539342889836, -0.09249506636175525},
           {5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401,
            -0.028269050394068383},
           {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
            2.324710524099774}},
     .b = {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
           2.324710524099774},
     .e = {-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
           0.5823571654525552, -0.45808210592918697, 1.0 / 66},
     .d = {-1.0530884977290216, 0.1017, 2.490627285651253, -16.548102889244902, 47.37952196281928,
           -34.87065786149661, 2.5}},
    {.name = "dopri8",
     .order = 8,
     .error_order = 7,
     .stages = 13,
     .interpolation = INTERPOLATE_BOOTSTRAP,
     .c = {0, 1.0 / 18, 1.0 / 12, 1.0 / 8, 5.0 / 16, 3.0 / 8, 59.0 / 400, 93.0 / 200,
           5490023248.0 / 9719169821.0, 13.0 / 20, 1201146811.0 / 1299019798.0, 1, 1},
     .a = {{0},
           {1.0 / 18},
           {1.0 / 48, 1.0 / 16},
           {1.0 / 32, 0, 3.0 / 32},
           {5.0 / 16, 0, -75.0 / 64, 75.0 / 64},
           {3.0 / 80, 0, 0, 3.0 / 16, 3.0 / 20},
           {29443841.0 / 614563906, 0, 0, 77736538.0 / 692538347, -28693883.0 / 1125000000,
            23124283.0 / 1800000000},
           {16016141.0 / 946692911, 0, 0, 61564180.0 / 158732637, 22789713.0 / 633445777,
            545815736.0 / 2771057229.0, -180193667.0 / 1043307555},
           {39632708.0 / 573591083, 0, 0, -433636366.0 / 683701615, -421739975.0 / 2616292301.0,
            100302831.0 / 723423059, 790204164.0 / 839813087, 800635310.0 / 3783071287.0},
           {246121993.0 / 1340847787, 0, 0, -37695042795.0 / 15268766246.0, -309121744.0 / 1061227803,
            -12992083.0 / 490766935, 6005943493.0 / 2108947869, 393006217.0 / 1396673457,
            123872331.0 / 1001029789},
           {-1028468189.0 / 846180014, 0, 0, 8478235783.0 / 508512852, 1311729495.0 / 1432422823,
            -10304129995.0 / 1701304382, -48777925059.0 / 3047939560.0, 15336726248.0 / 1032824649,
            -45442868181.0 / 3398467696.0, 3065993473.0 / 597172653},
           {185892177.0 / 718116043, 0, 0, -3185094517.0 / 667107341, -477755414.0 / 1098053517,
            -703635378.0 / 230739211, 5731566787.0 / 1027545527, 5232866602.0 / 850066563,
            -4093664535.0 / 808688257, 3962137247.0 / 1805957418, 65686358.0 / 487910083},
           {403863854.0 / 491063109, 0, 0, -5068492393.0 / 434740067, -411421997.0 / 543043805,
            652783627.0 / 914296604, 11173962825.0 / 925320556, -13158990841.0 / 6184727034.0,
            3936647629.0 / 1978049680, -160528059.0 / 685178525, 248638103.0 / 1413531060, 0}},
     .b = {14005451.0 / 335480064, 0, 0, 0, 0, -59238493.0 / 1068277825, 181606767.0 / 758867731,
           561292985.0 / 797845732, -1041891430.0 / 1371343529, 760417239.0 / 1151165299,
           118820643.0 / 751138087, -528747749.0 / 2220607170.0, 1.0 / 4},
     .e = {14005451.0 / 335480064 - 13451932.0 / 455176623, 0, 0, 0, 0,
           -59238493.0 / 1068277825 + 808719846.0 / 976000145,
           181606767.0 / 758867731 - 1757004468.0 / 5645159321.0,
           561292985.0 / 797845732 - 656045339.0 / 265891186,
           -1041891430.0 / 1371343529 + 3867574721.0 / 1518517206,
           760417239.0 / 1151165299 - 465885868.0 / 322736535,
           118820643.0 / 751138087 - 53011238.0 / 667516719, -528747749.0 / 2220607170.0 - 2.0 / 45,
           1.0 / 4}},
#define GAMMA 0.29289321881345247560 /* 1 - 1/sqrt 2 */
    {.name = "implicit_midpoint",
     .order = 2,
     .stages = 1,
     .interpolation = INTERPOLATE_STAGES,
     .c = {0.5},
     .a = {{0.5}},
     .b = {1}},
    {.name = "sdirk2",
     .stability = "L",
     .order = 2,
     .stages = 2,
     .interpolation = INTERPOLATE_STAGES,
     .c = {GAMMA, 1},
     .a = {{GAMMA}, {1 - GAMMA, GAMMA}},
     .b = {1 - GAMMA, GAMMA}},
};

/* Multistep methods: name and order; they begin with the one-step method named. */
static const struct {
    const char *name;
    int order;
    const char *begin;
} multistep[] = {{"bdf", 2, "sdirk2"}};

enum { TABLEAUS = sizeof tableaus / sizeof *tableaus, MULTISTEP = sizeof multistep / sizeof *multistep };

int method_count(void) { return TABLEAUS + MULTISTEP; }

void method_of_tableau(struct method *m)
{
    tableau_derive(&m->rk);
    m->family = m->rk.implicit ? &family_implicit : &family_explicit;
}

void method_get(int i, struct method *out)
{
    if (i < TABLEAUS) {
        out->rk = tableaus[i];
        method_of_tableau(out);
        return;
    }
    int row = i - TABLEAUS;
    method_find(multistep[row].begin, out);
    strcpy(out->rk.name, multistep[row].name);
    out->rk.order = multistep[row].order;
    out->family = &family_multistep;
}

enum status method_find(const char *name, struct method *out)
{
    for (int i = 0; i < method_count(); i++)
        if (strcmp(i < TABLEAUS ? tableaus[i].name : multistep[i - TABLEAUS].name, name) == 0) {
            method_get(i, out);
            return STATUS_OK;
        }
    return status_set(STATUS_ARGUMENT, "unknown method \"%.40s\"", name);
}
