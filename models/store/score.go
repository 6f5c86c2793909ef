package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Score makes a number field of a parent the sum of the values of the documents that it counts. Each value is added and
// subtracted together with the count, so it may only depend on fields that never change.
type Score struct {
	Field string // empty: there is none
	Of    func(doc bson.Raw) float64
}

// inc is the update of a parent that counts a document.
func (p Parent) inc(doc bson.Raw, by int64) bson.E {
	add := Where(p.Counter, by)
	if p.Score.Field != "" {
		add = append(add, bson.E{Key: p.Score.Field, Value: float64(by) * p.Score.Of(doc)})
	}
	return bson.E{Key: "$inc", Value: add}
}

// scores adds up the values of a document's children, by field.
func (k *kind) scores(ctx context.Context, id bson.ObjectID) (map[string]float64, error) {
	sums := map[string]float64{}
	for _, child := range k.db.kinds {
		for _, p := range child.hangsOn(k.Name) {
			if p.Score.Field == "" {
				continue
			}
			sums[p.Score.Field] += 0
			err := child.Each(ctx, child.live(Where(p.Field, id)), func(raw bson.Raw) error {
				if p.counts(raw) {
					sums[p.Score.Field] += p.Score.Of(raw)
				}
				return nil
			}, options.Find())
			if err != nil {
				return nil, err
			}
		}
	}
	return sums, nil
}
