// Package messagingdb is the fixed-shape SQL of messaging: the ledger of the send
// path, providers and unsubscribe links. sqlc makes it of queries/*.sql. Rules,
// rights and what people may see are decided by package messaging.
package messagingdb
