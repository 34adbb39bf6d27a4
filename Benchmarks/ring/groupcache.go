// Go groupcache's consistenthash, measured as measure-ring measures: see run. Lines of JSON on stdout.
package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/golang/groupcache/consistenthash"
)

const (
	keyCount = 4096
	rounds   = 100
	sample   = 1000000
	tokens   = 256
)

func names(members int) []string {
	all := make([]string, members)
	for member := range all {
		all[member] = fmt.Sprintf("session-manager-%d", member)
	}
	return all
}

func ring(members []string) *consistenthash.Map {
	made := consistenthash.New(tokens, nil)
	made.Add(members...)
	return made
}

func allocated() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func nanoseconds(made *consistenthash.Map, keys []string) float64 {
	best, sum := 1e9, 0
	for round := 0; round < rounds; round++ {
		start := time.Now()
		for _, key := range keys {
			sum += len(made.Get(key))
		}
		if each := float64(time.Since(start).Nanoseconds()) / keyCount; each < best {
			best = each
		}
	}
	// Used, or the compiler might leave the work out.
	if sum == 0 {
		panic("nobody owns anything")
	}
	return best
}

func main() {
	var users, uuids []string
	for key := 0; key < keyCount; key++ {
		number := 1000000 + key*7919
		users = append(users, fmt.Sprintf("user-%d", number))
		uuids = append(uuids, fmt.Sprintf("%d-3d5f-4b4a-9c1e-0123456789ab", number+20000000))
	}
	for _, members := range []int{3, 100, 1000} {
		before := allocated()
		made := ring(names(members))
		bytes := float64(allocated()-before) / float64(members)
		fmt.Printf("{\"name\": \"groupcache consistenthash (Go)\", \"members\": %d, \"nanoseconds\": %f, "+
			"\"nanosecondsOfUUID\": %f, \"bytesPerMember\": %f",
			members, nanoseconds(made, users), nanoseconds(made, uuids), bytes)
		if members == 100 {
			joined := ring(append(names(members), "newcomer"))
			counts, largest, moved := map[string]int{}, 0, 0
			for number := 0; number < sample; number++ {
				key := fmt.Sprintf("sample-%d", number)
				owner := made.Get(key)
				counts[owner]++
				if counts[owner] > largest {
					largest = counts[owner]
				}
				if joined.Get(key) != owner {
					moved++
				}
			}
			fmt.Printf(", \"largestShare\": %f, \"moved\": %f",
				float64(largest)*float64(members)/sample, float64(moved)*float64(members+1)/sample)
		}
		fmt.Println("}")
	}
}
