// heap_writer: two profiles of a Go program, by Go itself: `heap_writer KIND A B` ("heap",
// "goroutine"). Between them keepMore keeps 30 blocks of 64 KiB, 15 of keep's are gone, and 7
// goroutines have come.
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

var kept [][]byte

//go:noinline
func keep(count int) {
	for i := 0; i < count; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

//go:noinline
func keepMore(count int) { keep(count) }

func write(name string) {
	runtime.GC()
	file, err := os.Create(name)
	if err == nil {
		err = pprof.Lookup(os.Args[1]).WriteTo(file, 0)
	}
	if err != nil || file.Close() != nil {
		os.Exit(1)
	}
}

func main() {
	runtime.MemProfileRate = 1
	keep(20)
	write(os.Args[2])
	kept = kept[:5:5]
	keepMore(30)
	ready := make(chan bool)
	for i := 0; i < 7; i++ {
		go func() { ready <- true; select {} }()
		<-ready
	}
	write(os.Args[3])
	runtime.KeepAlive(kept)
}
