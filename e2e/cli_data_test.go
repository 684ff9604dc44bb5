package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// What is wrong with a data folder is told in one line that names the thing and the way out, and
// nothing in it is lost.

func TestDataFolder(t *testing.T) {
	t.Parallel()
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		g := serve(t, "")
		oneLine(t, beside(t, g.Data), 2, g.Data, fmt.Sprintf("process %d", g.cmd.Process.Pid), "--data")
		want(t, "the first one", fetch(t, client(t), "GET", g.Console+"/readyz", nil).status, 200)
		g.kill(t)
		again := serve(t, "", inData(g.Data)) // the lock went with the process
		want(t, "exit code", again.stop(t), 0)
	})
	t.Run("a file", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		oneLine(t, beside(t, file), 2, file, "not a directory", "--data")
		b, _ := os.ReadFile(file)
		want(t, "the file", string(b), "mine")
	})
	t.Run("a corrupt database", func(t *testing.T) {
		t.Parallel()
		g := serve(t, "")
		a := fetch(t, client(t), "GET", g.URL+"/nowhere", nil)
		want(t, "exit code", g.stop(t), 0)
		db := filepath.Join(g.Data, "causeway.db")
		good, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		bad := append(bytes.Repeat([]byte("not a database! "), 64), good[1024:]...)
		if err := os.WriteFile(db, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		oneLine(t, beside(t, g.Data), 2, db, "damaged", "aside")
		oneLine(t, causeway(t, "explain", a.id, "--data", g.Data), 2, db, "damaged")
		if now, err := os.ReadFile(db); err != nil || !bytes.Equal(now, bad) {
			t.Errorf("the damaged file was changed (%v)", err)
		}
		if err := os.Rename(db, db+".aside"); err != nil { // the way out that it told
			t.Fatal(err)
		}
		want(t, "exit code after a start without it", serve(t, "", inData(g.Data)).stop(t), 0)
	})
	t.Run("somebody else's database", func(t *testing.T) {
		t.Parallel()
		data := shortDir(t)
		db := filepath.Join(data, "causeway.db")
		r := command(t, "", python(t), "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('create table mine (x)')\nc.commit()", db)
		want(t, "exit code of Python", r.code, 0)
		before, _ := os.ReadFile(db)
		oneLine(t, beside(t, data), 2, db, "not one of Causeway's")
		after, _ := os.ReadFile(db)
		want(t, "the file is as it was", bytes.Equal(before, after), true)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		g := serve(t, "")
		want(t, "exit code", g.stop(t), 0)
		b := asNobody(t, g.Data)
		if err := os.Chmod(g.Data, 0o555); err != nil {
			t.Fatal(err)
		}
		oneLine(t, b.beside(t, g.Data), 2, g.Data, "cannot be written", "owner and mode")
		if err := os.Chmod(g.Data, 0o755); err != nil {
			t.Fatal(err)
		}
		// A folder that may be written, and a database in it that may not.
		db := filepath.Join(g.Data, "causeway.db")
		if err := os.Chmod(db, 0o444); err != nil {
			t.Fatal(err)
		}
		oneLine(t, b.beside(t, g.Data), 2, db, "cannot be written", "owner and mode")
	})
	t.Run("read-only and empty", func(t *testing.T) {
		t.Parallel()
		data := shortDir(t)
		b := asNobody(t, data)
		if err := os.Chmod(data, 0o555); err != nil {
			t.Fatal(err)
		}
		oneLine(t, b.beside(t, data), 2, data, "permission denied")
		oneLine(t, b.beside(t, filepath.Join(data, "below")), 2, filepath.Join(data, "below"), "permission denied", "--data")
	})
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		data := smallDisk(t, "1m")
		r := beside(t, data)
		want(t, "exit code", r.code, 2)
		want(t, "standard output", r.out, "")
		lines := strings.Split(strings.TrimSuffix(r.err, "\n"), "\n")
		contains(t, "the last line", lines[len(lines)-1], "causeway serve: ", data, "make room on its disk")
		lacks(t, "standard error", r.err, "panic", "SIGBUS")
	})
}

// A damaged record costs itself alone: it is set aside and counted, and the others are found.
func TestDamagedCallRecord(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	c := client(t)
	const secret = "path-that-only-the-record-has"
	var ids []string
	for i := range 30 {
		ids = append(ids, fetch(t, c, "GET", fmt.Sprintf("%s/%s/%d", g.URL, secret, i), nil).id)
	}
	g.kill(t)
	victim := ids[11]
	damage(t, g.Data, secret+"/11")

	again := serve(t, "", inData(g.Data))
	var lost []string
	found := map[string]bool{}
	for rec := range again.everyCall(t) {
		found[rec.ID] = true
	}
	for _, id := range ids {
		if !found[id] {
			lost = append(lost, id)
		}
	}
	if !slices.Equal(lost, []string{victim}) {
		t.Errorf("lost are %v, want %s alone", lost, victim)
	}
	eventually(t, "the damaged record's count", func() bool { return again.metric(t, "causeway_ledger_damaged_records_total") == 1 })
	aside, err := os.ReadFile(filepath.Join(g.Data, "damaged", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "records set aside", bytes.Count(aside, []byte("\n")), 1)
	contains(t, "the log", again.errs.all(), "damaged")
	lacks(t, "the log", again.errs.all(), secret)
	want(t, "exit code", again.stop(t), 0)
}

// damage flips a byte of the record in the spool that holds text.
func damage(t *testing.T, data, text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "spool", "segment-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, []byte(text)); at >= 0 {
			b[at] ^= 0xff
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s is in none of %v", text, files)
}

// nobody runs the program as a user who owns the folder and is not root, to whom no file is closed.
type nobody struct {
	binary string
	attr   *syscall.SysProcAttr
}

func asNobody(t *testing.T, folder string) nobody {
	t.Helper()
	if os.Geteuid() != 0 {
		return nobody{binary: binary}
	}
	const id = 65534
	err := filepath.Walk(folder, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
	if err != nil {
		t.Skipf("the folder cannot be given away: %v", err)
	}
	// The program may be where only root can reach it.
	dir := shortDir(t)
	b, err := os.ReadFile(binary)
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	name := filepath.Join(dir, "causeway")
	if err == nil {
		err = os.WriteFile(name, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return nobody{name, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}}
}

func (n nobody) beside(t *testing.T, data string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), n.binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.SysProcAttr, cmd.Dir = &out, &errs, cleanEnv(), n.attr, "/"
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Skipf("the program cannot be run as another user: %v", err)
	}
	return result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// smallDisk is a folder on a disk of that size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := shortDir(t)
	mount, err := exec.LookPath("mount")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("a disk can only be mounted by root")
	}
	if r := command(t, "", mount, "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir); r.code != 0 {
		t.Skipf("a disk cannot be mounted here: %s", r.err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v %s", err, out)
		}
	})
	return dir
}
