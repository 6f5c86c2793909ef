package models

import (
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// What somebody does with a post makes it trend, and half of that is gone after a week. Instead of letting all scores
// fall, later events count for more: one is worth its weight times 2 for each week since a fixed moment, which puts the
// posts in the same order. So a score is written only when something happens, and taking a like back subtracts exactly
// what that like added.
const (
	viewHeat    = 1.0
	likeHeat    = 3.0
	commentHeat = 4.0
	trendHalves = 7 * 24 * time.Hour
)

// trendEpoch is when an event is worth just its weight. A float64 holds 2^-1022 to 2^1023: 19 years before it, and after.
var trendEpoch = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)

// trend adds to a post's score what a document that hangs on it is worth.
func trend(weight float64) store.Score {
	return store.Score{Field: "trending", Of: func(doc bson.Raw) float64 {
		at, _ := doc.Lookup("createdAt").DateTimeOK()
		return heat(weight, time.UnixMilli(at))
	}}
}

func heat(weight float64, at time.Time) float64 {
	halves := float64(at.Sub(trendEpoch)) / float64(trendHalves)
	return weight * math.Exp2(max(-1000, min(halves, 1000)))
}
