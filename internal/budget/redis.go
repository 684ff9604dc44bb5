package budget

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps counters that several gateways share, in Redis or Valkey. Each window is one hash: the field
// "used", and for each reservation a field with its amount and the time at which it ends by itself. Every
// step is one script, so that no two gateways see a state between.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	reserve *redis.Script
	settle  *redis.Script

	mu      sync.Mutex
	changed map[string]listened
	sweep   time.Time
}

// listened is a window that calls wait for.
type listened struct {
	settled chan struct{} // closed when something of it was settled here
	since   time.Time
}

// leaseFor is how long a reservation lasts that nobody settles.
const leaseFor = time.Hour

// reserveScript: KEYS[1] the window; ARGV id, amount, limit, ends (Unix seconds), lease (seconds), least. It returns
// the verdict, what is used and what is reserved. Time is the server's.
const reserveScript = `
local now = tonumber(redis.call('TIME')[1])
local used, reserved, others = 0, 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] == 'used' then
    used = tonumber(all[i + 1])
  else
    local sep = string.find(all[i + 1], ' ', 1, true)
    if tonumber(string.sub(all[i + 1], sep + 1)) <= now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      reserved = reserved + tonumber(string.sub(all[i + 1], 1, sep - 1))
      others = others + 1
    end
  end
end
local amount, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
if used >= limit then return {2, tostring(used), tostring(reserved)} end
if used + tonumber(ARGV[6]) > limit then return {3, tostring(used), tostring(reserved)} end
if used + reserved + amount > limit and others > 0 then return {1, tostring(used), tostring(reserved)} end
redis.call('HSET', KEYS[1], 'id:' .. ARGV[1], ARGV[2] .. ' ' .. (now + tonumber(ARGV[5])))
redis.call('EXPIRE', KEYS[1], math.max(tonumber(ARGV[4]) - now, 0) + tonumber(ARGV[5]))
return {0, tostring(used), tostring(reserved)}`

// settleScript: KEYS[1] the window; ARGV id, used, ends (Unix seconds), lease (seconds).
const settleScript = `
local now = tonumber(redis.call('TIME')[1])
redis.call('HDEL', KEYS[1], 'id:' .. ARGV[1])
if ARGV[2] ~= '0' then redis.call('HINCRBY', KEYS[1], 'used', ARGV[2]) end
redis.call('EXPIRE', KEYS[1], math.max(tonumber(ARGV[3]) - now, 0) + tonumber(ARGV[4]))
return 1`

// NewRedis returns counters in a server that client talks to; every key begins with prefix.
func NewRedis(client redis.UniversalClient, prefix string) *Redis {
	return &Redis{
		client: client, prefix: prefix, reserve: redis.NewScript(reserveScript), settle: redis.NewScript(settleScript),
		changed: map[string]listened{},
	}
}

// Reserve implements Counters.
func (r *Redis) Reserve(ctx context.Context, key, id string, amount Amount, limit int64, ends time.Time) (Verdict, State, error) {
	answer, err := r.reserve.Run(ctx, r.client, []string{r.prefix + key}, id, amount.Likely, limit, ends.Unix(), int64(leaseFor/time.Second), amount.Least).Slice()
	if err != nil {
		return 0, State{}, fmt.Errorf("reserving of %s: %w", key, err)
	}
	if len(answer) != 3 {
		return 0, State{}, fmt.Errorf("reserving of %s: %d values came back", key, len(answer))
	}
	verdict, _ := answer[0].(int64)
	return Verdict(verdict), State{number(answer[1]), number(answer[2])}, nil
}

// number reads a count that a script has written as a text, perhaps with an exponent.
func number(v any) int64 {
	s, _ := v.(string)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(s, 64)
	return int64(f)
}

// Settle implements Counters.
func (r *Redis) Settle(ctx context.Context, key, id string, used int64, ends time.Time) error {
	err := r.settle.Run(ctx, r.client, []string{r.prefix + key}, id, used, ends.Unix(), int64(leaseFor/time.Second)).Err()
	r.mu.Lock()
	if l, ok := r.changed[key]; ok {
		close(l.settled)
		delete(r.changed, key)
	}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("settling of %s: %w", key, err)
	}
	return nil
}

// Look implements Counters.
func (r *Redis) Look(ctx context.Context, key string) (State, error) {
	all, err := r.client.HGetAll(ctx, r.prefix+key).Result()
	if err != nil {
		return State{}, fmt.Errorf("looking at %s: %w", key, err)
	}
	var s State
	for name, value := range all {
		if name == "used" {
			s.Used = number(value)
			continue
		}
		var amount, until int64
		if _, err := fmt.Sscan(value, &amount, &until); err == nil && until > time.Now().Unix() {
			s.Reserved += amount
		}
	}
	return s, nil
}

// Changed implements Counters: it tells of this gateway's own settling.
func (r *Redis) Changed(key string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.forget(now)
	l, ok := r.changed[key]
	if !ok {
		l = listened{make(chan struct{}), now}
		r.changed[key] = l
	}
	return l.settled
}

// forget drops the windows that nobody has settled anything of for a while: most are over. Who still waits for one is
// woken, looks, and listens anew.
func (r *Redis) forget(now time.Time) {
	if now.Before(r.sweep) {
		return
	}
	r.sweep = now.Add(sweepEvery)
	for key, l := range r.changed {
		if now.Sub(l.since) >= sweepEvery {
			close(l.settled)
			delete(r.changed, key)
		}
	}
}
