--- The documentation of every public function, as data for help(); see tide.help for the fields of an entry.
--
-- tests/lua/test_docs.lua checks that every function has an entry, that the options listed are those that the
-- code takes, with its defaults, and runs every example as if typed at the prompt. The examples may use what
-- the test's prelude defines: x and y (tensors of shape {4, 2}), model and loss (a linear layer and its
-- loss), data (a small data set), folder (a temporary one). An example with `run = false` needs something
-- that a test cannot count on; it is only compiled.

require "tide.docs.guides"
require "tide.docs.tensors"
require "tide.docs.models"
require "tide.docs.validity"
require "tide.docs.tools"
