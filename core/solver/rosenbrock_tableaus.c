/* The rows of Rosenbrock methods; what the coefficients mean stands in rosenbrock.c.
 *
 * Sources: ros3p: Lang, Verwer, BIT 41 (2001) 731-738: of order 3 for parabolic problems, too. rodas4:
 * Hairer, Wanner, Solving Ordinary Differential Equations II (HW), VI.4 and their code RODAS; stiffly
 * accurate, as its embedded method is. The numbers of the code are those of the transformed stages u = Gamma
 * k (HW IV.7); those here are products with Gamma, made with 40 digits, of rows that sum to exact numbers.
 *
 * The published error estimate of ros3p, h (k_1 - k_2) / 3, is 0 for every linear system y' = J y, as is any
 * other of these stages. So it has one more: f at the end, which the next step begins with, and with the four
 * the estimate is h^3 y''' / 12, to the order that it has.
 *
 * Interpolants are combinations of the stages. rodas4 has its authors', of order 3. That of ros3p is the one
 * that fulfils all but one of the conditions of order 3 (beta: sums of alpha and gamma by rows):
 *
 *   sum b_i = theta, sum b_i beta_i = theta^2 / 2, sum b_i alpha_i^2 = theta^3 / 3. */
#include "solver/family.h"

#define ROOT3 1.7320508075688772935

#define LANG (0.5 + ROOT3 / 6)

#define RODAS1 -2.080189494180936401
#define RODAS2 0.5957623556766833068
#define RODAS3 1.701617798267261897
#define RODAS4 -0.08851451983588042734
#define RODAS5 -0.378676139927128375

static const struct tableau rows[] = {
    {.name = "ros3p",
     .stability = "A",
     .order = 3,
     .error_order = 2,
     .stages = 4,
     .interpolation = INTERPOLATE_ROWS,
     .dense_order = 2,
     .c = {0, 1, 1, 1},
     .a = {{0}, {1}, {1, 0}, {2.0 / 3, 0, 1.0 / 3}},
     .gamma = {{LANG}, {-1, LANG}, {-LANG, 0.5 - 2 * LANG, LANG}, {0, 0, 0, LANG}},
     .b = {2.0 / 3, 0, 1.0 / 3},
     .e = {-1.0 / 6, LANG, -1.0 / 3, -ROOT3 / 6},
     .power = {{1, -2 * LANG / ROOT3, 2 * LANG / ROOT3}, {0, 1 / ROOT3, -1 / ROOT3}, {-1.0 / 3, 1.0 / 3, 0}}},
    {.name = "rodas4",
     .stability = "L",
     .order = 4,
     .error_order = 3,
     .stages = 6,
     .interpolation = INTERPOLATE_ROWS,
     .dense_order = 3,
     .c = {0, 0.386, 0.21, 0.63, 1, 1},
     .a = {{0},
           {0.386},
           {0.1460747075254179, 0.0639252924745821},
           {-0.3308115036677301813, 0.7111510251682847563, 0.249660478499445425},
           {-4.552557186318030531, 1.710181363241331944, 4.014347332103172338, -0.17197150902647375},
           {2.428633765466988711, -0.3827487337647846074, -1.855720330929580354, 0.55983529922737625, 0.25}},
     .gamma = {{0.25},
               {-0.3543, 0.25},
               {-0.1336025052681755312, -0.01289749473182446875, 0.25},
               {1.526849173006467282, -0.5336562887504572824, -1.27939288425601, 0.25},
               {6.981190951785019243, -2.092930097006116551, -5.870067663032752691, 0.73180680825385, 0.25},
               {RODAS1, RODAS2, RODAS3, RODAS4, RODAS5, 0.25}},
     .b = {0.3484442712860523099, 0.2130136219118986994, -0.154102532662318457, 0.4713207793914958227,
           -0.128676139927128375, 0.25},
     .e = {RODAS1, RODAS2, RODAS3, RODAS4, RODAS5, 0.25},
     .power = {{5.135415220731389155, 0.9097106086451754875, -4.646064738078258699, -0.7766693821950930678,
                0.127608290896787125, 0.25},
               {-17.52899266548405537, 1.197724997960399463, 15.622171798118996, 2.613977581657793401,
                -1.9048817122531335, 0},
               {12.74202171603871852, -1.894421984693676251, -11.13020959270305576, -1.36598742007120451,
                1.648597281429218, 0}}},
};

const struct tableau_list tableaus_rosenbrock = {rows, sizeof rows / sizeof *rows, &family_rosenbrock};
