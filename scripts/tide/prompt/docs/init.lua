--- The documentation of every public function, as data for help(); see tide.help for the fields of an entry.
--
-- tests/lua/test_docs.lua checks that every function has an entry, that the options listed are those that the
-- code takes, with its defaults, and runs every example as if typed at the prompt. The examples may use what
-- the test's prelude defines: x and y (tensors of shape {4, 2}), model and loss (a linear layer and its
-- loss), data (a small data set), folder (a temporary one). An example with `run = false` needs something
-- that a test cannot count on; it is only compiled.

require "tide.prompt.docs.guides"
require "tide.prompt.docs.tensors"
require "tide.prompt.docs.indexing"
require "tide.prompt.docs.linalg"
require "tide.prompt.docs.distributions"
require "tide.prompt.docs.solving"
require "tide.prompt.docs.theory"
require "tide.prompt.docs.models"
require "tide.prompt.docs.layers"
require "tide.prompt.docs.training"
require "tide.prompt.docs.metrics"
require "tide.prompt.docs.validity"
require "tide.prompt.docs.plots"
require "tide.prompt.docs.tools"
