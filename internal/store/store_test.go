package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestWhatIsKeptSurvivesClosing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new folder?#%20")
	db := open(t, dir)
	if err := db.SetSetting(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != FileName {
		t.Errorf("the folder holds %v, %v; want only %s", left, err, FileName)
	}
	if info, err := left[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the database's mode is %v, want 0600", info.Mode())
	}
	db = open(t, dir)
	if v, err := db.Setting(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("got %q, %v", v, err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPagesAndVacuumModeAreAsWanted(t *testing.T) {
	db := open(t, t.TempDir())
	for pragma, want := range map[string]string{
		"page_size": "16384", "auto_vacuum": "2", "journal_mode": "wal", "synchronous": "1", "wal_autocheckpoint": "256",
		"application_id": "1129535321", "foreign_keys": "1", "busy_timeout": "5000",
	} {
		var got string
		if err := db.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	damage := func(f func(t *testing.T, path string)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			db := open(t, dir)
			for i := range 40 { // some pages, so that something can be missing
				if err := db.SetSetting(t.Context(), fmt.Sprint(i), make([]byte, 30_000)); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			f(t, filepath.Join(dir, FileName))
		}
	}
	patch := func(t *testing.T, path string, at int64, b []byte) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    error
		says    string
	}{
		{"a file that is no database", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrCorrupt, "move the file"},
		{"a damaged header", damage(func(t *testing.T, path string) { patch(t, path, 0, make([]byte, 16)) }), ErrCorrupt, "wait in the spool"},
		{"a damaged schema page", damage(func(t *testing.T, path string) { patch(t, path, 100, []byte(strings.Repeat("\xff", 400))) }), ErrCorrupt, FileName},
		{"a file that was cut short", damage(func(t *testing.T, path string) {
			if err := os.Truncate(path, 5*pageSize); err != nil {
				t.Fatal(err)
			}
		}), ErrCorrupt, "move the file"},
		{"a newer schema", func(t *testing.T, dir string) {
			db := open(t, dir)
			if err := db.migrate(t.Context(), append(append([]string{}, migrations...), "CREATE TABLE later (a)")); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrNewer, fmt.Sprintf("schema %d, this program knows up to %d", len(migrations)+1, len(migrations))},
		{"somebody else's database", damage(func(t *testing.T, path string) { patch(t, path, 68, []byte{0, 0, 0, 7}) }), ErrForeign, FileName},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			before := readFile(t, filepath.Join(dir, FileName))
			for name, opener := range map[string]func(context.Context, string) (*DB, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
				db, err := opener(t.Context(), dir)
				if err == nil {
					_ = db.Close()
				}
				if !errors.Is(err, c.want) {
					t.Errorf("%s gave %v, want %v", name, err, c.want)
				} else if name == "Open" && !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s's error does not say %q or name the file: %v", name, c.says, err)
				}
			}
			if readFile(t, filepath.Join(dir, FileName)) != before {
				t.Error("the file was changed")
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAFolderThatCannotBeWrittenIsOneClearError(t *testing.T) {
	if os.Geteuid() == 0 {
		// Modes do not hold root back; a file in the folder's place does.
		file := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("got %v, want an error naming %s", err, file)
		}
		return
	}
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, FileName), 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrReadOnly naming the folder", err)
	}
}

func TestAFullDiskIsOneClearErrorAndLosesNothing(t *testing.T) {
	db := open(t, t.TempDir())
	if err := db.SetSetting(t.Context(), "before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	// SQLite answers a file at its page limit as it answers a full disk.
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA max_page_count=1"); err != nil {
		t.Fatal(err)
	}
	err := db.SetSetting(t.Context(), "big", make([]byte, 1<<20))
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("got %v, want ErrFull with advice", err)
	}
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA max_page_count=1000000"); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Setting(t.Context(), "before"); err != nil || string(v) != "x" {
		t.Errorf("what was kept before: %q, %v", v, err)
	}
	if err := db.SetSetting(t.Context(), "big", make([]byte, 1<<20)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestALockedDatabaseIsOneClearError(t *testing.T) {
	db := open(t, t.TempDir())
	other := open(t, filepath.Dir(db.path))
	tx, err := other.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA busy_timeout=10"); err != nil {
		t.Fatal(err)
	}
	if err := db.SetSetting(t.Context(), "k", nil); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

func TestReadOnlyBesideAWriterAndAfterIt(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty folder gave %v, want ErrNotFound", err)
	}
	db := open(t, dir)
	beside, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if err := db.SetSetting(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if v, err := beside.Setting(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("beside the writer: %q, %v", v, err)
	}
	if err := beside.SetSetting(t.Context(), "k", nil); !errors.Is(err, ErrReadOnly) {
		t.Errorf("writing gave %v, want ErrReadOnly", err)
	}
	if err := beside.Shrink(t.Context(), 1); !errors.Is(err, ErrReadOnly) {
		t.Errorf("shrinking gave %v, want ErrReadOnly", err)
	}
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if v, err := after.Setting(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("after the writer: %q, %v", v, err)
	}
}

func TestMigrationsRunOnceAndInOneTransactionEach(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	broken := append(append([]string{}, migrations...), "CREATE TABLE one (a); CREATE TABLE one (a);")
	if err := db.migrate(t.Context(), broken); err == nil {
		t.Fatal("a migration that fails gave no error")
	}
	var n int
	if err := db.write.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name = 'one'").Scan(&n); err != nil || n != 0 {
		t.Errorf("half a migration was kept: %d, %v", n, err)
	}
	good := append(append([]string{}, migrations...), "CREATE TABLE one (a)", "INSERT INTO one VALUES (1)")
	for range 2 {
		if err := db.migrate(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.write.QueryRowContext(t.Context(), "SELECT count(*) FROM one").Scan(&n); err != nil || n != 1 {
		t.Errorf("the migrations ran %d times, %v", n, err)
	}
}
