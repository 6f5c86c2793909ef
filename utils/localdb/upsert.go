package localdb

import (
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"go.mongodb.org/mongo-driver/bson"
)

// inserted is the document that an upsert makes: what the filter says by equality, then the update.
func (u update) inserted(filter bson.D) (bson.D, error) {
	said := equalities(filter)
	slices.SortStableFunc(said, func(a, b updateStep) int { return strings.Compare(a.path, b.path) })
	if err := said.checkConflicts(); err != nil {
		return nil, err
	}
	doc := bson.D{}
	if err := said.apply(&doc, false); err != nil {
		return nil, err
	}
	id := bsonkit.Get(&doc, "_id")
	if err := u.apply(&doc, true); err != nil {
		return nil, err
	}
	if id != bsonkit.Missing && bsonkit.Compare(id, bsonkit.Get(&doc, "_id")) != 0 {
		return nil, immutableID()
	}
	return doc, nil
}

// equalities are the parts of a filter that say what a field is.
func equalities(filter bson.D) (said update) {
	for _, e := range filter {
		branches, _ := e.Value.(bson.A)
		if e.Key == "$and" || e.Key == "$or" && len(branches) == 1 {
			for _, branch := range branches {
				said = append(said, equalities(branch.(bson.D))...)
			}
		}
		if strings.HasPrefix(e.Key, "$") {
			continue
		}
		ops, ok := operators(e.Value)
		if !ok {
			ops = bson.D{{Key: "$eq", Value: e.Value}}
		}
		for _, op := range ops {
			if list, _ := op.Value.(bson.A); op.Key == "$in" && len(list) == 1 {
				op = bson.E{Key: "$eq", Value: list[0]}
			}
			if op.Key == "$eq" {
				said = append(said, updateStep{"$set", e.Key, op.Value})
			}
		}
	}
	return said
}
