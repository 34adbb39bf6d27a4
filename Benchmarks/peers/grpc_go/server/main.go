// The plain grpc-go push server that a team would write first: sessions in a map, a server stream for each, a unary
// Push that finds the session and sends. The messages are written by hand in the form that protoc-gen-go gave them,
// so that the build needs neither protoc nor its plug-in; the wire format is protobuf's.
//
//	service Push {
//	  rpc Subscribe(SubscribeRequest) returns (stream Message);
//	  rpc Push(PushRequest) returns (PushReply);
//	  rpc PushStream(stream PushRequest) returns (stream PushReply);
//	}
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

type session struct {
	sending sync.Mutex // a stream takes one SendMsg at a time
	stream  grpc.ServerStream
}

type server struct {
	lock     sync.RWMutex
	sessions map[string]*session
}

func (s *server) subscribe(request *SubscribeRequest, stream grpc.ServerStream) error {
	mine := &session{stream: stream}
	s.lock.Lock()
	if s.sessions[request.Session] != nil {
		s.lock.Unlock()
		return status.Error(codes.AlreadyExists, "that session is connected")
	}
	s.sessions[request.Session] = mine
	s.lock.Unlock()
	defer func() {
		s.lock.Lock()
		delete(s.sessions, request.Session)
		s.lock.Unlock()
	}()
	if err := stream.SendHeader(nil); err != nil { // the client's word that it is subscribed
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (s *server) push(request *PushRequest) *PushReply {
	s.lock.RLock()
	to := s.sessions[request.Session]
	s.lock.RUnlock()
	if to == nil {
		return &PushReply{}
	}
	to.sending.Lock()
	err := to.stream.SendMsg(&Message{Payload: request.Payload})
	to.sending.Unlock()
	return &PushReply{Delivered: err == nil}
}

var description = grpc.ServiceDesc{
	ServiceName: "bench.Push",
	HandlerType: (*interface{})(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Push",
		Handler: func(s interface{}, _ context.Context, decode func(interface{}) error,
			_ grpc.UnaryServerInterceptor) (interface{}, error) {
			request := new(PushRequest)
			if err := decode(request); err != nil {
				return nil, err
			}
			return s.(*server).push(request), nil
		},
	}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Subscribe", ServerStreams: true, Handler: func(s interface{}, stream grpc.ServerStream) error {
			request := new(SubscribeRequest)
			if err := stream.RecvMsg(request); err != nil {
				return err
			}
			return s.(*server).subscribe(request, stream)
		}},
		{StreamName: "PushStream", ServerStreams: true, ClientStreams: true,
			Handler: func(s interface{}, stream grpc.ServerStream) error {
				for {
					request := new(PushRequest)
					if err := stream.RecvMsg(request); err == io.EOF {
						return nil
					} else if err != nil {
						return err
					}
					if err := stream.SendMsg(s.(*server).push(request)); err != nil {
						return err
					}
				}
			}},
	},
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	buffers := flag.Int("buffers", 32*1024, "bytes of the read and of the write buffer of a connection")
	window := flag.Int("window", 1<<20, "HTTP/2 receive windows, bytes")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	g := grpc.NewServer(grpc.ReadBufferSize(*buffers), grpc.WriteBufferSize(*buffers),
		grpc.InitialWindowSize(int32(*window)), grpc.InitialConnWindowSize(int32(*window)))
	g.RegisterService(&description, &server{sessions: map[string]*session{}})
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		os.Exit(0)
	}()
	if err := g.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
