// Package localdb is an embedded database in a single file, for a site that runs without MongoDB.
//
// A Collection has the methods that the models use, with the signatures and result types of the official driver's
// *mongo.Collection, so models don't know which one they talk to. Storage and durability are bbolt's. Every BSON value
// has a key, whose bytes sort as MongoDB sorts values, and every comparison is a list of key intervals: the same
// intervals are used to match documents and to read indexes. A single writer commits everything that was queued during
// the last flush; calls that belong together become one of its operations through DB.Atomically.
//
// It is not a general-purpose database. Anything it doesn't support (pipelines, text search, regular expressions,
// collations, positional "$", array filters, Decimal128) returns an error as soon as the call is made, even on an empty
// collection, and never a wrong result.
//
// Does not belong here: knowledge about users, posts or any other model.
package localdb
