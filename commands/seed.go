package commands

import (
	"context"

	"tokentube/controllers"
)

// Seed adds sample content.
func Seed(ctx context.Context, app *controllers.App) error { return nil }
