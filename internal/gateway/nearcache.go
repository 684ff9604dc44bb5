package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/cache"
	"causeway/internal/coding"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// A semantic cache compares what the user said last with what was said in calls that were the same otherwise. What a
// text means is told by a vector that a model of embeddings makes; the vectors are kept in this process, for the
// answers that are in the cache.

// nearness is what a call found out for the semantic cache, to be kept with its answer.
type nearness struct {
	group  cache.Key // of the calls that are the same but for what the user said last
	vector []float32 // of length 1
	set    *nearSet
}

// nearIndex holds the vectors of all semantic caches.
type nearIndex struct {
	mu     sync.Mutex
	sets   map[cache.Key]*nearSet
	counts sync.Map // model's name -> *embedCounts
}

// nearSet are the vectors of one model's cache, of one application unless it is shared; the last used stand last.
type nearSet struct {
	mu   sync.Mutex
	list []nearEntry
}

type nearEntry struct {
	group, key cache.Key
	vector     []float32
	expires    time.Time
}

type embedCounts struct{ made, failed atomic.Int64 }

// mostSets bounds the sets: those of configurations that are gone would stay otherwise.
const mostSets = 1000

func (x *nearIndex) set(key cache.Key) *nearSet {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.sets[key]
	if s == nil {
		if x.sets == nil || len(x.sets) >= mostSets {
			x.sets = map[cache.Key]*nearSet{}
		}
		s = &nearSet{}
		x.sets[key] = s
	}
	return s
}

func (x *nearIndex) count(model string) *embedCounts {
	n, ok := x.counts.Load(model)
	if !ok {
		n, _ = x.counts.LoadOrStore(model, &embedCounts{})
	}
	return n.(*embedCounts)
}

// figures are the counters of embeddings.
func (x *nearIndex) figures() (list []meter.CacheEmbeddings) {
	x.counts.Range(func(model, n any) bool {
		list = append(list, meter.CacheEmbeddings{Model: model.(string), Made: n.(*embedCounts).made.Load(), Failed: n.(*embedCounts).failed.Load()})
		return true
	})
	return list
}

// nearest finds the entry of a group that is most like a vector, at least by threshold, and makes it the last used.
func (s *nearSet) nearest(group cache.Key, vector []float32, threshold float64, now time.Time) (key cache.Key, similarity float64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(e nearEntry) bool { return !now.Before(e.expires) })
	best := -1
	for i := range s.list {
		e := &s.list[i]
		if e.group != group || len(e.vector) != len(vector) {
			continue
		}
		if d := dot(e.vector, vector); d >= threshold && (best < 0 || d > similarity) {
			best, similarity = i, d
		}
	}
	if best < 0 {
		return key, 0, false
	}
	e := s.list[best]
	s.list = append(slices.Delete(s.list, best, best+1), e)
	return e.key, min(similarity, 1), true
}

// add keeps an entry, in place of one with the same key or, where there are most already, of the least recently used.
func (s *nearSet) add(e nearEntry, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(have nearEntry) bool { return have.key == e.key })
	if over := len(s.list) + 1 - most; over > 0 {
		s.list = slices.Delete(s.list, 0, over)
	}
	s.list = append(s.list, e)
}

// forget drops the entry of a key under which nothing is kept any more.
func (s *nearSet) forget(key cache.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(e nearEntry) bool { return e.key == key })
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// unit makes a vector's length 1; false where it has none.
func unit(v []float32) bool {
	length := math.Sqrt(dot(v, v))
	if length == 0 || math.IsNaN(length) || math.IsInf(length, 0) {
		return false
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
	return true
}

// findNear looks for the answer to a call that says nearly the same. A model of embeddings that fails is a miss.
func (c *call) findNear(body *cache.Body) bool {
	r := c.recall
	said, rest, ok := lastSaid(c.op, c.body)
	if !ok {
		return false
	}
	blank, err := cache.Normalise(rest, "model", "stream", "stream_options", "store")
	if err != nil {
		return false
	}
	counts := c.g.near.count(c.model.Name)
	vector, err := c.embed(r.by.Embeds, said, r.by.Semantic.Timeout)
	if err == nil && !unit(vector) {
		err = errors.New("the embedding has no length")
	}
	if err != nil {
		counts.failed.Add(1)
		c.note("cache", "no embedding by "+r.by.Embeds.Name+": "+err.Error())
		return false
	}
	counts.made.Add(1)
	tenant := ""
	if !r.by.Shared {
		tenant = c.tenant()
	}
	n := &nearness{group: c.recallKey(append([]byte("near "), blank.Text...), body), vector: vector}
	n.set = c.g.near.set(cache.KeyOf([]byte("near"), r.by.Seed, []byte(tenant)))
	r.near = n
	key, similarity, ok := n.set.nearest(n.group, vector, r.by.Semantic.Threshold, time.Now())
	if !ok {
		return false
	}
	if !r.find(key, c) {
		n.set.forget(key)
		return false
	}
	r.status = fmt.Appendf(nil, `causeway; hit; ttl=%d; detail="similarity=%.3f"`, int64(r.hit.FreshFor(r.age)/time.Second), similarity)
	r.say(c, fmt.Sprintf("similarity %.3f, %s old, made by %s/%s in call %s", similarity, fault.Span(r.age), r.hit.Provider, r.hit.TargetModel, r.hit.Call))
	return true
}

// storeNear makes an answer that was kept findable by what the user said.
func (c *call) storeNear() {
	r := c.recall
	if n := r.near; n != nil {
		n.set.add(nearEntry{n.group, r.key, n.vector, time.Now().Add(r.by.TTL)}, r.by.Semantic.Entries)
	}
}

// lastSaid takes what the user said last out of a body: the text of its last message, where that is the user's and
// has nothing but one text. rest is the body without it.
func lastSaid(op llm.Operation, body []byte) (text string, rest []byte, ok bool) {
	switch op {
	case llm.Chat, llm.Responses:
	default:
		return "", nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var root map[string]any
	if d.Decode(&root) != nil {
		return "", nil, false
	}
	for _, name := range [...]string{"messages", "input", "contents"} {
		switch v := root[name].(type) {
		case string:
			text, ok = v, v != ""
			root[name] = ""
		case []any:
			if len(v) == 0 {
				return "", nil, false
			}
			text, ok = takeText(v[len(v)-1])
		default:
			continue
		}
		if !ok {
			return "", nil, false
		}
		rest, err := json.Marshal(root)
		return text, rest, err == nil
	}
	return "", nil, false
}

// takeText takes the text out of a user's message that has just one.
func takeText(message any) (text string, ok bool) {
	m, _ := message.(map[string]any)
	if role, _ := m["role"].(string); role != "user" {
		return "", false
	}
	for _, name := range [...]string{"content", "parts"} {
		switch v := m[name].(type) {
		case string:
			m[name] = ""
			return v, v != ""
		case []any:
			if len(v) != 1 {
				return "", false
			}
			part, _ := v[0].(map[string]any)
			if part == nil {
				return "", false
			}
			if kind, has := part["type"]; has && kind != "text" && kind != "input_text" {
				return "", false
			}
			text, ok = part["text"].(string)
			part["text"] = ""
			return text, ok && text != ""
		}
	}
	return "", false
}

// mostEmbedding is the most bytes of a model's answer with an embedding.
const mostEmbedding = 4 << 20

// embed asks a model of embeddings what a text means, on the provider's own road.
func (c *call) embed(t *snapshot.ModelTarget, text string, within time.Duration) ([]float32, error) {
	p := t.Provider
	up := p.Upstream
	to, ok := p.Dialect.(canon.EmbedCodec)
	if !ok || p.CallerKey {
		return nil, errors.New("the provider can't be asked for embeddings")
	}
	asked, err := json.Marshal(map[string]string{"model": t.Model, "input": text})
	if err != nil {
		return nil, err
	}
	req, err := openai.New().ReadEmbedRequest(llm.Match{Op: llm.Embeddings}, asked)
	if err != nil {
		return nil, err
	}
	body, err := to.WriteEmbedRequest(req, &canon.Target{Provider: p.Name, Vendor: p.Vendor, Model: t.Model}, canon.NewReport(&req.Request))
	if err != nil {
		return nil, err
	}
	var tried upstream.Tried
	chosen, refusal := up.Pick(0, &tried)
	if refusal != nil {
		return nil, errors.New(string(refusal.Kind))
	}
	defer chosen.Target.Release()
	if err := c.embedHead(t, chosen.Origin, body); err != nil {
		return nil, err
	}
	limits := up.Timeouts
	request := wire.Call{
		Head: c.out, Body: body, Length: int64(len(body)),
		Limits: wire.AttemptLimits{Connect: limits.Connect, Send: within, FirstByte: within, Idle: within, Total: within, Until: wire.Now() + int64(within)},
	}
	var a journey.Attempt
	answer := chosen.Origin.Try(&request, &a, c.ex)
	if answer == nil {
		return nil, fmt.Errorf("no answer (%s in %s)", a.End, a.Phase)
	}
	defer answer.Release()
	encoding := string(answer.Response.Header.Get(wire.ContentEncoding))
	held, whole, err := holdAnswer(answer, mostEmbedding)
	switch status := answer.Response.Status; {
	case err != nil:
		return nil, errors.New("its answer broke")
	case !whole:
		return nil, errors.New("its answer is too long")
	case status != 200:
		return nil, fmt.Errorf("it answered %d", status)
	}
	if !coding.None(encoding) {
		if held, err = coding.Append(nil, encoding, held, coding.Limits{Bytes: mostEmbedding, Ratio: coding.MaxRatio}); err != nil {
			c.tellUnread("answer", err)
			return nil, err
		}
	}
	if read := p.Dialect.ReadAnswer(llm.Embeddings, held); read.Kind != "" {
		return nil, errors.New(read.Problem)
	}
	e, err := to.ReadEmbedAnswer(held)
	if err != nil {
		return nil, err
	}
	if len(e.Vectors) != 1 {
		return nil, fmt.Errorf("it gave %d embeddings", len(e.Vectors))
	}
	chosen.Target.MarkGood(time.Now().UnixNano())
	return e.Vectors[0], nil
}

// embedHead writes the head of a request for an embedding into c.out.
func (c *call) embedHead(t *snapshot.ModelTarget, o *wire.Origin, body []byte) error {
	p := t.Provider
	up := p.Upstream
	path, query := p.Dialect.Path(llm.Embeddings), ""
	if placer, ok := p.Placer(); ok {
		path, query = placer.Place(llm.Embeddings, t.Model, false)
	}
	head := append(c.out[:0], "POST "+o.Prefix+path...)
	if query != "" {
		head = append(append(head, '?'), query...)
	}
	head = append(head, " HTTP/1.1\r\nHost: "+o.Host+"\r\n"...)
	head = append(head, up.ExtraFields...)
	for i := range up.IfMissing {
		head = append(head, up.IfMissing[i].Line...)
	}
	var key *snapshot.Credential
	if len(up.Keys) > 0 {
		now := wire.Now()
		i, ok := up.KeyPool.Pick(now, 0)
		if !ok {
			return errors.New("no key of " + p.Name + " can be used now")
		}
		key = &up.Keys[i]
		head = append(head, key.Line...)
	}
	head = append(head, crossedFields...)
	head = append(head, "Content-Length: "...)
	head = append(strconv.AppendInt(head, int64(len(body)), 10), "\r\n\r\n"...)
	c.out = head
	if key == nil || key.Signer == nil {
		return nil
	}
	c.key = key
	err := c.sign(body)
	c.key = nil
	return err
}
