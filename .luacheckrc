std = "lua54"
max_line_length = false -- tests/lint/page.lua looks at it
exclude_files = {"build", "runs", "data/cache"}
ignore = {
  "311", -- `local a, b = nil, nil` before a block that assigns both
  "581", -- `not (err <= worst)` is also true for NaN, `err > worst` is not
}
