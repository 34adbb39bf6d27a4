// A real grpc-go client against the server under test: subscribes, pushes by both ways, and wants the messages.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
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

func fail(what string, err error) {
	fmt.Println(what, err)
	os.Exit(1)
}

func dial(address string) *grpc.ClientConn {
	connection, err := grpc.Dial("passthrough:///"+address, grpc.WithInsecure(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { // never by a proxy
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		fail("dial", err)
	}
	return connection
}

func main() {
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, sender := dial(os.Args[1]), dial(os.Args[1])
	defer client.Close()
	defer sender.Close()
	session := "check"
	stream, err := client.NewStream(limit, &grpc.StreamDesc{ServerStreams: true}, "/bench.Push/Subscribe")
	if err == nil {
		err = stream.SendMsg(&SubscribeRequest{Session: session})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		fail("subscribe", err)
	}
	got := func(want string) {
		message := new(Message)
		if err := stream.RecvMsg(message); err != nil {
			fail("receive", err)
		}
		if string(message.Payload) != want {
			fail("received "+string(message.Payload)+" instead of "+want, nil)
		}
	}
	reply := new(PushReply)
	if err := sender.Invoke(limit, "/bench.Push/Push", &PushRequest{session, []byte("one")}, reply); err != nil {
		fail("push", err)
	}
	if !reply.Delivered {
		fail("push: not delivered", nil)
	}
	got("one")
	if err := sender.Invoke(limit, "/bench.Push/Push", &PushRequest{"nobody", []byte("two")}, reply); err != nil {
		fail("push", err)
	}
	pushes, err := sender.NewStream(limit, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/bench.Push/PushStream")
	if err == nil {
		err = pushes.SendMsg(&PushRequest{session, []byte("three")})
	}
	*reply = PushReply{}
	if err == nil {
		err = pushes.RecvMsg(reply)
	}
	if err != nil || !reply.Delivered {
		fail("push on a stream", err)
	}
	got("three")
	if err := sender.Invoke(limit, "/bench.Push/Push", &PushRequest{"nobody", []byte("x")}, reply); err != nil {
		fail("push", err)
	}
	if reply.Delivered {
		fail("a push to nobody was delivered", nil)
	}
}
