package routes

// Article is the table, for the tests.
var Article = article
