package routes

// Article exports the table to the tests.
var Article = article
