package source

// All gives tests every declaration.
func (c *Code) All() map[string]Piece { return c.pieces }
