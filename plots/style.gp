# The look of every figure. scripts/tide/plot/style.lua copies this file into each script, so that NAME.gp needs nothing beside
# NAME.dat.
# Change the looks here and nowhere else; gnuplot 5.4 syntax.

set encoding utf8
set minussign

# Okabe and Ito's colours without their yellow: told apart with all common forms of colour blindness. `blue + 0xC0000000` is
# blue at a quarter of its strength.
blue = 0x0072B2
vermillion = 0xD55E00
green = 0x009E73
pink = 0xCC79A7
sky = 0x56B4E9
orange = 0xE69F00
black = 0x000000
gray = 0x808080
white = 0xFFFFFF

# Never colour alone: dashes and markers differ too, and survive grey printing.
set linetype 1 lc rgb blue       lw 2 dt 1                pt 7  ps 0.7
set linetype 2 lc rgb vermillion lw 2 dt (12,4)           pt 5  ps 0.58
set linetype 3 lc rgb green      lw 2 dt (4,3)            pt 9  ps 0.8
set linetype 4 lc rgb pink       lw 2 dt (12,4,3,4)       pt 13 ps 0.85
set linetype 5 lc rgb sky        lw 2 dt (20,5)           pt 11 ps 0.8
set linetype 6 lc rgb orange     lw 2 dt (2,3)            pt 15 ps 0.75
set linetype 7 lc rgb black      lw 2 dt (12,4,3,4,3,4)   pt 2  ps 0.8
set linetype cycle 7

viridis = "defined (0 '#440154', 0.125 '#472D7B', 0.25 '#3B528B', 0.375 '#2C728E', 0.5 '#21918C', " . \
  "0.625 '#28AE80', 0.75 '#5EC962', 0.875 '#ADDC30', 1 '#FDE725')"
diverging = "defined (-1 '#2166AC', -0.5 '#92C5DE', 0 '#F7F7F7', 0.5 '#F4A582', 1 '#B2182B')"
grayscale = "defined (0 '#000000', 1 '#FFFFFF')"

set style fill solid 1.0 noborder
set border 3 lc rgb 0x404040 lw 1
set tics nomirror out scale 0.5 textcolor rgb 0x202020
set xtics offset 0,0.3
set format x '%h' # gnuplot's own begins with a blank, which moves labels off their ticks
set ytics offset 0.4,0
set grid xtics ytics back lt 1 lc rgb 0xE8E8E8 lw 0.8 dt 1
set key noautotitle samplen 2.6 spacing 1.1 Left reverse
