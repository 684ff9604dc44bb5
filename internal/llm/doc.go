// Package llm understands the calls of language models without decoding them: which model a
// request names, whether its answer is whole, what it used, and why a provider refused.
//
// A Dialect is the wire format of one vendor's API. Where caller and provider speak the same one,
// bodies pass through byte for byte; Request.Rewrite changes only the model's name and, in a
// stream's request, the flag that asks for usage. The fields that are read are found by the
// tokenizer of llm/jsonscan, in one pass and without allocation.
//
// # How a call uses it
//
// The request, once its body is buffered:
//
//	match, ok := dialect.Lookup(method, path)
//	err := dialect.ReadRequest(&req, match, body)         // *RequestError: answer 400 with AppendError
//	body = req.Rewrite(body2[:0], body, targetModel, ask)  // per attempt, for the model of its target
//
// The answer, head first. An event stream goes through a Stream, piece by piece as it arrives:
//
//	stream := dialect.NewStream(req.Op, strip)             // strip: we asked for usage, the caller did not
//	out = stream.Feed(piece, out[:0])                      // write these; on stream.Stopped() see ErrorFrame
//	out, end := stream.Finish(clean, out[:0])              // clean: the transport says the body is whole
//
// and unless end.Complete, Dialect.AppendErrorEvent is the last word. Any other answer is buffered
// up to a bound and given to ReadAnswer (2xx) or ReadError; one that outgrows the bound is passed
// on and its usage read on the way by a LongAnswer.
package llm
