package cache

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps values in Redis or Valkey, for several gateways. How old a value is follows from the time that the
// server says it has left, so that the gateways' clocks need not agree. What makes room there is the server's own
// matter (maxmemory).
type Redis struct {
	client redis.UniversalClient
	prefix string
	each   int64
}

// Dial returns a store in the server at a URL (redis://, rediss:// or unix://), none of whose steps takes longer than
// within. Every key begins with prefix, and no value is larger than each bytes. Nothing is sent before the store is
// used. The error does not quote the URL, which may hold a password. Close the store after use.
func Dial(url, prefix string, each int64, within time.Duration) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the cache's URL is no address of a Redis server: write redis://HOST:PORT/N")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = within, within, within, within
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	return &Redis{redis.NewClient(o), prefix, each}, nil
}

// Close ends the connections to the server.
func (r *Redis) Close() error { return r.client.Close() }

func (r *Redis) name(key Key) string { return r.prefix + hex.EncodeToString(key[:]) }

// sealed is a value as it is kept: behind the milliseconds that it was to be kept for.
func sealed(value []byte, ttl time.Duration) []byte {
	out := make([]byte, 8, 8+len(value))
	binary.LittleEndian.PutUint64(out, uint64(ttl.Milliseconds()))
	return append(out, value...)
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key Key) ([]byte, time.Duration, error) {
	var got *redis.StringCmd
	var left *redis.DurationCmd
	name := r.name(key)
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		got, left = p.Get(ctx, name), p.PTTL(ctx, name)
		return nil
	})
	if errors.Is(err, redis.Nil) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the cache: %w", err)
	}
	value, err := got.Bytes()
	if err != nil || len(value) < 8 || left.Val() <= 0 {
		return nil, 0, nil // it expired in between, or is none of ours
	}
	kept := time.Duration(binary.LittleEndian.Uint64(value)) * time.Millisecond
	return value[8:], max(kept-left.Val(), 0), nil
}

// Set implements Store.
func (r *Redis) Set(ctx context.Context, key Key, value []byte, ttl time.Duration) error {
	if int64(len(value)) > r.each {
		return ErrTooLarge
	}
	if err := r.client.Set(ctx, r.name(key), sealed(value, ttl), max(ttl, time.Millisecond)).Err(); err != nil {
		return fmt.Errorf("writing to the cache: %w", err)
	}
	return nil
}

// Add implements Store.
func (r *Redis) Add(ctx context.Context, key Key, value []byte, ttl time.Duration) ([]byte, error) {
	for range 3 { // what is kept may expire between the two steps
		added, err := r.client.SetNX(ctx, r.name(key), sealed(value, ttl), max(ttl, time.Millisecond)).Result()
		if err != nil {
			return nil, fmt.Errorf("writing to the cache: %w", err)
		}
		if added {
			return value, nil
		}
		if kept, _, err := r.Get(ctx, key); err != nil || kept != nil {
			return kept, err
		}
	}
	return nil, errors.New("writing to the cache: the key comes and goes")
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key Key) error {
	if err := r.client.Del(ctx, r.name(key)).Err(); err != nil {
		return fmt.Errorf("deleting from the cache: %w", err)
	}
	return nil
}

// Size implements Store: a server's figures are the server's to tell.
func (r *Redis) Size() (entries, bytes, evicted int64) { return -1, -1, -1 }
