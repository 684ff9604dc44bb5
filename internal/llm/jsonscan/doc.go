// Package jsonscan reads a JSON text in one pass without building it: it checks every byte
// against RFC 8259 and says where the members stand that somebody asked for. It allocates
// nothing, so that the body of a model call can be understood and passed on unchanged.
//
// What it accepts is exactly what encoding/json's Valid accepts, with two limits of its own: a text
// may nest at most MaxDepth deep, and a byte order mark is not skipped (neither does encoding/json).
// UTF-8 inside strings is not checked: the text is passed on as it came and its receiver judges it;
// a name that is compared or a value that is taken out (Unquote) has invalid UTF-8 replaced by
// U+FFFD, and so can't be mistaken for another.
package jsonscan
