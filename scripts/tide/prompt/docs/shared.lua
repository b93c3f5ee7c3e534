--- Rows of options that entries of several files share; see tide.docs.

local M = {}

M.convolution = {{"stride", 1, "distance between positions of the filter"},
  {"padding", 0, "zeros added at both ends of an axis"},
  {"dilation", 1, "distance between taps of the filter"},
  {"groups", 1, "channels are cut into so many independent groups"}}

M.dtype = {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}
M.seed = {"seed", nil, "seed of the weights; default: the generator that tide.seed sets"}
M.layer = {
  {"init", "default", [["default": PyTorch's, uniform within 1/sqrt(fan_in); "kaiming" (normal, zero bias),
    "xavier" (uniform, zero bias), "normal", "trunc_normal", "orthogonal", "zeros", "ones", and PyTorch's
    "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal" (zero bias; see nn.init)]],
    quote = true},
  {"std", 0.02, "standard deviation for init = \"normal\" and \"trunc_normal\""},
  {"bias", true, "false: no bias"},
  M.dtype,
  M.seed,
}

return M
