// goroutines.go: the peer. As many goroutines as its argument says, blocked in
// six ways below 8 to 14 layers of functions, and Go's own net/http/pprof beside them.
// Prints "ADDRESS PID" when all are blocked; ends with its input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type job struct {
	number int
	text   [64]byte
}

var (
	waiting int64
	held    sync.Mutex
	guard   = sync.NewCond(&sync.Mutex{})
	channel = make(chan int)
	results = make(chan int)
	group   sync.WaitGroup
	pipe, _ = io.Pipe()
)

//go:noinline
func wait(j *job) int {
	atomic.AddInt64(&waiting, 1)
	switch j.number % 6 {
	case 0:
		guard.L.Lock()
		guard.Wait()
	case 1:
		return <-channel
	case 2:
		held.Lock()
	case 3:
		group.Wait()
	case 4:
		select {
		case v := <-channel:
			return v
		case results <- 1:
		}
	case 5:
		var b [16]byte
		pipe.Read(b[:])
	}
	return j.number
}

//go:noinline
func layer1(j *job) int { local := j.text; r := wait(j); return r + int(local[j.number&15]) }

//go:noinline
func layer2(j *job) int { local := j.text; r := layer1(j); return r + int(local[j.number&15]) }

//go:noinline
func layer3(j *job) int { local := j.text; r := layer2(j); return r + int(local[j.number&15]) }

//go:noinline
func layer4(j *job) int { local := j.text; r := layer3(j); return r + int(local[j.number&15]) }

//go:noinline
func layer5(j *job) int { local := j.text; r := layer4(j); return r + int(local[j.number&15]) }

//go:noinline
func layer6(j *job) int { local := j.text; r := layer5(j); return r + int(local[j.number&15]) }

//go:noinline
func layer7(j *job) int { local := j.text; r := layer6(j); return r + int(local[j.number&15]) }

//go:noinline
func layer8(j *job) int { local := j.text; r := layer7(j); return r + int(local[j.number&15]) }

//go:noinline
func layer9(j *job) int { local := j.text; r := layer8(j); return r + int(local[j.number&15]) }

//go:noinline
func layer10(j *job) int { local := j.text; r := layer9(j); return r + int(local[j.number&15]) }

//go:noinline
func layer11(j *job) int { local := j.text; r := layer10(j); return r + int(local[j.number&15]) }

//go:noinline
func layer12(j *job) int { local := j.text; r := layer11(j); return r + int(local[j.number&15]) }

//go:noinline
func layer13(j *job) int { local := j.text; r := layer12(j); return r + int(local[j.number&15]) }

//go:noinline
func layer14(j *job) int { local := j.text; r := layer13(j); return r + int(local[j.number&15]) }

func main() {
	count := 10000
	if len(os.Args) > 1 {
		count, _ = strconv.Atoi(os.Args[1])
	}
	entries := []func(*job) int{layer8, layer9, layer10, layer11, layer12, layer13, layer14}
	held.Lock()
	group.Add(1)
	for i := 0; i < count; i++ {
		go func(i int) { entries[i/6%7](&job{number: i}) }(i)
	}
	for atomic.LoadInt64(&waiting) < int64(count) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, nil)
	fmt.Printf("%s %d\n", listener.Addr(), os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}
