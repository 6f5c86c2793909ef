package lab

// NewSession gives tests the life of a session that no click leads to at once.
var NewSession = newSession
