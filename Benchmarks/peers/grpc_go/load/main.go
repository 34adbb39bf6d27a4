// The load as grpc-go clients: one connection for each session. The driver gives commands on standard input, a line
// each, and reads what became of them as JSON, a line each:
//
//	connect N RATE        RATE a second, all at once when 0; answers when all are subscribed
//	closed SECONDS WARM INFLIGHT
//	open SECONDS WARM RATE
//
// The last two answer three times: after the warm-up, at the end, and when what was on its way has come.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc"
)

type SubscribeRequest struct {
	Session string `protobuf:"bytes,1,opt,name=session,proto3"`
}
type Message struct {
	Payload []byte `protobuf:"bytes,1,opt,name=payload,proto3"`
}
type PushRequest struct {
	Session string `protobuf:"bytes,1,opt,name=session,proto3"`
	Payload []byte `protobuf:"bytes,2,opt,name=payload,proto3"`
}
type PushReply struct {
	Delivered bool `protobuf:"varint,1,opt,name=delivered,proto3"`
}

func (m *SubscribeRequest) Reset()         { *m = SubscribeRequest{} }
func (m *SubscribeRequest) String() string { return proto.CompactTextString(m) }
func (*SubscribeRequest) ProtoMessage()    {}
func (m *Message) Reset()                  { *m = Message{} }
func (m *Message) String() string          { return proto.CompactTextString(m) }
func (*Message) ProtoMessage()             {}
func (m *PushRequest) Reset()              { *m = PushRequest{} }
func (m *PushRequest) String() string      { return proto.CompactTextString(m) }
func (*PushRequest) ProtoMessage()         {}
func (m *PushReply) Reset()                { *m = PushReply{} }
func (m *PushReply) String() string        { return proto.CompactTextString(m) }
func (*PushReply) ProtoMessage()           {}

const payloadBytes = 200

// Of one workload; a new one for each, so that stragglers of the last cannot be counted in this one.
type run struct {
	seen       []uint32
	arrived    []int64 // nanoseconds since base; open loop
	base       time.Time
	received   int64
	duplicated int64
	misplaced  int64
	slots      chan struct{}
}

var (
	address string
	current atomic.Value
	count   int
	sender  *grpc.ClientConn
	broken  int64
	answers int64
	refused int64
	filler  = strings.Repeat("x", payloadBytes-26)
)

func fail(what string, err error) {
	fmt.Fprintln(os.Stderr, what, err)
	os.Exit(1)
}

func answer(value map[string]interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		fail("json", err)
	}
	os.Stdout.Write(append(line, '\n'))
}

func dial() *grpc.ClientConn {
	connection, err := grpc.Dial("passthrough:///"+address, grpc.WithInsecure(),
		grpc.WithReadBufferSize(4096), grpc.WithWriteBufferSize(4096),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { // never by a proxy
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		fail("dial", err)
	}
	return connection
}

func name(i int) string { return fmt.Sprintf("c%08d", i) }

func session(i int, ready *sync.WaitGroup) {
	connection := dial()
	stream, err := connection.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true},
		"/bench.Push/Subscribe", grpc.WaitForReady(true))
	if err == nil {
		err = stream.SendMsg(&SubscribeRequest{Session: name(i)})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		fail("session "+name(i)+":", err)
	}
	ready.Done()
	message := new(Message)
	for {
		if err := stream.RecvMsg(message); err != nil {
			atomic.AddInt64(&broken, 1)
			return
		}
		arrive(i, message.Payload)
	}
}

func arrive(i int, payload []byte) {
	r, _ := current.Load().(*run)
	if r == nil || len(payload) != payloadBytes || string(payload[:4]) != "PR1:" {
		fail("session "+name(i)+" got a message that nobody sent", nil)
	}
	seq, err1 := strconv.Atoi(string(payload[4:16]))
	target, err2 := strconv.Atoi(string(payload[17:25]))
	if err1 != nil || err2 != nil || seq >= len(r.seen) {
		fail("session "+name(i)+" got a message that nobody sent", nil)
	}
	if target != i {
		atomic.AddInt64(&r.misplaced, 1)
		return
	}
	if !atomic.CompareAndSwapUint32(&r.seen[seq], 0, 1) {
		atomic.AddInt64(&r.duplicated, 1)
		return
	}
	if r.arrived != nil {
		r.arrived[seq] = int64(time.Since(r.base))
	}
	atomic.AddInt64(&r.received, 1)
	if r.slots != nil {
		select {
		case r.slots <- struct{}{}:
		default:
		}
	}
}

func push(seq int) {
	target := seq % count
	reply := new(PushReply)
	request := &PushRequest{name(target), []byte(fmt.Sprintf("PR1:%012d:%08d:%s", seq, target, filler))}
	if err := sender.Invoke(context.Background(), "/bench.Push/Push", request, reply); err != nil {
		fail("push", err)
	}
	atomic.AddInt64(&answers, 1)
	if !reply.Delivered {
		atomic.AddInt64(&refused, 1)
	}
}

func connect(n int, rate float64) {
	count = n
	var ready sync.WaitGroup
	ready.Add(n)
	begin := time.Now()
	for i := 0; i < n; i++ {
		if rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / rate * 1e9))))
		}
		go session(i, &ready)
	}
	ready.Wait()
	answer(map[string]interface{}{"seconds": time.Since(begin).Seconds()})
}

func drain(r *run, sent int, limit time.Duration) {
	end := time.Now().Add(limit)
	for atomic.LoadInt64(&r.received) < int64(sent) && time.Now().Before(end) {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
}

func (r *run) result(sent int) map[string]interface{} {
	return map[string]interface{}{"sent": sent, "received": atomic.LoadInt64(&r.received),
		"duplicated": atomic.LoadInt64(&r.duplicated), "misdelivered": atomic.LoadInt64(&r.misplaced),
		"answers": atomic.LoadInt64(&answers), "refused": atomic.LoadInt64(&refused),
		"disconnected": atomic.LoadInt64(&broken)}
}

func closed(seconds, warm float64, inFlight int) {
	r := &run{seen: make([]uint32, int((seconds+warm)*400e3)), slots: make(chan struct{}, inFlight)}
	current.Store(r)
	work := make(chan int, inFlight)
	for k := 0; k < inFlight; k++ {
		r.slots <- struct{}{}
		go func() {
			for seq := range work {
				push(seq)
			}
		}()
	}
	begin := time.Now()
	seq, marked := 0, false
	stalled := time.NewTicker(5 * time.Second)
	last := int64(-1)
	for seq < len(r.seen) {
		passed := time.Since(begin).Seconds()
		if !marked && passed >= warm {
			marked = true
			answer(map[string]interface{}{"received": atomic.LoadInt64(&r.received)})
		}
		if passed >= warm+seconds {
			break
		}
		select {
		case <-r.slots:
			work <- seq
			seq++
		case <-stalled.C:
			if have := atomic.LoadInt64(&r.received); have == last {
				for k := 0; k < inFlight; k++ { // all in flight is lost: go on with new ones
					select {
					case r.slots <- struct{}{}:
					default:
					}
				}
			} else {
				last = have
			}
		}
	}
	answer(map[string]interface{}{"received": atomic.LoadInt64(&r.received)})
	drain(r, seq, 5*time.Second)
	close(work)
	answer(r.result(seq))
}

func open(seconds, warm, rate float64) {
	total, first := int((seconds+warm)*rate), int(warm*rate)
	r := &run{seen: make([]uint32, total), arrived: make([]int64, total), base: time.Now().Add(50 * time.Millisecond)}
	current.Store(r)
	lag := make([]float64, total)
	marked := false
	due := func(seq int) time.Duration { return time.Duration(float64(seq) / rate * 1e9) }
	for seq := 0; seq < total; seq++ {
		time.Sleep(time.Until(r.base.Add(due(seq))))
		if !marked && seq >= first {
			marked = true
			answer(map[string]interface{}{})
		}
		lag[seq] = (time.Since(r.base) - due(seq)).Seconds()
		go push(seq)
	}
	answer(map[string]interface{}{})
	drain(r, total, 10*time.Second)
	latency := []float64{}
	for seq := first; seq < total; seq++ {
		if atomic.LoadUint32(&r.seen[seq]) == 1 {
			latency = append(latency, (time.Duration(r.arrived[seq]) - due(seq)).Seconds())
		}
	}
	result := r.result(total)
	result["latency"] = latency
	result["lag"] = lag[first:]
	answer(result)
}

func main() {
	address = os.Args[1]
	sender = dial()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		numbers := []float64{}
		for _, word := range words[1:] {
			value, err := strconv.ParseFloat(word, 64)
			if err != nil {
				fail("command "+lines.Text(), err)
			}
			numbers = append(numbers, value)
		}
		switch words[0] {
		case "connect":
			connect(int(numbers[0]), numbers[1])
		case "closed":
			closed(numbers[0], numbers[1], int(numbers[2]))
		case "open":
			open(numbers[0], numbers[1], numbers[2])
		default:
			fail("command "+lines.Text(), nil)
		}
	}
}
