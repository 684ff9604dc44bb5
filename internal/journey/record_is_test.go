package journey

import "testing"

func TestRecordIs(t *testing.T) {
	for _, text := range []string{"01M84VV8KHKYSSZ6GWB3SS9P1D", "!!no ulid, but 26 letters!"} {
		var id, other ID
		copy(id[:], text)
		other = id
		other[25]++
		j := Journey{ID: id, Path: "/a", Usage: noUsage}
		record := j.AppendRecord(nil)
		if !RecordIs(record, id) {
			t.Errorf("the record of %s is not found", text)
		}
		if RecordIs(record, other) {
			t.Errorf("the record of %s is taken for %s", text, other)
		}
		for n := range 1 + maskBytes + 16 {
			if RecordIs(record[:n], id) {
				t.Errorf("%d bytes of a record are taken for %s", n, text)
			}
		}
		record[0]++
		if RecordIs(record, id) {
			t.Error("a record of another format is read")
		}
	}
}
