package lab

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

// NewSession gives tests the life of a session that no click leads to at once.
var NewSession = (*Lab).newSession

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

// Usual is the model of the usual way.
type Usual = usual

// NewUsual makes it.
var NewUsual = newUsual

// Pass sets its clock ahead.
func (u *usual) Pass(d time.Duration) { _ = u.pass(context.Background(), d) }

// Decisions are the lines that may decide about a token of the editor.
func Decisions(t testing.TB) (all []Decision) {
	if err := json.Unmarshal(decisionTable, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
