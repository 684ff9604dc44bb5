package faulty

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// sees: the answer to a GET holds want and the connection then stands as it should; with ""
// nothing at all comes.
func sees(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		got := talk(t, u, getX, want, end)
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("got %q, want %q in it", clip(got), want)
		}
	}
}

// ends: as sees, and want is the last that comes.
func ends(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		if got := talk(t, u, getX, want, end); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end with %q", clip(got), want)
		}
	}
}

func longer(than int) proof {
	return func(t *testing.T, u *Upstream) {
		if got := talk(t, u, getX, "", endFIN); len(got) < than {
			t.Errorf("got %d bytes, want more than %d", len(got), than)
		}
	}
}

func many(line string, count int) proof {
	return func(t *testing.T, u *Upstream) {
		if n := strings.Count(talk(t, u, getX, "", endFIN), line); n != count {
			t.Errorf("%q came %d times, want %d", line, n, count)
		}
	}
}

func both(proofs ...proof) proof {
	return func(t *testing.T, u *Upstream) {
		for _, p := range proofs {
			p(t, u)
		}
	}
}

func takes(least time.Duration, p proof) proof {
	return func(t *testing.T, u *Upstream) {
		begun := time.Now()
		p(t, u)
		if took := time.Since(begun); took < least {
			t.Errorf("took %v, want at least %v", took, least)
		}
	}
}

// waits: what comes ends with want, then silence, and the upstream notices that the caller left.
func waits(want string) proof {
	return func(t *testing.T, u *Upstream) {
		conn := ask(t, u, getX)
		await(t, u, func(c Counts) bool { return c.Requests == 1 })
		got := until(t, conn, want)
		more, end := drain(t, conn, quiet)
		if got += more; end != endSilent || !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Fatalf("got %q and %s, want %q and silence", got, end, want)
		}
		conn.Close()
		await(t, u, func(c Counts) bool { return c.Open == 0 })
	}
}

func await(t *testing.T, u *Upstream, enough func(Counts) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if c, err := u.Await(ctx, enough); err != nil {
		t.Fatalf("%v; counts %+v", err, c)
	}
}

// speaksFirst: the banner comes before the client has said anything.
func speaksFirst(want string) proof {
	return func(t *testing.T, u *Upstream) {
		conn := dial(t, u)
		buf := make([]byte, len(want))
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != want {
			t.Fatalf("got %q, %v, want %q", buf, err, want)
		}
		if _, err := io.WriteString(conn, getX); err != nil {
			t.Fatal(err)
		}
		if _, end := drain(t, conn, patient); end != endFIN {
			t.Errorf("ended by %s, want FIN", end)
		}
	}
}

func closesUnasked(t *testing.T, u *Upstream) {
	if got, end := drain(t, dial(t, u), patient); got != "" || end != endFIN {
		t.Errorf("got %q, %s", got, end)
	}
}

func largeBody(t *testing.T, u *Upstream) {
	res, err := client(t, u).Do(get(t, u))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n < 4<<20*99/100 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// poisons: a second answer stands behind the first, on a connection that stays open.
func poisons(request, first string) proof {
	return func(t *testing.T, u *Upstream) {
		want := first + poison
		if got := talk(t, u, request, want, endSilent); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end with %q", got, want)
		}
	}
}

// secondFails: the first request of a connection is answered, the second ends it.
func secondFails(want string, end ending) proof {
	return func(t *testing.T, u *Upstream) {
		conn := dial(t, u)
		for i := range 2 {
			if _, err := io.WriteString(conn, getX); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				until(t, conn, "\r\n\r\nok\n")
			}
		}
		if got, e := drain(t, conn, patient); got != want || e != end {
			t.Errorf("the second request got %q and %s, want %q and %s", got, e, want, end)
		}
	}
}

func idleEnds(end ending) proof {
	return func(t *testing.T, u *Upstream) {
		conn := dial(t, u)
		begun := time.Now()
		if _, err := io.WriteString(conn, getX+getX); err != nil { // both are answered: neither finds it idle
			t.Fatal(err)
		}
		got, e := drain(t, conn, patient)
		if strings.Count(got, "\r\n\r\nok\n") != 2 || e != end {
			t.Errorf("got %q and %s, want two answers and %s", got, e, end)
		}
		if idle := time.Since(begun); idle < 50*time.Millisecond {
			t.Errorf("ended after %v", idle)
		}
	}
}
