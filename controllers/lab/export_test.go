package lab

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

// NewSession lets tests see states of a session that no click reaches immediately.
var NewSession = (*Lab).newSession

// For tests of the visitors' identities.
var (
	OpenGuests = openGuests
	AddGuest   = (*guests).add
)

// MostGuests is the bound.
const MostGuests = mostGuests

// Here is how many guests there currently are.
func (g *guests) Here(ctx context.Context) int {
	g.removeOld(ctx)
	g.DB.WaitRemovals()
	return len(g.here)
}

// Usual is the model of the usual way.
type Usual = usual

// NewUsual makes it.
var NewUsual = newUsual

// Pass advances its clock.
func (u *usual) Pass(d time.Duration) { _ = u.pass(context.Background(), d) }

// Decisions are the lines that may decide about a token in the editor.
func Decisions(t testing.TB) (all []Decision) {
	if err := json.Unmarshal(decisionTable, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
