// Package gateway is the data plane: the rooms that a call goes through, one file each, in the
// order of the table in docs/ARCHITECTURE.md. Gateway.Serve reads like that table.
//
// A room works on the call it is given and on the generation that the call took at its start. It
// reports what it did in the call's journey, and ends a call only by naming a fault. Nothing here
// touches a disk or a database: a call's record goes to a slot of the ledger's spool.
package gateway
