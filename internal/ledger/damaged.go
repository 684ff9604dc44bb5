package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	damagedDir = "damaged"
	// damagedMost bounds records.jsonl: past it damage is only counted.
	damagedMost = 16 << 20
)

// damaged keeps what could not be read, for whoever wants to look at it.
type damaged struct {
	dir   string
	log   *slog.Logger
	count atomic.Int64
}

// damagedRecord is one line of records.jsonl.
type damagedRecord struct {
	Time   time.Time `json:"time"`
	File   string    `json:"file"`
	Offset int64     `json:"offset"`
	Reason string    `json:"reason"`
	Bytes  []byte    `json:"bytes"` // base64
}

// add counts a damage and copies its bytes. It is logged without them: they may hold what a caller
// sent.
func (d *damaged) add(file string, offset int64, reason string, bytes []byte) {
	d.count.Add(1)
	err := d.write(damagedRecord{time.Now().UTC(), filepath.Base(file), offset, reason, bytes})
	d.log.Error("a damaged call record was set aside", "file", file, "offset", offset, "reason", reason, "bytes", len(bytes))
	if err != nil {
		d.log.Error("the damaged record could not be copied", "error", err)
	}
}

func (d *damaged) write(r damagedRecord) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, "records.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || info.Size()+int64(len(line)) > damagedMost {
		return errors.Join(err, f.Close(), fmt.Errorf("%s is full", f.Name()))
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
