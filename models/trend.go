package models

import (
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// What people do with a post makes it trend, and half of the effect is gone after a week. Instead of letting all scores
// decay, later events count for more: an event is worth its weight times 2 for each week since a fixed moment, which
// results in the same order. So a score is written only when something happens, and removing a like subtracts exactly
// what it had added.
const (
	viewHeat    = 1.0
	likeHeat    = 3.0
	commentHeat = 4.0
	trendHalves = 7 * 24 * time.Hour
)

// trendEpoch is when an event is worth exactly its weight. A float64 holds 2^-1022 to 2^1023, which covers 19 years
// before and after it.
var trendEpoch = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)

// trend adds the weight of a document that belongs to a post to the post's score.
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
