package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Some of this package is about whole processes: the test's own program is started as one that does
// what childEnv says.
const (
	childEnv   = "CAUSEWAY_LISTEN_TEST_CHILD"
	addressEnv = "CAUSEWAY_LISTEN_TEST_ADDRESS" // of role "gateway"
)

// child runs one with the files from descriptor 3 on and returns what it printed. It gets LISTEN_PID as
// systemd would set it, unless env says otherwise.
func child(t *testing.T, what string, files []*os.File, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), append([]string{childEnv + "=" + what, "LISTEN_PID=self"}, env...)...)
	cmd.ExtraFiles = files
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func childMain(what string) int {
	if os.Getenv("LISTEN_PID") == "self" {
		_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	var err error
	switch what {
	case "systemd":
		childOfSystemd()
	case "serve":
		err = childThatServes(false)
	case "fail":
		var in *Inheritance
		if in, err = Inherit(); err == nil {
			in.Failed(errors.New("the configuration is wrong"))
		}
	case "refuse":
		err = childThatFailsLate()
	case "predecessor":
		err = childThatHandsOver()
	case "late":
		fmt.Println("here")
		for before := os.Getenv(handoverEnv); strconv.Itoa(os.Getppid()) == before; {
			time.Sleep(time.Millisecond)
		}
		err = childThatServes(true)
	case "end":
		return 3
	case "sleep":
		time.Sleep(time.Minute)
	case "babble on":
		for err == nil {
			_, err = os.NewFile(sayFD, "").WriteString(strings.Repeat("good morning ", 1000))
		}
	case "babble":
		_, err = os.NewFile(sayFD, "").WriteString("good morning\n")
	default:
		err = fmt.Errorf("no such child: %s", what)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func childOfSystemd() {
	a, err := FromSystemd()
	if err != nil {
		fmt.Println(err)
		return
	}
	if a == nil {
		fmt.Println("nothing")
		return
	}
	all := []Spec{{Setting: "x", Address: "systemd:web"}, {Setting: "x", Address: "systemd:none"}, {Setting: "x", Address: "systemd"}}
	for i := range all {
		list, err := open(context.Background(), &all[i], all, Sources{Systemd: a})
		var names []string
		for _, l := range list {
			names = append(names, l.Name())
		}
		fmt.Printf("%s: %s %v\n", all[i].Address, strings.Join(names, " "), err)
	}
	var left []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LISTEN_") {
			left = append(left, v)
		}
	}
	fmt.Println("unused:", a.Unused(), "environment:", left)
}

// childThatFailsLate takes the sockets over, gives up, and closes them.
func childThatFailsLate() error {
	in, err := Inherit()
	if err != nil || in == nil {
		return fmt.Errorf("inherited %v: %w", in, err)
	}
	list, err := Open(context.Background(), []Spec{{Role: "gateway", Setting: "x", Address: os.Getenv(addressEnv)}}, Sources{Inherited: in})
	if err != nil {
		return err
	}
	for _, l := range list {
		err = errors.Join(err, l.Close())
	}
	in.Failed(errors.New("the disk is full"))
	return err
}

// childThatHandsOver opens an address, prints it, and hands it over to a child that is late.
func childThatHandsOver() error {
	list, err := Open(context.Background(), []Spec{{Role: "gateway", Setting: "x", Address: os.Getenv(addressEnv)}}, Sources{})
	if err != nil {
		return err
	}
	note, w, err := os.Pipe()
	if err != nil {
		return err
	}
	_, err = w.WriteString("a note")
	err = errors.Join(err, w.Close(), os.Setenv(childEnv, "late"))
	if err != nil {
		return err
	}
	fmt.Println(list[0].Name())
	_, err = Start(context.Background(), HandOver{Path: os.Args[0], Args: []string{"-test.run=^$"}, Listeners: list, Files: map[string]*os.File{"note": note}, Patience: time.Minute})
	return err
}

// childThatServes takes over, answers each connection with its process number, hands over to another
// child when it is told "next", and ends when it is told "end". An orphan has nobody to say that it serves.
func childThatServes(orphan bool) error {
	in, err := Inherit()
	if err != nil || in == nil {
		return fmt.Errorf("inherited %v: %w", in, err)
	}
	list, err := Open(context.Background(), []Spec{{Role: "gateway", Setting: "x", Address: os.Getenv(addressEnv)}}, Sources{Inherited: in})
	if err != nil {
		in.Failed(err)
		return err
	}
	given := in.File("note")
	note, err := io.ReadAll(given)
	if err != nil {
		return err
	}
	if err := in.Serving(); (err != nil) != orphan {
		return fmt.Errorf("saying that it serves: %w", err)
	}
	for {
		c, err := list[0].Accept()
		if err != nil {
			return err
		}
		b := make([]byte, 100)
		n, _ := c.Read(b)
		switch word := string(b[:n]); word {
		case "end":
			_ = c.Close()
			return list[0].Close()
		case "gone":
			<-in.Gone()
			_, _ = fmt.Fprintf(c, "%d sees the end of %d, env %q", os.Getpid(), in.Predecessor, os.Getenv(handoverEnv))
		default:
			_, _ = fmt.Fprintf(c, "%d got %s", os.Getpid(), note)
		}
		_ = c.Close()
	}
}

func ask(t *testing.T, network, address, word string) string {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(word)); err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(c) // a reset shows in what is missing
	return string(b)
}
