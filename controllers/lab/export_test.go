package lab

import "context"

// NewSession gives tests the life of a session that no click leads to at once.
var NewSession = newSession

// For tests of the visitors' identities.
var (
	OpenGuests = openGuests
	AddGuest   = (*guests).add
)

// MostGuests is the bound.
const MostGuests = mostGuests

// Here is how many guests are there by now.
func (g *guests) Here(ctx context.Context) int {
	g.removeOld(ctx)
	g.DB.WaitRemovals()
	return len(g.here)
}
