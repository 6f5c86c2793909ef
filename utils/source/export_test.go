package source

// All gives tests access to all declarations.
func (c *Code) All() map[string]Piece { return c.pieces }
