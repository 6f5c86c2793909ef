package localdb

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
)

// unsupported is the answer to what MongoDB does and this package does not.
func unsupported(what, name string) error {
	return fmt.Errorf("localdb: %s %s is not supported", what, name)
}

// checkFilter refuses what mongokit does not match as MongoDB does. mongokit itself would only notice at the first
// document, and not at all on an empty collection.
func checkFilter(filter bson.D) error {
	for _, e := range filter {
		switch e.Key {
		case "$and", "$or", "$nor":
			if err := checkBranches(e); err != nil {
				return err
			}
			continue
		}
		if err := checkPath(e.Key); err != nil {
			return err
		}
		if err := checkCondition(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

func checkBranches(e bson.E) error {
	branches, ok := e.Value.(bson.A)
	if !ok || len(branches) == 0 {
		return fmt.Errorf("localdb: %s takes a list of filters that is not empty", e.Key)
	}
	for _, branch := range branches {
		filter, ok := branch.(bson.D)
		if !ok {
			return fmt.Errorf("localdb: %s takes a list of filters", e.Key)
		}
		if err := checkFilter(filter); err != nil {
			return err
		}
	}
	return nil
}

// checkPath takes dotted paths whose segments are neither empty nor operators.
func checkPath(path string) error {
	if strings.HasPrefix(path, "$") {
		return unsupported("operator", path)
	}
	for segment := range strings.SplitSeq(path, ".") {
		if segment == "" || strings.ContainsAny(segment, "$\x00") {
			return fmt.Errorf("localdb: path %q is not supported", path)
		}
	}
	return nil
}

// checkCondition checks what a path is compared with: a value, or a document of operators.
func checkCondition(path string, v any) error {
	ops, ok := operators(v)
	if !ok {
		return checkOperand(path, v)
	}
	for _, op := range ops {
		if err := checkOperator(path, op); err != nil {
			return err
		}
	}
	return nil
}

func checkOperator(path string, op bson.E) error {
	switch op.Key {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
		return checkOperand(path, op.Value)
	case "$in", "$nin":
		list, ok := op.Value.(bson.A)
		if !ok {
			return fmt.Errorf("localdb: %s on %q takes an array", op.Key, path)
		}
		for _, v := range list {
			if err := checkOperand(path, v); err != nil {
				return err
			}
		}
		return nil
	case "$exists":
		if _, ok := op.Value.(bool); !ok {
			return fmt.Errorf("localdb: $exists on %q takes true or false", path)
		}
		return nil
	case "$not":
		if _, ok := operators(op.Value); !ok {
			return fmt.Errorf("localdb: $not on %q takes a document of operators", path)
		}
		return checkCondition(path, op.Value)
	case "$elemMatch":
		return checkElemMatch(path, op.Value)
	}
	return unsupported("filter operator", fmt.Sprintf("%q", op.Key))
}

// checkElemMatch takes undotted paths only: through an array of documents mongokit would also match what is no array.
func checkElemMatch(path string, v any) error {
	if strings.Contains(path, ".") {
		return unsupported("$elemMatch on the dotted path", path)
	}
	query, ok := v.(bson.D)
	if !ok || len(query) == 0 {
		return fmt.Errorf("localdb: $elemMatch on %q takes a document that is not empty", path)
	}
	_, onElement := operators(v)
	for _, e := range query {
		var err error
		switch {
		case onElement && e.Key == "$elemMatch":
			err = unsupported("filter operator", "$elemMatch inside $elemMatch")
		case onElement:
			err = checkOperator(path, e)
		default:
			if err = checkPath(e.Key); err == nil {
				err = checkCondition(e.Key, e.Value)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkOperand refuses, on dotted paths, the two comparisons that mongokit gets wrong where the path goes through an
// array: with null it does not see elements that lack the field, and with an array it compares elements only.
func checkOperand(path string, v any) error {
	if strings.Contains(path, ".") {
		switch v.(type) {
		case nil, primitive.Null:
			return fmt.Errorf("localdb: comparing the dotted path %q with null is not supported: use $exists", path)
		case bson.A:
			return fmt.Errorf("localdb: comparing the dotted path %q with an array is not supported", path)
		}
	}
	return checkNames(v, 0)
}

// checkNames refuses field names, at any depth of a value, that would be read as operators or paths, and what decode
// would refuse to read back.
func checkNames(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("localdb: a document nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			if strings.HasPrefix(e.Key, "$") || strings.ContainsAny(e.Key, ".\x00") {
				return fmt.Errorf("localdb: %q is not supported as a field name inside a value", e.Key)
			}
			if err := checkNames(e.Value, depth+1); err != nil {
				return err
			}
		}
	case bson.A:
		for _, item := range v {
			if _, nested := item.(bson.A); nested {
				return fmt.Errorf("localdb: an array directly inside an array is not supported")
			}
			if err := checkNames(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
