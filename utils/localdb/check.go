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
	return checkValue(v, 0)
}

// checkValue refuses field names, at any depth of a value, that would be read as operators or paths, and what decode
// would refuse to read back.
func checkValue(v any, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			if strings.HasPrefix(e.Key, "$") || strings.ContainsAny(e.Key, ".\x00") {
				return fmt.Errorf("localdb: %q is not supported as a field name inside a value", e.Key)
			}
			if err := checkValue(e.Value, depth+1); err != nil {
				return err
			}
		}
	case bson.A:
		for _, item := range v {
			if _, nested := item.(bson.A); nested {
				return errNested
			}
			if err := checkValue(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
