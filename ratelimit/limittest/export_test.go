package limittest

// FaultsOf is faultsOf for the tests of takers outside.
var FaultsOf = faultsOf
