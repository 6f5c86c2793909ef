package routes

// NewEngine lets tests list the routes.
var NewEngine = newEngine
