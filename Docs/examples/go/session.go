package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "example.com/pushring/v1"
)

const (
	welcomeTimeout = 10 * time.Second
	locateTimeout  = 2 * time.Second
	rememberedIDs  = 1024
	largestBackoff = 10 * time.Second
	// For reading the stream that a session has moved away from to its end.
	restOfOldStream = 10 * time.Second
)

// Event is what Session tells its owner, and what the program prints.
type Event struct {
	Event    string `json:"event"`
	Session  string `json:"session,omitempty"`
	Pod      string `json:"pod,omitempty"`
	Epoch    uint64 `json:"epoch,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	ID       string `json:"id,omitempty"`
	Payload  string `json:"payload,omitempty"`
	Code     string `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	Messages uint32 `json:"messages,omitempty"` // Of "dropped": how many did not come.
}

// Session stays connected for as long as Run runs, over as many streams as it takes.
type Session struct {
	User      string
	ID        string
	Endpoints []string
	OnEvent   func(Event)

	epoch      uint64
	successors []string
	seen       map[string]bool
	order      []string
}

// stream is one welcomed stream to one pod. Its frames, and at last its end, come over frames.
type stream struct {
	endpoint   string
	connection *grpc.ClientConn
	call       pb.Sessions_ConnectClient
	cancel     context.CancelFunc
	welcome    *pb.Welcome
	frames     chan *pb.ServerFrame
	err        error // Why the stream ended; set before frames is closed.
}

// Run connects and reconnects until ctx is done or the session is refused for good.
func (s *Session) Run(ctx context.Context) error {
	s.seen = map[string]bool{}
	candidates := s.locate(ctx)
	for attempt := 1; ; attempt++ {
		current, err := s.connect(ctx, candidates)
		if err == nil {
			attempt = 0
			err = s.serve(ctx, current)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.OnEvent(Event{Event: "ended", Code: status.Code(err).String(), Reason: reason(err), Message: err.Error()})
		if final(err) {
			return err
		}
		pause(ctx, attempt)
		candidates = distinct(append(endpoints(err), s.successors...))
		if len(candidates) == 0 {
			candidates = s.locate(ctx)
		}
	}
}

// locate asks any pod where this user belongs; without an answer the endpoints given must do.
func (s *Session) locate(ctx context.Context) []string {
	for _, endpoint := range s.Endpoints {
		connection, err := dial(ctx, endpoint)
		if err != nil {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, locateTimeout)
		answer, err := pb.NewSessionsClient(connection).Locate(limited, &pb.LocateRequest{UserId: s.User})
		cancel()
		connection.Close()
		if err == nil {
			return distinct(append(addresses(answer.Pods), s.Endpoints...))
		}
	}
	return s.Endpoints
}

func (s *Session) connect(ctx context.Context, candidates []string) (*stream, error) {
	err := errors.New("no endpoint to connect to")
	for _, endpoint := range candidates {
		var opened *stream
		if opened, err = s.open(ctx, endpoint, nil); err == nil {
			return opened, nil
		}
		if final(err) || ctx.Err() != nil {
			break
		}
	}
	s.successors = nil // None of them helped: ask again.
	return nil, err
}

// open says Hello and waits for Welcome.
func (s *Session) open(ctx context.Context, endpoint string, ticket []byte) (*stream, error) {
	connection, err := dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	opened := &stream{endpoint: endpoint, connection: connection, cancel: cancel, frames: make(chan *pb.ServerFrame)}
	watchdog := time.AfterFunc(welcomeTimeout, cancel)
	opened.call, err = pb.NewSessionsClient(connection).Connect(ctx)
	if err == nil {
		// An error of Send only says that the stream is over; Recv says why.
		opened.call.Send(&pb.ClientFrame{Frame: &pb.ClientFrame_Hello{Hello: &pb.Hello{
			UserId: s.User, SessionId: s.ID, Epoch: s.epoch, Ticket: ticket,
			Labels: map[string]string{"client": "go"}, Capabilities: &pb.Capabilities{Moves: true},
		}}})
		var frame *pb.ServerFrame
		if frame, err = opened.call.Recv(); err == nil {
			opened.welcome = frame.GetWelcome()
		}
	}
	if err == nil && !watchdog.Stop() {
		err = status.Errorf(codes.DeadlineExceeded, "%s sent no Welcome", endpoint)
	}
	if err == nil && opened.welcome == nil {
		err = fmt.Errorf("%s did not begin with Welcome", endpoint)
	}
	if err != nil {
		failure := &ended{cause: err, call: opened.call}
		opened.close()
		return nil, failure
	}
	s.ID, s.epoch, s.successors = opened.welcome.SessionId, opened.welcome.Epoch, addresses(opened.welcome.Successors)
	s.OnEvent(Event{
		Event: "welcome", Session: s.ID, Pod: opened.welcome.PodId, Epoch: s.epoch, Endpoint: endpoint,
	})
	go opened.receive(ctx)
	return opened, nil
}

func (t *stream) receive(ctx context.Context) {
	defer close(t.frames)
	for {
		frame, err := t.call.Recv()
		if err != nil {
			t.err = &ended{cause: err, call: t.call}
			return
		}
		select {
		case t.frames <- frame:
		case <-ctx.Done():
			t.err = ctx.Err()
			return
		}
	}
}

func (t *stream) close() {
	t.cancel()
	t.connection.Close()
}

// serve reads the current stream and, while the session moves, the old one beside it, and returns why the last ended.
func (s *Session) serve(ctx context.Context, current *stream) error {
	var old *stream
	var overlap <-chan time.Time
	defer func() {
		current.close()
		if old != nil {
			old.close()
		}
	}()
	for {
		var oldFrames chan *pb.ServerFrame
		if old != nil {
			oldFrames = old.frames
		}
		select {
		case frame, open := <-current.frames:
			if !open {
				return current.err
			}
			if moved := s.frame(ctx, current, frame); moved != nil {
				if old != nil {
					old.close()
				}
				old, current = current, moved
				overlap = time.After(restOfOldStream)
			}
		case frame, open := <-oldFrames:
			if open {
				s.deliver(old, frame.GetMessage())
				s.dropped(frame.GetDropped())
				continue
			}
			old.close()
			old = nil
		case <-overlap:
			if old != nil {
				old.close()
				old = nil
			}
		}
	}
}

// frame handles one frame, and returns the stream to go on with if it asked to move.
func (s *Session) frame(ctx context.Context, from *stream, frame *pb.ServerFrame) *stream {
	switch frame := frame.Frame.(type) {
	case *pb.ServerFrame_Message:
		s.deliver(from, frame.Message)
	case *pb.ServerFrame_Dropped:
		s.dropped(frame.Dropped)
	case *pb.ServerFrame_Ping:
		from.call.Send(&pb.ClientFrame{Frame: &pb.ClientFrame_Pong{Pong: &pb.Pong{Nonce: frame.Ping.Nonce}}})
	case *pb.ServerFrame_Reconnect:
		return s.move(ctx, from, frame.Reconnect)
	}
	return nil
}

// move opens the next stream while the old one lives. Nil if no pod takes it: then the old one is used to its end.
func (s *Session) move(ctx context.Context, from *stream, reconnect *pb.Reconnect) *stream {
	s.OnEvent(Event{Event: "reconnect", Reason: reconnect.Reason.String(), Endpoint: reconnect.Endpoint.GetEndpoint()})
	targets := append([]string{reconnect.Endpoint.GetEndpoint()}, addresses(reconnect.Successors)...)
	for _, endpoint := range distinct(append(targets, s.successors...)) {
		if endpoint == from.endpoint {
			continue
		}
		if moved, err := s.open(ctx, endpoint, reconnect.Ticket); err == nil {
			return moved
		}
	}
	return nil
}

// deliver drops what was seen before: while a session moves, both pods deliver.
func (s *Session) deliver(from *stream, message *pb.Message) {
	if message == nil || s.seen[message.Id] {
		return
	}
	s.seen[message.Id] = true
	s.order = append(s.order, message.Id)
	if len(s.order) > rememberedIDs {
		delete(s.seen, s.order[0])
		s.order = s.order[1:]
	}
	s.OnEvent(Event{Event: "message", ID: message.Id, Payload: string(message.Payload), Pod: from.welcome.PodId})
}

// dropped tells that messages did not come, as this client read too slowly.
func (s *Session) dropped(dropped *pb.Dropped) {
	if dropped != nil {
		s.OnEvent(Event{Event: "dropped", Messages: dropped.Messages})
	}
}

// ended is why a stream is over, with its trailers.
type ended struct {
	cause error
	call  pb.Sessions_ConnectClient
}

func (e *ended) Error() string              { return e.cause.Error() }
func (e *ended) GRPCStatus() *status.Status { return status.Convert(e.cause) }

func (e *ended) trailer(key string) string {
	if e.call == nil {
		return ""
	}
	return strings.Join(e.call.Trailer().Get(key), ",")
}

func reason(err error) string {
	if end, ok := err.(*ended); ok {
		return end.trailer("pushring-reason")
	}
	return ""
}

func endpoints(err error) []string {
	if end, ok := err.(*ended); ok {
		return strings.Split(end.trailer("pushring-endpoints"), ",")
	}
	return nil
}

// final says that coming back cannot help: the Hello is wrong, or another connection took this session id over.
func final(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		return true
	}
	return reason(err) == "taken-over"
}

// pause waits with exponential backoff and full jitter: not all clients of a lost pod in the same instant.
func pause(ctx context.Context, attempt int) {
	longest := largestBackoff
	if attempt < 7 {
		longest = 100 * time.Millisecond << uint(attempt)
	}
	select {
	case <-time.After(time.Duration(rand.Int63n(int64(longest)))):
	case <-ctx.Done():
	}
}

func dial(ctx context.Context, endpoint string) (*grpc.ClientConn, error) {
	return grpc.DialContext(ctx, endpoint, grpc.WithInsecure(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}))
}

func addresses(pods []*pb.PodEndpoint) []string {
	var list []string
	for _, pod := range pods {
		list = append(list, pod.Endpoint)
	}
	return list
}

func distinct(list []string) []string {
	seen := map[string]bool{"": true}
	var kept []string
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			kept = append(kept, item)
		}
	}
	return kept
}
