// Package localdb is a database in one file, inside the process, for a site that starts without MongoDB.
//
// A Collection has the methods that models use, with the signatures and result types of the official driver's
// *mongo.Collection, so models do not know which one they talk to. Storage and durability are bbolt's. Every BSON value
// has a key, bytes that sort as MongoDB sorts values, and every comparison is a list of intervals of keys: documents are
// matched and indexes are read by the same intervals. One writer commits what queued up during the last flush; calls that
// belong together are one operation of it, by DB.Atomically.
//
// It is not a database for everyone. What it does not do (pipelines, text search, regular expressions, collations,
// positional "$", array filters, Decimal128) is an error when the call is made, even on an empty collection, and never a
// silent wrong answer. Knowledge about users, posts or any other model does not belong here.
package localdb
