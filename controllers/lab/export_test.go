package lab

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

// NewSession lets tests see states of a session that no click reaches immediately.
var NewSession = (*Lab).newSession

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
