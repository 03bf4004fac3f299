// cgo_service PORT: an HTTP service in Go whose answers are written by C, so that it is linked with
// the C library. One goroutine computes without end, which makes the runtime preempt it by SIGURG.
// SIGTERM ends it, with status 3.
package main

/*
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void answer(char *to, int size, const char *path) {
	usleep(100);
	snprintf(to, (size_t)size, "answer to %s\n", path);
}
*/
import "C"

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var computed, answered int64

func compute() {
	for {
		sum := 0
		for i := 0; i < 3_000_000; i++ {
			sum += i ^ sum
		}
		atomic.AddInt64(&computed, int64(sum&1)+1)
		time.Sleep(5 * time.Millisecond)
	}
}

func serve(writer http.ResponseWriter, request *http.Request) {
	path := C.CString(request.URL.Path)
	defer C.free(unsafe.Pointer(path))
	var text [256]C.char
	C.answer(&text[0], C.int(len(text)), path)
	atomic.AddInt64(&answered, 1)
	fmt.Fprint(writer, C.GoString(&text[0]))
}

func main() {
	go compute()
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM)
	go func() {
		<-ending
		fmt.Println("answered", atomic.LoadInt64(&answered))
		os.Exit(3)
	}()
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(serve)))
	os.Exit(1)
}
