// Package canon is the form in which a call crosses from one dialect to another: the hub between the
// dialects, which do not know each other. A caller's dialect reads its request into a Request, the
// provider's dialect writes it; the answer comes back as an Answer, or as the Events of a stream.
//
// Nothing is lost in silence. A Request remembers where each of its parts stood in the caller's body
// (jsontree.Ref), a member that no reader looked at is lost by that alone, a parameter that the writer does
// not take is lost too, and what else a writer leaves out, changes or imitates it tells the Report.
package canon
