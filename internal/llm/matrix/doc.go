// Package matrix holds the tests that take requests, answers and streams from every dialect to every other: it alone
// knows them all, and nothing imports it. What each pair must carry is in testdata/carry; docs/dialects.md is written
// from what the tests see.
package matrix
