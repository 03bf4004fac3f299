// handles.go: the peer of inventories: pprof.NewProfile, Add and Remove below
// 18 frames, on a thousand ways of which three functions are one of ten.
//
//	handles pairs LIVE STACKS GOROUTINES   as handles_pairs.c; prints "pair NS least NS calls NS frames N live N"
//	handles serve HANDLES STACKS           as handles_service.c; prints "ADDRESS PID" and serves
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"sync"
	"time"
)

const (
	wayFrames = 18
	rounds    = 101
)

type object struct{ text [64]byte }

type way struct {
	number int
	level  int
	end    func(*way)
	worker *worker
	count  int
}

type worker struct {
	objects []object
	live    int
	next    int
	work    bool
	took    time.Duration
	missing int
}

var (
	profile *pprof.Profile
	stacks  = 1
	pairs   = 500
	levels  [3][10]func(*way)
)

//go:noinline
func on(w *way) {
	if w.level == 3 {
		w.end(w)
		return
	}
	n := w.number
	for i := 0; i < w.level; i++ {
		n /= 10
	}
	next := levels[w.level][n%10]
	w.level++
	next(w)
}

//go:noinline
func deeper(frames int, w *way) {
	if frames > 0 {
		deeper(frames-1, w)
	} else {
		on(w)
	}
}

//go:noinline
func handler0(w *way) { var local [24]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler1(w *way) { var local [40]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler2(w *way) { var local [56]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler3(w *way) { var local [72]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler4(w *way) { var local [104]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler5(w *way) { var local [136]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler6(w *way) { var local [168]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler7(w *way) { var local [232]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler8(w *way) { var local [264]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func handler9(w *way) { var local [328]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step0(w *way) { var local [24]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step1(w *way) { var local [40]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step2(w *way) { var local [56]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step3(w *way) { var local [72]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step4(w *way) { var local [104]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step5(w *way) { var local [136]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step6(w *way) { var local [168]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step7(w *way) { var local [232]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step8(w *way) { var local [264]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func step9(w *way) { var local [328]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store0(w *way) { var local [24]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store1(w *way) { var local [40]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store2(w *way) { var local [56]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store3(w *way) { var local [72]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store4(w *way) { var local [104]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store5(w *way) { var local [136]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store6(w *way) { var local [168]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store7(w *way) { var local [232]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store8(w *way) { var local [264]byte; local[w.level] = 1; on(w); local[w.level]++ }

//go:noinline
func store9(w *way) { var local [328]byte; local[w.level] = 1; on(w); local[w.level]++ }

func init() {
	levels[0] = [10]func(*way){handler0, handler1, handler2, handler3, handler4, handler5, handler6, handler7, handler8, handler9}
	levels[1] = [10]func(*way){step0, step1, step2, step3, step4, step5, step6, step7, step8, step9}
	levels[2] = [10]func(*way){store0, store1, store2, store3, store4, store5, store6, store7, store8, store9}
}

//go:noinline
func countAtEnd(w *way) {
	var pcs [64]uintptr
	w.count = runtime.Callers(1, pcs[:])
}

func (w *worker) goWay(number int, end func(*way)) int {
	way := way{number: number, end: end, worker: w}
	deeper(w.missing, &way)
	return way.count
}

func (w *worker) add() {
	profile.Add(&w.objects[w.next%(w.live+1)], 0)
	w.next++
}

func (w *worker) removeOldest() {
	profile.Remove(&w.objects[(w.next-1-w.live)%(w.live+1)])
}

//go:noinline
func addAtEnd(w *way) { w.worker.add() }

//go:noinline
func pairAtEnd(w *way) {
	if w.worker.work {
		w.worker.add()
		w.worker.removeOldest()
	}
}

//go:noinline
func pairsAtEnd(w *way) {
	for i := 0; w.worker.work && i < pairs; i++ {
		w.worker.add()
		w.worker.removeOldest()
	}
}

//go:noinline
func (w *worker) round(first int) {
	start := time.Now()
	if stacks == 1 {
		w.goWay(0, pairsAtEnd)
	} else {
		for i := 0; i < pairs; i++ {
			w.goWay((first+i)%stacks, pairAtEnd)
		}
	}
	w.took = time.Since(start)
}

// Below the same number of frames as round.
//
//go:noinline
func (w *worker) frames() int { return w.goWay(0, countAtEnd) }

func (w *worker) findDepth() {
	if missing := wayFrames - w.frames(); missing > 0 {
		w.missing = missing
	}
}

func (w *worker) fill() {
	w.objects = make([]object, w.live+1)
	for i := 0; i < w.live; i++ {
		w.goWay(i%stacks, addAtEnd)
	}
}

func measure(live, goroutines int) {
	workers := make([]worker, goroutines)
	var ready, done sync.WaitGroup
	var took [2][]float64
	frames := 0
	start := make([]chan int, goroutines)
	ready.Add(goroutines)
	for i := range workers {
		start[i] = make(chan int)
		go func(w *worker, start chan int) {
			w.live = live / goroutines
			w.findDepth()
			frames = w.frames()
			w.fill()
			ready.Done()
			for round := range start {
				w.work = round%2 == 1
				w.round(round * 7)
				done.Done()
			}
		}(&workers[i], start[i])
	}
	ready.Wait()
	for round := 0; round < 2*rounds; round++ {
		done.Add(goroutines)
		for i := range start {
			start[i] <- round
		}
		done.Wait()
		var longest time.Duration
		for i := range workers {
			if workers[i].took > longest {
				longest = workers[i].took
			}
		}
		took[round%2] = append(took[round%2], float64(longest.Nanoseconds())/float64(pairs))
	}
	sort.Float64s(took[0])
	sort.Float64s(took[1])
	calls := took[0][rounds/2]
	fmt.Printf("pair %.1f least %.1f calls %.1f frames %d live %d\n", took[1][rounds/2]-calls,
		took[1][0]-took[0][0], calls, frames, profile.Count())
}

func serve(handles int) {
	w := worker{live: handles}
	w.findDepth()
	w.fill()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, nil)
	fmt.Printf("%s %d\n", listener.Addr(), os.Getpid())
	io.Copy(io.Discard, os.Stdin)
}

func number(at, otherwise int) int {
	if len(os.Args) <= at {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[at])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return n
}

func main() {
	profile = pprof.NewProfile("bench")
	stacks = number(3, 1)
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(number(2, 1000000))
	} else {
		measure(number(2, 0), number(4, 1))
	}
}
