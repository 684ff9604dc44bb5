package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// zapCore writes certmagic's log to ours. What it tells of each step is for those who look for it
// (debug); what it warns of is said by our own lines as well, with a kind.
type zapCore struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (zapCore) level(l zapcore.Level) slog.Level {
	if l >= zapcore.WarnLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled implements zapcore.LevelEnabler.
func (c zapCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), c.level(l))
}

// With implements zapcore.Core.
func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{c.log, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check implements zapcore.Core.
func (c zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, f := range list {
			f.AddTo(values)
		}
	}
	args := make([]any, 0, 2*len(values.Fields)+2)
	if e.LoggerName != "" {
		args = append(args, "part", e.LoggerName)
	}
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, f := range list {
			if v, ok := values.Fields[f.Key]; ok {
				args = append(args, f.Key, v)
				delete(values.Fields, f.Key)
			}
		}
	}
	c.log.Log(context.Background(), c.level(e.Level), "acme: "+e.Message, args...)
	return nil
}

// Sync implements zapcore.Core.
func (zapCore) Sync() error { return nil }
