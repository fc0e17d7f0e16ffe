package campaign

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseSeeds(t *testing.T) {
	for text, want := range map[string]Seeds{
		"1..10": {1, 10}, "7": {7, 7}, "0..0": {}, "18446744073709551615": {1<<64 - 1, 1<<64 - 1},
	} {
		if got, err := ParseSeeds(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "..", "1..", "..5", "a..b", "5..1", "-1..3", "1...3", "1..2..3", "1-3", "0..18446744073709551615", "1..18446744073709551616", " 1..2"} {
		_, err := ParseSeeds(text)
		var input *InputError
		if !errors.As(err, &input) || input.Field != "seeds" || input.Value == "" || input.Reason == "" {
			t.Errorf("%q: %v; want an InputError about seeds", text, err)
		}
	}
}

func TestParseShard(t *testing.T) {
	if s, err := ParseShard("2/3"); err != nil || s != (Shard{2, 3}) {
		t.Errorf("2/3: %v, %v", s, err)
	}
	for _, text := range []string{"", "1", "/", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/2/3"} {
		_, err := ParseShard(text)
		var input *InputError
		if !errors.As(err, &input) || input.Field != "shard" {
			t.Errorf("%q: %v; want an InputError about the shard", text, err)
		}
	}
}

// Every seed is in one shard, and the shards are of one size but for one.
func TestShardsPartitionTheSeeds(t *testing.T) {
	for _, all := range []Seeds{{0, 0}, {1, 10}, {5, 104}, {1<<64 - 7, 1<<64 - 1}} {
		for n := uint64(1); n <= min(all.N(), 13); n++ {
			var parts []Seeds
			for i := uint64(1); i <= n; i++ {
				part, err := Shard{i, n}.Of(all)
				if err != nil {
					t.Fatal(err)
				}
				if part.N() != all.N()/n && part.N() != all.N()/n+1 {
					t.Errorf("%v: shard %d/%d has %d seeds", all, i, n, part.N())
				}
				parts = append(parts, part)
			}
			if joined, overlap := union(parts); overlap != nil || !slices.Equal(joined, []Seeds{all}) {
				t.Errorf("%v in %d: %v join to %v, overlap %v", all, n, parts, joined, overlap)
			}
		}
		if _, err := (Shard{1, all.N() + 1}).Of(all); err == nil || !strings.Contains(err.Error(), "only") {
			t.Errorf("%v: more shards than seeds: %v", all, err)
		}
	}
}

func TestUnion(t *testing.T) {
	joined, overlap := union([]Seeds{{20, 30}, {1, 5}, {6, 9}, {31, 31}})
	if want := []Seeds{{1, 9}, {20, 31}}; overlap != nil || !slices.Equal(joined, want) {
		t.Errorf("joined %v, overlap %v; want %v", joined, overlap, want)
	}
	for _, c := range []struct{ a, b, common Seeds }{
		{Seeds{1, 5}, Seeds{5, 9}, Seeds{5, 5}},
		{Seeds{1, 9}, Seeds{3, 4}, Seeds{3, 4}},
		{Seeds{3, 3}, Seeds{3, 3}, Seeds{3, 3}},
	} {
		if _, overlap := union([]Seeds{c.b, c.a}); overlap == nil || *overlap != c.common {
			t.Errorf("%v and %v: overlap %v, want %v", c.a, c.b, overlap, c.common)
		}
	}
}
